"""Exercises of chapter 08 on predicting and choosing: what the rank does to a step, and a race from measured accuracies."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

import solutions.lora as answers
from autograder.exercises.draws import integer, normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

# --- predict_growth ---------------------------------------------------------------------------------------------------


def predict_growth_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for quantity in ("update size", "gradient step", "AdamW step"):
        for scale in ("alpha/r", "alpha/sqrt(r)"):
            factor = float(integer(rng, 3, 30))
            inputs = {"quantity": quantity, "scale": scale, "factor": factor}
            cases.append(Case(f"{quantity} under {scale}, {factor:g} times the rank", inputs, quantity))
    return cases


def _growth(exponents: dict[tuple[str, str], float]) -> Any:
    """The answer of one who believes in these powers of the factor."""
    return lambda quantity, scale, factor: factor ** exponents[quantity, scale]


RIGHT = {
    ("update size", "alpha/r"): -1.0, ("update size", "alpha/sqrt(r)"): 0.0,
    ("gradient step", "alpha/r"): -1.0, ("gradient step", "alpha/sqrt(r)"): 0.0,
    ("AdamW step", "alpha/r"): 0.0, ("AdamW step", "alpha/sqrt(r)"): 0.5,
}

predict_growth = Exercise(
    id="lora.predict_growth",
    answer=answers.lora_predict_growth,
    cases=predict_growth_cases,
    parts=[
        Part("size of the update", 1, on="update size"),
        Part("worth of a gradient step", 1, on="gradient step"),
        Part("worth of an AdamW step", 1, on="AdamW step"),
    ],
    misconceptions=[
        Misconception(
            "cancels", _growth({key: 0.0 if key[1] == "alpha/r" else 1.0 for key in RIGHT}),
            "You let α/r cancel the rank everywhere. The r terms of B A x are independent: their squares add up, so the mean "
            "square "
            "grows like r and not like r², and (α/r)² takes away too much.",
        ),
        Misconception(
            "adamw_like_gradient", _growth(RIGHT | {("AdamW step", "alpha/r"): -1.0, ("AdamW step", "alpha/sqrt(r)"): 0.0}),
            earns=2,
            says="The first two are right. AdamW does not step in proportion to the gradient: every entry of B moves by the "
            "rate, so what "
            "counts is the sum of absolute entries, and there are r times as many of them.",
        ),
        Misconception(
            "sizes", _growth({key: power if key[0] == "AdamW step" else power / 2 for key, power in RIGHT.items()}), earns=1,
            says="The first two are squares: a mean square, and a squared length. You gave the growth of the size itself, its "
            "root.",
        ),
        Misconception(
            "scale_only",
            _growth({key: (-1.0 if key[1] == "alpha/r" else -0.5) * (1 if key[0] == "AdamW step" else 2) for key in RIGHT}),
            "You counted what happens to the scale and forgot that there are more terms to add: r of them.",
        ),
        Misconception(
            "upside_down", _growth({key: -power for key, power in RIGHT.items()}),
            "Everything is the other way up. The rank grows; under α/r the scale falls.",
        ),
    ],
)

# --- fair_race --------------------------------------------------------------------------------------------------------


def fair_race_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, gap: float, spread: float, group: str, seeds: int, t: float) -> Case:
        """Rates that differ between the methods, one lucky run, and another rate that is better on the test seeds by chance."""
        rates, tuned = 4, 3
        best = [integer(rng, 0, 1), integer(rng, 2, 3)]  # of full fine-tuning and of LoRA
        level = torch.full((2, rates), 0.70)
        tuning = level[..., None] + 0.005 * normal(rng, 2, rates, tuned)
        shared = 0.03 * normal(rng, seeds)  # a hard seed is hard for both: why one compares in pairs
        test = level[..., None] + shared + 0.005 * normal(rng, 2, rates, seeds)
        differences = normal(rng, seeds)
        differences = gap + spread * (differences - differences.mean()) / differences.std()
        for method in (0, 1):
            others = [rate for rate in range(rates) if rate != best[method]]
            tuning[method, best[method]] = 0.85 + 0.005 * normal(rng, tuned)
            tuning[method, others[0], 0] = 0.95  # one lucky run
            test[method, others[1]] = 0.93 + shared + 0.005 * normal(rng, seeds)  # would win if one looked at the test seeds
        test[0, best[0]] = 0.85 + shared
        test[1, best[1]] = 0.85 + shared + differences
        return Case(label, {"tuning": tuning, "test": test, "t": t, "margin": 0.02}, group)

    return [
        case("5 seeds, the interval within the margin", 0.003, 0.012, "as good", 5, 2.776),
        case("8 seeds, clearly behind", -0.06, 0.015, "worse", 8, 2.365),
        case("5 seeds, too wide to tell", -0.01, 0.03, "cannot tell", 5, 2.776),
    ]


def _race(tuning: Tensor, test: Tensor, t: float, margin: float, *, choose: str = "mean", paired: bool = True, ddof: int = 1,
          root: bool = True, verdict: str = "margin") -> tuple[int, int, float, float, str]:
    """The answer with one thing wrong, chosen by a keyword."""
    scores = {"mean": tuning.mean(-1), "luckiest": tuning.amax(-1), "on the test": test.mean(-1)}
    full, lora = scores[choose].argmax(-1).tolist() if choose in scores else [int(tuning.mean(-1)[0].argmax())] * 2
    a, b = test[1, lora], test[0, full]
    spread = (a - b).std(correction=ddof) if paired else (a.var() + b.var()).sqrt()
    mean, half = (a - b).mean().item(), t * spread.item() / (math.sqrt(len(a)) if root else 1)
    if verdict == "significance":
        return full, lora, mean, half, "as good" if abs(mean) < half else "worse" if mean < 0 else "as good"
    return full, lora, mean, half, "as good" if mean - half > -margin else "worse" if mean + half < -margin else "cannot tell"


def _wrong_race(**how: Any) -> Any:
    return lambda **inputs: _race(**inputs, **how)


fair_race = Exercise(
    id="lora.fair_race",
    answer=answers.lora_fair_race,
    cases=fair_race_cases,
    parts=[
        Part("rate of full fine-tuning", 1, of=0), Part("rate of LoRA", 1, of=1), Part("mean difference", 1, of=2),
        Part("half width", 1, of=3), Part("verdict", 1, of=4),
    ],
    misconceptions=[
        Misconception(
            "chosen_on_the_test", _wrong_race(choose="on the test"),
            "You chose the rates on the seeds that you report. Whoever picks the best of several noisy numbers reports the "
            "luckiest.",
        ),
        Misconception(
            "one_rate_for_both", _wrong_race(choose="shared"), earns=1,
            says="You gave LoRA the rate that suits full fine-tuning. Each method has a rate of its own: that is what makes it "
            "fair.",
        ),
        Misconception(
            "luckiest_run", _wrong_race(choose="luckiest"),
            says="You chose the rate of the single best run. One lucky seed is no reason: take the best mean over the tuning "
            "seeds.",
        ),
        Misconception(
            "unpaired", _wrong_race(paired=False), earns=3,
            says="The rates and the mean are right. But you lost the pairs: a hard seed is hard for both methods, so take the "
            "standard "
            "deviation of the differences, not of the two lots apart.",
        ),
        Misconception(
            "divided_by_n", _wrong_race(ddof=0), earns=4,
            says="Your standard deviation divides by n. For a sample it is n - 1; with five seeds the interval would be 11 % "
            "too short.",
        ),
        Misconception(
            "no_root_n", _wrong_race(root=False), earns=3,
            says="This is t · s: the spread of single seeds. The mean of n seeds is √n times as sure.",
        ),
        Misconception(
            "no_difference_is_as_good", _wrong_race(verdict="significance"), earns=4,
            says="You called it as good because the interval holds zero. That rewards few seeds: the wider the interval, the "
            "easier. "
            "As good means that the whole interval lies above -margin.",
        ),
    ],
)
