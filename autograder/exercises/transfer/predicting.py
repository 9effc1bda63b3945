"""Exercises of chapter 02 on predicting and choosing: what is left of a start, and a learning rate out of a sweep."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

import solutions.transfer as answers
from autograder.exercises.draws import integer, normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part, Written

# --- start_share ------------------------------------------------------------------------------------------------------


def start_share_cases(rng: np.random.Generator) -> list[Case]:
    few, many = integer(rng, 3, 9), integer(rng, 30, 60)

    def case(n: int, d: int, lam: float, group: str) -> Case:
        how = f"λ = {lam:g}" if lam else "no penalty"
        return Case(f"{n} examples, {d} parameters, {how}", {"examples": n, "features": d, "lam": lam}, group)

    return [
        case(10, 40, 0.0, "few"), case(few, few + integer(rng, 5, 20), 0.0, "few"), case(many, 7, 0.0, "many"),
        case(12, 12, 0.0, "many"), case(few, 40, 0.3, "penalty"), case(many, 7, 0.1, "many"),
    ]


start_share = Exercise(
    id="transfer.start_share",
    answer=answers.transfer_start_share,
    cases=start_share_cases,
    parts=[
        Part("as many examples as parameters, or more", 1, on="many"), Part("fewer examples", 1, on="few"),
        Part("fewer, and a penalty", 1, on="penalty"),
    ],
    misconceptions=[
        Misconception(
            "never", lambda examples, features, lam: 0.0, earns=2,
            says="You trust the sentence that an optimum has no memory. With fewer examples than parameters "
            "there is no *the* optimum: "
            "a gradient is a sum of the examples' feature vectors, and what is at right angles to all of them never moves.",
        ),
        Misconception(
            "always", lambda examples, features, lam: 1.0,
            says="You let the whole start survive. Where the examples say something, descent goes on until it is as they say.",
        ),
        Misconception(
            "share_seen", lambda examples, features, lam: 0.0 if lam or examples >= features else examples / features, earns=2,
            says="This is the share that is lost. n examples span n directions, and those are the ones that descent corrects.",
        ),
        Misconception(
            "penalty_ignored", lambda examples, features, lam: max(0.0, (features - examples) / features), earns=2,
            says="You left the penalty out. λ|θ|² pulls in every direction, also where no example does: one "
            "minimiser, no memory.",
        ),
        Misconception(
            "length", lambda examples, features, lam: answers.transfer_start_share(examples, features, lam) ** 0.5, earns=2,
            says="This is the share of the distance. Asked is that of the squared distance, which adds up over directions.",
        ),
        Misconception(
            "negative", lambda examples, features, lam: 0.0 if lam > 0 else (features - examples) / features, earns=2,
            says="With more examples than parameters your share is negative. Then one place is best, and nothing "
            "of the start is left.",
        ),
        Misconception(
            "nearly_all", lambda examples, features, lam: 0.0 if lam > 0 or examples >= features else 1 - 1 / features, earns=2,
            says="You took one direction away. Every example corrects one, so n of them are gone.",
        ),
    ],
)

# --- choose_rate ------------------------------------------------------------------------------------------------------


def choose_rate_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, best: int, tied: int, rates: int, group: str, diverged: tuple[int, ...] = ()) -> Case:
        """`tied` rates below the best one are as good for all that the pairs can tell; a hard seed is hard for all rates."""
        seeds = 5
        shared = normal(rng, seeds)
        shared = 0.05 * (shared - shared.mean()) / shared.std()
        wiggle = normal(rng, rates, seeds)
        wiggle = (wiggle - wiggle.mean(1, keepdim=True)) / wiggle.std(1, keepdim=True)
        level = torch.tensor([0.9 if i == best else 0.897 if best - tied <= i < best else 0.86 - 0.01 * abs(i - best)
                              for i in range(rates)])
        scores = level[:, None] + shared + 0.008 * wiggle
        scores[best] = level[best] + shared
        if best < rates - 1:  # one lucky run at a rate that is worse on the whole
            scores[-1] -= 0.05
            scores[-1, 2] = 1.0
        for i in diverged:
            scores[i, :4] = 1.0
            scores[i, 4] = float("nan")
        return Case(label, {"scores": scores, "t": 2.776}, group)

    return [
        case("the best in the middle, one below it as good", 3, 1, 6, "rate"),
        case("the best in the middle, none as good", 2, 0, 5, "rate"),
        case("the largest rate is the best, two as good", 4, 2, 5, "edge"),
        case("the smallest rate is the best", 0, 0, 5, "edge"),
        case("the largest rate diverged once", 2, 1, 5, "diverged", diverged=(4,)),
    ]


def _chosen(scores: Tensor, t: float, *, tie: str = "paired", edge: str = "best", nan: str = "out") -> tuple[int, int]:
    if nan == "ignored":
        scores = torch.where(scores.isnan(), scores.nanmean(1, keepdim=True), scores)
    top = scores.nan_to_num(-1.0).amax(1) if tie == "luckiest" else scores.mean(1).nan_to_num(-1.0)
    best = int(top.argmax())
    gaps, n = scores[best] - scores, scores.shape[1]
    spread = {"unpaired": (scores.var(1) + scores[best].var()).sqrt(), "no_root": gaps.std(1) * n**0.5}.get(tie, gaps.std(1))
    within = (gaps.mean(1) <= t * spread / n**0.5).nonzero()
    index = best if tie in ("best", "luckiest") else int(within[-1 if tie == "largest" else 0])
    return index, int((index if edge == "taken" else best) in (0, len(scores) - 1))


def _wrongly(**how: Any) -> Any:
    return lambda scores, t: _chosen(scores, t, **how)


choose_rate = Exercise(
    id="transfer.choose_rate",
    answer=answers.transfer_choose_rate,
    cases=choose_rate_cases,
    parts=[
        Part("the rate", 1, of=0, on="rate"), Part("at the edge: the rate", 1, of=0, on="edge"),
        Part("whether to widen", 1, of=1), Part("a run that diverged", 1, of=0, on="diverged"),
    ],
    misconceptions=[
        Misconception(
            "best_mean", _wrongly(tie="best"), earns=1,
            says="You took the highest mean. A lower rate that the seeds cannot tell from it would do as well, and moves the "
            "pretrained weights less.",
        ),
        Misconception(
            "luckiest_run", _wrongly(tie="luckiest"), earns=0,
            says="You looked for the single best run. One lucky seed is no reason: compare means.",
        ),
        Misconception(
            "unpaired", _wrongly(tie="unpaired"), earns=1,
            says="You lost the pairs. A hard seed is hard at every rate: take the differences seed by seed, and their spread.",
        ),
        Misconception(
            "edge_of_the_taken", _wrongly(edge="taken"), earns=3,
            says="You asked whether the rate that you take lies at the edge. What says that the sweep was too "
            "narrow is the best one.",
        ),
        Misconception(
            "diverged_ignored", _wrongly(nan="ignored"), earns=2,
            says="You averaged over the runs that did not diverge. A rate that fails once in five times is not a good rate.",
        ),
        Misconception(
            "largest", _wrongly(tie="largest"), earns=1,
            says="Of the rates that cannot be told apart you took the largest. The smallest moves the pretrained weights least.",
        ),
    ],
)

# --- choose_from_race -------------------------------------------------------------------------------------------------

choose_from_race = Written(
    id="transfer.choose_from_race",
    answer=answers.transfer_choose_from_race,
    rubric=[
        (1, "A: a strategy that is good after 8 steps, with its figure and interval; weighs what 400 models store"),
        (1, "B: full fine-tuning, gradual unfreezing or another of the leading ones at 30 steps, with the "
            "figures, and says which of "
            "the differences the intervals do not settle"),
        (1, "C: a frozen encoder (or one base with adapters that can be switched off), and the figure for the old ability"),
        (1, "names what the figures leave out: one grammar and word list, one encoder, this number of labels, other tasks"),
        (1, "the table of 8 steps measures a budget: nothing about which strategy is better given time and a rate of its own"),
    ],
)
