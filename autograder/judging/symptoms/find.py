"""Finding the symptoms of a wrong answer: which relation holds, in every case, between what came and what is right.

Symptoms are asked in tiers, from what explains most to what says least, and the first tier that knows something answers. Two of
one tier that both hold are both said: the cases cannot tell them apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from autograder.asking.state import State
from autograder.asking.values import Raised
from autograder.judging.symptoms import order, relations, remainder, shapes, where, whole, words
from autograder.judging.symptoms.changed import Changed, as_if_changed, enough, in_words, part_of_it
from autograder.judging.symptoms.seen import Seen, numbers, tolerance_of
from autograder.judging.symptoms.unanswered import direct, unanswered, wrong_shape

Found = tuple[str, str]  # a symptom's name and its sentence

EMPTY = (whole.zeros, relations.rounded, whole.input_handed_back, whole.same_whatever, words.other_case, words.an_input_itself, words.exchanged_words, words.same_word)
RELATED = (
    relations.sign, relations.factor, relations.function_of_it, relations.by_a_quantity, order.places, relations.offset, relations.rest,
    remainder.by_an_input, remainder.with_an_input,
)
SHAPED = (shapes.another_shape, shapes.not_reduced, shapes.reduced, shapes.a_part)
BUILT = (whole.one_for_all, whole.handed_back, whole.made_of_inputs, relations.common_factor, remainder.row_factor, remainder.row_shift, shapes.shape_of_an_input)
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
    if not found:
        plain = wrong_shape(trial, index, came)
        found = [plain] if plain else []
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
    for k in wrong:
        for j in range(len(several)):
            if j != k and all(several[j].same(c, r) for c, r in zip(several[k].came, several[j].right, strict=True)):
                names = _names(trial)
                return [("value_of_another", f"{_which([k], names)} is what {_which([j], names)} should be: look at which is which.")]
    if len(wrong) > 1:
        joint = [as_if_changed(several[k], index, k, changes()) for k in wrong]
        common = [place for place in joint[0] if all(place in f for f in joint) and enough(changes()[place], sum(f[place] for f in joint))]
        related = [_asked((*EMPTY, *RELATED), several[k]) for k in wrong]
        if common and not (related[0] and all(r[:1] == related[0][:1] for r in related)):
            return [in_words(common, changes())]
    each = {k: _of_one(several[k], index, k, changes) for k in wrong}
    names = _names(trial)
    told = [k for k in wrong if each[k]]
    if not told:
        return []
    first = each[told[0]]
    if all(each[k] == first for k in wrong):  # one cause
        return first if len(wrong) == len(several) else [(n, f"{_which(wrong, names)}: {_small(s)}") for n, s in first]
    return [(name, f"{_which([k], names)}: {_small(says)}") for k in told[:2] for name, says in each[k][:1]]


def _of_one(seen: Seen, index: list[int], of: int | None, changes: Callable) -> list[Found]:
    """The symptoms of one value of the output."""
    if not seen.inputs[0] and len(seen.inputs) > 1:  # a probe stands between: what it counted is no function of the inputs
        return _asked((whole.zeros, *SHAPED, where.not_a_number, words.one_word_wrong, where.entries), seen)[:1]
    whole_set = [(seen, index, "")]
    if any(seen.wrong) and not all(seen.wrong):
        wrong = [i for i, w in zip(index, seen.wrong, strict=True) if w]
        whole_set.append((seen.only_wrong, wrong, "Where it is wrong: "))
    for tier in (EMPTY, SHAPED, RELATED):
        for part, _, prefix in whole_set[:1] if tier is EMPTY else whole_set:
            if prefix and part.evidence < 2:
                continue
            found = [(n, _prefixed(prefix, s, part)) for n, s in _asked(tier, part)]
            if found:
                return found[:2]
    if seen.shapes_agree and not seen.finite:
        return _asked((where.not_a_number, where.entries, where.cases), seen)[:1]
    for part, which, prefix in whole_set:
        found = [place for place, proof in as_if_changed(part, which, of, changes()).items() if enough(changes()[place], proof)]
        scaled = None if found else part_of_it(part, which, of, changes())
        if found or scaled:
            name, says = scaled or in_words(found, changes())
            return [(name, _prefixed(prefix, says, part))]
    inside = _inside(seen)
    if inside:
        return [inside]
    for tier in (BUILT, HINTS):
        for part, _, prefix in whole_set if tier is BUILT else whole_set[:1]:
            found = [(n, _prefixed(prefix, s, part)) for n, s in _asked(tier, part)]
            if found:
                return found[:1]
    return []


def _inside(seen: Seen) -> Found | None:
    """One relation for those entries that are wrong, where others are right."""
    wrong = where.wrong_entries(seen)
    if wrong is None or sum(int(w.sum()) for w in wrong) < 3:
        return None
    pairs = [(c[w], r[w]) for c, r, w in zip(seen.came, seen.right, wrong, strict=True) if w.any()]
    inner = replace(seen, came=[c for c, _ in pairs], right=[r for _, r in pairs], inputs=[{}] * len(pairs), labels=[""] * len(pairs))
    for name, symptom in (("sign", relations.sign), ("factor", relations.factor), ("offset", relations.offset)):
        said = symptom(inner)
        if said:
            return name, f"Some of your values are right. Among the others, {_small(said)}"
    return None


def _asked(tier: tuple[Callable, ...], seen: Seen) -> list[Found]:
    found: list[Found] = []
    for symptom in tier:
        said = symptom(seen)
        if said:
            found.append(said if isinstance(said, tuple) else (symptom.__name__, said))
            if tier is not RELATED:
                break
    return found


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
    names = _names(trial)
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


def _names(trial: Any) -> dict[int, str]:
    """What the values of the output are called: after the first part that looks at each."""
    return {part["of"]: part["name"] for part in reversed(trial.parts) if part["of"] is not None}


def trial_inputs(trial: Any, index: list[int]) -> list[dict[str, Any]]:
    """The inputs that the student's function itself was given; none where a probe of its own stands between."""
    return [trial.cases[i]["inputs"] if direct(trial) else {} for i in index]


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
