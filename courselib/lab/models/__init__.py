"""Pretrained models, loaded from where they are: a folder, an installed package, or the Hugging Face Hub."""

from __future__ import annotations

import importlib
from typing import Any

from courselib.lab.models.classifier import SentenceClassifier, tokenise
from courselib.lab.models.encoder import Pretrained

KINDS = ("encoder", "masked", "causal")  # each a module here, imported when it is asked for, since an exercise may close it

__all__ = ["KINDS", "Pretrained", "SentenceClassifier", "load", "tokenise"]


def load(kind: str, source: str | None = None, **options: Any) -> Pretrained:
    """A pretrained `(model, tokenizer)` of a kind, on the course's device and in eval mode.

    `load("encoder")` is all-MiniLM-L6-v2, `load("masked")` the same with a head for masked words that was trained for this
    course, `load("causal")` the course's own language model. Where they come from and what else can be asked for is
    said at `load_encoder`, `load_masked` and `load_causal`, which take `source` and `options`. Raises ValueError for an
    unknown kind.
    """
    if kind not in KINDS:
        raise ValueError(f"There is no kind of model {kind!r}; the kinds are {', '.join(map(repr, KINDS))}.")
    return getattr(importlib.import_module(f"{__name__}.{kind}"), f"load_{kind}")(source, **options)
