"""Masked language modelling: hide some tokens, and ask for them back.

BERT (Devlin et al. 2018, arXiv:1810.04805, section 3.1 and appendix A.1) chooses 15 % of the tokens. Of the chosen, 80 % become
[MASK], 10 % a random token, and 10 % stay as they are. The loss is taken at the chosen positions and nowhere else, and all of
them are predicted from one and the same corrupted input: a hidden word does not see the other hidden words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

IGNORE = -100  # the label that torch's cross-entropy passes over, and with it the whole of transformers


class Corrupted(NamedTuple):
    """What the model reads, and what it is asked for: both `(batch, seq)`. Labels are -100 wherever nothing is asked."""

    input_ids: Tensor
    labels: Tensor


def mlm_labels(input_ids: Tensor, masked: Tensor) -> Tensor:
    """The original token at every chosen position and -100 elsewhere. Both `(batch, seq)`, `masked` bool -> `(batch, seq)`.

    `masked` says which tokens were chosen, also those that do not end as [MASK].
    """
    if masked.shape != input_ids.shape:
        raise ValueError(
            f"masked has shape {tuple(masked.shape)}, but input_ids {tuple(input_ids.shape)}: "
            "say for every token whether it is chosen."
        )
    return torch.where(masked.bool(), input_ids, IGNORE)


def mlm_corrupt(
    input_ids: Tensor, special: Tensor, mask_id: int, vocab_size: int, *, rate: float = 0.15, mask_share: float = 0.8,
    random_share: float = 0.1, generator: torch.Generator | None = None,
) -> Corrupted:
    """Chooses tokens for prediction and corrupts them. Leaves `input_ids` as it was.

    input_ids: `(batch, seq)`.   special: `(batch, seq)`, True at [CLS], [SEP] and padding, which are never chosen.
    `rate` is the share of the other tokens that is chosen; `mask_share` and `random_share` are shares of the chosen. Random
    numbers are drawn in the order of `transformers.DataCollatorForLanguageModeling`, so the same seed gives the same bits.

    Raises ValueError for a rate or shares outside 0 to 1.
    """
    if not 0 <= rate <= 1:
        raise ValueError(f"rate is the share of tokens that is chosen, from 0 to 1, but {rate} came; BERT's is 0.15.")
    if min(mask_share, random_share) < 0 or mask_share + random_share > 1:
        raise ValueError(
            f"mask_share and random_share are shares of the chosen tokens and may add up to 1 at most, but {mask_share} and "
            f"{random_share} came; BERT's are 0.8 and 0.1."
        )
    shape = input_ids.shape

    def coin(p: float | Tensor) -> Tensor:
        p = p if isinstance(p, Tensor) else torch.full(shape, p)
        return torch.bernoulli(p, generator=generator).bool()

    chosen = coin(torch.full(shape, float(rate)).masked_fill(special.bool(), 0.0))
    labels = mlm_labels(input_ids, chosen)
    read = input_ids.clone()
    hidden = coin(mask_share) & chosen
    read[hidden] = mask_id
    if random_share > 0 and mask_share < 1:
        swapped = coin(random_share / (1 - mask_share)) & chosen & ~hidden
        words = torch.randint(vocab_size, shape, generator=generator)
        read[swapped] = words[swapped]
    return Corrupted(read, labels)


def corruption_counts(input_ids: Tensor, corrupted: Corrupted, mask_id: int) -> dict[str, int]:
    """What happened to the tokens: how many were chosen, and of those how many are hidden, swapped and kept.

    A random token that happens to be the right one counts as kept: looking at the text, nobody can tell.
    """
    chosen = corrupted.labels != IGNORE
    hidden = chosen & (corrupted.input_ids == mask_id)
    kept = chosen & (corrupted.input_ids == input_ids)
    swapped = chosen & ~hidden & ~kept
    return {"chosen": int(chosen.sum()), "hidden": int(hidden.sum()), "swapped": int(swapped.sum()), "kept": int(kept.sum())}


def span_corrupt(
    tokens: Sequence[str], spans: Sequence[tuple[int, int]], sentinel: str = "<extra_id_{}>"
) -> tuple[list[str], list[str]]:
    """T5's way of hiding (Raffel et al. 2019, arXiv:1910.10683, section 3.1.4): each span becomes one sentinel.

    spans: (start, end) in order, `end` not included; they neither overlap nor touch. Returns what the encoder reads, and what the
    decoder has to write: every sentinel with what it stands for, and one more sentinel to end with. Raises ValueError for spans
    that are empty, out of order, or next to each other.
    """
    read, write, place = [], [], 0
    for number, (start, end) in enumerate(spans):
        if not (place + (number > 0) <= start < end <= len(tokens)):
            raise ValueError(
                f"The spans {list(spans)} do not fit {len(tokens)} tokens: each needs a token or more, in order, a gap between."
            )
        read += [*tokens[place:start], sentinel.format(number)]
        write += [sentinel.format(number), *tokens[start:end]]
        place = end
    return [*read, *tokens[place:]], [*write, sentinel.format(len(spans))]
