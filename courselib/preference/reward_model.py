"""A reward model: the causal model with its head of words taken off and a head of one number put on.

    r(x, y) = w . h        h: the last layer's output at the last token of the response

The body starts from the language model, which has read much; the head from zero, so that the first loss is ln 2. Sources:
Stiennon et al. 2020, arXiv:2009.01325; Ouyang et al. 2022, arXiv:2203.02155, section 3.5.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from courselib.lab import runtime
from courselib.lab.models import Pretrained
from courselib.lab.rates import falling_rate
from courselib.lab.training import Step, fit
from courselib.preference.bradley_terry import pairwise_loss
from courselib.preference.rollouts import Responses, encoded
from courselib.preference.taste import Comparisons

RATE, BATCH, WARMUP = 1e-3, 32, 4


class RewardModel(nn.Module):
    """Rewards (n,) of responses, from a copy of a causal model's body and a new linear head (width -> 1)."""

    def __init__(self, causal: nn.Module) -> None:
        super().__init__()
        self.body = copy.deepcopy(causal.base_model)
        self.head = nn.Linear(causal.config.hidden_size, 1, bias=False, device=causal.device)
        nn.init.zeros_(self.head.weight)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """ids, mask (n, seq), padded on the right -> (n,)."""
        hidden = self.body(input_ids=ids, attention_mask=mask).last_hidden_state  # (n, seq, width)
        last = mask.sum(1) - 1  # (n,)
        return self.head(hidden[torch.arange(len(ids)), last]).squeeze(-1)

    @torch.no_grad()
    def score(self, responses: Responses, size: int = 256) -> Tensor:
        """The reward of each response, (n,), without gradients."""
        parts = zip(responses.ids.split(size), responses.mask.split(size), strict=True)
        return torch.cat([self(ids, mask) for ids, mask in parts])


class PairBatches:
    """Shuffled batches of pairs for `fit`: tensors of `Responses`, first all chosen ones, then all rejected ones, and the pairs'
    numbers."""

    def __init__(self, tokenizer: Any, prompts: Sequence[str], pairs: Comparisons, size: int, seed: int) -> None:
        both = encoded(tokenizer, [*prompts, *prompts], [*pairs.chosen, *pairs.rejected])
        self.ids, self.mask, self.response = both.ids, both.mask, both.response
        self.pairs, self.size = len(pairs.chosen), size
        self.generator = torch.Generator().manual_seed(seed)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        order = torch.randperm(self.pairs, generator=self.generator)
        for chosen in order.split(self.size):
            rows = torch.cat([chosen, chosen + self.pairs])
            yield self.ids[rows], self.mask[rows], self.response[rows], rows


def train_reward_model(
    start: Pretrained, prompts: Sequence[str], pairs: Comparisons, *, epochs: int = 2, seed: int = 0, lr: float = RATE,
    callbacks: Sequence[Callable[[Step], Any]] = (),
) -> RewardModel:
    """A reward model fitted to preferences; `prompts` name the prompt of each pair. The body is trained as well."""
    runtime.set_seed(seed)
    model = RewardModel(start.model)
    batches = PairBatches(start.tokenizer, prompts, pairs, BATCH, seed)
    steps = epochs * -(-len(pairs.chosen) // BATCH)

    def loss(model: Any, batch: tuple[Tensor, ...]) -> Tensor:
        ids, mask, _, _ = batch
        return pairwise_loss(*model(ids, mask).chunk(2))

    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.01)
    fit(model, batches, loss, optimizer, steps=steps, scheduler=falling_rate(optimizer, WARMUP, steps, 0.9), max_grad_norm=1.0,
        callbacks=callbacks, progress=False)
    return model
