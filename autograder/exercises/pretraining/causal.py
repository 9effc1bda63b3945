"""Exercises of chapter 01 on the next word: its loss, and the mask that keeps the future out."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

import solutions.pretraining as answers
from autograder.exercises.draws import integer, normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part
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


def softmax_first(logits: Tensor, input_ids: Tensor) -> float:
    return _nll(logits[:, :-1].softmax(-1), input_ids[:, 1:]).mean().item()


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
            "This is the sum over the predicted tokens. The loss is their mean, so that a long text does not weigh more a "
            "token.",
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
            "rolled", lambda logits, input_ids: _nll(logits, input_ids.roll(-1, 1)).mean().item(),
            "You rolled the labels and kept all n positions. `roll` carries the first token round to the end, where the last "
            "logits are asked for it. Cut the last logits and the first token off.",
        ),
        Misconception(
            "softmax_first", softmax_first,
            "The softmax was taken twice. cross_entropy takes logits and does it itself; given probabilities, it sees logits "
            "between 0 and 1, and no loss falls far.",
        ),
        Misconception(
            "perplexity", lambda logits, input_ids: _nll(logits[:, :-1], input_ids[:, 1:]).mean().exp().item(),
            "This is the perplexity, e to the power of the loss. Asked is the loss itself, in nats.",
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


def peeks_one(scores: Tensor, attention_mask: Tensor) -> Tensor:
    return _attend(scores, torch.ones_like(scores).tril(1).bool() & attention_mask.bool()[:, None, :])


def not_itself(scores: Tensor, attention_mask: Tensor) -> Tensor:
    return _attend(scores, torch.ones_like(scores).tril(-1).bool() & attention_mask.bool()[:, None, :])


def not_itself_finite(scores: Tensor, attention_mask: Tensor) -> Tensor:
    return _attend(scores, torch.ones_like(scores).tril(-1).bool() & attention_mask.bool()[:, None, :], -1e9)


def added_mask(scores: Tensor, attention_mask: Tensor) -> Tensor:
    return (scores + _causal(scores, attention_mask)).softmax(-1)


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
            "added_mask", added_mask,
            "You added a mask of zeros and ones to the scores. A score that is larger by 1 is no wall: the future keeps a "
            "share of its own. What is hidden needs -inf.",
        ),
        Misconception(
            "peeks_one", peeks_one,
            "Your triangle reaches one place too far: position i sees token i + 1, the very token it is asked for. Such a "
            "model trains splendidly and can write nothing. Row i may look at columns j ≤ i: tril without an offset.",
        ),
        Misconception(
            "not_itself", not_itself,
            "Your triangle ends one place too early: position i does not see its own token, and the first sees nothing, so "
            "that its row is 0/0. A position may look at itself: tril without an offset.",
        ),
        Misconception(
            "not_itself_finite", not_itself_finite,
            "Your triangle ends one place too early: position i does not see its own token. The first row then has nothing to "
            "look at; with a large negative number in place of -inf it looks at everything alike, the future included.",
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
            "Your columns sum to 1. Each position shares out its own attention, so the rows have to: softmax over the last "
            "axis.",
        ),
    ],
)
