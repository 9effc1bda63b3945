"""Measures of the topic `domain`: what a model of single tokens has learned of one source of text, and lost of another."""

from __future__ import annotations

from typing import Any

import numpy as np


def learned(output: Any, held: dict[str, Any]) -> float:
    """The share of KL(notes || general) that is gone: 0 for a model of the general text, 1 for a perfect one of the notes."""
    notes, general = (np.asarray(held[name], dtype=float) for name in ("notes", "general"))
    return 1 - _kl(notes, np.asarray(output, dtype=float)) / _kl(notes, np.log(general))


def forgotten(output: Any, held: dict[str, Any]) -> float:
    """KL(general || model) as a share of KL(general || notes): 0 for a perfect model of general text, 1 for one of the notes."""
    notes, general = (np.asarray(held[name], dtype=float) for name in ("notes", "general"))
    return _kl(general, np.asarray(output, dtype=float)) / _kl(general, np.log(notes))


def _kl(truth: np.ndarray, log_q: np.ndarray) -> float:
    """KL(truth || q) in nats a token, for chains of tokens: both (vocab, vocab), a row a token that stands before."""
    often = np.full(len(truth), 1 / len(truth))
    for _ in range(200):  # how often each token occurs: what the chain leaves as it is
        often = often @ truth
    log_q = log_q - np.logaddexp.reduce(log_q, axis=1, keepdims=True)
    return float((often[:, None] * truth * (np.log(truth) - log_q)).sum())
