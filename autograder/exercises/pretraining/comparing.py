"""Exercises of chapter 01 on holding both objectives against each other: a forecast, a blank for each, and what it comes to."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

import solutions.pretraining as answers
from autograder.exercises.draws import integer
from autograder.exercises.exercise import Case, Exercise, Misconception, Part, Written

# --- forecast ---------------------------------------------------------------------------------------------------------


def forecast_cases(rng: np.random.Generator) -> list[Case]:
    sizes = [104, integer(rng, 500, 5_000), 30_522]
    return [Case(f"a vocabulary of {size:,} tokens", {"vocab_size": size}) for size in sizes]


def _forecast(loss=math.log, letter: str = "A"):
    return lambda vocab_size: (loss(vocab_size), letter)


forecast = Exercise(
    id="pretraining.forecast",
    answer=answers.forecast,
    cases=forecast_cases,
    parts=[Part("the first loss", 1, of=0), Part("the order", 1, of=1)],
    misconceptions=[
        Misconception(
            "bits", _forecast(math.log2), earns=1,
            says="Your first loss is in bits. Losses here are in nats: the natural logarithm of the vocabulary.",
        ),
        Misconception(
            "chance", _forecast(lambda v: 1 / v), earns=1,
            says="1 over the vocabulary is the probability of the right token. The loss is minus its logarithm.",
        ),
        Misconception(
            "perplexity", _forecast(float), earns=1,
            says="The size of the vocabulary is the perplexity of such a model. Its loss is the logarithm of that.",
        ),
        Misconception(
            "both_sides_first", _forecast(letter="D"), earns=1,
            says="That is the order by how much of a sentence a question shows. Seeing both sides makes an answer better, but "
            "here it is not what decides how soon a model learns. Run the cells and see.",
        ),
        Misconception(
            "all_tokens", _forecast(letter="C"), earns=1,
            says="That would hold if the masked model learned from all tokens. It reads them all, and is asked at 15 %.",
        ),
        Misconception(
            "labels_and_sides", _forecast(letter="B"), earns=1,
            says="Plausible: few labels is few labels, and the masked model has both sides to answer from. It is not what is "
            "measured. Run the cells and see.",
        ),
    ],
)

# --- fill_blank -------------------------------------------------------------------------------------------------------


def fill_blank_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, candidates: int, place: int, after: int, low: float, group: str) -> Case:
        """What stands left of the blank is the same for all candidates, and so has the same log-probability."""
        while True:
            left = np.repeat(rng.uniform(-2, -0.1, (1, place)), candidates, 0)
            right = np.concatenate([rng.uniform(-3, -1, (candidates, 1)), rng.uniform(-1.5, -0.1, (candidates, after))], 1)
            right[:, 1:] += low
            log_p = np.concatenate([left, right], 1)
            whole, blank = right.sum(1), right[:, 0]
            if whole.argmax() != blank.argmax() or not after:
                return Case(label, {"log_p": torch.from_numpy(log_p).float(), "place": place}, group)

    return [
        case("5 candidates for the third of 7 tokens", 5, 2, 4, 0.0, "middle"),
        case("4 candidates for the last of 5 tokens", 4, 4, 0, 0.0, "last"),
        case("4 candidates in a long text of unlikely words", 4, 1, 60, -20.0, "long"),
    ]


def no_bayes(log_p: Tensor, place: int) -> Tensor:
    return log_p[:, place].softmax(-1)


def blank_left_out(log_p: Tensor, place: int) -> Tensor:
    return log_p[:, place + 1 :].sum(-1).softmax(-1)


def averaged(log_p: Tensor, place: int) -> Tensor:
    return log_p.mean(-1).softmax(-1)


def not_normalised(log_p: Tensor, place: int) -> Tensor:
    return log_p.sum(-1).exp()


def underflow(log_p: Tensor, place: int) -> Tensor:
    p = log_p.sum(-1).exp()
    return p / p.sum()


def in_logs(log_p: Tensor, place: int) -> Tensor:
    return log_p.sum(-1).log_softmax(-1)


fill_blank = Exercise(
    id="pretraining.fill_blank",
    answer=answers.fill_blank,
    cases=fill_blank_cases,
    parts=[
        Part("a blank in the middle", 1, on="middle"),
        Part("a blank at the end", 1, on="last"),
        Part("a long text", 1, on="long"),
    ],
    misconceptions=[
        Misconception(
            "no_bayes", no_bayes, earns=1,
            says="You looked at the blank alone: how likely is each candidate after what stands left of it? What stands right "
            "of it speaks through the later factors: a word that fits badly makes them small. Sum them too.",
        ),
        Misconception(
            "blank_left_out", blank_left_out,
            "You left out the probability of the candidate itself. By Bayes' rule it is the prior, and the rest of the "
            "sentence is the likelihood: both count.",
        ),
        Misconception(
            "averaged", averaged,
            "You averaged over the tokens. A probability of a sentence is a product, so its logarithm is a sum; the mean is "
            "the n-th root of it, and far too flat.",
        ),
        Misconception(
            "not_normalised", not_normalised,
            "These are probabilities of whole sentences. Asked is that of a candidate, given the rest: divide by their sum.",
        ),
        Misconception(
            "underflow", underflow, earns=2,
            says="exp of -1000 is 0 in any floating-point number, and 0/0 is NaN. Subtract the largest sum first, or use "
            "softmax, which does.",
        ),
        Misconception("in_logs", in_logs, says="These are log-probabilities. Asked are probabilities: they sum to 1."),
    ],
)

# --- efficiency (written) ---------------------------------------------------------------------------------------------

efficiency = Written(
    id="pretraining.efficiency",
    answer=answers.efficiency,
    rubric=[
        (1, "MLM: reads all tokens but has a loss, and a gradient, at the chosen ones only; about 19 of 128."),
        (1, "CLM: one at a time holds for generation; in training all positions are predicted in one pass; 127 of 128."),
        (1, "Uses the experiment: same blanks, exact answers; cutting the causal model's labels to 15 % costs part of its "
            "lead, not all."),
        (1, "A good reason for MLM: both sides are seen (tagging, classification, filling a blank in one pass)."),
    ],
)
