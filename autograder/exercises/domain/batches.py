"""Exercises of chapter 03 on documents of unequal length: a loss with a bug, and packing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

import solutions.domain as answers
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

# --- corpus_loss ------------------------------------------------------------------------------------------------------


def _batch(rng: np.random.Generator, lengths: list[int], width: int, junk: float = 0.0) -> dict[str, Tensor]:
    """A padded batch of documents; short ones are harder, so the two means differ. Padding holds `junk`."""
    mask = torch.arange(width)[None, :] < torch.tensor(lengths)[:, None]  # (documents, width)
    hard = torch.tensor([4.0 / (1 + n) for n in lengths])[:, None]
    nats = hard + torch.from_numpy(rng.uniform(0.5, 1.5, (len(lengths), width))).float()
    return {"nats": nats.masked_fill(~mask, junk), "mask": mask}


def corpus_loss_cases(rng: np.random.Generator) -> list[Case]:
    lengths = [5, 2, 4]
    cases = []
    for normaliser in ("token", "document"):
        asked = {"normaliser": normaliser}
        batch, junk, some = _batch(rng, lengths, 5), _batch(rng, lengths, 9, 7.5), _batch(rng, [6, 0, 2, 1], 6)
        cases += [
            Case(f"documents of 5, 2 and 4 tokens, {normaliser} mean", batch | asked, normaliser),
            Case(f"padded to 9, the padding holds 7.5, {normaliser} mean", junk | asked, normaliser),
            Case(f"the padding holds nan, {normaliser} mean", _batch(rng, lengths, 7, math.nan) | asked, "nan"),
            Case(f"one document without a token, {normaliser} mean", some | asked, "empty"),
        ]
    return cases


def _corpus_loss(nats: Tensor, mask: Tensor, normaliser: str, *, ignore_mask: bool = False, width: bool = False, only: str = "",
                 total: bool = False, times: bool = False, empty: bool = False) -> float:
    """The loss with one thing wrong, chosen by a keyword."""
    nats, mask = torch.as_tensor(nats).float(), torch.as_tensor(mask).bool()
    counted = nats if ignore_mask else nats * mask if times else nats.masked_fill(~mask, 0.0)
    lengths = mask.sum(1) if not (width or ignore_mask) else torch.full((len(mask),), mask.shape[1])
    if total:
        return float(counted.sum())
    if (only or normaliser) == "token":
        return float(counted.sum() / lengths.sum())
    some = torch.ones(len(mask), dtype=torch.bool) if empty else mask.any(1)
    return float((counted.sum(1) / lengths.clamp(min=1))[some].mean())


def _wrong_loss(**how: Any) -> Any:
    return lambda nats, mask, normaliser: _corpus_loss(nats, mask, normaliser, **how)


corpus_loss = Exercise(
    id="domain.corpus_loss",
    answer=answers.domain_corpus_loss,
    cases=corpus_loss_cases,
    parts=[
        Part("mean over tokens", 1, on="token"), Part("mean over documents", 1, on="document"),
        Part("whatever the padding holds", 1, on="nan"), Part("a document without tokens", 1, on="empty"),
    ],
    misconceptions=[
        Misconception(
            "divided_by_the_width", _wrong_loss(width=True),
            "You divide by the width of the batch: padding counts as tokens that cost nothing. That is the fault of "
            "`padded_loss`: the wider the padding, the better the model looks. Divide by the tokens that there are, mask.sum().",
        ),
        Misconception(
            "padding_counted", _wrong_loss(ignore_mask=True),
            "What stands in the padding enters your sum. The mask says what counts.",
        ),
        Misconception(
            "always_the_token_mean", _wrong_loss(only="token"), earns=1,
            says="You take the mean over all tokens for both. The document mean first averages inside each document, and "
            "then over "
            "the documents: a token of a short document weighs more.",
        ),
        Misconception(
            "always_the_document_mean", _wrong_loss(only="document"), earns=1,
            says="You take the mean of the documents' means for both. The token mean divides the sum over all tokens by "
            "their number.",
        ),
        Misconception(
            "sum", _wrong_loss(total=True),
            "This is the sum. A mean is asked for; a sum grows with the batch.",
        ),
        Misconception(
            "nan_times_zero", _wrong_loss(times=True), earns=3,
            says="nan times 0 is nan: multiplying by the mask does not remove what stands there. Use masked_fill or "
            "torch.where, or pick "
            "nats[mask].",
        ),
        Misconception(
            "empty_document_costs_nothing", _wrong_loss(empty=True), earns=3,
            says="A document without a token has no mean. You count it as a document with loss 0, which makes the model "
            "look better.",
        ),
    ],
)

# --- packed_mask ------------------------------------------------------------------------------------------------------


def packed_mask_cases(rng: np.random.Generator) -> list[Case]:
    return [
        Case("documents of 3 and 2 tokens", {"lengths": [3, 2]}, "several"),
        Case("four documents, one of a single token", {"lengths": [1, *(int(n) for n in rng.integers(2, 5, 3))]}, "several"),
        Case("one document", {"lengths": [int(rng.integers(3, 6))]}, "one"),
    ]


def _packed(lengths: list[int], keep: Any) -> Tensor:
    """The mask that `keep(i, j, same document)` makes, (seq, seq)."""
    document = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    place = torch.arange(len(document))
    return keep(place[:, None], place[None, :], document[:, None] == document[None, :]).long()


def _wrong_mask(keep: Any) -> Any:
    return lambda lengths: _packed(lengths, keep)


packed_mask = Exercise(
    id="domain.packed_mask",
    answer=answers.domain_packed_mask,
    cases=packed_mask_cases,
    parts=[Part("shape", 1, shape_only=True), Part("several documents", 2, on="several"), Part("one document", 1, on="one")],
    misconceptions=[
        Misconception(
            "causal_only", _wrong_mask(lambda i, j, same: (j <= i) | (same & False)), earns=2,
            says="This is the ordinary causal mask of one long text: a document still reads the ones before it. Ask for the "
            "same document "
            "as well.",
        ),
        Misconception(
            "blocks_only", _wrong_mask(lambda i, j, same: same), earns=1,
            says="Each document sees its own tokens, but the later ones too. Then the model reads the token it has to predict.",
        ),
        Misconception(
            "transposed", _wrong_mask(lambda i, j, same: same & (j >= i)), earns=1,
            says="Rows and columns are exchanged: the row is the one that looks, the column what it looks at. It may look back.",
        ),
        Misconception(
            "not_itself", _wrong_mask(lambda i, j, same: same & (j < i)), earns=1,
            says="You leave out the diagonal. A token may look at itself: what it must not see is the *next* one. The first "
            "token of a "
            "document would see nothing, and its softmax would be nan.",
        ),
        Misconception(
            "inverted", _wrong_mask(lambda i, j, same: ~(same & (j <= i))), earns=1,
            says="Yours is 1 where looking is forbidden. Here 1 means allowed.",
        ),
    ],
)
