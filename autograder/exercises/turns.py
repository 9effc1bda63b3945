"""What one can do to one input: a table for each kind, of a name, the words after "what comes out when", and the function."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

SMALL = 64  # a whole number up to it may be squared: a count of steps or layers, which the model answer counts through


def bounded(value: int, turn: Callable) -> int:
    """`turn(value)`, of a number that is not too large to be counted through. Raises `ValueError` otherwise."""
    if value > SMALL:
        raise ValueError("too many to count through")
    return turn(value)


def _torch(value: Any) -> Tensor:
    return value if isinstance(value, Tensor) else torch.as_tensor(value)


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
    ("squared", "{0} is squared", lambda v: bounded(v, lambda n: n * n)),
    ("root", "{0} is under a root", math.sqrt),
    ("inverse", "1/{0} stands in the place of {0}", lambda v: 1 / v),
    ("negative", "{0} has the other sign", lambda v: -v),
    ("two_more", "{0} is larger by 2", lambda v: v + 2),
    ("two_less", "{0} is smaller by 2", lambda v: v - 2),
    (
        "in_percent",
        "{0} is 100 times as large: percent for a share?",
        lambda v: 100 * v if v <= 1 else bounded(v, lambda n: 100 * n),
    ),
)
LISTS = (
    ("reversed", "the lists in {0} are in the opposite order", lambda v: v[::-1]),
    ("turned_round", "each list in {0} is turned round", lambda v: [x[::-1] for x in v]),
    ("each_without_its_first", "the first of each list in {0} is left out", lambda v: [x[1:] for x in v]),
    ("each_without_its_last", "the last of each list in {0} is left out", lambda v: [x[:-1] for x in v]),
    ("each_sorted", "each list in {0} is sorted", lambda v: [sorted(x) for x in v]),
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
    ("one_mean", "every entry of {0} is the mean of all", lambda v: 0 * v + v.mean()),
    ("over_one_more", "a mean over {0} divides by n + 1", lambda v: v * (len(v) / (len(v) + 1))),
    ("over_one_less", "a mean over {0} divides by n - 1", lambda v: v * (len(v) / (len(v) - 1))),
)
IDS = (
    ("first_for_all", "the first entry of {0} stands for all", lambda v: 0 * v + _torch(v).reshape(-1)[0]),
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
    ("ranks", "the ranks of {0} stand in the place of {0}", lambda v: [sorted(v).index(x) for x in v[: bounded(len(v), int)]]),
    ("first_alone", "only the first of {0} is used", lambda v: v[:1]),
    ("last_alone", "only the last of {0} is used", lambda v: v[-1:]),
    ("all_one", "{0} is 1 throughout: has it no effect?", lambda v: [type(x)(1) for x in v]),
    ("all_zero", "{0} is 0 throughout: has it no effect?", lambda v: [type(x)(0) for x in v]),
    ("largest_alone", "every entry of {0} is the largest one", lambda v: [max(v)] * len(v)),
    ("in_order", "{0} counts 0, 1, 2, ...", lambda v: list(range(len(v)))),
    ("next", "each entry of {0} is the one after it", lambda v: [*v[1:], v[0]]),
    (
        "summed",
        "{0} is added up along the way",
        lambda v: list(map(int, np.cumsum(v))) if isinstance(v[0], int) else list(np.cumsum(v)),
    ),
    ("over_one_more", "a mean over {0} divides by n + 1", lambda v: [x * len(v) / (len(v) + 1) for x in v]),
    ("over_one_less", "a mean over {0} divides by n - 1", lambda v: [x * len(v) / (len(v) - 1) for x in v]),
)
TENSORS = (
    ("reversed", "{0} is in the opposite order", lambda v: v[::-1]),
    ("first_alone", "only the first of {0} is used", lambda v: v[:1]),
    ("negative", "{0} has the other sign", lambda v: type(v)(-x for x in v)),
    ("absolute", "absolute values are taken of {0}", lambda v: type(v)(abs(x) for x in v)),
    ("squared", "{0} is squared", lambda v: type(v)(x * x for x in v)),
)
