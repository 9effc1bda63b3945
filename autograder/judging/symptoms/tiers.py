"""One value of the output, and the symptoms in tiers: from what explains most to what says least.

The first tier that knows something answers. Two of one tier that both hold are both said: the cases cannot tell them apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from autograder.judging.symptoms import factors, functions, impossible, order, remainder, shapes, where, whole, words
from autograder.judging.symptoms.changed import as_if_changed, combined, enough, in_words, part_of_it, part_turned
from autograder.judging.symptoms.seen import Seen

Found = tuple[str, str]  # a symptom's name and its sentence

EMPTY = (
    whole.zeros,
    functions.rounded,
    whole.input_handed_back,
    whole.same_whatever,
    words.other_case,
    words.an_input_itself,
    words.exchanged_words,
    words.same_word,
)
RELATED = (
    factors.sign,
    factors.factor,
    functions.function_of_it,
    factors.by_a_quantity,
    order.places,
    functions.offset,
    functions.rest,
    remainder.by_an_input,
    remainder.with_an_input,
)
SHAPED = (shapes.another_shape, shapes.not_reduced, shapes.reduced, shapes.a_part)
BUILT = (
    whole.one_for_all,
    whole.handed_back,
    whole.made_of_inputs,
    factors.common_factor,
    remainder.row_factor,
    remainder.row_shift,
    shapes.shape_of_an_input,
)
HINTS = (
    impossible.not_a_number,
    words.one_word_wrong,
    words.no_such_word,
    where.entries,
    where.cases,
    impossible.not_zero,
    impossible.zero,
    impossible.cannot_be,
)  # they say where, or what cannot be, and not what was done
HINTED = frozenset(
    {"not_a_number", "one_word_wrong", "no_such_word", "entries", "cases", "not_zero", "zero", "cannot_be", "shape_of_an_input"}
)


def of_one(seen: Seen, index: list[int], of: int | None, changes: Callable) -> list[Found]:
    """The symptoms of one value of the output."""
    if not seen.inputs[0] and len(seen.inputs) > 1:  # a probe stands between: what it counted is no function of the inputs
        return asked((whole.zeros, *SHAPED, *RELATED, impossible.not_a_number, words.one_word_wrong, where.entries), seen)[:1]
    whole_set = [(seen, index, "")]
    if any(seen.wrong) and not all(seen.wrong):
        wrong = [i for i, w in zip(index, seen.wrong, strict=True) if w]
        whole_set.append((seen.only_wrong, wrong, "Where it is wrong: "))
    for tier in (EMPTY, SHAPED, RELATED):
        for part, _, prefix in whole_set[:1] if tier is EMPTY else whole_set:
            if prefix and part.evidence < 2:
                continue
            found = [(n, _prefixed(prefix, s, part)) for n, s in asked(tier, part)]
            if found:
                return found[:2]
    if seen.shapes_agree and not seen.finite:
        return asked((impossible.not_a_number, where.entries, where.cases), seen)[:1]
    for part, which, prefix in whole_set:
        found = [place for place, proof in as_if_changed(part, which, of, changes()).items() if enough(changes()[place], proof)]
        scaled = None if found else part_of_it(part, which, of, changes()) or part_turned(part, which, of, changes())
        if found or scaled:
            name, says = scaled or in_words(found, changes())
            return [(name, _prefixed(prefix, says, part))]
    inside = _inside(seen)
    if inside:
        return [inside]
    built = asked(BUILT, seen) or [found for found in (combined(seen, index, of, changes()),) if found]
    if built:
        return built[:1]
    for tier in (BUILT, HINTS):
        for part, _, prefix in whole_set if tier is BUILT else whole_set[:1]:
            found = [(n, _prefixed(prefix, s, part)) for n, s in asked(tier, part)]
            if found:
                return found[:1]
    return []


def _inside(seen: Seen) -> Found | None:
    """One relation for those entries that are wrong, where others are right."""
    wrong = where.wrong_entries(seen)
    if wrong is None or sum(int(w.sum()) for w in wrong) < 3:
        return None
    pairs = [(c[w], r[w]) for c, r, w in zip(seen.came, seen.right, wrong, strict=True) if w.any()]
    inner = replace(
        seen, came=[c for c, _ in pairs], right=[r for _, r in pairs], inputs=[{}] * len(pairs), labels=[""] * len(pairs)
    )
    for name, symptom in (("sign", factors.sign), ("factor", factors.factor), ("offset", functions.offset)):
        said = symptom(inner)
        if said:
            return name, f"Some of your values are right. Among the others, {small(said)}"
    return None


def asked(tier: tuple[Callable, ...], seen: Seen) -> list[Found]:
    """What the symptoms of one tier say: the first that holds, and in the tier of relations all of them."""
    found: list[Found] = []
    for symptom in tier:
        said = symptom(seen)
        if said:
            found.append(said if isinstance(said, tuple) else (symptom.__name__, said))
            if tier is not RELATED:
                break
    return found


def small(text: str) -> str:
    """A sentence as it goes on after a colon."""
    return text[:1].lower() + text[1:]


def _prefixed(prefix: str, says: str, seen: Seen) -> str:
    if not prefix:
        return says
    return (
        f"In {' and '.join(repr(label) for label in seen.labels)}: {small(says)}"
        if len(seen.labels) < 3
        else f"{prefix}{small(says)}"
    )
