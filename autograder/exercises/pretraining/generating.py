"""Exercises of chapter 01 on choosing the next token: top-k, and a top-p to be repaired."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

import solutions.pretraining as answers
from autograder.exercises.draws import integer
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

# --- top_k ------------------------------------------------------------------------------------------------------------


def top_k_cases(rng: np.random.Generator) -> list[Case]:
    def logits(n: int) -> Tensor:  # well apart, and of both signs, so that no mistake hides
        spread = np.linspace(-2.0, 2.5, n) + rng.uniform(-0.05, 0.05, n)
        return torch.from_numpy(rng.permutation(spread)).float()

    k = integer(rng, 3, 5)
    return [
        Case(f"vocabulary of 12, k = {k}, temperature 0.6", {"logits": logits(12), "k": k, "temperature": 0.6}, "cool"),
        Case("vocabulary of 9, k = 4, temperature 1", {"logits": logits(9), "k": 4, "temperature": 1.0}, "plain"),
        Case("vocabulary of 6, k = 50, temperature 1", {"logits": logits(6), "k": 50, "temperature": 1.0}, "all"),
    ]


def _keep(logits: Tensor, k: int, largest: bool = True) -> Tensor:
    """-inf for all but k logits."""
    kept = logits.topk(min(k, len(logits)), largest=largest).indices
    out = torch.full_like(logits, -torch.inf)
    out[kept] = logits[kept]
    return out


def zeroed(logits: Tensor, k: int, temperature: float) -> Tensor:
    kept = _keep(logits, k)
    return (torch.where(kept.isinf(), torch.zeros_like(kept), kept) / temperature).softmax(-1)


def not_renormalised(logits: Tensor, k: int, temperature: float) -> Tensor:
    return (logits / temperature).softmax(-1) * ~_keep(logits, k).isinf()


def multiplied(logits: Tensor, k: int, temperature: float) -> Tensor:
    return (_keep(logits, k) * temperature).softmax(-1)


def temperature_after(logits: Tensor, k: int, temperature: float) -> Tensor:
    p = _keep(logits, k).softmax(-1) / temperature
    return p / p.sum()


def smallest(logits: Tensor, k: int, temperature: float) -> Tensor:
    return (_keep(logits, k, largest=False) / temperature).softmax(-1)


def one_too_few(logits: Tensor, k: int, temperature: float) -> Tensor:
    bar = logits.topk(min(k, len(logits))).values[-1]
    return (logits.masked_fill(logits <= bar, -torch.inf) / temperature).softmax(-1)


def everything(logits: Tensor, k: int, temperature: float) -> Tensor:
    return (logits / temperature).softmax(-1)


def by_magnitude(logits: Tensor, k: int, temperature: float) -> Tensor:
    bar = logits.abs().topk(min(k, len(logits))).values[-1]
    return (logits.masked_fill(logits.abs() < bar, -torch.inf) / temperature).softmax(-1)


top_k = Exercise(
    id="pretraining.top_k",
    answer=answers.top_k,
    cases=top_k_cases,
    parts=[
        Part("temperature 1", 1, on="plain"),
        Part("temperature below 1", 1, on="cool"),
        Part("k above the vocabulary", 1, on="all"),
    ],
    misconceptions=[
        Misconception(
            "zeroed", zeroed, earns=1,
            says="You set the other logits to 0. That is a logit like any other, and exp(0) = 1. To take a token out its "
            "logit has to "
            "be -inf.",
        ),
        Misconception(
            "not_renormalised", not_renormalised, earns=1,
            says="The probabilities of the tokens you kept no longer sum to 1. Take the others out before the softmax, or "
            "divide by "
            "the sum.",
        ),
        Misconception(
            "multiplied", multiplied, earns=2,
            says="You multiplied by the temperature. It divides: a temperature below 1 makes the distribution sharper.",
        ),
        Misconception(
            "temperature_after", temperature_after, earns=2,
            says="You divided the probabilities by the temperature and normalised, which undoes it. The temperature "
            "divides the logits.",
        ),
        Misconception(
            "smallest", smallest, earns=1,
            says="You kept the k least likely tokens.",
        ),
        Misconception(
            "one_too_few", one_too_few,
            "You kept k - 1 tokens: the k-th largest belongs to them. Compare with <, not with <=.",
        ),
        Misconception(
            "everything", everything, earns=1,
            says="This is temperature alone: all tokens can still be drawn. Take out all but the k likeliest.",
        ),
        Misconception(
            "by_magnitude", by_magnitude, earns=1,
            says="You compared absolute values. A very negative logit is a very unlikely token.",
        ),
    ],
)

# --- top_p ------------------------------------------------------------------------------------------------------------


def top_p_cases(rng: np.random.Generator) -> list[Case]:
    def logits(chances: list[float]) -> Tensor:  # not in order, and never the likeliest first
        p = np.array(chances) * rng.uniform(0.98, 1.02, len(chances))
        order = rng.permutation(len(p))
        while order[0] < 2 or (np.diff(order) > 0).all():
            order = rng.permutation(len(p))
        return torch.from_numpy(np.log(p[order] / p.sum()) + 3.0).float()

    flat = [0.3, 0.22, 0.15, 0.11, 0.09, 0.06, 0.04, 0.03]
    return [
        Case("8 tokens, p = 0.6", {"logits": logits(flat), "p": 0.6}, "some"),
        Case("8 tokens, p = 0.92", {"logits": logits(flat), "p": 0.92}, "many"),
        Case("one token has more than p", {"logits": logits([0.95, 0.02, 0.015, 0.01, 0.005]), "p": 0.9}, "certain"),
    ]


def _kept(logits: Tensor, p: float, crossing: bool, back: bool = True) -> Tensor:
    """Which tokens are kept: with the one that crosses p or without it; brought back into the vocabulary's order or not."""
    ordered, order = logits.sort(descending=True)
    total = ordered.softmax(-1).cumsum(-1)
    inside = (total - ordered.softmax(-1) < p) if crossing else (total <= p)
    return inside[order.argsort()] if back else inside


def as_given(logits: Tensor, p: float) -> Tensor:
    return logits.masked_fill(~_kept(logits, p, crossing=False, back=False), -math.inf).softmax(-1)


def order_lost(logits: Tensor, p: float) -> Tensor:
    return logits.masked_fill(~_kept(logits, p, crossing=True, back=False), -math.inf).softmax(-1)


def crossing_lost(logits: Tensor, p: float) -> Tensor:
    return logits.masked_fill(~_kept(logits, p, crossing=False), -math.inf).softmax(-1)


def crossing_lost_but_one(logits: Tensor, p: float) -> Tensor:
    kept = _kept(logits, p, crossing=False)
    kept[logits.argmax()] = True
    return logits.masked_fill(~kept, -math.inf).softmax(-1)


def still_ordered(logits: Tensor, p: float) -> Tensor:
    return answers.top_p(logits, p).sort(descending=True).values


def sum_below_one(logits: Tensor, p: float) -> Tensor:
    return logits.softmax(-1) * _kept(logits, p, crossing=True)


def threshold(logits: Tensor, p: float) -> Tensor:
    return logits.masked_fill(logits.softmax(-1) < 1 - p, -math.inf).softmax(-1)


top_p = Exercise(
    id="pretraining.top_p",
    answer=answers.top_p,
    cases=top_p_cases,
    parts=[Part("p = 0.6", 1, on="some"), Part("p = 0.92", 1, on="many"), Part("one token has more than p", 1, on="certain")],
    misconceptions=[
        Misconception(
            "as_given", as_given,
            "This is what the code gives as it stands. Take three tokens that are not in order, and follow by hand which one "
            "each entry of `total` speaks of, and what becomes of the token that carries the sum past p.",
        ),
        Misconception(
            "order_lost", order_lost,
            "`total` is in the order of likelihood, `logits` in that of the vocabulary. The mask hits other tokens than it "
            "means: bring it back by `order`.",
        ),
        Misconception(
            "crossing_lost", crossing_lost,
            "The order is mended. But the tokens that are kept have less than p together: the one that carries the sum past p "
            "belongs to them. If the first one does that by itself, nothing is left, and 0/0 is NaN.",
        ),
        Misconception(
            "crossing_lost_but_one", crossing_lost_but_one, earns=1,
            says="You save the likeliest token, which mends the NaN. The token that carries the sum past p is still dropped, "
            "and the kept ones have less than p.",
        ),
        Misconception(
            "still_ordered", still_ordered,
            "The right probabilities, from the largest to the smallest. Token number 0 is now the likeliest one whatever it "
            "is: give them in the order of the vocabulary.",
        ),
        Misconception(
            "sum_below_one", sum_below_one,
            "The right tokens, but their probabilities sum to about p. Take the others out before the softmax, or divide by "
            "the sum.",
        ),
        Misconception(
            "threshold", threshold, earns=1,
            says="You drop every token whose own probability is below 1 - p. Top-p asks about the sum: how much the likelier "
            "ones have together.",
        ),
    ],
)
