"""Choosing the next token: greedily, at a temperature, from the k likeliest.

A causal model gives a distribution over the next token. Greedy decoding takes its mode every time. Sampling draws from it, after
two changes that are often made: dividing the logits by a temperature T (below 1 sharpens, above 1 flattens; Ackley et al. 1985),
and setting all but the k largest aside (Fan et al. 2018, arXiv:1805.04833).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def top_k(logits: Tensor, k: int) -> Tensor:
    """The k largest logits of each row; all others become -inf, and so get no probability: `(..., vocab)` -> `(..., vocab)`.

    With fewer than k tokens all stay. What ties with the k-th largest stays too, as in transformers. Raises ValueError below 1.
    """
    if k < 1:
        raise ValueError(f"top_k keeps k tokens, at least 1, but k is {k}; k = 1 is greedy decoding.")
    least = logits.topk(min(k, logits.shape[-1]), dim=-1).values[..., -1:]
    return logits.masked_fill(logits < least, float("-inf"))


def next_distribution(logits: Tensor, temperature: float = 1.0, k: int | None = None) -> Tensor:
    """Probabilities of the next token: temperature first, then top-k, then softmax. `(..., vocab)` -> `(..., vocab)`.

    Raises ValueError for a temperature that is not above zero: the limit at zero is greedy decoding.
    """
    if temperature <= 0:
        raise ValueError(f"The temperature divides the logits and has to be above 0, but {temperature} came; use k=1 for greedy.")
    scaled = logits / temperature
    return (scaled if k is None else top_k(scaled, k)).softmax(-1)


@torch.no_grad()
def generate(
    model: nn.Module, tokenizer: Any, prompt: str, *, new_tokens: int = 30, temperature: float = 1.0, k: int | None = None,
    seed: int | None = None,
) -> str:
    """The prompt and up to `new_tokens` more tokens, one at a time; greedy unless a `seed` is given. Stops at the end of text.

    Every step reads the whole text again: slow, and nothing is hidden. `model.generate` keeps what it has computed. A prompt
    begins after an end-of-text token, as every document did in training.
    """
    draw = None if seed is None else torch.Generator().manual_seed(seed)
    ids = torch.tensor([[tokenizer.eos_token_id, *tokenizer(prompt)["input_ids"]]], device=model.device)  # (1, seq)
    for _ in range(new_tokens):
        logits = model(input_ids=ids).logits[0, -1].float().cpu()  # (vocab,)
        p = next_distribution(logits, temperature, k)
        token = int(p.argmax()) if draw is None else int(torch.multinomial(p, 1, generator=draw))
        if token == tokenizer.eos_token_id:
            break
        ids = torch.cat([ids, torch.tensor([[token]], device=ids.device)], dim=1)
    return tokenizer.decode(ids[0, 1:])
