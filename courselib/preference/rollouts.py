"""Responses of a causal model: sampled until a token that ends them, and their tokens with masks.

A row is `<|endoftext|> prompt response`, padded on the right. Sampling is at temperature 1 from the whole vocabulary: it is the
policy itself whose responses are judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

LONGEST = 16  # tokens of a response; what has not ended by then is cut


@dataclass(frozen=True)
class Responses:
    """`texts` (prompt and response together), `ids`, `mask` (1 on no padding) and `response` (1 on the response): (n, seq)."""

    texts: list[str]
    ids: Tensor
    mask: Tensor
    response: Tensor


@torch.no_grad()
def rollouts(
    model: nn.Module, tokenizer: Any, prompts: list[str], seed: int, *, longest: int = LONGEST, stop: str = "."
) -> Responses:
    """One sampled response a prompt; it ends with `stop` or after `longest` tokens. The prompts may differ in length.

    Keeps the keys and values of what has been read, and drops rows that have ended. The same seed gives the same responses.
    """
    stop_id, pad = tokenizer.convert_tokens_to_ids(stop), tokenizer.pad_token_id
    generator = torch.Generator().manual_seed(seed)
    rows = [[tokenizer.eos_token_id, *tokenizer(prompt)["input_ids"]] for prompt in prompts]
    said: list[list[int]] = [[] for _ in rows]
    for width in sorted({len(row) for row in rows}):  # prompts of one length together, so that nothing is padded on the left
        alive = torch.tensor([i for i, row in enumerate(rows) if len(row) == width])
        step, cache = torch.tensor([rows[i] for i in alive]), None
        for _ in range(longest):
            out = model(input_ids=step.to(model.device), past_key_values=cache, use_cache=True)
            cache = out.past_key_values
            token = torch.multinomial(out.logits[:, -1].float().cpu().softmax(-1), 1, generator=generator)  # (alive, 1)
            for row, value in zip(alive.tolist(), token[:, 0].tolist(), strict=True):
                said[row].append(value)
            going = token[:, 0] != stop_id
            if not going.any():
                break
            alive, step = alive[going], token[going]
            if not going.all():
                cache.batch_select_indices(going.nonzero()[:, 0].to(model.device))
    return packed(tokenizer, rows, said, pad)


def encoded(tokenizer: Any, prompts: list[str], texts: list[str]) -> Responses:
    """Texts that begin with their prompts, as `rollouts` would have returned them."""
    rows = [[tokenizer.eos_token_id, *tokenizer(prompt)["input_ids"]] for prompt in prompts]
    said = [tokenizer(text)["input_ids"][len(row) - 1:] for row, text in zip(rows, texts, strict=True)]
    return packed(tokenizer, rows, said, tokenizer.pad_token_id)


def packed(tokenizer: Any, prompts: list[list[int]], said: list[list[int]], pad: int) -> Responses:
    """Rows of tokens as `Responses`: prompts (which begin with the end-of-text token) and what was said after them."""
    width = max(len(prompt) + len(response) for prompt, response in zip(prompts, said, strict=True))
    ids = torch.full((len(prompts), width), pad)
    mask, response = torch.zeros_like(ids), torch.zeros_like(ids)
    for row, (prompt, words) in enumerate(zip(prompts, said, strict=True)):
        end = len(prompt) + len(words)
        ids[row, :end] = torch.tensor(prompt + words)
        mask[row, :end] = 1
        response[row, len(prompt) : end] = 1
    texts = tokenizer.batch_decode([prompt[1:] + words for prompt, words in zip(prompts, said, strict=True)])
    return Responses(texts, ids, mask, response)
