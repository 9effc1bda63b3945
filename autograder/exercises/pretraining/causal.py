"""Exercises of chapter 01 on the next word: its loss, the mask that keeps the future out, and what is learned from."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

import solutions.pretraining as answers
from autograder.exercises.draws import integer, normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part, Written
from autograder.exercises.pretraining.masked import tokens

# --- clm_loss ---------------------------------------------------------------------------------------------------------


def clm_loss_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, batch: int, seq: int, scale: float, group: str) -> Case:
        ids = tokens(rng, batch, seq, vocab=16) - 5
        return Case(label, {"logits": normal(rng, batch, seq, 11, scale=scale), "input_ids": ids}, group)

    large = case("large logits", 2, 5, 1.0, "large")
    large.inputs["logits"] = large.inputs["logits"] * 40 + 300
    return [
        case("one sentence of 6 tokens", 1, 6, 1.5, "one"),
        case("3 sentences of 7 tokens", 3, 7, 1.5, "batch"),
        large,
    ]


def _nll(logits: Tensor, ids: Tensor) -> Tensor:
    return -logits.log_softmax(-1).gather(-1, ids[..., None]).squeeze(-1)


def not_stable(logits: Tensor, input_ids: Tensor) -> float:
    e = logits[:, :-1].float().exp()
    p = e / e.sum(-1, keepdim=True)
    return -p.gather(-1, input_ids[:, 1:, None]).log().mean().item()


clm_loss = Exercise(
    id="pretraining.clm_loss",
    answer=answers.clm_loss,
    cases=clm_loss_cases,
    parts=[Part("one sentence", 1, on="one"), Part("a batch", 1, on="batch"), Part("large logits", 1, on="large")],
    misconceptions=[
        Misconception(
            "no_shift", lambda logits, input_ids: _nll(logits, input_ids).mean().item(),
            "You held the logits at position i against token i, which they have already seen. They answer for token i + 1: "
            "shift by one.",
        ),
        Misconception(
            "shifted_back", lambda logits, input_ids: _nll(logits[:, 1:], input_ids[:, :-1]).mean().item(),
            "You shifted the wrong way: these logits are asked for the token before. Drop the last logits and the first token.",
        ),
        Misconception(
            "two_ahead", lambda logits, input_ids: _nll(logits[:, :-2], input_ids[:, 2:]).mean().item(),
            "You shifted twice. If a library shifts inside its loss (transformers does), labels must not be shifted "
            "before; if not, once.",
        ),
        Misconception(
            "n_terms", lambda logits, input_ids: (_nll(logits[:, :-1], input_ids[:, 1:]).sum() / input_ids.numel()).item(),
            "You divided by the number of tokens. n tokens are n - 1 predictions, as nothing comes before the first.",
        ),
        Misconception(
            "summed", lambda logits, input_ids: _nll(logits[:, :-1], input_ids[:, 1:]).sum().item(),
            "This is the sum over the predicted tokens. The loss is their mean, so that a long text does not weigh more a token.",
        ),
        Misconception(
            "sum_per_sentence", lambda logits, input_ids: _nll(logits[:, :-1], input_ids[:, 1:]).sum(1).mean().item(),
            "You summed over each sentence and took the mean over sentences only. Take the mean over all predicted tokens.",
        ),
        Misconception(
            "first_sentence", lambda logits, input_ids: _nll(logits[:1, :-1], input_ids[:1, 1:]).mean().item(), earns=1,
            says="You used the first sentence of the batch only.",
        ),
        Misconception(
            "bits", lambda logits, input_ids: _nll(logits[:, :-1], input_ids[:, 1:]).mean().item() / math.log(2),
            "These are bits (logarithm to base 2). The loss is in nats.",
        ),
        Misconception(
            "log_likelihood", lambda logits, input_ids: -_nll(logits[:, :-1], input_ids[:, 1:]).mean().item(),
            "This is the log-likelihood. The loss is its negative: smaller is better, and never below zero.",
        ),
        Misconception(
            "not_stable", not_stable, earns=2,
            says="exp overflows for large logits, and inf/inf is not a number. Use log_softmax or cross_entropy, which "
            "subtract the "
            "largest logit first.",
        ),
    ],
)

# --- causal_attention -------------------------------------------------------------------------------------------------


def causal_attention_cases(rng: np.random.Generator) -> list[Case]:
    padded = torch.ones(3, 6, dtype=torch.long)
    padded[0, 4:] = padded[2, integer(rng, 2, 3) :] = 0
    return [
        Case("one sentence of 5 tokens", {"scores": normal(rng, 1, 5, 5), "attention_mask": padded[1:2, :5].clone()}, "plain"),
        Case("3 sentences of up to 6 tokens, padded", {"scores": normal(rng, 3, 6, 6), "attention_mask": padded}, "padded"),
    ]


def _attend(scores: Tensor, allowed: Tensor, fill: float = -math.inf) -> Tensor:
    return scores.masked_fill(~allowed, fill).softmax(-1)


def _causal(scores: Tensor, attention_mask: Tensor) -> Tensor:
    return torch.ones(scores.shape[-1], scores.shape[-1]).tril().bool() & attention_mask.bool()[:, None, :]


def zeroed_after(scores: Tensor, attention_mask: Tensor) -> Tensor:
    return scores.softmax(-1) * _causal(scores, attention_mask)


def zero_scores(scores: Tensor, attention_mask: Tensor) -> Tensor:
    return _attend(scores, _causal(scores, attention_mask), 0.0)


def future_only(scores: Tensor, attention_mask: Tensor) -> Tensor:
    allowed = torch.ones_like(scores).triu().bool() & attention_mask.bool()[:, None, :]
    return _attend(scores, allowed, -1e30)


def both_ways(scores: Tensor, attention_mask: Tensor) -> Tensor:
    return _attend(scores, attention_mask.bool()[:, None, :].expand_as(scores))


def padding_seen(scores: Tensor, attention_mask: Tensor) -> Tensor:
    return _attend(scores, torch.ones_like(scores).tril().bool())


def padding_rows(scores: Tensor, attention_mask: Tensor) -> Tensor:
    return _attend(scores, torch.ones_like(scores).tril().bool() & attention_mask.bool()[:, :, None], -1e30)


def wrong_axis(scores: Tensor, attention_mask: Tensor) -> Tensor:
    return scores.masked_fill(~_causal(scores, attention_mask), -1e30).softmax(-2)


causal_attention = Exercise(
    id="pretraining.causal_attention",
    answer=answers.causal_attention,
    cases=causal_attention_cases,
    parts=[Part("without padding", 2, on="plain"), Part("with padding", 1, on="padded")],
    misconceptions=[
        Misconception(
            "zeroed_after", zeroed_after,
            "You hid the future after the softmax. Then its scores still count in the denominator: the rows do not sum to "
            "1, and the "
            "future leaks through what is missing. Set the scores to -inf before the softmax.",
        ),
        Misconception(
            "zero_scores", zero_scores,
            "A score of 0 is a score: exp(0) = 1 is a good deal of attention. To hide a position its score has to be -inf.",
        ),
        Misconception(
            "future_only", future_only,
            "Your triangle is the other one: now a position sees itself and what comes after it. Row i may look at columns "
            "j ≤ i: tril.",
        ),
        Misconception(
            "both_ways", both_ways,
            "This is the attention of a masked model: every position sees both sides. A causal one must not see what comes "
            "after.",
        ),
        Misconception(
            "padding_seen", padding_seen, earns=2,
            says="The future is hidden, but padding is not. Hide the columns of padding as well.",
        ),
        Misconception(
            "padding_rows", padding_rows, earns=2,
            says="You hid padding in the rows: who looks. It has to be hidden in the columns: who is looked at.",
        ),
        Misconception(
            "wrong_axis", wrong_axis,
            "Your columns sum to 1. Each position shares out its own attention, so the rows have to: softmax over the last axis.",
        ),
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
