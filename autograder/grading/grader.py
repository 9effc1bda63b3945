"""The judge of one assignment: submissions go in as bytes, reports come out.

A `Grader` owns one warm process behind the wall. For each submission it draws the cases, sends the inputs, takes whatever
comes back within the time, and judges it here, where no student's code ever runs. A warm process that dies is started again.
"""

from __future__ import annotations

import hashlib
import time
from typing import Any

from autograder.asking.ask import SECONDS, Outcome
from autograder.asking.patience import PATIENCE
from autograder.asking.state import State
from autograder.asking.wire import Malformed, encode
from autograder.exercises import exercises
from autograder.exercises.drawing import draw
from autograder.exercises.exercise import Exercise
from autograder.grading.agreement import Disagreement, differences, refusal
from autograder.grading.enclosure import SandboxUnavailable
from autograder.grading.graded import Graded
from autograder.grading.inside.channel import Closed
from autograder.grading.inside.limits import GRACE, Limits
from autograder.grading.outcomes import instead, outcomes_of
from autograder.grading.submission import Plan, UnreadableSubmission, plan, read_released
from autograder.grading.warm import Infrastructure, Lost, Warm
from autograder.judging.judge import judge
from autograder.judging.report import Report
from autograder.judging.trial import Trial
from autograder.notebooks.cells import imports
from autograder.notebooks.names import only_demonstrated

# what the first optimizer of a process imports takes more than a second: for a chapter that trains once, not in every fork
FIRST_OPTIMIZER = "import torch; torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)"


class Grader:
    """Grades submissions of one assignment, one after the other. Use it in a `with` block, and from one thread: its warm
    process ends with the thread that started it (and is then started again).

    Args:
        released: the notebook that was handed out.
        sandboxed: False runs submissions without a sandbox; every `Graded` then says so.
        limits: what one submission may use.

    Raises:
        SandboxUnavailable: in the `with` line or in `grade`, when this machine cannot enclose a submission.
        Disagreement: when an exercise of the notebook is none of this course, or has other points here.
    """

    def __init__(self, released: bytes, *, sandboxed: bool = True, limits: Limits | None = None):
        self.released = read_released(released)
        wrong = differences(self.released)
        if wrong:  # on another machine the course may be another
            raise Disagreement(refusal(wrong))
        self.exercises: dict[str, Exercise] = {i: exercises[i] for i in self.released.exercises}  # type: ignore[misc]
        self.sandboxed, self.limits = sandboxed, limits or Limits()
        self._warm: Warm | None = None
        self._cpu = 0.0

    def __enter__(self) -> Grader:
        self._living()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def grade(self, submitted: bytes, seed: int) -> Graded:
        """Grade one submission. The same bytes and the same seed give the same marks.

        Raises:
            Infrastructure: when something of ours failed; nothing was scored.
        """
        return self.examine(submitted, seed)[0]

    def examine(self, submitted: bytes, seed: int) -> tuple[Graded, dict[str, Trial], dict[str, list[Outcome]]]:
        """The same, with the inputs that were drawn and what came back, by exercise."""
        begun, self._cpu = time.perf_counter(), -time.process_time()
        try:
            work = plan(submitted, self.released)
        except UnreadableSubmission as error:
            work = Plan(written=dict.fromkeys(self.released.written, False))
            work.note(str(error), human=True)
            trials = self._draw(seed)
            outcomes = {i: instead(trial, State.UNREADABLE, str(error)) for i, trial in trials.items()}
        else:
            trials, outcomes = self._ask(work, seed)
        reports = {i: self._judge(trials[i], outcomes[i], work) for i in self.exercises}
        seconds, cpu = time.perf_counter() - begun, self._cpu + time.process_time()
        graded = Graded(seed, reports, work.written, work.notes, work.needs_human, self.sandboxed, seconds, cpu)
        return graded, trials, outcomes

    def _ask(self, work: Plan, seed: int) -> tuple[dict[str, Trial], dict[str, list[Outcome]]]:
        """Run the submission; once more if what runs it is killed, and if that happens again it is the submission's doing."""
        for again in (False, True):
            try:
                return self._ask_once(self._living(), work, seed)
            except Lost:
                self._stop()
                if again:
                    work.note("the process that runs submissions was killed when it ran this one, twice", human=True)
        trials = self._draw(seed)
        return trials, {i: instead(trial, State.CRASHED) for i, trial in trials.items()}

    def _ask_once(self, warm: Warm, work: Plan, seed: int) -> tuple[dict[str, Trial], dict[str, list[Outcome]]]:
        limits, answers, failed, state = self.limits, {}, [], ""
        with warm.fork() as channel:
            trials = self._draw(seed)  # while it forks
            shown = sorted(only_demonstrated(work.ran({})))
            questions = [self._question(trial, _seed(seed, f"answers of {i}"), shown) for i, trial in trials.items()]
            frame = encode({"seed": _seed(seed, "cells"), "cells": work.run, "questions": questions})
            end = time.monotonic() + limits.submission
            try:
                channel.send_frame(frame, end)
                failed = channel.receive(min(end, time.monotonic() + PATIENCE * limits.cells + GRACE))["failed"]
                for question in questions:
                    patience = 2 * PATIENCE * question["seconds"] + GRACE  # what raised in company is asked a second time
                    answers[question["id"]] = channel.receive(min(end, time.monotonic() + patience))
            except TimeoutError:
                state = State.TIMED_OUT
            except (Malformed, KeyError, TypeError):
                state = State.UNREADABLE
            except Closed:
                state = State.CRASHED
        self._cpu += warm.ended["cpu"]
        if warm.ended["excess"]:
            work.note(f"it was stopped: it used too much ({warm.ended['excess']})", human=True)
        if state:
            work.note(f"it stopped answering ({state})", human=state == State.UNREADABLE)
        ran = work.ran(_cell_errors(failed, work))
        outcomes = {i: instead(trial, state) for i, trial in trials.items() if i not in answers}
        for exercise_id, answer in answers.items():
            found = outcomes_of(trials[exercise_id], answer, ran)
            if any(outcome.state == State.UNREADABLE for outcome in found):
                work.note(f"what came back for {exercise_id} was not made by the course's own code", human=True)
            outcomes[exercise_id] = found
        return trials, outcomes

    def _question(self, trial: Trial, seed: int, demonstrated: list[str]) -> dict[str, Any]:
        seconds = self.limits.exercise * trial.seconds / SECONDS
        return {"id": trial.id, "name": trial.name, "probe": trial.probe, "inputs": trial.inputs, "seed": seed,
                "demonstrated": demonstrated, "seconds": seconds}  # fmt: skip

    def _draw(self, seed: int) -> dict[str, Trial]:
        return {i: draw(exercise, _seed(seed, i)) for i, exercise in self.exercises.items()}

    def _living(self) -> Warm:
        if self._warm is not None and not self._warm.alive():
            self._stop()
        if self._warm is None:
            closed = sorted({name for exercise in self.exercises.values() for name in exercise.closed})
            try:
                needed = [line for cell in self.released.setup for line in imports(cell.source)]
                if any(exercise.measured for exercise in self.exercises.values()):
                    needed.append(FIRST_OPTIMIZER)
                self._warm = Warm(needed, closed, self.limits, self.sandboxed)
            except Lost as error:
                raise Infrastructure(f"the process that runs submissions did not start: {error}") from None
            if self._warm.ready["failed"]:
                failed = "; ".join(self._warm.ready["failed"])
                self._stop()
                raise Infrastructure(f"the setup cells of this notebook do not run where submissions do: {failed}")
        return self._warm

    def _stop(self) -> None:
        if self._warm is not None:
            self._warm.end()
        self._warm = None

    def _judge(self, trial: Trial, outcomes: list[Outcome], work: Plan) -> Report:
        try:
            return judge(trial, outcomes)
        except Exception as error:  # nothing that comes from a student may stop a batch
            work.note(f"the answer to {trial.id} could not be judged ({type(error).__name__}); it scores zero", human=True)
            return judge(trial, instead(trial, State.UNREADABLE))


def _seed(seed: int, purpose: str) -> int:
    """A seed for one purpose, from the seed of the submission. Those that the sandbox hears say nothing about the others."""
    return int.from_bytes(hashlib.sha256(f"{seed} {purpose}".encode()).digest()[:4], "big")


def _cell_errors(failed: Any, work: Plan) -> dict[str, str]:
    """`name of the cell -> what it raised`, of the claims that came from the sandbox."""
    known = {cell["id"] for cell in work.run}
    errors = {}
    for item in failed if isinstance(failed, list) else []:
        said = [item.get(key) for key in ("id", "error", "message")] if isinstance(item, dict) else []
        if len(said) == 3 and all(isinstance(text, str) for text in said) and said[0] in known:
            errors[said[0]] = f"{said[1][:60]}: {said[2][:300]}" if said[2] else said[1][:60]
    for name, error in errors.items():
        work.note(f"{'' if name.startswith('cell ') else 'the cell '}{name} raised {error}")
    return errors


__all__ = ["Graded", "Grader", "Infrastructure", "SandboxUnavailable"]
