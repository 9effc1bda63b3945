"""Exercises of chapter A that measure: opinions before the verdict, and a decision by simulation."""

from __future__ import annotations

import numpy as np
import torch

import solutions.claims as answers
from autograder.asking.probes import claims as probing
from autograder.exercises.exercise import Case, Exercise, Misconception, Part
from autograder.judging.measures import claims as measures

# --- judge ------------------------------------------------------------------------------------------------------------

LETTERS = "abcdefghijkl"
TRUTH = [0, 1, 0, 1, 1, 0, 0, 1, 0, 1, 0, 1]
SIDES = "Several of your sides are not the true ones. Each statement can be settled with pen and paper, or with three lines of "
"code."
SURE = (
    "Your sides are mostly right, but the squared distance of your probabilities from the truth is large: be surer where you "
    "have computed, and less sure where you have not."
)


def judge_cases(rng: np.random.Generator) -> list[Case]:
    return [Case("the twelve statements", {"letters": list(LETTERS)}, held={"truth": torch.tensor(TRUTH).float()})]


judge = Exercise(
    id="claims.judge",
    answer=answers.claims_judge,
    probe=probing.opinions,
    cases=judge_cases,
    expected=lambda letters: torch.zeros(len(letters)),
    parts=[
        Part("three of four", 2, measure=measures.sided, at_least=0.75, says=SIDES),
        Part("eleven of twelve", 1, measure=measures.sided, at_least=0.9, says=SIDES),
        Part("sure of what is true", 1, measure=measures.brier, at_most=0.12, says=SURE),
    ],
    misconceptions=[
        Misconception("believes_all", lambda: dict.fromkeys(LETTERS, 1.0), SIDES),
        Misconception("believes_nothing", lambda: dict.fromkeys(LETTERS, 0.0), SIDES),
        Misconception("takes_no_side", lambda: dict.fromkeys(LETTERS, 0.5), SIDES),
        Misconception("believes_figures", lambda: {i: 0.9 if i in "abdghk" else 0.1 for i in LETTERS}, SIDES),
        Misconception("hardly_sure", lambda: {i: 0.4 + 0.2 * t for i, t in zip(LETTERS, TRUTH, strict=True)}, SURE, earns=3),
    ],
)

# --- holds_up ---------------------------------------------------------------------------------------------------------

POOL, CLAIMS = 3000, 24
WIDTHS = (3.0, 5.0, 7.0)  # how many margins the standard deviation is
KEPT = "True claims are turned down: look at whether your estimate is one of the mean, and how near to the claim it has to lie."
CAUGHT = (
    "False claims pass. That a difference is not significant does not show that there is none: draw until the standard error "
    "is small beside the margin, and then decide at half of it."
)
USED = "You took more draws than the decision needs. How many that are follows from how widely the first draws scatter."


def holds_up_cases(rng: np.random.Generator) -> list[Case]:
    truth = np.array([1, 0] * (CLAIMS // 2))
    scale, mean = rng.uniform(0.1, 20, CLAIMS), rng.uniform(-50, 50, CLAIMS)
    margin = scale / rng.permutation(np.resize(WIDTHS, CLAIMS))
    skewed = rng.permutation(np.arange(CLAIMS) % 2 == 0)[:, None]
    draws = np.where(skewed, rng.exponential(1, (CLAIMS, POOL)) - 1, rng.standard_normal((CLAIMS, POOL)))
    pools = torch.tensor(mean[:, None] + scale[:, None] * draws, dtype=torch.float32)
    off = rng.choice([-1, 1], CLAIMS) * rng.uniform(1, 1.3, CLAIMS) * margin
    inputs = {"pools": pools, "claimed": torch.tensor(np.where(truth, mean, mean + off)), "margins": torch.tensor(margin)}
    return [Case("24 claims, 12 of them true", inputs, held={"truth": torch.tensor(truth).float()})]


def _not_significant(sample, claimed, margin):
    x = sample(30)
    return bool(abs(x.mean() - claimed) < 2 * x.std() / len(x) ** 0.5)


def _equal(sample, claimed, margin):
    return bool(abs(sample(2000).mean() - claimed) < 1e-4)


def _all_draws(sample, claimed, margin):
    return bool(abs(sample(POOL).mean() - claimed) < margin / 2)


holds_up = Exercise(
    id="claims.holds_up",
    answer=answers.claims_holds_up,
    probe=probing.decisions,
    cases=holds_up_cases,
    expected=lambda pools, claimed, margins: torch.zeros(len(pools), 2),
    # over 200 seeds: the model answer keeps 11 or 12 of 12 and catches 12, with 0.32 to 0.35 of the draws. Over 60 seeds:
    # `_not_significant` keeps 9 to 12 and catches 6 at most, exact equality keeps 1 at most, and the median keeps 9 at most
    parts=[
        Part("true claims kept", 1, measure=measures.kept, at_least=0.7, says=KEPT),
        Part("false claims caught", 2, measure=measures.caught, at_least=0.7, says=CAUGHT),
        Part("sparing", 1, measure=measures.used, at_most=0.5, says=USED),
    ],
    misconceptions=[
        Misconception("always", lambda sample, claimed, margin: True, CAUGHT, earns=1),
        Misconception("not_significant", _not_significant, CAUGHT, earns=1),
        Misconception("equal", _equal, KEPT, earns=2),
        Misconception("never", lambda sample, claimed, margin: False, KEPT, earns=2),
        Misconception("all_draws", _all_draws, USED, earns=3),
    ],
    seconds=5.0,
)
