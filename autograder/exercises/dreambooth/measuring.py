"""Exercises of chapter 11 on measuring: drift, and a λ chosen from measurements."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

import solutions.dreambooth as answers
from autograder.exercises.draws import normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

# --- drift ------------------------------------------------------------------------------------------------------------


def drift_cases(rng: np.random.Generator) -> list[Case]:
    def drawn(n: int) -> Tensor:
        return torch.from_numpy(rng.dirichlet(2 * np.ones(n)) * 0.9 + 0.1 / n).float()

    gone = torch.cat([drawn(5), torch.zeros(2)])
    return [
        Case("six outcomes", {"before": drawn(6), "after": drawn(6)}, "all came"),
        Case("nine outcomes", {"before": drawn(9), "after": drawn(9)}, "all came"),
        Case("two of seven never came before", {"before": gone, "after": drawn(7)}, "zeros"),
    ]


def _kl(p: Tensor, q: Tensor) -> float:
    return float(torch.xlogy(p, p / q).sum())


drift = Exercise(
    id="dreambooth.drift",
    answer=answers.dreambooth_drift,
    cases=drift_cases,
    parts=[Part("value", 2, on="all came"), Part("outcomes that never came", 1, on="zeros")],
    misconceptions=[
        Misconception(
            "other_way_round",
            lambda before, after: _kl(after, before),
            "This is KL(after ‖ before): the arguments are the other way round. It is infinite as soon as something new "
            "comes, which "
            "is what a subject is.",
        ),
        Misconception(
            "bits",
            lambda before, after: _kl(before, after) / math.log(2),
            "This is in bits. Nats are asked for: the natural logarithm.",
        ),
        Misconception(
            "zeros_are_nan",
            lambda before, after: float((before * (before / after).log()).sum()),
            earns=2,
            says="0 · log 0 became nan. An outcome that never came before adds nothing.",
        ),
        Misconception(
            "mean",
            lambda before, after: _kl(before, after) / len(before),
            "You took the mean over the outcomes. The logarithms are already weighted by `before`; it is a sum.",
        ),
        Misconception(
            "entropy",
            lambda before, after: float(-(before * after.log()).sum()),
            "This is the cross-entropy. Take off the entropy of `before`: without drift nothing should be left.",
        ),
        Misconception(
            "half_the_absolute",
            lambda before, after: float((before - after).abs().sum() / 2),
            "This is half the sum of absolute differences (total variation). The drift is the KL divergence.",
        ),
    ],
)

# --- choose_lambda ----------------------------------------------------------------------------------------------------


def choose_lambda_cases(rng: np.random.Generator) -> list[Case]:
    """λ rises, the drift falls and the fidelity falls; the best drift that looks good enough has a mean that luck made."""

    def case(label: str, group: str, keeps: bool = True) -> Case:
        n = 5

        def around(mean: float, spread: float) -> Tensor:
            x = normal(rng, n)
            return mean + spread * (x - x.mean()) / x.std()

        hard = 0.06 * normal(rng, n)  # a hard seed is hard for all of them
        naive = 0.9 + hard - hard.mean()
        share = 0.9
        gaps = [0.08, 0.05, 0.02, -0.15] if keeps else [-0.02, -0.05, -0.1, -0.2]
        spreads = [0.02, 0.02, 0.05, 0.02]
        order = rng.permutation(4).tolist()
        found = [share * naive + around(g, s) for g, s in zip(gaps, spreads, strict=True)]
        fall = [around(d, 0.03) for d in (0.9, 0.5, 0.3, 0.1)]
        return Case(label, {
            "lams": [(0.1, 0.5, 1.0, 4.0)[i] for i in order], "fidelity": torch.stack([found[i] for i in order]),
            "drift": torch.stack([fall[i] for i in order]), "naive": naive, "t": 2.776, "share": share,
        }, group)  # fmt: skip

    return [
        case("four λs", "some keep"),
        case("four other runs", "some keep"),
        case("none keeps the subject", "none keeps", keeps=False),
    ]


def _choose(lams, fidelity, drift, naive, t, share, *, good="interval", by="drift", paired=True, none=0.0):
    """The answer with one thing wrong, chosen by a keyword."""
    gap = fidelity - share * naive
    half = t * (gap.std(1) if paired else (fidelity.var(1) + (share * naive).var()).sqrt()) / math.sqrt(gap.shape[1])
    low = {"interval": gap.mean(1) - half, "mean": gap.mean(1), "all": gap.mean(1) + 9, "upper": gap.mean(1) + half}[good]
    sure = [i for i in range(len(lams)) if low[i] >= 0]
    score = {"drift": drift.mean(1), "fidelity": -fidelity.mean(1), "lam": -torch.tensor(lams)}[by]
    return lams[min(sure, key=lambda i: float(score[i]))] if sure else (lams[0] if none is None else none)


def _wrong(**how: Any) -> Any:
    return lambda **inputs: _choose(**inputs, **how)


choose_lambda = Exercise(
    id="dreambooth.choose_lambda",
    answer=answers.dreambooth_choose_lambda,
    cases=choose_lambda_cases,
    parts=[Part("the λ to take", 2, on="some keep"), Part("none keeps the subject", 1, on="none keeps")],
    misconceptions=[
        Misconception(
            "least_drift",
            _wrong(good="all"),
            "You took the λ with the least drift, whatever became of the subject. A model that learns nothing drifts least "
            "of all.",
        ),
        Misconception(
            "mean_only",
            _wrong(good="mean"),
            earns=1,
            says="You looked at the mean fidelity only. With five seeds a mean may be above by luck: the lower end of the "
            "interval has "
            "to be.",
        ),
        Misconception(
            "best_fidelity",
            _wrong(by="fidelity"),
            earns=1,
            says="You took the λ that keeps the subject best. Among those that keep it surely enough, the drift decides.",
        ),
        Misconception(
            "some_lambda_all_the_same",
            _wrong(none=None),
            earns=2,
            says="Where no λ keeps the subject you named one all the same. Then the answer is 0.0, and the search goes on "
            "elsewhere.",
        ),
    ],
)
