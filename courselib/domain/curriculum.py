"""Curriculum learning: which documents to read first, and in which direction beta has to go.

Documents are drawn with the weights of a softmax over minus their difficulty,

    p_beta(x) proportional to exp(-beta * difficulty(x)),

so beta = 0 reads everything alike, a large beta reads the *easy* ones, and a negative beta the hard ones. "Easy first" is
therefore a beta that *falls*; the rule is often printed with a beta that rises "to emphasise hard samples", which does the
opposite. Why: d E[difficulty] / d beta = -Var[difficulty], never positive.

Source: Bengio et al. 2009, "Curriculum learning", where the weights start on easy examples and become uniform.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from courselib.lab import runtime
from courselib.lab.models.causal import log_likelihood
from courselib.lab.models.encoder import Pretrained


def length(texts: Sequence[str], tokenizer: Any) -> np.ndarray:
    """Difficulty as length: the number of tokens of each text. Cheap, needs no model, and ignores what the words are."""
    return np.array([len(ids) for ids in tokenizer(list(texts))["input_ids"]], dtype=float)


def surprise(texts: Sequence[str], pretrained: Pretrained) -> np.ndarray:
    """Difficulty as the model sees it: nats a token of each text, end of text included; exp of it is its perplexity."""
    totals = log_likelihood(pretrained.model, pretrained.tokenizer, list(texts))
    return -np.array(totals) / (length(texts, pretrained.tokenizer) + 1)


def scaled(difficulty: Sequence[float]) -> np.ndarray:
    """Difficulties as ranks from 0 (easiest) to 1 (hardest), so that one beta means the same for every measure."""
    return np.argsort(np.argsort(difficulty, kind="stable"), kind="stable") / max(1, len(difficulty) - 1)


def weights(difficulty: Sequence[float], beta: float) -> np.ndarray:
    """p_i = exp(-beta d_i) / sum_j exp(-beta d_j), computed so that no beta overflows.

    Raises ValueError for no documents, or numbers that are not finite.
    """
    scores = -beta * np.asarray(difficulty, dtype=float)
    if not scores.size or not np.isfinite(scores).all():
        raise ValueError("Weights need a finite beta and at least one document, each with a finite difficulty.")
    raised = np.exp(scores - scores.max())  # the largest becomes exp(0) = 1; a common factor cancels
    return raised / raised.sum()


def expected_difficulty(difficulty: Sequence[float], beta: float) -> float:
    """E[difficulty] of a document drawn with `weights`; it falls as beta grows."""
    return float(weights(difficulty, beta) @ np.asarray(difficulty, dtype=float))


def falling(start: float, steps: int, share: float = 0.5) -> np.ndarray:
    """A beta for each step: from `start` in a straight line to 0 at `share` of the steps, then 0: easy first, then everything."""
    return start * np.clip(1 - np.arange(steps) / max(1.0, share * steps), 0, None)


class CurriculumWindows:
    """Batches for `fit`, (size, window): each row is cut from documents drawn one after another with that step's beta.

    `documents` are lists of token ids, each ending in the end of text. The n-th batch depends on the seed and on n alone; after
    the last beta the sampler goes on with it. Raises ValueError if betas are missing or lengths do not fit.
    """

    def __init__(self, documents: Sequence[Sequence[int]], difficulty: Sequence[float], betas: Sequence[float], size: int,
                 window: int, seed: int) -> None:
        if len(documents) != len(difficulty) or not len(betas):
            raise ValueError(f"{len(documents)} documents, {len(difficulty)} difficulties and {len(betas)} betas came; "
                             "each document needs a difficulty, and there has to be a beta.")
        self.documents, self.difficulty, self.betas = documents, np.asarray(difficulty, dtype=float), betas
        self.size, self.window, self.seed = size, window, seed

    def __iter__(self) -> Iterator[Tensor]:
        number = 0
        while True:
            rng = np.random.default_rng([self.seed, number])
            p = weights(self.difficulty, self.betas[min(number, len(self.betas) - 1)])
            rows = []
            for _ in range(self.size):
                row: list[int] = []
                while len(row) < self.window:
                    row += self.documents[rng.choice(len(p), p=p)]
                rows.append(row[: self.window])
            yield torch.tensor(rows, device=runtime.device())  # (size, window)
            number += 1
