"""Domain adaptation: going on with pretraining on a new domain, and what it costs in the old one.

Continued pretraining (Gururangan et al. 2020, arXiv:2004.10964) trains the same next-token loss on documents of the new domain.
What the model knew of the old one fades. Mixing some of the old documents back in keeps it: of each batch, a share alpha comes
from the new domain and 1 - alpha from the old. The course's worlds have exact entropies, so both losses can be held against
what is possible.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from courselib.lab.data import worlds
from courselib.lab.data.windows import Windows, token_stream
from courselib.lab.models.causal import log_likelihood, next_token_loss
from courselib.lab.models.encoder import Pretrained
from courselib.lab.rates import falling_rate
from courselib.lab.training import Step, fit

BATCH, WINDOW, WARMUP = 8, 64, 10


def perplexity(nats: float) -> float:
    """exp of a mean negative log-likelihood in nats. Raises ValueError for a negative mean, which no probability has."""
    if nats < 0:
        raise ValueError(f"a mean negative log-likelihood is never negative, but {nats} came: is the sign turned round?")
    return math.exp(nats)


def forgetting_percent(before: float, after: float) -> float:
    """How much worse the old domain got, in percent of where it was. Both are perplexities, or both losses: say which.

    The two percentages differ: from 0.5 to 1.0 nats the loss doubles (100 %), the perplexity grows by exp(0.5) - 1 (65 %).
    """
    return 100 * (after - before) / before


def nats_per_word(pretrained: Pretrained, name: str, texts: int = 60, seed: int = 0) -> float:
    """The model's mean negative log-likelihood of fresh documents of a world, per word or mark, end of text included.

    Compare with `worlds.world(name).grammar("test").entropy("token")`, which no model can beat in the long run.
    """
    documents, words = _held_out(name, texts, seed)
    return -sum(log_likelihood(pretrained.model, pretrained.tokenizer, list(documents), size=8)) / words


@lru_cache(maxsize=64)  # runs that are compared are asked about the same documents
def _held_out(name: str, texts: int, seed: int) -> tuple[tuple[str, ...], int]:
    """Fresh documents of a world, and how many words and marks they have together."""
    documents, truth = worlds.world(name).texts(texts, "test", seed), worlds.world(name).grammar("test")
    return tuple(documents), sum(len(truth.tokens(document)) for document in documents)


@torch.no_grad()
def nats_per_character(pretrained: Pretrained, texts: Sequence[str], window: int = 256, limit: int = 40) -> tuple[float, float]:
    """A model's loss on real text: (nats a token, nats a character), over at most `limit` windows, each read from its start.

    Two corpora are cut into tokens of different length, so per token they cannot be compared; per character they can.
    """
    stream = token_stream(pretrained.tokenizer, texts)
    starts = range(0, len(stream) - window + 1, window)[:limit]
    if not len(starts):
        raise ValueError(f"The texts have {len(stream)} tokens, and one window takes {window}: give more text.")
    nats = tokens = characters = 0.0
    for start in starts:
        ids = stream[start : start + window].to(pretrained.model.device)
        nats += next_token_loss(pretrained.model, ids[None]).item() * (window - 1)
        tokens += window - 1
        characters += len(pretrained.tokenizer.decode(ids[1:], skip_special_tokens=True))
    return nats / tokens, nats / characters


@lru_cache(maxsize=64)  # runs that are compared read the same documents; to write and cut them takes a tenth of a run
def _training_stream(tokenizer: Any, name: str, documents: int, seed: int) -> Tensor:
    """The documents a world is adapted to, as one stream of tokens: (tokens,). The tokenizer is known by its identity."""
    return token_stream(tokenizer, worlds.world(name).texts(documents, "train", seed))


def continue_pretraining(
    pretrained: Pretrained, domain: str, *, alpha: float = 1.0, general: str = "general", documents: int = 500, steps: int = 120,
    lr: float = 2e-3, window: int = WINDOW, seed: int = 0, prepare: Callable[[nn.Module], Any] | None = None,
    penalty: Callable[[nn.Module], Tensor] | None = None, callbacks: Iterable[Callable[[Step], Any]] = (),
) -> Pretrained:
    """A copy of the model, trained on for `steps` steps; a share `alpha` of every batch comes from `domain`.

    `alpha` is rounded to eighths, since a batch has eight windows. `prepare(model)` is called on the copy first: to freeze
    some of it, or to add adapters. `penalty(model)` is added to every step's loss. Callbacks are those of `training.fit`.
    Raises ValueError unless at least one window of the batch is from the domain.
    """
    new = round(alpha * BATCH)
    if not 0 < new <= BATCH:
        raise ValueError(f"alpha is the share of the new domain, above 0 and at most 1, but {alpha} came; 0.5 mixes evenly.")
    model, tokenizer = copy.deepcopy(pretrained.model), pretrained.tokenizer
    if prepare is not None:
        prepare(model)
    shares = {domain: new, general: BATCH - new} if new < BATCH else {domain: new}
    streams = [_training_stream(tokenizer, name, documents, seed) for name in shares]
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=lr, fused=True)
    schedule = falling_rate(optimizer, WARMUP, steps, 0.9)

    def loss(model: nn.Module, batch: Tensor) -> Tensor:
        value = next_token_loss(model, batch)
        return value if penalty is None else value + penalty(model)

    batches = Windows(streams, list(shares.values()), window, seed)
    fit(model, batches, loss, optimizer, steps=steps, scheduler=schedule, max_grad_norm=1.0, callbacks=callbacks, progress=False)
    return Pretrained(model, tokenizer)


def mixed_loss(domain: float, general: float, alpha: float) -> float:
    """alpha L_domain + (1 - alpha) L_general: what a batch with a share `alpha` of domain windows has as its loss on average."""
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha is a share, from 0 to 1, but {alpha} came.")
    return alpha * domain + (1 - alpha) * general


def penalised(domain: Sequence[float], general: Sequence[float], general_before: float, penalty: float) -> list[float]:
    """For each alpha: domain loss + penalty * forgetting, where forgetting is max(0, general loss - the loss before)."""
    return [d + penalty * max(0.0, g - general_before) for d, g in zip(domain, general, strict=True)]


def choose_alpha(
    alphas: Sequence[float], domain: Sequence[float], general: Sequence[float], general_before: float, penalty: float
) -> float:
    """The alpha with the least `penalised` validation loss: the outer problem, over models that were trained one for each alpha.

    Raises ValueError when the lists differ in length or are empty, or the penalty is negative.
    """
    if not len(alphas) == len(domain) == len(general) or not len(alphas):
        raise ValueError(f"Each alpha needs a domain and a general loss; came {len(alphas)}, {len(domain)}, {len(general)}.")
    if penalty < 0:
        raise ValueError(f"The penalty is {penalty}; a negative one would reward forgetting.")
    scores = penalised(domain, general, general_before, penalty)
    return alphas[scores.index(min(scores))]


def data_mix(samples: int, general_share: float) -> tuple[int, int]:
    """How many of `samples` training samples come from the domain and how many are general: (domain, general), in this order.

    The general ones are rounded to the nearest whole number, a half up, and the domain gets the rest: the two always add up.
    (Python's `round` takes a half to the even neighbour: `round(2.5)` is 2.)
    """
    if not 0 <= general_share <= 1:
        raise ValueError(f"general_share is a share, from 0 to 1, but {general_share} came: 0.1 means a tenth.")
    general = math.floor(samples * general_share + 0.5)
    return samples - general, general
