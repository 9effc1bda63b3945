"""Exercises of chapter 11 on drawing: a step of DDIM, guidance, and a sampler that is judged by what it draws."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

import solutions.dreambooth as answers
from autograder.asking.probes import dreambooth as probes
from autograder.exercises.draws import normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part
from autograder.judging.measures import dreambooth as measures

# --- ddim_step --------------------------------------------------------------------------------------------------------


def ddim_step_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, group: str, alpha_bar_s: float) -> Case:
        pair = {"x_t": normal(rng, 3, 2, 4, 4), "noise": normal(rng, 3, 2, 4, 4)}
        return Case(label, {**pair, "alpha_bar_t": float(rng.uniform(0.15, 0.3)), "alpha_bar_s": alpha_bar_s}, group)

    return [
        case("to a level between", "between", float(rng.uniform(0.5, 0.8))),
        case("to the next level", "between", 0.4),
        case("to the clean picture", "clean", 1.0),
    ]


def _ddim(how: Any) -> Any:
    def step(x_t: Tensor, noise: Tensor, alpha_bar_t: float, alpha_bar_s: float) -> Tensor:
        x0 = (x_t - math.sqrt(1 - alpha_bar_t) * noise) / math.sqrt(alpha_bar_t)
        return how(x_t, noise, alpha_bar_t, alpha_bar_s, x0)

    return step


def _ddpm_mean(x_t: Tensor, noise: Tensor, t: float, s: float, x0: Tensor) -> Tensor:
    alpha = t / s
    return (math.sqrt(s) * (1 - alpha) * x0 + math.sqrt(alpha) * (1 - s) * x_t) / (1 - t)


ddim_step = Exercise(
    id="dreambooth.ddim_step",
    answer=answers.dreambooth_ddim_step,
    cases=ddim_step_cases,
    parts=[Part("shape", 1, shape_only=True), Part("a level between", 2, on="between"), Part("the clean picture", 1, on="clean")],
    misconceptions=[
        Misconception(
            "straight_to_x0",
            _ddim(lambda x, e, t, s, x0: x0),
            earns=2,
            says="You went to the clean picture in one go. At level s a part of the noise is still there.",
        ),
        Misconception(
            "noise_not_put_back",
            _ddim(lambda x, e, t, s, x0: math.sqrt(s) * x0),
            earns=2,
            says="The predicted picture is there, the noise of level s is not: put the predicted noise back, times the root of "
            "1 - alpha_bar_s.",
        ),
        Misconception(
            "clipped",
            _ddim(lambda x, e, t, s, x0: math.sqrt(s) * x0.clamp(-1, 1) + math.sqrt(1 - s) * e),
            earns=1,
            says="You clipped the predicted picture to -1 … 1. Libraries may do so by default (`clip_sample`); here nothing is "
            "clipped.",
        ),
        Misconception(
            "mean_of_ddpm",
            _ddim(_ddpm_mean),
            earns=2,
            says="This is the mean of DDPM's step, which draws fresh noise besides. DDIM puts back the noise that was predicted.",
        ),
        Misconception(
            "levels_exchanged",
            lambda x_t, noise, alpha_bar_t, alpha_bar_s: answers.dreambooth_ddim_step(x_t, noise, alpha_bar_s, alpha_bar_t),
            earns=1,
            says="You exchanged the levels: x_t is at level t, and goes to level s.",
        ),
        Misconception(
            "no_roots",
            lambda x_t, noise, alpha_bar_t, alpha_bar_s: (
                alpha_bar_s * (x_t - (1 - alpha_bar_t) * noise) / alpha_bar_t + (1 - alpha_bar_s) * noise
            ),
            earns=1,
            says="You used the shares of the variance as factors. In front of signal and noise stand their roots.",
        ),
    ],
)

# --- guided_noise -----------------------------------------------------------------------------------------------------


def guided_noise_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, group: str, scale: float) -> Case:
        return Case(
            label, {"conditional": normal(rng, 2, 3, 4, 4), "unconditional": normal(rng, 2, 3, 4, 4), "scale": scale}, group
        )

    return [
        case("scale 7.5", "beyond", 7.5),
        case("scale 2.5", "beyond", 2.5),
        case("scale 1", "with the prompt", 1.0),
        case("scale 0.3", "beyond", 0.3),
    ]


guided_noise = Exercise(
    id="dreambooth.guided_noise",
    answer=answers.dreambooth_guided_noise,
    cases=guided_noise_cases,
    parts=[Part("scale 1", 1, on="with the prompt"), Part("other scales", 2, on="beyond")],
    misconceptions=[
        Misconception(
            "papers_w",
            lambda conditional, unconditional, scale: conditional + scale * (conditional - unconditional),
            "You started from the prediction with the prompt. That is the paper's w, which is one less than the scale that "
            "libraries "
            "(and this exercise) mean.",
        ),
        Misconception(
            "exchanged",
            lambda conditional, unconditional, scale: conditional + scale * (unconditional - conditional),
            "You went from the prompt's prediction towards the one without: away from what was asked for.",
        ),
        Misconception(
            "added",
            lambda conditional, unconditional, scale: unconditional + scale * conditional,
            "You added the whole conditional prediction. What is scaled is the *difference* the prompt makes.",
        ),
        Misconception(
            "capped",
            lambda conditional, unconditional, scale: unconditional + min(scale, 1.0) * (conditional - unconditional),
            earns=1,
            says="You stopped at the prompt's own prediction. Guidance goes beyond it: that is what a scale above 1 is for.",
        ),
    ],
)

# --- sampler ----------------------------------------------------------------------------------------------------------


def sampler_cases(rng: np.random.Generator) -> list[Case]:
    """Mixtures of narrow Gaussians on a line, for which the noise in x_t can be computed exactly."""
    alpha_bar = torch.cos(torch.linspace(0.02, 0.995, 60) * math.pi / 2).square()

    def case(label: str, weights: list[float], means: list[float], width: float) -> Case:
        w, m = torch.tensor(weights), torch.tensor(means) + 0.05 * normal(rng, len(means))
        inputs = {"x": normal(rng, 1500), "alpha_bar": alpha_bar, "weights": w / w.sum(), "means": m, "width": width}
        return Case(label, inputs, held={"weights": w / w.sum(), "means": m, "width": width})

    return [case("three lumps", [0.5, 0.3, 0.2], [-1.6, 0.2, 1.5], 0.12), case("two lumps", [0.75, 0.25], [-1.0, 1.2], 0.25)]


def _sample(
    denoise: Any, x: Tensor, alpha_bar: Tensor, *, put_back: str = "noise", order: int = -1, one_step: bool = False
) -> Tensor:
    """The sampler with one thing wrong, chosen by a keyword."""
    levels = alpha_bar.flip(0).tolist() if order < 0 else alpha_bar.tolist()
    for here, there in zip(levels, [*levels[1:], 1.0 if order < 0 else levels[-1]], strict=True):
        noise = denoise(x, here)
        clean = (x - math.sqrt(1 - here) * noise) / math.sqrt(here)
        if one_step:
            return clean
        fresh = {"noise": noise, "fresh": torch.randn(len(x)), "nothing": torch.zeros(len(x))}[put_back]
        x = math.sqrt(there) * clean + math.sqrt(1 - there) * fresh
    return x


def _drawn(**how: Any) -> Any:
    return lambda denoise, x, alpha_bar: _sample(denoise, x, alpha_bar, **how)


SHARES = (
    "Your draws do not fall into the lumps as often as they should. Go from the noisiest level to the cleanest, ask the "
    "network at "
    "every level, and put noise back before the next."
)
WIDTH = (
    "The lumps are met, but not as wide as they are. What is put back at a level has to be the noise that was predicted "
    "(DDIM), or "
    "the right mixture of it and a fresh draw (DDPM)."
)

# Over 30 seeds: DDIM on all levels or on a third of them, and DDPM, have shares off by 0.045 at most and widths by 0.18; the weak
# strategies have shares off by 0.25 and more, but for fresh noise: shares 0.04 to 0.10, widths 0.35 and more.
sampler = Exercise(
    id="dreambooth.sampler",
    answer=answers.dreambooth_sampler,
    probe=probes.draw,
    cases=sampler_cases,
    expected=lambda x, **inputs: torch.zeros_like(x),
    parts=[
        Part("shares of the lumps", 2, measure=measures.shares_off, at_most=0.14, says=SHARES),
        Part("width of the lumps", 1, measure=measures.width_off, at_most=0.25, says=WIDTH),
    ],
    misconceptions=[
        Misconception("one_step", _drawn(one_step=True), SHARES),
        Misconception("wrong_way", _drawn(order=1), SHARES),
        Misconception("nothing_put_back", _drawn(put_back="nothing"), SHARES),
        Misconception("fresh_noise", _drawn(put_back="fresh"), WIDTH, earns=2),
    ],
    seconds=10.0,
)
