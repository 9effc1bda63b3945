"""Exercises of chapter 03 on the language model's loss and its gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

import solutions.domain as answers
from autograder.asking.probes import without_autograd
from autograder.exercises.draws import normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

# --- perplexity -------------------------------------------------------------------------------------------------------


def perplexity_cases(rng: np.random.Generator) -> list[Case]:
    return [
        Case("five tokens", {"token_log_probs": (-rng.uniform(0.3, 2.5, 5)).tolist()}, "short"),
        Case("one token", {"token_log_probs": [float(-rng.uniform(1.0, 2.0))]}, "short"),
        Case("two tokens, one of them a surprise", {"token_log_probs": [-0.05, float(-rng.uniform(3.0, 4.0))]}, "short"),
        Case("5,000 tokens", {"token_log_probs": (-rng.uniform(0.5, 3.0, 5000)).tolist()}, "long"),
    ]


def _logs(token_log_probs: Any) -> np.ndarray:
    return np.asarray(token_log_probs, dtype=float)


def _product_then_root(token_log_probs: Any) -> float:
    probability = 1.0
    for log_p in _logs(token_log_probs):
        probability *= float(np.exp(log_p))
    return float("inf") if probability == 0 else probability ** (-1 / len(token_log_probs))


def _quiet_exp(value: float) -> float:
    with np.errstate(over="ignore"):
        return float(np.exp(value))


perplexity = Exercise(
    id="domain.perplexity",
    answer=answers.domain_perplexity,
    cases=perplexity_cases,
    parts=[Part("short texts", 2, on="short"), Part("a long text", 1, on="long")],
    misconceptions=[
        Misconception(
            "sign", lambda token_log_probs: float(np.exp(np.mean(token_log_probs))),
            "This is one over the perplexity: the geometric mean of the probabilities. Take the mean of *minus* the "
            "log-probabilities; a perplexity is at least 1.",
        ),
        Misconception(
            "no_exp", lambda token_log_probs: float(-np.mean(token_log_probs)),
            "This is the loss in nats a token. Perplexity is exp of it: with as many equally likely choices the model would be "
            "as uncertain.",
        ),
        Misconception(
            "base_two", lambda token_log_probs: float(2 ** -np.mean(token_log_probs)),
            "You raised 2 to the loss. The log-probabilities are natural logarithms, so raise e. (With logarithms to base 2, "
            "raising 2 gives the same perplexity.)",
        ),
        Misconception(
            "sum", lambda token_log_probs: _quiet_exp(-np.sum(token_log_probs)),
            "You took exp of the sum, which is one over the probability of the whole text and grows with its length. Take the "
            "mean.",
        ),
        Misconception(
            "mean_of_inverses", lambda token_log_probs: float(np.exp(-_logs(token_log_probs)).mean()),
            "You averaged 1/p over the tokens. Perplexity averages the logarithms first, and takes exp last: a geometric mean.",
        ),
        Misconception(
            "product_then_root", _product_then_root, earns=2,
            says="Right for short texts. The product of thousands of probabilities is too small for a float and becomes 0. "
            "Stay with logarithms until the end.",
        ),
    ],
)

# --- nll_gradient -----------------------------------------------------------------------------------------------------


def nll_gradient_cases(rng: np.random.Generator) -> list[Case]:
    def targets(positions: int, vocab: int, ignored: tuple[int, ...] = ()) -> Tensor:
        drawn = torch.from_numpy(rng.integers(0, vocab, positions))
        drawn[list(ignored)] = -100
        return drawn

    large = normal(rng, 3, 5)
    large[:, 0] += 2000.0
    large[:, 3] -= 3000.0
    return [
        Case("4 positions, 6 tokens", {"logits": normal(rng, 4, 6), "target": targets(4, 6)}, "plain"),
        Case("5 positions, 3 tokens", {"logits": 2 * normal(rng, 5, 3), "target": targets(5, 3)}, "plain"),
        Case("6 positions, two of them padding", {"logits": normal(rng, 6, 4), "target": targets(6, 4, (2, 5))}, "padding"),
        Case("three positions, all padding", {"logits": normal(rng, 3, 4), "target": targets(3, 4, (0, 1, 2))}, "nothing"),
        Case("logits in the thousands", {"logits": large, "target": torch.tensor([1, 2, 4])}, "large"),
    ]


def _nll_gradient(logits: Tensor, target: Tensor, *, sign: float = 1.0, mean: str = "counted", axis: int = -1, soft: bool = True,
                  least: int = 1, keep: bool = False, naive: bool = False, minus: bool = True, everywhere: bool = True) -> Tensor:
    """The gradient with one thing wrong, chosen by a keyword."""
    logits, target = torch.as_tensor(logits).float(), torch.as_tensor(target)
    counts = target != -100
    p = logits.exp() / logits.exp().sum(-1, keepdim=True) if naive else logits.softmax(axis) if soft else logits
    onehot = torch.zeros_like(p)
    onehot[counts, target[counts]] = 1.0
    if not everywhere:
        p = p * onehot
    gradient = sign * (p - onehot) if minus else p
    gradient = gradient if keep else gradient * counts[:, None]
    return gradient / {"counted": counts.sum().clamp(min=least), "all": len(target), "none": 1,
                       "entries": counts.sum().clamp(min=1) * p.shape[1]}[mean]


def _wrong_gradient(**how: Any) -> Any:
    return lambda logits, target: _nll_gradient(logits, target, **how)


nll_gradient = Exercise(
    id="domain.nll_gradient",
    answer=answers.domain_nll_gradient,
    probe=without_autograd,
    cases=nll_gradient_cases,
    parts=[
        Part("shape", 1, shape_only=True), Part("every position counts", 2, on="plain"), Part("padding", 1, on="padding"),
        Part("large logits", 1, on="large"), Part("nothing counts", 1, on="nothing"),
    ],
    misconceptions=[
        Misconception(
            "sign", _wrong_gradient(sign=-1.0), earns=2,
            says="The sign is turned round: this is the gradient of the log-likelihood. The loss is its negative, so softmax "
            "minus one-hot; going downhill then raises the token that came.",
        ),
        Misconception(
            "sum", _wrong_gradient(mean="none"), earns=2,
            says="You did not divide by the number of positions that count. The loss is their mean. Leaving this factor out is "
            "also how a printed formula for the gradient of a corpus goes wrong.",
        ),
        Misconception(
            "mean_over_entries", _wrong_gradient(mean="entries"), earns=2,
            says="You divided by the number of all entries. The mean is over positions: each has one loss, whatever the "
            "vocabulary.",
        ),
        Misconception(
            "padding_in_the_mean", _wrong_gradient(mean="all"), earns=5,
            says="The padding has no gradient, as it should, but you divided by all positions. The mean is over those that "
            "count: otherwise a padded batch learns more slowly.",
        ),
        Misconception(
            "padding_kept", _wrong_gradient(keep=True), earns=4,
            says="Positions with the target -100 still have a gradient. They do not count: their whole row is zero.",
        ),
        Misconception(
            "wrong_axis", _wrong_gradient(axis=0), earns=2,
            says="Your softmax runs over the positions. Each position has a distribution over the vocabulary: dim=-1.",
        ),
        Misconception(
            "no_softmax", _wrong_gradient(soft=False), earns=2,
            says="You used the logits themselves where their softmax is needed.",
        ),
        Misconception(
            "target_only", _wrong_gradient(everywhere=False), earns=2,
            says="You changed the logit of the token that came and nothing else. The normaliser contains all logits, so every "
            "token's logit is pushed: down by its probability.",
        ),
        Misconception(
            "no_onehot", _wrong_gradient(minus=False), earns=2,
            says="This is the gradient of the normaliser alone. The logit of the token that came enters directly as well: "
            "subtract 1 there.",
        ),
        Misconception(
            "mean_over_nothing", _wrong_gradient(least=0), earns=5,
            says="Where every target is -100 you divide 0 by 0. One such batch, and all weights are nan after the step. "
            "Return zeros.",
        ),
        Misconception(
            "overflow", _wrong_gradient(naive=True), earns=5,
            says="exp of a logit in the thousands is infinite. Subtract the row's largest logit first (softmax does): it "
            "changes nothing but the range.",
        ),
    ],
)
