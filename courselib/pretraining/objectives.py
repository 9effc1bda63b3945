"""The losses of pretraining: masked tokens, next tokens, next sentences.

- MLM (Devlin et al. 2018, arXiv:1810.04805): cross-entropy at the chosen positions, given the corrupted input.
- CLM (Radford et al. 2018, GPT): cross-entropy of every token given those before it. n tokens are n - 1 questions, since nothing
  comes before the first. All are asked at once: a triangular attention mask sees to it that no position looks ahead.
- NSP (BERT's second loss): does the second sentence follow the first? Half the pairs do.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
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


def clm_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of each token given those before it: logits `(batch, seq, vocab)`, labels `(batch, seq)` -> scalar.

    The logits at position i answer for token i + 1. So the last logits and the first label are left out. The labels are the
    tokens themselves, and -100 where nothing is asked: see `clm_labels`.
    """
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORE)


def clm_labels(input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    """The tokens, and -100 at padding, which nobody should learn to write. All `(batch, seq)`; the mask is 1 for a token."""
    return input_ids.masked_fill(attention_mask == 0, IGNORE)


def loss_gradient(logits: Tensor, labels: Tensor) -> Tensor:
    """The gradient of the mean cross-entropy over labelled positions: logits `(n, vocab)`, labels `(n,)` -> `(n, vocab)`.

    softmax minus one-hot, over the number of labels, where there is a label; zero where there is none.
    """
    asked = labels != IGNORE
    gradient = torch.zeros_like(logits)
    gradient[asked] = logits[asked].softmax(-1) - F.one_hot(labels[asked], logits.shape[-1])
    return gradient / asked.sum()


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


def consecutive_sentences(paragraph: str, words: int = 5) -> list[str]:
    """The sentences of a paragraph, in order, as far as they have `words` words or more: what ends in . ! or ? before a capital.

    A shorter one ends the list, so that what stands side by side in it does so in the text.
    """
    found = []
    for sentence in re.split(r"(?<=[.!?])\s+(?=[A-Z])", paragraph.strip()):
        if len(sentence.split()) < words:
            break
        found.append(sentence)
    return found


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
