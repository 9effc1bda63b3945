"""Exercises of chapter 01 on using a pretrained model: entities, and the choice of the objective."""

from __future__ import annotations

import numpy as np

import solutions.pretraining as answers
from autograder.exercises.draws import integer
from autograder.exercises.exercise import Case, Exercise, Misconception, Part, Written

# --- aggregate_entities -----------------------------------------------------------------------------------------------


def aggregate_cases(rng: np.random.Generator) -> list[Case]:
    kinds = [str(kind) for kind in rng.permutation(["PER", "ORG", "LOC"])]
    a, b, c = kinds
    gap = ["O"] * integer(rng, 1, 3)
    apart = [*gap, f"B-{a}", f"I-{a}", "O", f"B-{b}", "O", "O", f"B-{c}", f"I-{c}", f"I-{c}"]
    neighbours = [f"B-{a}", f"B-{a}", f"I-{a}", "O", *gap, f"B-{b}", f"I-{b}", f"B-{b}"]
    stray = ["O", f"I-{b}", f"I-{b}", *gap, f"B-{a}", f"I-{c}", "O", f"I-{c}", "O"]
    return [
        Case("entities apart", {"tags": apart}, "apart"),
        Case("two of a kind side by side", {"tags": neighbours}, "neighbours"),
        Case("an I without a B", {"tags": stray}, "stray"),
    ]


def _spans(tags: list[str], starts, goes_on) -> list[tuple[int, int]]:
    """Spans where `starts(tag, before)` opens one, and `goes_on(tag, before)` extends the open one."""
    spans: list[tuple[int, int]] = []
    before, is_open = "O", False
    for place, tag in enumerate(tags):
        if tag != "O" and is_open and goes_on(tag, before):
            spans[-1] = (spans[-1][0], place + 1)
        elif tag != "O" and starts(tag, before):
            spans.append((place, place + 1))
            is_open = True
        else:
            is_open = False
        before = tag
    return spans


def always(tag: str, before: str) -> bool:
    return True


def same_kind(tag: str, before: str) -> bool:
    return before[2:] == tag[2:]


def inside(tag: str, before: str) -> bool:
    return tag[0] == "I" and same_kind(tag, before)


def begins(tag: str, before: str) -> bool:
    return tag[0] == "B"


def last_lost(tags: list[str]) -> list[tuple[int, int]]:
    return [span for span in answers.aggregate_entities(tags) if span[1] < len(tags)]


aggregate_entities = Exercise(
    id="pretraining.aggregate_entities",
    answer=answers.aggregate_entities,
    cases=aggregate_cases,
    parts=[
        Part("entities apart", 1, on="apart"),
        Part("side by side", 1, on="neighbours"),
        Part("an I without a B", 1, on="stray"),
    ],
    misconceptions=[
        Misconception(
            "b_ignored", lambda tags: _spans(tags, always, same_kind), earns=2,
            says="Two entities of one kind that stand side by side have become one. That is what B is for: a B always "
            "begins a new one.",
        ),
        Misconception(
            "b_required", lambda tags: _spans(tags, begins, inside), earns=2,
            says="You dropped what begins with an I. Models do predict an I without a B; such a token begins an entity of "
            "its own.",
        ),
        Misconception(
            "kind_ignored", lambda tags: _spans(tags, always, lambda tag, before: tag[0] == "I"), earns=2,
            says="An I of another kind cannot belong to the entity before it: B-PER I-LOC are two.",
        ),
        Misconception(
            "end_included", lambda tags: [(start, end - 1) for start, end in answers.aggregate_entities(tags)],
            "Your ends are the last token of the entity. Asked is the first token after it, so that tags[start:end] is the "
            "entity.",
        ),
        Misconception(
            "never_joined", lambda tags: [(place, place + 1) for place, tag in enumerate(tags) if tag != "O"],
            "Every token is an entity of its own here. An I after a tag of the same kind belongs to the same entity.",
        ),
        Misconception(
            "only_beginnings", lambda tags: [(place, place + 1) for place, tag in enumerate(tags) if tag[0] == "B"],
            "You found where entities begin. They go on over the I that follow.",
        ),
        Misconception(
            "last_lost", last_lost, earns=1,
            says="An entity that lasts until the end of the text is lost: it is closed by no O. Close it after the loop.",
        ),
    ],
)

# --- objective --------------------------------------------------------------------------------------------------------

TASKS = {"sentiment": "understanding", "ner": "understanding", "dialogue": "writing", "summary": "writing"}


def objective_cases(rng: np.random.Generator) -> list[Case]:
    return [Case(task, {"task": task}, group) for task, group in TASKS.items()]


def _but(**changed: str):
    """The right answers with some changed."""
    return lambda task: changed.get(task, answers.objective(task))


objective = Exercise(
    id="pretraining.objective",
    answer=answers.objective,
    cases=objective_cases,
    parts=[Part("sentiment and ner", 1, on="understanding"), Part("dialogue and summary", 1, on="writing")],
    misconceptions=[
        Misconception(
            "swapped", lambda task: {"mlm": "clm", "clm": "mlm"}[answers.objective(task)],
            "All four are the other way round. What writes text has to predict the next token; what labels a given text "
            "may look at "
            "both sides.",
        ),
        Misconception(
            "always_clm", lambda task: "clm", earns=1,
            says="Large causal models can do all four, that is true. But for labelling a text that is there, a model that "
            "sees both "
            "sides of every token fits better, and a far smaller one does.",
        ),
        Misconception(
            "always_mlm", lambda task: "mlm", earns=1,
            says="A masked model fills holes of known length. It has no way of its own to write a text from left to right.",
        ),
        Misconception(
            "ner_clm", _but(ner="clm"), earns=1,
            says="Whether 'Washington' is a person or a place is often decided by what comes after it. A causal model's "
            "vector for it "
            "cannot have seen that.",
        ),
        Misconception(
            "sentiment_clm", _but(sentiment="clm"), earns=1,
            says="Sentiment is read off a whole text that is there, and nothing has to be written: both sides may be seen.",
        ),
        Misconception(
            "summary_mlm", _but(summary="mlm"), earns=1,
            says="A summary has to be read for, but also written: token after token, each given those before it.",
        ),
    ],
)

# --- choose (written) -------------------------------------------------------------------------------------------------

choose = Written(
    id="pretraining.choose",
    answer=answers.choose,
    rubric=[
        (1, "Gives each of the three jobs an objective and says which of its two costs, learning or answering, decides there."),
        (1, "Blanks: one pass against one pass for each candidate, and the masked model's distance from the exact answer after "
            "long training; not the faster start of the causal model."),
        (1, "Uses the interval of the masking rates: 40 % needed fewer sentences here; says that this is one small language, "
            "and what would be measured before it is taken over."),
        (1, "Names something these measurements do not tell (model size, real text, mixing both objectives, cost of a pass)."),
    ],
)
