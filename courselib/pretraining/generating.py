"""Choosing the next token: greedily, at a temperature, from the likeliest; one text at a time, or several side by side.

A causal model gives a distribution over the next token. Greedy decoding takes its mode every time. Sampling draws from it, after
changes that are often made: dividing the logits by a temperature T (below 1 sharpens, above 1 flattens; Ackley et al. 1985),
setting all but the k likeliest tokens aside (Fan et al. 2018, arXiv:1805.04833), or all but the fewest that together have
probability p (Holtzman et al. 2019, arXiv:1904.09751). Beam search keeps several beginnings and looks for a likely whole.
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


def top_p(logits: Tensor, p: float) -> Tensor:
    """The fewest largest logits of each row whose probabilities add up to p or more; all others become -inf.

    `(..., vocab)` -> `(..., vocab)`. The token that carries the sum over p belongs to them, so the likeliest always stays. Raises
    ValueError unless 0 < p <= 1.
    """
    if not 0 < p <= 1:
        raise ValueError(f"top_p keeps a share p of the probability, above 0 and up to 1, but p is {p}.")
    if p == 1:
        return logits
    ordered, order = logits.sort(dim=-1, descending=True)
    chances = ordered.softmax(-1)
    before = chances.cumsum(-1) - chances  # what the likelier tokens have together
    return ordered.masked_fill(before >= p, float("-inf")).gather(-1, order.argsort(-1))  # back to the order of the vocabulary


def next_distribution(logits: Tensor, temperature: float = 1.0, k: int | None = None, p: float | None = None) -> Tensor:
    """Probabilities of the next token: temperature first, then top-k, then top-p, then softmax. `(..., vocab)` -> `(..., vocab)`.

    Raises ValueError for a temperature that is not above zero: the limit at zero is greedy decoding.
    """
    if temperature <= 0:
        raise ValueError(f"The temperature divides the logits and has to be above 0, but {temperature} came; use k=1 for greedy.")
    scaled = logits / temperature
    scaled = scaled if k is None else top_k(scaled, k)
    return (scaled if p is None else top_p(scaled, p)).softmax(-1)


@torch.no_grad()
def generate(
    model: nn.Module, tokenizer: Any, prompt: str, *, new_tokens: int = 30, temperature: float = 1.0, k: int | None = None,
    p: float | None = None, seed: int | None = None, cached: bool = False,
) -> str:
    """The prompt and up to `new_tokens` more tokens, one at a time; greedy unless a `seed` is given. Stops at the end of text.

    A prompt begins after an end-of-text token, as every document did in training. Every step reads the whole text again, unless
    it is `cached`: then the keys and values of what was read before are kept, and a step reads the one new token.
    """
    draw = None if seed is None else torch.Generator().manual_seed(seed)
    ids = _begin(model, tokenizer, prompt)  # (1, seq)
    read, kept = ids, None
    for _ in range(new_tokens):
        out = model(input_ids=read, past_key_values=kept, use_cache=cached)
        chances = next_distribution(out.logits[0, -1].float().cpu(), temperature, k, p)  # (vocab,)
        token = int(chances.argmax()) if draw is None else int(torch.multinomial(chances, 1, generator=draw))
        if token == tokenizer.eos_token_id:
            break
        new = torch.tensor([[token]], device=ids.device)
        ids = torch.cat([ids, new], dim=1)
        read, kept = (new, out.past_key_values) if cached else (ids, None)
    return tokenizer.decode(ids[0, 1:])


@torch.no_grad()
def beam_search(
    model: nn.Module, tokenizer: Any, prompt: str, *, beams: int, new_tokens: int = 30
) -> tuple[str, float]:
    """The prompt with exactly `new_tokens` more, looked for with `beams` beginnings at a time; and ln p of what is new, in nats.

    At every step each beginning is tried with each next token, and the `beams` likeliest of all survive. The end of text is
    never taken, so all have one length and can be compared. With 1 beam it is greedy. Raises ValueError below 1.
    """
    if beams < 1:
        raise ValueError(f"Beam search keeps at least 1 beginning, but {beams} came.")
    start = _begin(model, tokenizer, prompt)
    texts, scores = start, torch.zeros(1)  # (beams, seq), (beams,)
    for _ in range(new_tokens):
        logits = model(input_ids=texts).logits[:, -1].float().cpu()  # (beams, vocab)
        log_p = logits.log_softmax(-1)
        log_p[:, tokenizer.eos_token_id] = -torch.inf
        total = (scores[:, None] + log_p).flatten()  # (beams * vocab,)
        scores, best = total.topk(min(beams, len(total)))
        rows, tokens = best // logits.shape[-1], best % logits.shape[-1]
        texts = torch.cat([texts[rows.to(texts.device)], tokens[:, None].to(texts.device)], dim=1)
    return tokenizer.decode(texts[0, 1:]), scores[0].item()


@torch.no_grad()
def log_probability(model: nn.Module, tokenizer: Any, text: str, prompt: str) -> float:
    """ln p(the rest of the text | prompt) in nats, for a `text` that begins with `prompt` and was made by `generate`."""
    ids, begun = _begin(model, tokenizer, text), _begin(model, tokenizer, prompt).shape[1]
    log_p = model(input_ids=ids).logits[0, begun - 1 : -1].float().log_softmax(-1)  # (new, vocab)
    return log_p.gather(-1, ids[0, begun:, None]).sum().item()


def cache_numbers(config: Any) -> int:
    """How many numbers a key-value cache holds for each token, from a Llama's configuration: a key and a value in every layer."""
    width = config.hidden_size // config.num_attention_heads  # of one head
    return 2 * config.num_hidden_layers * config.num_key_value_heads * width


def _begin(model: nn.Module, tokenizer: Any, prompt: str) -> Tensor:
    """End of text and the prompt as ids, `(1, seq)`."""
    return torch.tensor([[tokenizer.eos_token_id, *tokenizer(prompt)["input_ids"]]], device=model.device)
