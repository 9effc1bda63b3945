"""Pretrained models, loaded from where they are: a folder, an installed package, or the Hugging Face Hub."""

from __future__ import annotations

from typing import Any

from .causal import load_causal
from .classifier import SentenceClassifier, tokenise
from .encoder import Pretrained, load_encoder
from .masked import load_masked, masked_words

LOADERS = {"encoder": load_encoder, "masked": load_masked, "causal": load_causal}

__all__ = ["LOADERS", "Pretrained", "SentenceClassifier", "load", "masked_words", "tokenise"]


def load(kind: str, source: str | None = None, **options: Any) -> Pretrained:
    """A pretrained `(model, tokenizer)` of a kind, on the course's device and in eval mode.

    `load("encoder")` is all-MiniLM-L6-v2, `load("masked")` the same with a head for masked words that was trained for this
    course, `load("causal")` the course's own language model. Where they come from and what else can be asked for is
    said at `load_encoder`, `load_masked` and `load_causal`, which take `source` and `options`. Raises ValueError for an
    unknown kind.
    """
    if kind not in LOADERS:
        raise ValueError(f"There is no kind of model {kind!r}; the kinds are {', '.join(map(repr, LOADERS))}.")
    return LOADERS[kind](source, **options)
