"""The ways to change the inputs of an exercise, by the kind of each: a number, a tensor, a list."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograder.exercises.turns import COUNT, IDS, LIST, LISTS, MASK, NUMBER, TENSOR, TENSORS, bounded
from autograder.judging.symptoms.quantities import of_one, quantities

Inputs = dict[str, Any]


TABLES = {
    "number": NUMBER,
    "count": COUNT,
    "tensor": TENSOR,
    "ids": IDS,
    "mask": MASK,
    "list": LIST,
    "lists": LISTS,
    "tensors": TENSORS,
}


@dataclass(frozen=True)
class Change:
    """`inputs` makes one or several sets of inputs from one, `joins` their outputs into one. `says` follows "what comes out"."""

    name: str
    says: str
    inputs: Callable[[Inputs], list[Inputs]]
    joins: Callable[[list[Any]], Any] = lambda outputs: outputs[0]


def ways(cases: list[Inputs]) -> Iterator[Change]:
    """All changes that these inputs allow, those that people make most often first."""
    names = list(cases[0])
    kinds = {name: _kind([case.get(name) for case in cases]) for name in names}
    known = sorted((name for name in names if kinds[name]), key=lambda name: _group(kinds[name]) != "number")
    for i, one in enumerate(known):
        for other in known[i + 1 :]:
            if _group(kinds[one]) == _group(kinds[other]):
                yield Change(
                    f"{one}_and_{other}_exchanged",
                    f"when {one} and {other} are exchanged",
                    lambda x, a=one, b=other: [x | {a: x[b], b: x[a]}],
                )
    yield from _by_suffix(known, kinds)
    for name in known:
        for word, says, turn in TABLES[kinds[name]]:
            yield _one(name, word, says, turn)
        if _group(kinds[name]) == "number":
            for value in dict.fromkeys((*(case[name] for case in cases[:4]), 2, 10, 100, 0.5, -1, -100)):
                yield _one(name, "constant", f"{{0}} is always {value:g}: is it a constant in your code?", lambda v, c=value: c)
    for one in known:
        for other in known:
            if one != other and _group(kinds[one]) == _group(kinds[other]):
                yield Change(
                    f"{other}_for_{one}",
                    f"when {other} stands in the place of {one}, which then has no effect",
                    lambda x, a=one, b=other: [x | {a: x[b]}],
                )
    yield from _by_quantities(cases, known, kinds)
    yield from _by_rows(cases, known, kinds)
    yield from _by_entries(cases, known, kinds)


def _by_suffix(known: list[str], kinds: dict[str, str]) -> Iterator[Change]:
    """All inputs of one family exchanged with those of another: H_s and b_s with H_t and b_t, a query's pair with a value's."""
    ends: dict[str, dict[str, str]] = {}
    for name in known:
        stem, _, end = name.rpartition("_")
        if stem and end:
            ends.setdefault(end, {})[stem] = name
    for i, one in enumerate(ends):
        for other in list(ends)[i + 1 :]:
            pairs = [(ends[one][stem], ends[other][stem]) for stem in ends[one] if stem in ends[other]]
            if len(pairs) < 2 or any(kinds[a] != kinds[b] for a, b in pairs):
                continue
            yield Change(
                f"{one}_and_{other}_exchanged",
                f"when all inputs that end in _{one} and _{other} are exchanged",
                lambda x, p=tuple(pairs): [x | {a: x[b] for a, b in p} | {b: x[a] for a, b in p}],
            )
            for a, b, turn in ((one, other, 0), (other, one, 1)):
                yield Change(
                    f"{b}_for_{a}",
                    f"when the inputs that end in _{b} stand in the place of those that end in _{a} too",
                    lambda x, p=tuple(pairs), t=turn: [x | {pair[t]: x[pair[1 - t]] for pair in p}],
                )


def _one(name: str, word: str, says: str, turn: Callable) -> Change:
    return Change(f"{name}_{word}", f"when {says.format(name)}", lambda x: [x | {name: turn(x[name])}])


def _kind(values: list[Any]) -> str:
    """The kind of one input in all cases; nothing when it is none that can be changed."""
    if all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values):
        return "count" if all(isinstance(v, int) for v in values) else "number"
    if all(hasattr(v, "shape") and v.ndim for v in values):
        arrays = [np.asarray(v) for v in values]
        if all(a.dtype.kind == "f" for a in arrays):
            return "tensor"
        return "mask" if all(set(np.unique(a)) <= {0, 1} for a in arrays) else "ids"
    if all(isinstance(v, (list, tuple)) and len(v) for v in values):
        if all(isinstance(item, list) for v in values for item in v):
            return "lists"
        return "tensors" if all(hasattr(item, "shape") for v in values for item in v) else "list"
    return ""


def _group(kind: str) -> str:
    return {"count": "number", "mask": "ids"}.get(kind, kind)


def _by_quantities(cases: list[Inputs], known: list[str], kinds: dict[str, str]) -> Iterator[Change]:
    """A scalar (or a tensor) times or divided by a size or another scalar: alpha · r, alpha²/r, T on one side only."""
    sizes = list(quantities(cases))
    for name in known:
        if kinds[name] not in ("number", "tensor"):
            continue
        mine = [n for n in sizes if n != name and (kinds[name] == "number" or n in known)]
        for other in mine:
            value = lambda x, o=other: of_one(x)[o]  # noqa: E731
            for word, says, turn in (
                ("times", "{0} is multiplied by {1}", lambda v, q: v * q),
                ("divided_by", "{0} is divided by {1}", lambda v, q: v / q),
                *(
                    (
                        (
                            "squared_divided_by",
                            "the square of {0} is divided by {1}: (a / b) squared, perhaps?",
                            lambda v, q: v * v / q,
                        ),
                        ("divided_down_by", "{0} is divided by {1} without remainder: / and // differ", lambda v, q: v // q * q),
                        ("times_root_of", "{0} is multiplied by the root of {1}", lambda v, q: v * q**0.5),
                        ("divided_by_root_of", "{0} is divided by the root of {1}", lambda v, q: v / q**0.5),
                    )
                    if kinds[name] == "number"
                    else ()
                ),
            ):
                yield Change(
                    f"{name}_{word}_{_short(other)}",
                    f"when {says.format(name, other)}",
                    lambda x, n=name, t=turn, q=value: [x | {n: t(x[n], q(x))}],
                )
        if kinds[name] == "number":
            counted = [n for n in sizes if n.startswith("the number") and "all entries" not in n]
            for one in counted:
                for other in counted:
                    if one != other:
                        yield Change(
                            f"{name}_{_short(other)}_for_{_short(one)}",
                            f"when {other} is taken for {one}, beside {name}",
                            lambda x, n=name, a=one, b=other: [x | {n: x[n] * _ratio(x, a, b)}],
                        )


def _ratio(inputs: Inputs, one: str, other: str) -> float:
    every = of_one(inputs)
    return every[one] / every[other]


def _short(quantity: str) -> str:
    return quantity.removeprefix("the number of ").replace(" ", "_")


def _by_rows(cases: list[Inputs], known: list[str], kinds: dict[str, str]) -> Iterator[Change]:
    """The function of each row (or entry) by itself, and then a mean or a sum; or of the first one alone."""
    lengths = [{n: len(case[n]) for n in known if kinds[n] in ("tensor", "ids", "mask", "list", "tensors")} for case in cases]
    if not lengths[0]:
        return
    lead = next(iter(lengths[0]))
    for scope, those in (("", [n for n in lengths[0] if all(size[n] == size[lead] for size in lengths)]), ("alone", [lead])):
        if scope and len([n for n in lengths[0] if all(size[n] == size[lead] for size in lengths)]) == 1:
            continue
        said = those[0] if len(those) == 1 else f"{', '.join(those[:-1])} and {those[-1]}"
        pick = lambda x, part, t=tuple(those): x | {n: x[n][part] for n in t}  # noqa: E731
        every = lambda x, p=pick, n=lead: [p(x, slice(i, i + 1)) for i in range(bounded(len(x[n]), int))]  # noqa: E731
        suffix = f"_{scope}" if scope else ""
        yield Change(
            f"mean_of_each{suffix}",
            f"when each of {said} is taken by itself, and the results are averaged: a mean of means, where all belong together",
            every,
            lambda outputs: _joined(outputs, np.mean),
        )
        yield Change(
            f"sum_of_each{suffix}",
            f"when each of {said} is taken by itself, and the results are added up",
            every,
            lambda outputs: _joined(outputs, np.sum),
        )
        yield Change(
            f"largest_of_each{suffix}",
            f"when each of {said} is taken by itself, and the largest result is kept",
            every,
            lambda outputs: _joined(outputs, np.max),
        )
        for word, how in (("smallest", np.min), ("median", np.median)):
            yield Change(
                f"{word}_of_each{suffix}",
                f"when each of {said} is taken by itself, and the {word} of the results is kept",
                every,
                lambda outputs, h=how: _joined(outputs, h),
            )
        yield Change(
            f"each_alone{suffix}", f"when each of {said} is taken by itself, as if the others were not there", every, _stacked
        )
        for word, part, words in (
            ("first_alone", slice(0, 1), "only the first of"),
            ("last_alone", slice(-1, None), "only the last of"),
            ("without_first", slice(1, None), "all but the first of"),
            ("without_last", slice(0, -1), "all but the last of"),
        ):
            yield Change(f"{word}{suffix}", f"when {words} {said} is used", lambda x, p=pick, s=part: [p(x, s)])


def _by_entries(cases: list[Inputs], known: list[str], kinds: dict[str, str]) -> Iterator[Change]:
    """Tensors of one shape, entry by entry: where the right function adds them all up, something else may be done with them."""
    tensors = [n for n in known if kinds[n] == "tensor"]
    those = [n for n in tensors if all(case[n].shape == case[tensors[0]].shape for case in cases)]
    if len(those) < 2:
        return

    def every(inputs: Inputs) -> list[Inputs]:
        flat = {n: inputs[n].reshape(-1) for n in those}
        return [inputs | {n: v[i : i + 1] for n, v in flat.items()} for i in range(bounded(len(flat[those[0]]), int))]

    for word, how in (("largest", np.max), ("smallest", np.min), ("median", np.median)):
        yield Change(
            f"{word}_entry",
            f"when every entry of {' and '.join(those)} is taken by itself, and the {word} of the results is kept",
            every,
            lambda outputs, h=how: _joined(outputs, h),
        )


def _joined(outputs: list[Any], how: Callable) -> Any:
    if isinstance(outputs[0], tuple):
        return tuple(_joined([o[k] for o in outputs], how) for k in range(len(outputs[0])))
    stacked = how(np.stack([np.asarray(o, float) for o in outputs]), axis=0)
    return float(stacked) if not np.ndim(stacked) else stacked


def _stacked(outputs: list[Any]) -> Any:
    if isinstance(outputs[0], tuple):
        return tuple(_stacked([o[k] for o in outputs]) for k in range(len(outputs[0])))
    return np.concatenate([np.asarray(o, float) for o in outputs])
