"""The losses of pretraining: masked tokens, next tokens, next sentences. And the mask that keeps the future out.

- MLM (Devlin et al. 2018, arXiv:1810.04805): cross-entropy at the chosen positions, given the corrupted input.
- CLM (Radford et al. 2018, GPT): cross-entropy of every token given those before it. n tokens are n - 1 questions, since nothing
  comes before the first. All are asked at once: a triangular attention mask sees to it that no position looks ahead.
- NSP (BERT's second loss): does the second sentence follow the first? Half the pairs do.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from courselib.pretraining.masking import IGNORE


def mlm_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy over the labelled positions, in nats: logits `(batch, seq, vocab)`, labels `(batch, seq)` -> scalar.

    Raises ValueError if nothing is labelled: the mean of nothing is not a number, and it would poison the weights.
    """
    if not (labels != IGNORE).any():
        raise ValueError("No position of this batch has a label, so there is no loss. Take a larger batch or a higher rate.")
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORE)


def clm_loss(logits: Tensor, input_ids: Tensor) -> Tensor:
    """Mean cross-entropy of each token given those before it: logits `(batch, seq, vocab)`, input_ids `(batch, seq)` -> scalar.

    The logits at position i answer for token i + 1. So the last logits and the first token are left out.
    """
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), input_ids[:, 1:].flatten())


def loss_gradient(logits: Tensor, labels: Tensor) -> Tensor:
    """The gradient of the mean cross-entropy over labelled positions: logits `(n, vocab)`, labels `(n,)` -> `(n, vocab)`.

    softmax minus one-hot, over the number of labels, where there is a label; zero where there is none.
    """
    asked = labels != IGNORE
    gradient = torch.zeros_like(logits)
    gradient[asked] = logits[asked].softmax(-1) - F.one_hot(labels[asked], logits.shape[-1])
    return gradient / asked.sum()


def causal_mask(attention_mask: Tensor) -> Tensor:
    """Who may look at whom in a causal model: real tokens `(batch, n)` of 0 and 1 -> bool `(batch, n, n)`.

    Entry [b, i, j] is True if position i may attend to position j: j is not after i, and j is no padding.
    """
    n = attention_mask.shape[1]
    return torch.ones(n, n, dtype=torch.bool).tril() & attention_mask.bool()[:, None, :]


@torch.no_grad()
def influence(outputs: Callable[[Tensor], Tensor], input_ids: Tensor, other: int) -> Tensor:
    """How much the output at each position changes when each token in turn becomes `other`: `(seq, seq)`.

    outputs: what a model makes of tokens `(batch, seq)`, as `(batch, seq, d)`.   input_ids: `(1, seq)`.
    Entry [i, j] is the largest change at position i when token j is another. In a causal model it is exactly zero for j > i.
    """
    n = input_ids.shape[1]
    changed = input_ids.repeat(n, 1)
    changed.fill_diagonal_(other)  # row j: the sentence with another token j
    before = outputs(input_ids.repeat(n, 1))  # the same batch size: the same arithmetic
    return (outputs(changed) - before).abs().amax(-1).T


def labels_per_sequence(kind: str, n: int, rate: float = 0.15) -> float:
    """From how many tokens a sequence of `n` learns in one pass: n - 1 for "clm", rate * n expected for "mlm".

    The `n` of "mlm" are the tokens that may be chosen. Raises ValueError for another kind.
    """
    if kind not in ("mlm", "clm"):
        raise ValueError(f"There is no objective {kind!r} here; there are 'mlm' and 'clm'.")
    return float(n - 1) if kind == "clm" else rate * n


class Pair(NamedTuple):
    """Two sentences and transformers' label: 0 the second follows the first, 1 it is from another document."""

    first: str
    second: str
    label: int


def nsp_pairs(documents: Sequence[Sequence[str]], n: int, seed: int = 0) -> list[Pair]:
    """`n` pairs, by turns a sentence with the one that follows it, and one with a sentence of another document.

    documents: lists of sentences; only those with two or more are used. The order is shuffled. Raises ValueError for fewer than
    two such documents.
    """
    usable = [list(sentences) for sentences in documents if len(sentences) > 1]
    if len(usable) < 2:
        raise ValueError(f"Pairs need two documents of two sentences or more; {len(usable)} came.")
    rng, pairs = random.Random(f"nsp {seed}"), []
    for number in range(n):
        here, elsewhere = rng.sample(range(len(usable)), 2)
        place = rng.randrange(len(usable[here]) - 1)
        follows = number % 2 == 0
        second = usable[here][place + 1] if follows else rng.choice(usable[elsewhere])
        pairs.append(Pair(usable[here][place], second, 0 if follows else 1))
    rng.shuffle(pairs)
    return pairs


def nsp_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of "follows" (0) against "does not" (1): logits `(batch, 2)`, labels `(batch,)` -> scalar."""
    return F.cross_entropy(logits, labels)
