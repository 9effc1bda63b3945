"""Domain adaptation: going on with pretraining on a new domain, and what it costs in the old one.

Continued pretraining (Gururangan et al. 2020, arXiv:2004.10964) trains the same next-token loss on documents of the new domain.
What the model knew of the old one fades. Mixing some of the old documents back in keeps it: of each batch, a share alpha comes
from the new domain and 1 - alpha from the old. The course's worlds have exact entropies, so both losses can be held against
what is possible.
"""

from __future__ import annotations

import copy
import math

import torch

from courselib.data import worlds
from courselib.data.windows import Windows, token_stream
from courselib.models.causal import log_likelihood, next_token_loss
from courselib.models.encoder import Pretrained
from courselib.training import fit

BATCH, WINDOW, WARMUP = 8, 64, 10


def perplexity(nats: float) -> float:
    """exp of a mean negative log-likelihood in nats. Raises ValueError for a negative mean, which no probability has."""
    if nats < 0:
        raise ValueError(f"a mean negative log-likelihood is never negative, but {nats} came: is the sign turned round?")
    return math.exp(nats)


def forgetting_percent(before: float, after: float) -> float:
    """How much worse the old domain got, in percent of where it was; both are perplexities, lower is better."""
    return 100 * (after - before) / before


def nats_per_word(pretrained: Pretrained, name: str, texts: int = 60, seed: int = 0) -> float:
    """The model's mean negative log-likelihood of fresh documents of a world, per word or mark, end of text included.

    Compare with `worlds.world(name).grammar("test").entropy("token")`, which no model can beat in the long run.
    """
    world = worlds.world(name)
    documents, truth = world.texts(texts, "test", seed), world.grammar("test")
    words = sum(len(truth.tokens(document)) for document in documents)
    return -sum(log_likelihood(pretrained.model, pretrained.tokenizer, documents)) / words


def continue_pretraining(
    pretrained: Pretrained, domain: str, *, alpha: float = 1.0, general: str = "general", documents: int = 500, steps: int = 120,
    lr: float = 2e-3, seed: int = 0,
) -> Pretrained:
    """A copy of the model, trained on for `steps` steps; a share `alpha` of every batch comes from `domain`.

    `alpha` is rounded to eighths, since a batch has eight windows. Raises ValueError unless at least one window of the batch is
    from the domain.
    """
    new = round(alpha * BATCH)
    if not 0 < new <= BATCH:
        raise ValueError(f"alpha is the share of the new domain, above 0 and at most 1, but {alpha} came; 0.5 mixes evenly.")
    model, tokenizer = copy.deepcopy(pretrained.model), pretrained.tokenizer
    streams = [token_stream(tokenizer, worlds.world(name).texts(documents, "train", seed)) for name in (domain, general)]
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / WARMUP) * (1 - 0.9 * step / steps)
    )
    batches = Windows(streams, [new, BATCH - new], WINDOW, seed)
    fit(model, batches, next_token_loss, optimizer, steps=steps, scheduler=schedule, max_grad_norm=1.0, progress=False)
    return Pretrained(model, tokenizer)
