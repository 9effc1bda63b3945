"""Model answers of chapter 03."""

import math

import numpy as np
import torch
from torch import Tensor


def domain_kl_divergence(p: list[float], q: list[float]) -> float:
    """The Kullback-Leibler divergence KL(p || q) of two distributions over the same things, in nats.

    p, q: equally many probabilities. Where p is 0, the term is 0, whatever q is. Where q is 0 and p is not, the
    divergence is infinite (math.inf). Raises ValueError when p or q has a negative entry, or does not sum to 1 within 1e-6.
    """
    for probabilities in (p, q):
        if min(probabilities) < 0 or abs(sum(probabilities) - 1) > 1e-6:
            raise ValueError("expected probabilities: not negative, and with sum 1")
    total = 0.0
    for p_i, q_i in zip(p, q, strict=True):
        if p_i > 0:
            total += p_i * math.log(p_i / q_i) if q_i > 0 else math.inf
    return float(total)


def domain_perplexity(token_log_probs: list[float]) -> float:
    """The perplexity of a text from the log-probability (natural log) that the model gave to each of its tokens.

    token_log_probs: one number a token, none positive; from one to many thousands of them.
    """
    return float(np.exp(-np.mean(token_log_probs)))


def domain_nll_gradient(logits: Tensor, target: Tensor) -> Tensor:
    """The gradient, with respect to the logits, of the mean negative log-likelihood of the targets. By hand: no autograd.

    logits: (positions, vocab), of any size: they may be in the thousands.   target: (positions,), the token that came, as an
    index into the vocabulary; or -100, where a position does not count (padding). The mean is over the positions that count;
    the others get a gradient of zero.   Returns (positions, vocab).
    """
    counts = target != -100  # (positions,)
    gradient = torch.softmax(logits, dim=-1)
    gradient[counts, target[counts]] -= 1
    return gradient * counts[:, None] / counts.sum()


def domain_choose_alpha(
    alphas: list[float], domain_losses: list[float], general_losses: list[float], general_before: float, penalty: float
) -> float:
    """The mixing share with the best trade-off on validation data: the alpha that minimises

        domain loss + penalty * forgetting,   where forgetting is how far the general loss has risen above `general_before`.

    alphas: the shares tried.   domain_losses, general_losses: what the model that was trained with each of them reaches.
    general_before: the general loss before any adaptation. A general loss that fell counts as no forgetting, not as
    negative forgetting. penalty: 0 or more.   Returns one of the alphas (not its position).
    """
    scores = [
        domain + penalty * max(0.0, general - general_before)
        for domain, general in zip(domain_losses, general_losses, strict=True)
    ]
    return alphas[scores.index(min(scores))]


def domain_data_mix(samples: int, general_share: float) -> tuple[int, int]:
    """How many of `samples` training samples to take from the domain and how many from general data, in this order.

    general_share: the share of general data in the whole, from 0 to 1. Round the number of general samples to the nearest whole
    number, and make sure that the two numbers add up to `samples`.   Returns (domain, general).
    """
    general = round(samples * general_share)
    return samples - general, general


def domain_curriculum_weights(difficulty: list[float], beta: float) -> np.ndarray:
    """The probability with which a curriculum draws each document: proportional to exp(-beta * difficulty).

    difficulty: one number a document, of any size.   beta: 0 draws all alike, a positive one prefers easy documents, a
    negative one hard ones. It may be as large as 1000 or as small as -1000: no result may overflow or become nan.
    Returns one probability a document; they sum to 1.
    """
    scores = -beta * np.asarray(difficulty, dtype=float)
    raised = np.exp(scores - scores.max())
    return raised / raised.sum()


def domain_medical_bert() -> str:
    """A clinic wants to sort its notes with BERT-base, a model of general English, and a few hundred labelled notes. The first
    try disappoints. Name **three** different things that can stand in the way in this domain. For each, say how you would
    *measure* whether it is there, and what you would do about it. Then say in which order you would do these things, and what you
    would watch so that the remedy does no harm.

    Write eight to fifteen sentences. Use numbers of this chapter where you can.
    """
    return """
First, the vocabulary: a general word piece tokenizer cuts clinical words up. "diabetes" is one token, but "hypertension" is two
and "myocardial infarction" six. I would measure it as tokens a word on the clinic's notes against general text, and list the
frequent words with the most pieces. The remedy is continued pretraining on notes, so that the pieces learn to stand for
the word together; for the most frequent words also an extended vocabulary, whose new embeddings start as the mean of
the old pieces and not as noise, and are then trained. Or one takes a model that was pretrained on such text.

Second, style and form: notes are telegraphic, full of abbreviations, negations ("denies chills") and numbers. That is covariate
shift. I would measure it as the loss of a language model on notes against general text, and as divergence of word
distributions, with held-out general text as the yardstick. The remedy is continued pretraining on unlabelled notes, of
which a clinic has plenty.

Third, missing knowledge: the model does not know that two drug names belong together. I would measure it by fine-tuning on some
names and testing on others, as in this chapter, where the general model stayed near what guessing gives. The remedy is again
unlabelled domain text, then the task: hybrid. A fourth is a low ceiling: few or noisy labels, or a concept that differs between
clinics (the same words, another label). I would measure how far two doctors agree; the remedy is more or better labels, not
a better encoder.

The order: measure first; continued pretraining; then task fine-tuning, because the other order overwrites the task; then
more labels. I would watch general text too, as loss before and after, and mix some general text in when it rises; the task's
score on a test split by patient; and the labels that the remedy gets wrong, not the average alone.
"""
