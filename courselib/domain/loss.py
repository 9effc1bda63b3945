"""The loss of continued pretraining, step by step: chain rule, negative log-likelihood, the mean over a corpus, the gradient.

    log p(x) = sum_t log p(x_t | x_<t)            the chain rule, for any distribution over sequences
    loss(x)  = -(1/T) sum_t log p(x_t | x_<t)     nats a token
    corpus   the mean over all tokens, or the mean over documents of their means: two different numbers
    gradient d loss_t / d logits_t = softmax(logits_t) - onehot(x_t)

Source: Bengio et al. 2003, "A neural probabilistic language model" (the chain rule and its gradient); Gururangan et al. 2020,
arXiv:2004.10964, continue with this loss on text of a domain.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

NORMALISERS = ("token", "document")
IGNORED = -100  # the label of a position that does not count, as in transformers and torch


def token_log_probs(logits: Tensor, ids: Tensor) -> Tensor:
    """log p(x_t | x_<t) of every token but the first, which nothing precedes.

    logits: (seq, vocab), the model's output *at* each position, that is its guess for the next one.   ids: (seq,).
    Returns (seq - 1,). Raises ValueError when the lengths differ or there is no token to predict.
    """
    if logits.shape[0] != ids.shape[0] or len(ids) < 2:
        raise ValueError(f"{logits.shape[0]} rows of logits and {len(ids)} tokens came; one row a token and 2 tokens are needed.")
    log_p = logits[:-1].log_softmax(-1)  # (seq - 1, vocab): the last row predicts what is not there
    return log_p.gather(-1, ids[1:, None]).squeeze(-1)  # (seq - 1,)


def clm_nll(logits: Tensor, ids: Tensor) -> Tensor:
    """The loss of one document, -(1/T) sum_t log p(x_t | x_<t), a scalar in nats a token. Shapes as `token_log_probs`."""
    return -token_log_probs(logits, ids).mean()


def corpus_nll(documents: Sequence[Tensor], normaliser: str) -> Tensor:
    """The loss of a corpus from the log-probabilities of each document's tokens: a list of (tokens,), of any lengths.

    "token": the sum over all tokens over their number; every token counts alike (transformers, and nearly all code).
    "document": the mean of the documents' means; a token in a short document counts more. Equal if all lengths are.
    """
    if normaliser not in NORMALISERS:
        raise ValueError(f"The normaliser is {normaliser!r}; it has to be 'token' or 'document'.")
    if normaliser == "token":
        return -torch.cat(list(documents)).mean()
    return -torch.stack([document.mean() for document in documents]).mean()


def token_weights(lengths: Sequence[int], normaliser: str) -> list[float]:
    """With which weight one token of each document enters the corpus loss; over all tokens they sum to 1."""
    if normaliser not in NORMALISERS:
        raise ValueError(f"The normaliser is {normaliser!r}; it has to be 'token' or 'document'.")
    return [1 / sum(lengths) if normaliser == "token" else 1 / (len(lengths) * length) for length in lengths]


def nll_gradient(logits: Tensor, target: Tensor) -> Tensor:
    """The gradient of the mean of -log softmax(logits)[target] with respect to the logits, without autograd.

    logits: (positions, vocab).   target: (positions,), `IGNORED` where a position does not count.   Returns (positions, vocab):
    (p - onehot) / n in the n positions that count, zero in the others. Where none counts all of it is zero: a batch of nothing
    but padding teaches nothing. (torch's own mean over no positions is nan.)
    """
    counts = target != IGNORED  # (positions,)
    gradient = logits.softmax(-1)  # (positions, vocab)
    rows = torch.arange(len(target))[counts]
    gradient[rows, target[counts]] -= 1
    return gradient * counts[:, None] / counts.sum().clamp(min=1)
