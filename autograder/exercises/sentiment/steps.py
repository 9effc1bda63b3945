"""Exercises of chapter 02b on the training step: warm-up and clipping."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

import solutions.sentiment as answers
from autograder.exercises.draws import integer, normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

# --- warmup_lr --------------------------------------------------------------------------------------------------------


def warmup_cases(rng: np.random.Generator) -> list[Case]:
    peak, total = float(rng.uniform(1e-5, 9e-5)), 10 * integer(rng, 20, 40)
    warm = total // 5
    steps = [(integer(rng, 3, warm - 2), "rising"), (warm, "falling"), (integer(rng, warm + 5, total - 20), "falling"),
             (total - 1, "falling"), (total + 3, "falling")]
    cases = [
        Case(f"step {s} of {total}, warm-up {warm}", {"step": s, "warmup": warm, "total": total, "peak": peak}, group)
        for s, group in steps
    ]
    cases += [
        Case(f"step {s} of 225, warm-up 22.5", {"step": s, "warmup": 22.5, "total": 225, "peak": 2e-5}, "fraction")
        for s in (22, 23)
    ]
    return [*cases, Case("no warm-up, first step", {"step": 0, "warmup": 0, "total": 100, "peak": 3e-5}, "none")]


def _ramp(step: float, warmup: float, total: int, peak: float) -> float:
    return peak * step / warmup if step < warmup else peak * max(0.0, (total - step) / (total - warmup))


def falls_from_the_start(step: int, warmup: float, total: int, peak: float) -> float:
    return peak * step / warmup if step < warmup else peak * max(0.0, (total - step) / total)


def constant_after(step: int, warmup: float, total: int, peak: float) -> float:
    return peak * step / warmup if step < warmup else peak


def product(step: int, warmup: float, total: int, peak: float) -> float:
    return peak * (min(1.0, step / warmup) if warmup else 1.0) * max(0.0, (total - step) / total)


def cosine(step: int, warmup: float, total: int, peak: float) -> float:
    if step < warmup:
        return peak * step / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / (total - warmup))))


def never_zero(step: int, warmup: float, total: int, peak: float) -> float:
    return peak * step / warmup if step < warmup else peak * (total - step) / (total - warmup)


warmup_lr = Exercise(
    id="sentiment.warmup_lr",
    answer=answers.transfer_warmup_lr,
    cases=warmup_cases,
    parts=[Part("rising", 1, on="rising"), Part("falling", 1, on="falling"), Part("a warm-up of 22.5 steps", 1, on="fraction"),
           Part("no warm-up", 1, on="none")],
    misconceptions=[
        Misconception(
            "falls_from_the_start", falls_from_the_start, earns=2,
            says="Your falling line runs from step 0 to the end, so the rate jumps down where warm-up ends. It has to start "
            "at the peak: (total − step) / (total − warmup).",
        ),
        Misconception(
            "constant_after", constant_after, earns=2,
            says="After warm-up your learning rate stays at the peak. It has to fall in a straight line and reach 0 at `total`.",
        ),
        Misconception(
            "negative", never_zero, earns=3,
            says="Beyond `total` your learning rate is negative: such a step climbs the loss. Keep it at 0 there.",
        ),
        Misconception(
            "whole_warmup", lambda step, warmup, total, peak: _ramp(step, int(warmup), total, peak), earns=3,
            says="You rounded the warm-up to a whole number of steps. With 22.5 the line's corner lies between two steps, "
            "and no step hits the peak.",
        ),
        Misconception(
            "rounded_up", lambda step, warmup, total, peak: _ramp(step, math.ceil(warmup), total, peak), earns=3,
            says="You rounded the warm-up up to a whole number of steps. That is what a Trainer does; here the "
            "corner stays where it "
            "is, between two steps.",
        ),
        Misconception(
            "product", product, earns=1,
            says="You multiplied the rising line by a falling one that runs from step 0. Then the rate rises in "
            "a curve and never "
            "reaches the peak.",
        ),
        Misconception(
            "cosine", cosine, earns=2,
            says="After warm-up you follow a cosine. Asked is a straight line.",
        ),
        Misconception(
            "off_by_one", lambda step, warmup, total, peak: _ramp(step + 1, warmup, total, peak),
            "Your steps count from 1. Here the first is step 0, and with warm-up it is made with learning rate 0.",
        ),
        Misconception(
            "factor", lambda step, warmup, total, peak: _ramp(step, warmup, total, 1.0),
            "This is the factor between 0 and 1. Multiply it by the peak.",
        ),
    ],
)

# --- clip_by_norm -----------------------------------------------------------------------------------------------------


def clip_cases(rng: np.random.Generator) -> list[Case]:
    long = [normal(rng, 6, scale=s) for s in (2.0, 0.1, 1.0)]
    norm = math.sqrt(sum(float(g.square().sum()) for g in long))
    return [
        Case("too long", {"grads": long, "max_norm": 0.4 * norm}, "long"),
        Case("too long together, each short by itself", {"grads": [torch.tensor([0.6, 0.0]), torch.tensor([0.0, -0.8])],
                                                         "max_norm": 0.9}, "long"),
        Case("short enough", {"grads": [0.1 * g for g in long], "max_norm": 0.2 * norm}, "short"),
        Case("all zero", {"grads": [torch.zeros(3), torch.zeros(3)], "max_norm": 1.0}, "short"),
    ]


def _norm(grads: list[Tensor]) -> float:
    return math.sqrt(sum(float(g.square().sum()) for g in grads))


def each_alone(grads: list[Tensor], max_norm: float) -> tuple[list[Tensor], float]:
    return [g * min(1.0, max_norm / n) if (n := _norm([g])) else g for g in grads], _norm(grads)


def always_scaled(grads: list[Tensor], max_norm: float) -> tuple[list[Tensor], float]:
    norm = _norm(grads)
    return [g * (max_norm / norm) if norm else g for g in grads], norm


def by_value(grads: list[Tensor], max_norm: float) -> tuple[list[Tensor], float]:
    return [g.clamp(-max_norm, max_norm) for g in grads], _norm(grads)


def norm_afterwards(grads: list[Tensor], max_norm: float) -> tuple[list[Tensor], float]:
    clipped, _ = answers.transfer_clip_by_norm(grads, max_norm)
    return clipped, _norm(clipped)


def sum_of_norms(grads: list[Tensor], max_norm: float) -> tuple[list[Tensor], float]:
    total = sum(_norm([g]) for g in grads)
    return [g * (max_norm / total) if total > max_norm else g for g in grads], total


def no_root(grads: list[Tensor], max_norm: float) -> tuple[list[Tensor], float]:
    square = _norm(grads) ** 2
    return [g * (max_norm / square) if square > max_norm else g for g in grads], square


clip_by_norm = Exercise(
    id="sentiment.clip_by_norm",
    answer=answers.transfer_clip_by_norm,
    cases=clip_cases,
    keeps_inputs=True,
    parts=[
        Part("clipped", 1, of=0, on="long"), Part("left as they are", 1, of=0, on="short"), Part("norm before clipping", 1, of=1),
    ],
    misconceptions=[
        Misconception(
            "each_alone", each_alone, earns=2,
            says="You clipped every gradient by its own norm. That changes the direction of the step: large gradients "
            "shrink, small ones do not. One factor for all keeps the direction.",
        ),
        Misconception(
            "always_scaled", always_scaled, earns=2,
            says="You always scale to max_norm, also upwards. A gradient that is short enough stays as it is: near a minimum "
            "it has to be short.",
        ),
        Misconception(
            "by_value", by_value, earns=2,
            says="You clipped single entries. That is clipping by value; it bends the direction of the step. Asked is one "
            "factor from the norm of all.",
        ),
        Misconception(
            "norm_afterwards", norm_afterwards, earns=2,
            says="The gradients are right. The norm you return is the one after clipping; asked is the one before, which "
            "tells whether anything was clipped.",
        ),
        Misconception(
            "sum_of_norms", sum_of_norms, earns=1,
            says="You added the norms of the gradients. The norm of all together is the root of the sum of their *squared* "
            "norms.",
        ),
        Misconception(
            "no_root", no_root, earns=1,
            says="You took the sum of squares for the norm: the square root is missing.",
        ),
    ],
)
