"""Finding the symptoms of a wrong answer: which relation holds, in every case, between what came and what is right.

Symptoms are asked in tiers, from what explains most to what says least, and the first tier that knows something answers. Two of
one tier that both hold are both said: the cases cannot tell them apart.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograder.asking.state import State
from autograder.asking.values import Raised
from autograder.judging.symptoms import order, relations, remainder, shapes, where, whole, words
from autograder.judging.symptoms.changed import Changed, as_if_changed, part_of_it
from autograder.judging.symptoms.seen import Seen, numbers, tolerance_of
from autograder.judging.symptoms.unanswered import unanswered

Found = tuple[str, str]  # a symptom's name and its sentence

EMPTY = (whole.zeros, whole.handed_back, words.other_case, words.an_input_itself, words.exchanged_words, words.same_word)
RELATED = (
    relations.sign, relations.factor, relations.by_a_quantity, relations.function_of_it, order.transposed, order.reversed_order,
    order.shifted, relations.offset, remainder.by_an_input, remainder.with_an_input, order.in_another_order,
)
SHAPED = (shapes.another_shape, shapes.not_reduced, shapes.reduced, shapes.a_part)
BUILT = (whole.same_whatever, whole.one_for_all, whole.made_of_inputs, relations.rounded, remainder.row_factor, remainder.row_shift,
         shapes.shape_of_an_input)
HINTS = (where.not_a_number, words.one_word_wrong, words.no_such_word, where.entries, where.cases, where.not_zero, where.zero,
         where.cannot_be)  # they say where, or what cannot be, and not what was done
HINTED = frozenset({"not_a_number", "one_word_wrong", "no_such_word", "entries", "cases", "not_zero", "zero", "cannot_be",
                    "shape_of_an_input"})


def symptoms(trial: Any, outcomes: list[Any], readings: list[Any], changes: Callable[[], list[Changed]]) -> list[Found]:
    """What is wrong with an answer that is no known misconception, as names and sentences; nothing when nothing is known.

    Args:
        trial: the cases, with what is right.
        outcomes, readings: what came, and what could be read of it (see `judge`), one for each case.
        changes: what the right function gives for changed inputs; called only when it is needed.
    """
    index = [i for i, case in enumerate(trial.cases) if case["held"] is None and not isinstance(case["expected"], Raised)]
    if not index:
        return []
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
    if not found and any(complaint for _, complaint in readings):
        plain = unanswered(trial, outcomes, readings)
        return [plain] if plain else []
    return found


def _in_values(trial: Any, index: list[int], came: list[Any], right: list[Any], changes: Callable) -> list[Found]:
    if not isinstance(right[0], tuple):
        seen = _seen(trial, index, came, right)
        return _of_one(seen, index, None, changes) if any(seen.wrong) else []
    several = [_seen(trial, index, [c[k] for c in came], [r[k] for r in right]) for k in range(len(right[0]))]
    wrong = [k for k, seen in enumerate(several) if any(seen.wrong)]
    if not wrong:
        return []
    same = lambda c, r: several[0].same(_array(c), _array(r))  # noqa: E731
    says = order.values_in_another_order(came, right, same) if len(wrong) > 1 else None
    if says:
        return [("values_in_another_order", says)]
    each = {k: _of_one(several[k], index, k, changes) for k in wrong}
    names = {part["of"]: part["name"] for part in reversed(trial.parts) if part["of"] is not None}
    told = [k for k in wrong if each[k]]
    if not told:
        return []
    first = each[told[0]]
    if all(each[k] == first for k in wrong):  # one cause
        return first if len(wrong) == len(several) else [(n, f"{_which(wrong, names)}: {_small(s)}") for n, s in first]
    return [(name, f"{_which([k], names)}: {_small(says)}") for k in told for name, says in each[k][:1]]


def _of_one(seen: Seen, index: list[int], of: int | None, changes: Callable) -> list[Found]:
    """The symptoms of one value of the output."""
    whole_set = [(seen, index, "")]
    if any(seen.wrong) and not all(seen.wrong):
        wrong = [i for i, w in zip(index, seen.wrong, strict=True) if w]
        whole_set.append((seen.only_wrong, wrong, "Where it is wrong: "))
    for tier in (EMPTY, SHAPED, RELATED):
        for part, _, prefix in whole_set:
            found = [(n, _prefixed(prefix, s, part)) for n, s in _asked(tier, part)]
            if found:
                return found[:2]
    for part, which, prefix in whole_set:
        found = as_if_changed(part, which, of, changes())
        scaled = None if found else part_of_it(part, which, of, changes())
        if found or scaled:
            name, says = scaled or _changed(found)
            return [(name, _prefixed(prefix, says, part))]
    for tier in (BUILT, HINTS):
        for part, _, prefix in whole_set if tier is BUILT else whole_set[:1]:
            found = [(n, _prefixed(prefix, s, part)) for n, s in _asked(tier, part)]
            if found:
                return found[:1]
    return []


def _asked(tier: tuple[Callable, ...], seen: Seen) -> list[Found]:
    found: list[Found] = []
    for symptom in tier:
        said = symptom(seen)
        if said:
            found.append(said if isinstance(said, tuple) else (symptom.__name__, said))
            if tier is not RELATED:
                break
    return found


def _changed(found: list[Found]) -> Found:
    (name, says), others = found[0], [says for _, says in found[1:2]]
    also = f" It is also what comes out {others[0].rstrip('?')}: these cases cannot tell." if others else ""
    return name, f"Your values are what comes out {says}{'' if says.endswith('?') else '.'}{also}"


def _by_shape(trial: Any, outcomes: list[Any], index: list[int]) -> list[Found]:
    """Numbers that came in another form than was asked for, which is why they could not be read."""
    right = [trial.cases[i]["expected"] for i in index]
    values = [outcomes[i].value for i in index]
    if isinstance(right[0], tuple):
        return _fewer_values(trial, values, right)
    came, wanted = [numbers(v) for v in values], [numbers(r) for r in right]
    if any(a is None for a in (*came, *wanted)):
        return []
    seen = Seen(came, wanted, trial_inputs(trial, index), [trial.cases[i]["label"] for i in index], tolerance_of(right, trial.tolerance))
    return _asked(SHAPED, seen)


def _fewer_values(trial: Any, values: list[Any], right: list[tuple]) -> list[Found]:
    """One of the values that were asked for, alone; or some of them, or more."""
    tolerance = trial.tolerance
    names = {part["of"]: part["name"] for part in reversed(trial.parts) if part["of"] is not None}
    count = len(right[0])
    for k in range(count):
        wanted, came = [numbers(r[k]) for r in right], [numbers(v) for v in values]
        if any(a is None for a in (*wanted, *came)):
            continue
        seen = Seen(came, wanted, [{}] * len(came), [""] * len(came), tolerance)
        if not any(seen.wrong):
            return [("one_value_only", f"You return {_which([k], names)} alone, and {count} values are asked for: return "
                                       f"{'both' if count == 2 else 'all of them'}, with commas between them.")]
    if all(isinstance(v, (list, tuple)) and len(v) == len(values[0]) != count for v in values):
        came = len(values[0])
        listed = ", ".join(f"{k + 1}: {names[k]}" for k in range(count) if k in names)
        return [("other_number_of_values", f"You return {came} values, and {count} are asked for{f' ({listed})' if listed else ''}.")]
    return []


def trial_inputs(trial: Any, index: list[int]) -> list[dict[str, Any]]:
    return [trial.cases[i]["inputs"] for i in index]


def _seen(trial: Any, index: list[int], came: list[Any], right: list[Any]) -> Seen:
    labels = [trial.cases[i]["label"] for i in index]
    tolerance = tolerance_of(right, trial.tolerance)
    return Seen([_array(c) for c in came], [_array(r) for r in right], trial_inputs(trial, index), labels, tolerance)


def _array(value: Any) -> Any:
    return np.asarray(value, float) if isinstance(value, (int, float, np.ndarray)) and not isinstance(value, bool) else value


def _which(values: list[int], names: dict[int, str]) -> str:
    said = [f"value {k + 1}" + (f" ({names[k]})" if k in names else "") for k in values]
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"


def _small(text: str) -> str:
    return text[:1].lower() + text[1:]


def _prefixed(prefix: str, says: str, seen: Seen) -> str:
    if not prefix:
        return says
    return f"In {' and '.join(repr(label) for label in seen.labels)}: {_small(says)}" if len(seen.labels) < 3 else f"{prefix}{_small(says)}"
