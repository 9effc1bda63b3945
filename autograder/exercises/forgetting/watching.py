"""Exercises of chapter 04 on seeing it happen: do two tasks pull apart, and when to stop."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor

import solutions.forgetting as answers
from autograder.exercises.draws import integer, normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

# --- gradient_cosine --------------------------------------------------------------------------------------------------


def gradient_cosine_cases(rng: np.random.Generator) -> list[Case]:
    shapes, lengths = [(3, 4), (5,), (2, 3)], [1.0, 3.0, 0.3]  # layers of unequal weight: their cosines may not be averaged

    def draw() -> tuple[Tensor, ...]:
        drawn = [normal(rng, *shape) for shape in shapes]
        return tuple(length * g / g.norm() for length, g in zip(lengths, drawn, strict=True))

    def mixed(base: tuple[Tensor, ...], shares: list[float]) -> tuple[Tensor, ...]:
        """Gradients whose angle with `base` is different in every layer."""
        return tuple(share * g + 0.3 * n for share, g, n in zip(shares, base, draw(), strict=True))

    first, second, third = draw(), draw(), draw()
    return [
        Case("three weights, nearly aligned", {"grads_a": first, "grads_b": mixed(first, [-1.0, 0.7, 2.0])}),
        Case("three weights, opposed", {"grads_a": second, "grads_b": mixed(second, [1.0, -0.7, 0.1])}),
        Case("one gradient is zero", {"grads_a": tuple(0 * g for g in third), "grads_b": third}, "zero"),
    ]


def _sums(grads_a: tuple[Tensor, ...], grads_b: tuple[Tensor, ...]) -> tuple[float, float, float]:
    pairs = list(zip(grads_a, grads_b, strict=True))
    return (float(sum((a * b).sum() for a, b in pairs)), float(sum((a * a).sum() for a, _ in pairs)),
            float(sum((b * b).sum() for _, b in pairs)))


def _cosine_of(formula: Callable[[float, float, float], float]) -> Callable:
    def wrong(grads_a: tuple[Tensor, ...], grads_b: tuple[Tensor, ...]) -> float:
        dot, aa, bb = _sums(grads_a, grads_b)
        return formula(dot, aa, bb) if aa * bb else 0.0

    return wrong


def averages_layers(grads_a: tuple[Tensor, ...], grads_b: tuple[Tensor, ...]) -> float:
    cosine = _cosine_of(lambda dot, aa, bb: dot / math.sqrt(aa * bb))
    cosines = [cosine((a,), (b,)) for a, b in zip(grads_a, grads_b, strict=True)]
    return sum(cosines) / len(cosines)


def lengths_added(grads_a: tuple[Tensor, ...], grads_b: tuple[Tensor, ...]) -> float:
    dot, size = _sums(grads_a, grads_b)[0], sum(a.norm() for a in grads_a) * sum(b.norm() for b in grads_b)
    return float(dot / size) if size else 0.0


gradient_cosine = Exercise(
    id="forgetting.gradient_cosine",
    answer=answers.forgetting_gradient_cosine,
    cases=gradient_cosine_cases,
    parts=[Part("value", 2, on="main"), Part("a gradient without direction", 1, on="zero")],
    misconceptions=[
        Misconception(
            "averages_layers", averages_layers, earns=1,
            says="You averaged one cosine a tensor. Then a bias of ten numbers counts as much as a matrix of a million. Put all "
            "weights into one vector: add up the products and the squares over all tensors, and divide once.",
        ),
        Misconception(
            "lengths_added", lengths_added, earns=1,
            says="You added up the lengths of the layers. The length of the one long vector is the root of the sum of *all* "
            "squares: add up squares, and take the root once.",
        ),
        Misconception(
            "dot_product", _cosine_of(lambda dot, aa, bb: dot), earns=1,
            says="This is the scalar product. Divide it by the lengths of both gradients to get the cosine.",
        ),
        Misconception(
            "no_root", _cosine_of(lambda dot, aa, bb: dot / (aa * bb)), earns=1,
            says="You divided by the squared lengths. A length is the root of the sum of squares.",
        ),
        Misconception(
            "one_length", _cosine_of(lambda dot, aa, bb: dot / aa), earns=1,
            says="You divided by the square of one gradient's length: that is the share of A's gradient in B's, not a cosine. "
            "Divide by the length of each.",
        ),
        Misconception(
            "absolute", _cosine_of(lambda dot, aa, bb: abs(dot) / math.sqrt(aa * bb)), earns=1,
            says="You took the absolute value. The sign is the point: above zero B's step helps A, below zero it harms A.",
        ),
    ],
)

# --- stop_epoch -------------------------------------------------------------------------------------------------------


def stop_epoch_cases(rng: np.random.Generator) -> list[Case]:
    def losses(patience: int, falling: int) -> list[float]:
        """It falls, pauses for patience - 1 epochs, falls again, then a tie, and then a rise that is not steady."""
        start = [1.0 - 0.3 * i / falling for i in range(falling + 1)]  # down to 0.7
        pause = [0.9 - 0.01 * i for i in range(patience - 1)]
        after = [0.6, 0.6] + [0.75 - 0.02 * i for i in range(patience - 1)] + [0.9, 0.95, 0.5, 0.7, 0.8]
        scale = 0.5 + rng.random()
        return [round(scale * loss, 4) for loss in start + pause + after]

    cases = []
    for patience in (3, integer(rng, 2, 5)):
        values = losses(patience, integer(rng, 2, 6))
        cases.append(Case(f"{len(values)} epochs, patience {patience}", {"val_losses": values, "patience": patience}))
    values = [0.9, 0.9 + round(0.1 * rng.random() + 0.01, 4), 1.1]
    return cases + [Case("3 epochs, patience 3", {"val_losses": values, "patience": 3}, "never")]


def _stop(losses: list[float], patience: int, *, late: int = 0, ties: bool = False, resets: bool = True, previous: bool = False
          ) -> tuple[int, int]:
    """The rule with one thing wrong, chosen by a keyword; 0-based (last epoch, best epoch)."""
    best, bad = 0, 0
    for i, loss in enumerate(losses[1:], start=1):
        improves = loss <= losses[best] if ties else loss < losses[best]
        best = i if improves else best
        if loss < losses[i - 1] if previous else improves:
            bad = 0 if resets else bad
        else:
            bad += 1
        if bad == patience + late:
            return i, best
    return len(losses) - 1, best


def _stop_wrong(**how: Any) -> Callable:
    return lambda val_losses, patience: tuple(i + 1 for i in _stop(val_losses, patience, **how))


stop_epoch = Exercise(
    id="forgetting.stop_epoch",
    answer=answers.forgetting_stop_epoch,
    cases=stop_epoch_cases,
    parts=[
        Part("how many epochs are trained", 2, of=0, on="main"),
        Part("which weights are kept", 1, of=1, on="main"),
        Part("patience 3 in 3 epochs", 1, on="never"),
    ],
    misconceptions=[
        Misconception(
            "never_resets", _stop_wrong(resets=False), earns=2,
            says="You counted all epochs without an improvement. Patience asks for so many in a row: an improvement sets the "
            "count back to zero.",
        ),
        Misconception(
            "previous_epoch", _stop_wrong(previous=True), earns=1,
            says="You compared each epoch with the one before it. An epoch improves only if it is below the best so far: a loss "
            "that wobbles far above its best would never stop.",
        ),
        Misconception(
            "one_late", _stop_wrong(late=1), earns=2,
            says="You stopped one epoch late. Training stops after the epoch that makes the `patience` epochs full, "
            "not after the next.",
        ),
        Misconception(
            "ties_improve", _stop_wrong(ties=True), earns=1,
            says="You took an equal loss for an improvement. It has to be strictly below the best so far.",
        ),
        Misconception(
            "keeps_the_last", lambda val_losses, patience: (_stop(val_losses, patience)[0] + 1,) * 2, earns=2,
            says="You kept the weights of the last epoch that was trained. The last `patience` epochs are the ones that did not "
            "help: go back to the best.",
        ),
        Misconception(
            "from_zero", lambda val_losses, patience: _stop(val_losses, patience),
            says="You counted the epochs from zero. The first epoch is number 1.",
        ),
        Misconception(
            "looks_ahead", lambda val_losses, patience: (
                _stop(val_losses, patience)[0] + 1, min(range(len(val_losses)), key=lambda i: val_losses[i]) + 1
            ), earns=3,
            says="You looked for the best epoch in all of the losses. After the stop nothing was trained, so those epochs do not "
            "exist.",
        ),
    ],
)
