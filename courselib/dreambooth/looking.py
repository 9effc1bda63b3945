"""An observer who knows how pictures are made, and so can say exactly how probable each combination of attributes is.

A picture of the world is a template and Gaussian noise. By Bayes' rule, with all templates equally probable beforehand, the
probability of a template is proportional to exp(-|picture - template|² / (2 NOISE²)). No network, nothing learned, no error to
allow for. What a model paints is measured with it: does a prompt still bring what it used to bring?
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from courselib.dreambooth import pictures as world

OUTCOMES = (*(" ".join(reversed(look)) for look in world.LOOKS), "another shape")


class Seen(NamedTuple):
    """`posterior` (n, shapes, looks, places) sums to one for each picture; `distance` (n,) is the root mean square distance of a
    value to the nearest template's: NOISE for a picture of the world."""

    posterior: Tensor
    distance: Tensor


@lru_cache(maxsize=1)
def _known() -> tuple[Tensor, Tensor]:
    flat = world.templates().flatten(3)
    return flat.flatten(0, 2), flat.flatten(0, 2).square().sum(1)  # (templates, values), (templates,)


def look_at(pictures: Tensor) -> Seen:
    """What is on the pictures (n, 3, 16, 16). Raises ValueError for pictures of another size."""
    if pictures.shape[1:] != (3, world.SIZE, world.SIZE):
        raise ValueError(f"pictures of shape (n, 3, {world.SIZE}, {world.SIZE}) were expected, and {tuple(pictures.shape)} came.")
    x = pictures.detach().cpu().flatten(1)
    known, squares = _known()
    distance = x.square().sum(1, keepdim=True) - 2 * x @ known.T + squares  # (n, templates)
    posterior = (-distance / (2 * world.NOISE**2)).softmax(1)
    nearest = (distance.min(1).values.clamp_min(0) / x.shape[1]).sqrt()
    return Seen(posterior.view(len(x), len(world.SHAPES), len(world.LOOKS), len(world.PLACES)), nearest)


def shares(pictures: Tensor, shape: str) -> Tensor:
    """The mean probability of each look of a `shape`, and of any other shape: (looks + 1,), in the order of OUTCOMES."""
    looks = look_at(pictures).posterior.mean(0).sum(-1)  # (shapes, looks)
    mine = looks[world.SHAPES.index(shape)]
    return torch.cat([mine, 1 - mine.sum().clamp(max=1)[None]])


def smoothed(found: Tensor, count: int) -> Tensor:
    """Shares out of `count` pictures as if one more had been seen, spread over all outcomes: so none is zero."""
    return (count * found + 1 / len(found)) / (count + 1)


def drift(before: Tensor, after: Tensor) -> float:
    """KL(before ‖ after) in nats: how surprised one would be by what a prompt brought before, knowing what it brings after.

    Both (outcomes,), each summing to one. An outcome with no probability before adds nothing; one that had some and has none
    after makes the drift infinite. Raises ValueError for shapes that differ.
    """
    if before.shape != after.shape:
        raise ValueError(f"two distributions over the same outcomes were expected; they have {len(before)} and {len(after)}.")
    there = before > 0
    if (after[there] == 0).any():
        return math.inf
    return float((before[there] * (before[there] / after[there]).log()).sum())


def drift_of(before: Tensor, after: Tensor, shape: str) -> float:
    """The drift between pictures before (n, ...) and after (m, ...), painted for a prompt of `shape`; with smoothing."""
    return drift(*(smoothed(shares(pictures, shape), len(pictures)) for pictures in (before, after)))


def fidelity(pictures: Tensor, subject: str) -> float:
    """The mean probability that a picture shows the subject: its shape in its look."""
    shape, look = world.SHAPES.index(world.SUBJECTS[subject][0]), world.LOOKS.index((subject, "subject"))
    return float(look_at(pictures).posterior[:, shape, look].sum(-1).mean())


def placed(pictures: Tensor, word: str) -> float:
    """The mean probability that the thing stands where the word says: "top", "bottom", "left" or "right"."""
    axis, low = {"top": (0, True), "bottom": (0, False), "left": (1, True), "right": (1, False)}[word]
    there = torch.tensor([(place[axis] < world.SIZE / 4) == low for place in world.PLACES])
    return float(look_at(pictures).posterior.sum((1, 2))[:, there].sum(1).mean())
