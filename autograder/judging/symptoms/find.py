"""Finding the symptoms of a wrong answer: which relation holds, in every case, between what came and what is right.

What could not be read comes first, then outputs whose values are in another order or explained by one change of the inputs, then
each value by itself (`tiers`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograder.asking.state import State
from autograder.asking.values import Raised
from autograder.judging.symptoms import order, values
from autograder.judging.symptoms.changed import Changed, as_if_changed, enough, in_words
from autograder.judging.symptoms.seen import Seen, agree, numbers, tolerance_of
from autograder.judging.symptoms.tiers import EMPTY, HINTED, RELATED, SHAPED, Found, asked, of_one, small
from autograder.judging.symptoms.unanswered import direct, unanswered, wrong_shape


def symptoms(trial: Any, outcomes: list[Any], readings: list[Any], changes: Callable[[], list[Changed]]) -> list[Found]:
    """What is wrong with an answer that is no known misconception, as names and sentences; nothing when nothing is known.

    Args:
        trial: the cases, with what is right.
        outcomes, readings: what came, and what could be read of it (see `judge`), one for each case.
        changes: what the right function gives for changed inputs; called only when it is needed.
    """
    index = [i for i, case in enumerate(trial.cases) if case["held"] is None and not isinstance(case["expected"], Raised)]
    if not index:  # all of them are measured, and `expected` is the form of what is to come
        plain = unanswered(trial, outcomes, readings) if trial.cases[0]["expected"] is not None else None
        return [plain] if plain else []
    if any(outcome.state not in (State.RETURNED, State.RAISED) for outcome in outcomes):
        return []
    complaints = [i for i in index if readings[i][1]]
    if complaints:
        found = _by_shape(trial, outcomes, index) if all(outcomes[i].state == State.RETURNED for i in index) else []
        plain = unanswered(trial, outcomes, readings)
        return found or ([plain] if plain else [])
    right = [trial.cases[i]["expected"] for i in index]
    came = [readings[i][0] for i in index]
    found = _in_values(trial, index, came, right, changes)
    if not found:
        plain = wrong_shape(trial, index, came)
        found = [plain] if plain else []
    if not found and any(complaint for _, complaint in readings):
        plain = unanswered(trial, outcomes, readings)
        return [plain] if plain else []
    return found


def _has_words(value: Any) -> bool:
    return isinstance(value, str) or isinstance(value, tuple) and any(map(_has_words, value))


def _in_values(trial: Any, index: list[int], came: list[Any], right: list[Any], changes: Callable) -> list[Found]:
    if not isinstance(right[0], tuple):
        seen = _seen(trial, index, came, right)
        return of_one(seen, index, None, changes) if any(seen.wrong) else []
    if any(map(_has_words, right)):
        return []  # words have no relations but being other words
    several = [_seen(trial, index, [c[k] for c in came], [r[k] for r in right]) for k in range(min(map(len, right)))]
    wrong = [k for k, seen in enumerate(several) if any(seen.wrong)]
    if not wrong:
        return []
    same = lambda c, r: several[0].same(_array(c), _array(r))  # noqa: E731
    says = order.values_in_another_order(came, right, same) if len(wrong) > 1 else None
    if says:
        return [("values_in_another_order", says)]
    names = _names(trial)
    for k in wrong:
        made = values.of_others(several, k)
        if made and not asked((*EMPTY, *RELATED), several[k]):
            return [(made[0], f"{_which([k], names)} is {made[1]}: look at which is which.")]
    if len(wrong) > 1:
        joint = [as_if_changed(several[k], index, k, changes()) for k in wrong]
        common = [
            place
            for place in joint[0]
            if all(place in f for f in joint) and enough(changes()[place], sum(f[place] for f in joint))
        ]
        related = [asked((*EMPTY, *RELATED), several[k]) for k in wrong]
        if common and not (related[0] and all(r[:1] == related[0][:1] for r in related)):
            return [in_words(common, changes())]
    each = {k: of_one(several[k], index, k, changes) for k in wrong}
    told = [k for k in wrong if each[k]]
    if not told:
        return []
    first = each[told[0]]
    if all(each[k] == first for k in wrong):  # one cause
        return first if len(wrong) == len(several) else [(n, f"{_which(wrong, names)}: {small(s)}") for n, s in first]
    return [(name, f"{_which([k], names)}: {small(says)}") for k in told[:2] for name, says in each[k][:1]]


def _by_shape(trial: Any, outcomes: list[Any], index: list[int]) -> list[Found]:
    """Numbers that came in another form than was asked for, which is why they could not be read."""
    right = [trial.cases[i]["expected"] for i in index]
    returned = [outcomes[i].value for i in index]
    if isinstance(right[0], tuple):
        return _fewer_values(trial, returned, right)
    came, wanted = [numbers(v) for v in returned], [numbers(r) for r in right]
    if any(a is None for a in (*came, *wanted)):
        return []
    seen = Seen(
        came, wanted, _inputs(trial, index), [trial.cases[i]["label"] for i in index], tolerance_of(right, trial.tolerance)
    )
    return asked(SHAPED, seen)


def _fewer_values(trial: Any, returned: list[Any], right: list[tuple]) -> list[Found]:
    """One of the values that were asked for, alone; or some of them, or more."""
    tolerance = trial.tolerance
    names = _names(trial)
    count = len(right[0])
    for k in range(count):
        wanted, came = [numbers(r[k]) for r in right], [numbers(v) for v in returned]
        if any(a is None for a in (*wanted, *came)):
            continue
        seen = Seen(came, wanted, [{}] * len(came), [""] * len(came), tolerance)
        if not any(seen.wrong):
            return [
                (
                    "one_value_only",
                    f"You return {_which([k], names)} alone, and {count} values are asked for: return "
                    f"{'both' if count == 2 else 'all of them'}, with commas between them.",
                )
            ]
    if all(isinstance(v, (list, tuple)) and len(v) == count for v in returned):
        came, wanted = [tuple(map(numbers, v)) for v in returned], [tuple(map(numbers, r)) for r in right]
        if all(a is not None for items in (*came, *wanted) for a in items):
            says = order.values_in_another_order(came, wanted, lambda c, r: agree(c, r, tolerance))
            return [("values_in_another_order", says)] if says else []
    if all(isinstance(v, (list, tuple)) and len(v) == len(returned[0]) != count for v in returned):
        came = len(returned[0])
        listed = ", ".join(f"{k + 1}: {names[k]}" for k in range(count) if k in names)
        return [
            ("other_number_of_values", f"You return {came} values, and {count} are asked for{f' ({listed})' if listed else ''}.")
        ]
    return []


def _names(trial: Any) -> dict[int, str]:
    """What the values of the output are called: after the first part that looks at each."""
    return {part["of"]: part["name"] for part in reversed(trial.parts) if part["of"] is not None}


def _inputs(trial: Any, index: list[int]) -> list[dict[str, Any]]:
    """The inputs that the student's function itself was given; none where a probe of its own stands between."""
    return [trial.cases[i]["inputs"] if direct(trial) else {} for i in index]


def _seen(trial: Any, index: list[int], came: list[Any], right: list[Any]) -> Seen:
    labels = [trial.cases[i]["label"] for i in index]
    tolerance = tolerance_of(right, trial.tolerance)
    return Seen([_array(c) for c in came], [_array(r) for r in right], _inputs(trial, index), labels, tolerance)


def _array(value: Any) -> Any:
    return np.asarray(value, float) if isinstance(value, (int, float, np.ndarray)) and not isinstance(value, bool) else value


def _which(values: list[int], names: dict[int, str]) -> str:
    said = [f"value {k + 1}" + (f" ({names[k]})" if k in names else "") for k in values]
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"


__all__ = ["HINTED", "Found", "symptoms"]
