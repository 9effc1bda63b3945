"""The ways to change the inputs of an exercise, by the kind of each: a number, a tensor, a list."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autograder.judging.symptoms.quantities import of_one, quantities

Inputs = dict[str, Any]
SMALL = 64  # a whole number up to it may be squared: a count of steps or layers, which the model answer counts through


@dataclass(frozen=True)
class Change:
    """`inputs` makes one or several sets of inputs from one; `joins` puts the outputs together. `says` completes "what comes out"."""

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
                yield Change(f"{one}_and_{other}_exchanged", f"when {one} and {other} are exchanged",
                             lambda x, a=one, b=other: [x | {a: x[b], b: x[a]}])
    for name in known:
        table = {"number": NUMBER, "count": COUNT, "tensor": TENSOR, "ids": IDS, "mask": MASK, "list": LIST, "tensors": TENSORS}
        for word, says, turn in table[kinds[name]]:
            yield _one(name, word, says, turn)
        if _group(kinds[name]) == "number":
            for value in dict.fromkeys((*(case[name] for case in cases[:4]), 2, 10, 100, 0.5, -1, -100)):
                yield _one(name, "constant", f"{{0}} is always {value:g}: is it a constant in your code?", lambda v, c=value: c)
    for one in known:
        for other in known:
            if one != other and _group(kinds[one]) == _group(kinds[other]):
                yield Change(f"{other}_for_{one}", f"when {other} stands in the place of {one}, which then has no effect",
                             lambda x, a=one, b=other: [x | {a: x[b]}])
    yield from _by_quantities(cases, known, kinds)
    yield from _by_rows(cases, known, kinds)


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
        return "tensors" if all(hasattr(item, "shape") for v in values for item in v) else "list"
    return ""


def _group(kind: str) -> str:
    return {"count": "number", "mask": "ids"}.get(kind, kind)


def _bounded(value: int, turn: Callable) -> int:
    if value > SMALL:
        raise ValueError("too many to count through")
    return turn(value)


NUMBER = (
    ("left_out", "{0} is 1: is it left out?", lambda v: type(v)(1)),
    ("zero", "{0} is 0: is what it weighs left out?", lambda v: type(v)(0)),
    ("negative", "{0} has the other sign", lambda v: -v),
    ("inverse", "1/{0} stands in the place of {0}: is a division a multiplication?", lambda v: 1 / v),
    ("squared", "{0} is squared", lambda v: v * v),
    ("root", "{0} is under a root", math.sqrt),
    ("doubled", "{0} is doubled: a factor of 2 too many, or a half missing?", lambda v: 2 * v),
    ("halved", "{0} is halved: a half too many, or a 2 missing?", lambda v: v / 2),
    ("complement", "1 - {0} stands in the place of {0}", lambda v: 1 - v),
    ("one_more", "{0} is larger by 1", lambda v: v + 1),
    ("one_less", "{0} is smaller by 1", lambda v: v - 1),
    ("rounded_down", "{0} is cut to a whole number", math.floor),
    ("rounded_up", "{0} is rounded up to a whole number", math.ceil),
    ("inverse_square", "1/{0}² stands in the place of {0}", lambda v: v**-2),
    ("in_percent", "{0} is 100 times as large: percent for a share?", lambda v: 100 * v),
    ("of_percent", "{0} is a hundredth of what it is: a share for percent?", lambda v: v / 100),
    ("exp", "exp({0}) stands in the place of {0}", math.exp),
    ("log", "log({0}) stands in the place of {0}", math.log),
)
COUNT = (
    ("left_out", "{0} is 1: is it left out?", lambda v: 1),
    ("one_more", "{0} is larger by 1: do you count one too many?", lambda v: v + 1),
    ("one_less", "{0} is smaller by 1: do you count one too few?", lambda v: v - 1),
    ("zero", "{0} is 0: does it have any effect?", lambda v: 0),
    ("doubled", "{0} is doubled", lambda v: 2 * v),
    ("halved", "{0} is halved", lambda v: v // 2 if v % 2 == 0 else v / 2),
    ("squared", "{0} is squared", lambda v: _bounded(v, lambda n: n * n)),
    ("root", "{0} is under a root", math.sqrt),
    ("inverse", "1/{0} stands in the place of {0}", lambda v: 1 / v),
    ("negative", "{0} has the other sign", lambda v: -v),
    ("two_more", "{0} is larger by 2", lambda v: v + 2),
    ("two_less", "{0} is smaller by 2", lambda v: v - 2),
    ("in_percent", "{0} is 100 times as large: percent for a share?", lambda v: 100 * v if v <= 1 else _bounded(v, lambda n: 100 * n)),
)
TENSOR = (
    ("zero", "{0} is 0: is it left out?", lambda v: 0 * v),
    ("ones", "{0} is 1 everywhere: has it no effect?", lambda v: 0 * v + 1),
    ("negative", "{0} has the other sign", lambda v: -v),
    ("transposed", "{0} is transposed", lambda v: _torch(v).mT.contiguous()),
    ("squared", "{0} is squared, entry by entry", lambda v: v * v),
    ("root", "the root is taken of {0}, entry by entry", lambda v: v**0.5),
    ("absolute", "absolute values are taken of {0}", abs),
    ("inverse", "1/{0} stands in the place of {0}, entry by entry", lambda v: 1 / v),
    ("matrix_inverse", "the inverse matrix of {0} stands in its place", lambda v: torch.linalg.inv(v)),
    ("doubled", "{0} is doubled", lambda v: 2 * v),
    ("halved", "{0} is halved", lambda v: v / 2),
    ("softmax", "a softmax is taken of {0} first: one softmax too many?", lambda v: _torch(v).softmax(-1)),
    ("exp", "exp is taken of {0} first", lambda v: _torch(v).exp()),
    ("log", "a logarithm is taken of {0} first", lambda v: _torch(v).log()),
    ("rounded", "{0} is rounded to whole numbers", lambda v: v.round()),
    ("shifted_back", "{0} is moved by one to the front (its last axis)", lambda v: _torch(v).roll(-1, -1)),
    ("shifted", "{0} is moved by one to the back (its last axis)", lambda v: _torch(v).roll(1, -1)),
    ("rows_reversed", "the rows of {0} are in the opposite order", lambda v: _torch(v).flip(0)),
    ("rows_shifted_back", "the rows of {0} are moved by one to the front", lambda v: _torch(v).roll(-1, 0)),
    ("rows_shifted", "the rows of {0} are moved by one to the back", lambda v: _torch(v).roll(1, 0)),
    ("centred", "the mean is taken off {0}", lambda v: v - v.mean()),
    ("averaged", "every row of {0} is the mean of its rows", lambda v: 0 * v + v.mean(0)),
    ("positive_part", "{0} is cut off at 0", lambda v: _torch(v).clamp_min(0)),
    ("diagonal", "only the diagonal of {0} is used", lambda v: torch.diag(torch.diagonal(_torch(v)))),
)
IDS = (
    ("shifted_back", "{0} is moved by one to the front: each position then holds the next one", lambda v: _torch(v).roll(-1, -1)),
    ("shifted", "{0} is moved by one to the back: each position then holds the one before", lambda v: _torch(v).roll(1, -1)),
    ("all_zero", "{0} is 0 throughout: has it no effect?", lambda v: 0 * v),
    ("one_less", "{0} is smaller by 1", lambda v: v - 1),
    ("reversed", "{0} is in the opposite order", lambda v: _torch(v).flip(-1)),
    ("rows_reversed", "the rows of {0} are in the opposite order", lambda v: _torch(v).flip(0)),
)
MASK = (
    ("inverted", "{0} is inverted", lambda v: ~v if v.dtype == torch.bool else 1 - v),
    ("ignored", "{0} is 1 throughout: is it ignored?", lambda v: torch.ones_like(v)),
    ("all_zero", "{0} is 0 throughout", lambda v: torch.zeros_like(v)),
    *IDS[:2],
)
LIST = (
    ("reversed", "{0} is in the opposite order", lambda v: v[::-1]),
    ("without_its_first", "the first of {0} is left out", lambda v: v[1:]),
    ("without_its_last", "the last of {0} is left out", lambda v: v[:-1]),
    ("sorted", "{0} is sorted first", sorted),
    ("negative", "{0} has the other sign", lambda v: [-x for x in v]),
    ("doubled", "{0} is doubled", lambda v: [2 * x for x in v]),
    ("squared", "{0} is squared", lambda v: [x * x for x in v]),
    ("absolute", "absolute values are taken of {0}", lambda v: [abs(x) for x in v]),
    ("complement", "1 - {0} stands in the place of {0}", lambda v: [1 - x for x in v]),
    ("inverse", "1/{0} stands in the place of {0}", lambda v: [1 / x for x in v]),
    ("exp", "exp is taken of {0} first", lambda v: [math.exp(x) for x in v]),
    ("log", "a logarithm is taken of {0} first", lambda v: [math.log(x) for x in v]),
    ("ranks", "the ranks of {0} stand in the place of {0}", lambda v: [sorted(v).index(x) for x in v[: _bounded(len(v), int)]]),
    ("first_alone", "only the first of {0} is used", lambda v: v[:1]),
    ("last_alone", "only the last of {0} is used", lambda v: v[-1:]),
    ("all_one", "{0} is 1 throughout: has it no effect?", lambda v: [type(x)(1) for x in v]),
    ("all_zero", "{0} is 0 throughout: has it no effect?", lambda v: [type(x)(0) for x in v]),
    ("largest_alone", "every entry of {0} is the largest one", lambda v: [max(v)] * len(v)),
    ("in_order", "{0} counts 0, 1, 2, ...", lambda v: list(range(len(v)))),
    ("next", "each entry of {0} is the one after it", lambda v: [*v[1:], v[0]]),
    ("summed", "{0} is added up along the way", lambda v: list(map(int, np.cumsum(v))) if isinstance(v[0], int) else list(np.cumsum(v))),
)
TENSORS = (
    ("reversed", "{0} is in the opposite order", lambda v: v[::-1]),
    ("first_alone", "only the first of {0} is used", lambda v: v[:1]),
    ("negative", "{0} has the other sign", lambda v: type(v)(-x for x in v)),
    ("absolute", "absolute values are taken of {0}", lambda v: type(v)(abs(x) for x in v)),
    ("squared", "{0} is squared", lambda v: type(v)(x * x for x in v)),
)


def _torch(value: Any) -> Tensor:
    return value if isinstance(value, Tensor) else torch.as_tensor(value)


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
                *((("squared_divided_by", "the square of {0} is divided by {1}: (a / b) squared, perhaps?", lambda v, q: v * v / q),
                   ("divided_down_by", "{0} is divided by {1} without remainder: / and // differ", lambda v, q: v // q * q),
                   ("times_root_of", "{0} is multiplied by the root of {1}", lambda v, q: v * q**0.5),
                   ("divided_by_root_of", "{0} is divided by the root of {1}", lambda v, q: v / q**0.5),
                   ) if kinds[name] == "number" else ()),
            ):
                yield Change(f"{name}_{word}_{_short(other)}", f"when {says.format(name, other)}",
                             lambda x, n=name, t=turn, q=value: [x | {n: t(x[n], q(x))}])
        if kinds[name] == "number":
            counted = [n for n in sizes if n.startswith("the number") and "all entries" not in n]
            for one in counted:
                for other in counted:
                    if one != other:
                        yield Change(f"{name}_{_short(other)}_for_{_short(one)}", f"when {other} is taken for {one}, beside {name}",
                                     lambda x, n=name, a=one, b=other: [x | {n: x[n] * _ratio(x, a, b)}])


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
        every = lambda x, p=pick, n=lead: [p(x, slice(i, i + 1)) for i in range(_bounded(len(x[n]), int))]  # noqa: E731
        suffix = f"_{scope}" if scope else ""
        yield Change(f"mean_of_each{suffix}", f"when each of {said} is taken by itself, and the results are averaged: a mean of means, "
                     "where all belong together", every, lambda outputs: _joined(outputs, np.mean))
        yield Change(f"sum_of_each{suffix}", f"when each of {said} is taken by itself, and the results are added up", every,
                     lambda outputs: _joined(outputs, np.sum))
        yield Change(f"largest_of_each{suffix}", f"when each of {said} is taken by itself, and the largest result is kept", every,
                     lambda outputs: _joined(outputs, np.max))
        yield Change(f"each_alone{suffix}", f"when each of {said} is taken by itself, as if the others were not there", every,
                     _stacked)
        for word, part, words in (("first_alone", slice(0, 1), "only the first of"), ("last_alone", slice(-1, None), "only the last of"),
                                  ("without_first", slice(1, None), "all but the first of"),
                                  ("without_last", slice(0, -1), "all but the last of")):
            yield Change(f"{word}{suffix}", f"when {words} {said} is used", lambda x, p=pick, s=part: [p(x, s)])


def _joined(outputs: list[Any], how: Callable) -> Any:
    if isinstance(outputs[0], tuple):
        return tuple(_joined([o[k] for o in outputs], how) for k in range(len(outputs[0])))
    stacked = how(np.stack([np.asarray(o, float) for o in outputs]), axis=0)
    return float(stacked) if not np.ndim(stacked) else stacked


def _stacked(outputs: list[Any]) -> Any:
    if isinstance(outputs[0], tuple):
        return tuple(_stacked([o[k] for o in outputs]) for k in range(len(outputs[0])))
    return np.concatenate([np.asarray(o, float) for o in outputs])
