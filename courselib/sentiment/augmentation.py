"""More training examples from those there are: what can be done offline, and what it does to the label.

Random deletion and swap are two of the four operations of EDA (Wei and Zou 2019, arXiv:1901.11196). Mixup (Zhang et al. 2018,
arXiv:1710.09412) mixes two examples and their labels; for text it mixes vectors (Guo et al. 2019, arXiv:1905.08941).
Back-translation and paraphrase need a second model.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def delete(text: str, share: float, rng: random.Random) -> str:
    """The text with each word left out with probability `share`; one word, drawn at random, if none would be left."""
    words = text.split()
    kept = [word for word in words if rng.random() >= share]
    return " ".join(kept or [rng.choice(words)])


def insert(text: str, vocabulary: Sequence[str], times: int, rng: random.Random) -> str:
    """The text with `times` words of `vocabulary` put in at random places."""
    words = text.split()
    for _ in range(times):
        words.insert(rng.randint(0, len(words)), rng.choice(vocabulary))
    return " ".join(words)


def swap(text: str, times: int, rng: random.Random) -> str:
    """The text with two different places exchanged, `times` times. A text of one word stays as it is."""
    words = text.split()
    for _ in range(times if len(words) > 1 else 0):
        i, j = rng.sample(range(len(words)), 2)
        words[i], words[j] = words[j], words[i]
    return " ".join(words)


def replace(text: str, synonyms: Mapping[str, Sequence[str]], rng: random.Random) -> str:
    """The text with every word that has synonyms (by its lower-case form, without punctuation) replaced by one of them."""
    out = []
    for word in text.split():
        core = word.strip(".,!?")
        choices = synonyms.get(core.lower())
        out.append(word.replace(core, rng.choice(list(choices))) if choices else word)
    return " ".join(out)


def mixup(vectors: Tensor, targets: Tensor, weight: float, order: Tensor) -> tuple[Tensor, Tensor]:
    """Each row mixed with another: `weight` times itself plus 1 - `weight` times row `order[i]`, and the targets likewise.

    vectors: (n, d).   targets: (n, classes), each row a probability distribution.   order: (n,), a permutation.
    """
    return torch.lerp(vectors[order], vectors, weight), torch.lerp(targets[order], targets, weight)


def soft_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy against distributions: -Σ target · log softmax(logits). With one-hot targets the usual one."""
    return -(targets * F.log_softmax(logits, dim=-1)).sum(-1).mean()
