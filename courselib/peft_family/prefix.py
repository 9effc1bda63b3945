"""Prefix tuning: trained keys and values in front of those of the text, in every layer.

    Attn(q, [P_K; K], [P_V; V])        P_K, P_V (l, d) for each of L layers: 2 L l d numbers

The text keeps its length: no position is added whose query would be computed. What is added are keys to look at. As softmax is
taken over old and new keys together, the result is a mixture,

    (1 - g) Attn(q, K, V) + g Attn(q, P_K, P_V)

where g is the share of the attention that goes to the prefix (He et al. 2022, equation 7): the old answer is not only added to,
it is turned down. P-tuning v2 is the same method for other tasks. In its first steps prefix tuning is unstable when the keys and
values are trained directly; Li and Liang compute them by a network, which is thrown away afterwards.

Papers: Li and Liang 2021, "Prefix-Tuning", arXiv:2101.00190; Liu et al. 2022, "P-Tuning v2", arXiv:2110.07602; He et al. 2022,
"Towards a Unified View of Parameter-Efficient Transfer Learning", arXiv:2110.04366.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn


def prefix_parameters(layers: int, length: int, width: int) -> int:
    """2 L l d: keys and values. 12 layers, length 10, width 768 -> 184,320. `width` is that of keys and values.

    With grouped-query attention that is the number of key-value heads times their width, less than the model's.
    """
    return 2 * layers * length * width


def prefix_attention(q: Tensor, k: Tensor, v: Tensor, prefix_k: Tensor, prefix_v: Tensor) -> Tensor:
    """One head without a mask: q, k, v (n, d), prefix_k, prefix_v (l, d) -> (n, d)."""
    keys, values = torch.cat([prefix_k, k]), torch.cat([prefix_v, v])  # (l + n, d)
    return (q @ keys.T / math.sqrt(q.shape[-1])).softmax(-1) @ values


def prefix_share(q: Tensor, k: Tensor, prefix_k: Tensor) -> Tensor:
    """g, the share of each query's attention that goes to the prefix: (n, 1). He et al. 2022, equation 7."""
    scores = q @ torch.cat([prefix_k, k]).T / math.sqrt(q.shape[-1])  # (n, l + n)
    return scores.softmax(-1)[:, : len(prefix_k)].sum(-1, keepdim=True)


class Prefixed(nn.Module):
    """A frozen model with a trained prefix. `model(input_ids=(batch, n)).logits` is (batch, n, vocab): n stays n.

    Of an encoder without a head it is `last_hidden_state` (batch, n, d). The text's positions begin at l, in either.

    `prefix` is (l, 2 L t) with t the width of keys and values, in peft's order: keys of layer 0, values of layer 0, keys of layer
    1, ... It starts normal with `std`. (Zero is no identity: a key of zeros has score 0, and takes its share of the attention.)
    `hidden` above 0 computes it by Li and Liang's network: l vectors of width t, a linear layer, tanh, another.
    """

    def __init__(self, model: nn.Module, length: int, std: float = 1.0, hidden: int = 0) -> None:
        super().__init__()
        if length < 1:
            raise ValueError(f"The prefix has length {length}; it needs at least one key.")
        self.model, config = model.requires_grad_(False), model.config
        self.layers = config.num_hidden_layers
        self.heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        self.head_width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        width, device = self.heads * self.head_width, model.device
        self.network = self.start = None
        if hidden:
            self.start = nn.Parameter(std * torch.randn(length, width, device=device))
            wide = 2 * self.layers * width
            self.network = nn.Sequential(nn.Linear(width, hidden), nn.Tanh(), nn.Linear(hidden, wide)).to(device)
        else:
            self.prefix = nn.Parameter(std * torch.randn(length, 2 * self.layers * width, device=device))

    @property
    def numbers(self) -> Tensor:
        """All keys and values of the prefix, (l, 2 L t)."""
        return self.network(self.start) if self.network is not None else self.prefix

    @property
    def device(self) -> torch.device:
        return self.numbers.device

    def keys_and_values(self, batch: int) -> list[tuple[Tensor, Tensor]]:
        """For each layer its keys and its values, (batch, heads, l, head width) each."""
        numbers = self.numbers
        split = numbers.view(len(numbers), 2 * self.layers, self.heads, self.head_width).permute(1, 2, 0, 3)
        split = split[:, None].expand(-1, batch, -1, -1, -1)  # (2 L, batch, heads, l, head width)
        return [(split[2 * layer], split[2 * layer + 1]) for layer in range(self.layers)]

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Any:
        from transformers import DynamicCache

        cache = DynamicCache(config=self.model.config)
        for layer, (keys, values) in enumerate(self.keys_and_values(len(input_ids))):
            cache.update(keys, values, layer)
        length = len(self.numbers)
        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids)
        mask = torch.cat([attention_mask.new_ones(len(input_ids), length), attention_mask], 1)  # (batch, l + n)
        return self.model(input_ids=input_ids, attention_mask=mask, past_key_values=cache)
