"""Exercises of chapter 03 on what to train on: the mix, its share, and the order."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import solutions.domain as answers
from autograder.exercises.draws import integer
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

# --- data_mix ---------------------------------------------------------------------------------------------------------


def data_mix_cases(rng: np.random.Generator) -> list[Case]:
    hundreds = integer(rng, 3, 9)
    return [
        Case("1000 samples, a tenth general", {"samples": 1000, "general_share": 0.1}, "even"),
        Case(f"{hundreds}00 samples, a fifth general", {"samples": 100 * hundreds, "general_share": 0.2}, "even"),
        Case("7 samples, 0.4 general", {"samples": 7, "general_share": 0.4}, "rounded"),  # 2.8
        Case(f"{hundreds}03 samples, 0.3 general", {"samples": 100 * hundreds + 3, "general_share": 0.3}, "rounded"),
        Case("5 samples, half general", {"samples": 5, "general_share": 0.5}, "half"),  # 2.5
        Case("7 samples, half general", {"samples": 7, "general_share": 0.5}, "half"),  # 3.5
        Case("50 samples, none general", {"samples": 50, "general_share": 0.0}, "ends"),
        Case("50 samples, all general", {"samples": 50, "general_share": 1.0}, "ends"),
    ]


data_mix = Exercise(
    id="domain.data_mix",
    answer=answers.domain_data_mix,
    cases=data_mix_cases,
    parts=[Part("even shares", 1, on="even"), Part("rounding", 1, on="rounded"),
           Part("half a sample", 1, on="half"), Part("none and all", 1, on="ends")],
    misconceptions=[
        Misconception(
            "swapped", lambda samples, general_share: answers.domain_data_mix(samples, general_share)[::-1],
            "Both numbers are right, in the wrong order: the domain comes first, then the general samples.",
        ),
        Misconception(
            "added_on_top", lambda samples, general_share: (samples, round(samples * general_share)), earns=0,
            says="You put the general samples on top. `samples` is the size of the whole mix: what is general is not from the "
            "domain.",
        ),
        Misconception(
            "both_cut",
            lambda samples, general_share: (math.floor(samples * (1 - general_share)), math.floor(samples * general_share)),
            earns=2,
            says="You cut off both numbers, and a sample gets lost. Round one of them and give the rest to the other.",
        ),
        Misconception(
            "general_cut",
            lambda samples, general_share: (samples - math.floor(samples * general_share), math.floor(samples * general_share)),
            earns=2,
            says="You cut the decimals off. Round to the nearest: 2.8 samples are 3.",
        ),
        Misconception(
            "half_to_even", lambda samples, general_share: (samples - (n := round(samples * general_share)), n), earns=3,
            says="Python's round takes a half to the *even* neighbour: round(2.5) is 2 and round(3.5) is 4. The statement "
            "says up: "
            "math.floor(x + 0.5).",
        ),
        Misconception(
            "alpha_and_its_rest",
            lambda samples, general_share: (round(samples * general_share), round(samples * general_share)), earns=0,
            says="You returned the general share twice. The domain gets what is left.",
        ),
    ],
)

# --- choose_alpha -----------------------------------------------------------------------------------------------------

ALPHAS = [0.125, 0.25, 0.5, 0.75, 1.0]


def _sweep(rng: np.random.Generator, improved: bool) -> dict[str, Any]:
    """Domain losses that fall with alpha, general losses that rise. With `improved`, small alphas lower the general loss."""
    before = float(rng.uniform(1.0, 1.2))
    return {
        "alphas": list(ALPHAS),
        "domain_losses": (np.array([6.0, 4.6, 3.9, 3.6, 3.5]) + rng.uniform(-0.03, 0.03, 5)).tolist(),
        "general_losses": (before + np.array([-0.9, 0.1, 0.4, 0.9, 4.0]) * (1 if improved else [-0.1, 1, 1, 1, 1])
                           + rng.uniform(-0.02, 0.02, 5)).tolist(),
        "general_before": before,
    }


def choose_alpha_cases(rng: np.random.Generator) -> list[Case]:
    return [
        Case("no penalty", _sweep(rng, False) | {"penalty": 0.0}, "no penalty"),
        Case("penalty 0.3", _sweep(rng, False) | {"penalty": 0.3}, "penalty"),
        Case("penalty 1.5", _sweep(rng, False) | {"penalty": 1.5}, "penalty"),
        Case("penalty 100", _sweep(rng, False) | {"penalty": 100.0}, "penalty"),
        Case("the general loss fell for a small alpha", _sweep(rng, True) | {"penalty": 2.0}, "improved"),
    ]


def _scores(domain_losses, general_losses, general_before, penalty, *, hinge=True, size=False, relative=False) -> list[float]:
    gaps = [g - general_before for g in general_losses]
    gaps = [abs(g) for g in gaps] if size else [max(0.0, g) for g in gaps] if hinge else gaps
    gaps = [g / general_before for g in gaps] if relative else gaps
    return [d + penalty * g for d, g in zip(domain_losses, gaps, strict=True)]


def _chosen(pick: Any = min, what: str = "alpha", **how: Any) -> Any:
    def wrong(alphas, domain_losses, general_losses, general_before, penalty):
        scores = _scores(domain_losses, general_losses, general_before, penalty, **how)
        best = scores.index(pick(scores))
        return {"alpha": alphas[best], "position": best, "score": float(scores[best])}[what]

    return wrong


def _domain_alone(alphas, domain_losses, general_losses, general_before, penalty):
    return alphas[domain_losses.index(min(domain_losses))]


def _least_forgetting(alphas, domain_losses, general_losses, general_before, penalty):
    return alphas[general_losses.index(min(general_losses))]


choose_alpha = Exercise(
    id="domain.choose_alpha",
    answer=answers.domain_choose_alpha,
    cases=choose_alpha_cases,
    parts=[
        Part("without a penalty", 1, on="no penalty"), Part("with a penalty", 2, on="penalty"),
        Part("a general loss that fell", 1, on="improved"),
    ],
    misconceptions=[
        Misconception(
            "penalty_ignored", _domain_alone, earns=1,
            says="You looked at the domain loss alone, so the most forgetful model wins. Add penalty * forgetting before you "
            "take the smallest.",
        ),
        Misconception(
            "improvement_rewarded", _chosen(hinge=False), earns=3,
            says="You count a general loss that fell as negative forgetting, so it can buy off a bad domain loss. Forgetting is "
            "max(0, after - before).",
        ),
        Misconception(
            "position", _chosen(what="position"),
            says="You returned where the best alpha stands in the list. Return the alpha itself.",
        ),
        Misconception(
            "score", _chosen(what="score"),
            says="You returned the smallest value that is reached. Return the alpha that reaches it.",
        ),
        Misconception(
            "largest", _chosen(pick=max),
            says="You took the largest. Both terms are losses: less is better.",
        ),
        Misconception(
            "least_forgetting", _least_forgetting, earns=0,
            says="You took the alpha that forgets least, whatever the domain loss. The penalty says how much forgetting may "
            "cost.",
        ),
    ],
)

# --- curriculum_weights -----------------------------------------------------------------------------------------------


def curriculum_weights_cases(rng: np.random.Generator) -> list[Case]:
    drawn = rng.permutation(np.array([0.1, 0.35, 0.5, 0.8, 1.3]) + rng.uniform(-0.04, 0.04, 5)).tolist()
    lengths = rng.permutation([3.0, 12.0, 20.0, 31.0]).tolist()
    return [
        Case("difficulties 0, 0.25, 0.5, 0.75, 1 and beta 5", {"difficulty": [0.0, 0.25, 0.5, 0.75, 1.0], "beta": 5.0}, "plain"),
        Case("five documents, beta 2", {"difficulty": drawn, "beta": 2.0}, "plain"),
        Case("five documents, beta 0", {"difficulty": drawn, "beta": 0.0}, "uniform"),
        Case("five documents, beta -3: hard ones first", {"difficulty": drawn, "beta": -3.0}, "hard"),
        Case("lengths as difficulties, beta 1000", {"difficulty": lengths, "beta": 1000.0}, "extreme"),
        Case("lengths as difficulties, beta -1000", {"difficulty": lengths, "beta": -1000.0}, "extreme"),
    ]


def _softmax(scores: np.ndarray) -> np.ndarray:
    raised = np.exp(scores - scores.max())
    return raised / raised.sum()


def _naive(difficulty: Any, beta: float) -> np.ndarray:
    with np.errstate(all="ignore"):
        raised = np.exp(-beta * np.asarray(difficulty, dtype=float))
        return raised / raised.sum()


def _shifted_wrongly(difficulty: Any, beta: float) -> np.ndarray:
    """Subtracts the largest difficulty instead of the largest score: right only where the hardest has the largest score."""
    difficulty = np.asarray(difficulty, dtype=float)
    return _naive(difficulty - difficulty.max(), beta)


def _inverse(difficulty: Any, beta: float) -> np.ndarray:
    weights = 1 / (1 + abs(beta) * np.asarray(difficulty, dtype=float))
    return weights / weights.sum()


curriculum_weights = Exercise(
    id="domain.curriculum_weights",
    answer=answers.domain_curriculum_weights,
    cases=curriculum_weights_cases,
    parts=[
        Part("easy first", 2, on="plain"), Part("beta 0: all alike", 1, on="uniform"),
        Part("negative beta: hard first", 1, on="hard"), Part("beta 1000 and -1000", 1, on="extreme"),
    ],
    misconceptions=[
        Misconception(
            "sign", lambda difficulty, beta: _softmax(beta * np.asarray(difficulty, dtype=float)), earns=1,
            says="The sign is turned round: a larger beta prefers hard documents in yours. With exp(-beta * difficulty) it "
            "prefers easy ones. (Texts that let beta rise 'to emphasise hard samples' make this mistake.)",
        ),
        Misconception(
            "unstable", _naive, earns=4,
            says="With beta = 1000 all your exponentials are 0 (or infinite), and 0/0 is nan. Subtract the largest exponent from "
            "all of them first: a common factor cancels.",
        ),
        Misconception(
            "shifted_wrongly", _shifted_wrongly, earns=4,
            says="You subtracted the largest difficulty. For a positive beta that makes the exponents larger still. Subtract the "
            "largest *exponent*, after multiplying by -beta.",
        ),
        Misconception(
            "not_normalised",
            lambda difficulty, beta: np.exp(-beta * (d := np.asarray(difficulty, dtype=float)) - (-beta * d).max()), earns=1,
            says="These are weights, not probabilities: divide by their sum.",
        ),
        Misconception(
            "temperature",
            lambda difficulty, beta: (_softmax(-np.asarray(difficulty, dtype=float) / beta) if beta
                                      else np.full(len(difficulty), 1 / len(difficulty))), earns=1,
            says="You divided by beta. It is an inverse temperature: it multiplies, so that a larger one sharpens.",
        ),
        Misconception(
            "reciprocal", _inverse, earns=1,
            says="You weighted by one over the difficulty. The rule is exponential, exp(-beta * difficulty).",
        ),
    ],
)
