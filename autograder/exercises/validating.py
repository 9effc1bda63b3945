"""Looking for an author's mistakes, when the course is built: what no student could ever read, earn or be asked.

Every one of them is an `AuthorError` that names file, line and exercise. Grading does not look: it draws with secret seeds,
and nothing of it may depend on which one.
"""

from __future__ import annotations

from collections import Counter

from autograder.asking import probes
from autograder.asking.ask import Outcome, ask_all
from autograder.asking.state import State
from autograder.asking.values import Raised, same
from autograder.asking.wire import Malformed, encode
from autograder.exercises.drawing import draw
from autograder.exercises.exercise import Exercise, Misconception, Part
from autograder.judging import measures
from autograder.judging.judge import covers, judge
from autograder.judging.trial import Trial

SEEDS = range(20)
RUNS = 2  # of the seeds, where every answer trains: the author has measured many more before setting the thresholds
MISCONCEPTIONS = 3  # of every exercise at least
IN_A_FRAME = 12  # questions as large as this one have to fit into one frame, which carries those of a whole chapter


def validated(exercise: Exercise, seeds: range = SEEDS) -> None:
    """Draw `exercise` with many seeds and hold it against what an exercise has to be. Raises `AuthorError`."""
    _declared(exercise)
    for seed in seeds:
        trial = draw(exercise, seed)
        if seed == seeds[0]:
            _can_travel(exercise, trial)
        if not trial.cases:
            raise exercise.fail(f"it has no cases with seed {seed}")
        for part in exercise.parts:
            _covers(exercise, part, trial)
        measured = any(case["held"] is not None for case in trial.cases)
        if measured and seed - seeds[0] >= RUNS:
            continue
        if measured:
            _reaches_all(exercise, trial)
        for misconception in exercise.misconceptions:
            if not measured:
                _can_be_told(exercise, misconception.name, trial)
            _earns(exercise, misconception, trial)


def _declared(exercise: Exercise) -> None:
    """What needs no cases to be seen."""
    named = {
        "part": [part.name for part in exercise.parts],
        "misconception": [m.name for m in exercise.misconceptions],
        "sentence": [m.says for m in exercise.misconceptions if not exercise.measured],
    }
    for what, names in named.items():
        twice = [name for name, times in Counter(names).items() if times > 1]
        if twice:
            raise exercise.fail(f"the {what} {twice[0]!r} is there twice: give each its own")
    for name, of in [("probe", probes.name_of), ("measure", measures.name_of)]:
        try:
            for function in [exercise.probe] if name == "probe" else [part.measure for part in exercise.parts if part.measure]:
                of(function)
        except ValueError as error:
            raise exercise.fail(str(error)) from None
    if not exercise.parts:
        raise exercise.fail("it has no parts, so nothing can be earned")
    for part in exercise.parts:
        if not part.points > 0:
            raise exercise.fail(f"part {part.name!r} is worth {part.points:g} points: give it more than 0, or remove it")
        if part.measure and (part.at_least is None) == (part.at_most is None):
            raise exercise.fail(f"part {part.name!r} measures: say `at_least` or `at_most`, one of the two")
        if bool(part.measure) != bool(part.says):
            raise exercise.fail(f"part {part.name!r}: a part that measures `says` what is missing, and no other part does")
    if len(exercise.misconceptions) < MISCONCEPTIONS:
        raise exercise.fail(
            f"it knows {len(exercise.misconceptions)} misconceptions, {MISCONCEPTIONS} are the least: what do people get wrong?"
        )


def _covers(exercise: Exercise, part: Part, trial: Trial) -> None:
    """A part without a case would be earned by anything, a component that is not there by nobody."""
    covered = [case for case in trial.cases if covers(vars(part), case)]
    if not covered and part.measure:
        raise exercise.fail(f"part {part.name!r} measures, and no case of its group holds something back (`Case.held`)")
    if not covered:
        groups = ", ".join(repr(name) for name in sorted({case["group"] for case in trial.cases}))
        raise exercise.fail(f"part {part.name!r}: no case is of group {part.on!r}; with seed {trial.seed} there are {groups}")
    for case in covered:
        expected = case["expected"]
        if part.of is None or isinstance(expected, Raised):
            continue
        if not isinstance(expected, tuple) or not 0 <= part.of < len(expected):
            there = f"a tuple of {len(expected)}" if isinstance(expected, tuple) else "no tuple"
            picks = f"of={part.of} picks nothing: the right output of {case['label']!r} is {there}"
            raise exercise.fail(f"part {part.name!r}: {picks}")


def _can_travel(exercise: Exercise, trial: Trial) -> None:
    try:
        encode([trial.inputs] * IN_A_FRAME)
        encode(trial.data | {"mistaken": trial.mistaken})
    except Malformed as error:
        raise exercise.fail(f"its inputs cannot travel: {error}; draw smaller cases, or fewer") from None


def _can_be_told(exercise: Exercise, name: str, trial: Trial) -> None:
    """Some case must show it by a returned value, at ten times the tolerance, so that rounding never decides."""
    for case, mistaken in zip(trial.cases, trial.mistaken, strict=True):
        wrong = mistaken[name]
        if not isinstance(wrong, Raised) and not same(wrong, case["expected"], 10 * trial.tolerance):
            return
    raise exercise.fail(
        f"misconception {name!r} cannot be told from the right answer with seed {trial.seed}: "
        "in no case does it return something else. Add a case where it does, or remove it"
    )


def _reaches_all(exercise: Exercise, trial: Trial) -> None:
    report = judge(trial, ask_all(exercise.answer, exercise.probe, trial.inputs, exercise.seconds, trial.seed))
    if report.score != exercise.points:
        raise exercise.fail(f"with seed {trial.seed} the model answer does not reach what its parts ask for: {report.message}")


def _earns(exercise: Exercise, misconception: Misconception, trial: Trial) -> None:
    """What an answer with this misconception gets is what it declares, and the sentence is its own."""
    if any(case["held"] is not None for case in trial.cases):
        outcomes = ask_all(misconception.wrong, exercise.probe, trial.inputs, exercise.seconds, trial.seed)
    else:
        outcomes = [_outcome(mistaken[misconception.name]) for mistaken in trial.mistaken]
    report = judge(trial, outcomes)
    name, seed = misconception.name, f"with seed {trial.seed}"
    if report.score != misconception.earns:
        said = f"declares {misconception.earns:g} points and earns {report.score:g} {seed}"
        raise exercise.fail(f"misconception {name!r} {said}: {report.message}")
    if all(case["held"] is not None for case in trial.cases):
        if not report.message.startswith(misconception.says):
            raise exercise.fail(f"misconception {name!r} {seed} reads: {report.message!r}, which is not its sentence")
    elif report.misconception != name:
        raise exercise.fail(f"misconception {name!r} is taken for {report.misconception!r} {seed}: add a case between them")


def _outcome(value: object) -> Outcome:
    if isinstance(value, Raised):
        return Outcome(State.RAISED, message=f"it raised {value.error}", error=value.error)
    return Outcome(State.RETURNED, value)
