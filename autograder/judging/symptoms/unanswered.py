"""What could not be read: None, another type or shape, an exception. The sentence says what is asked for here."""

from __future__ import annotations

from typing import Any

from autograder.asking.state import State
from autograder.asking.values import Raised, shape

Found = tuple[str, str]  # the symptom's name and its sentence
ABOUT_INPUTS = ("TypeError", "ValueError", "RuntimeError", "IndexError", "KeyError", "ZeroDivisionError", "OverflowError")


def unanswered(trial: Any, outcomes: list[Any], readings: list[Any]) -> Found | None:
    """The first case in which nothing readable came, and what to return instead."""
    seen = list(zip(trial.cases, outcomes, readings, strict=True))
    hits = [(case, outcome, complaint) for case, outcome, (_, complaint) in seen if complaint]
    if not hits or any(outcome.state not in (State.RETURNED, State.RAISED) for _, outcome, _ in hits):
        return None
    if all(isinstance(case["expected"], Raised) for case, _, _ in hits):
        return _not_refused(hits)
    case, outcome, complaint = next(hit for hit in hits if not isinstance(hit[0]["expected"], Raised))
    asked = f"For {case['label']!r} {asked_for(trial, case['expected'])} is asked for."
    some = len(hits) < sum(not isinstance(case["expected"], Raised) for case in trial.cases)
    if outcome.state == State.RAISED and outcome.error not in ABOUT_INPUTS:
        return "raised_in_some_cases" if some else "raised", _sentence(complaint)
    if outcome.state == State.RAISED:
        return "raised_in_some_cases" if some else "raised", _joined(_sentence(complaint), given(trial, case["inputs"]), asked)
    if outcome.value is None:
        printed = " What a function prints is not returned: write return instead of print." if outcome.printed.strip() else ""
        return "returned_none", f"{_sentence(complaint)}{printed} {asked}"
    return "another_type", f"{_sentence(complaint)} {asked}"


def direct(trial: Any) -> bool:
    """Whether the student's function is called on the inputs as they are, and not by a probe of its exercise."""
    return trial.probe in ("calling.call", "calling.without_autograd")


def _not_refused(hits: list[Any]) -> Found:
    case, outcome, complaint = hits[0]
    error = case["expected"].error
    if outcome.state == State.RAISED:
        return "another_error", f"{_sentence(complaint)} Write `raise {error}(...)` with a sentence that says what is wrong."
    said = _sentence(f"{complaint} (case: {case['label']})")
    return "not_refused", f"{said} Test the inputs first, and `raise {error}(...)`."


def wrong_shape(trial: Any, index: list[int], came: list[Any]) -> Found | None:
    """Readable, in a shape that was not asked for: which is, and what went in."""
    for i, value in zip(index, came, strict=True):
        case = trial.cases[i]
        if shape(value) != shape(case["expected"]):
            said = f"Expected shape {shape(case['expected'])}, came {shape(value)} for {case['label']!r}."
            return "wrong_shape", _joined(said, given(trial, case["inputs"]))
    return None


def asked_for(trial: Any, expected: Any) -> str:
    """`a tensor of shape (4, 5)`, `a tuple of three values (new examples: a whole number, ...)`, in the words of the exercise."""
    if isinstance(expected, tuple):
        names = {part["of"]: part["name"] for part in reversed(trial.parts) if part["of"] is not None}
        items = [f"{names[i]}: {_one(v)}" if i in names else _one(v) for i, v in enumerate(expected)]
        return f"a tuple of {len(expected)} values ({'; '.join(items)})"
    return _one(expected)


def _one(expected: Any) -> str:
    if isinstance(expected, bool):
        return "True or False"
    if isinstance(expected, int):
        return "a whole number"
    if isinstance(expected, float):
        return "a number"
    if isinstance(expected, str):
        return "a string"
    if expected is None:
        return "None"
    if isinstance(expected, tuple):
        return f"a tuple of {len(expected)} values"
    return f"a tensor of shape {tuple(expected.shape)}"


def given(trial: Any, inputs: dict[str, Any]) -> str:
    """The inputs of a case, as briefly as it goes: shapes of tensors, numbers as they are. None where a probe stands between."""
    if not direct(trial):
        return ""
    said = [f"{name} {_brief(value)}" for name, value in inputs.items()]
    return f"The inputs there: {', '.join(said)}." if said else ""


def _brief(value: Any) -> str:
    if hasattr(value, "shape"):
        return str(tuple(value.shape))
    if isinstance(value, float):
        return f"{value:.6g}"
    text = repr(value)
    return text if len(text) <= 60 and not isinstance(value, dict) else f"({type(value).__name__} of {len(value)})"


def _joined(*sentences: str) -> str:
    return " ".join(text for text in sentences if text)


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "?", "!")) else f"{text}."
