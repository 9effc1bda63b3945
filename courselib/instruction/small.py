"""A laboratory for instruction tuning: language models of under a tenth of a million weights, fresh from random numbers.

Where an effect has to be measured over many settings and seeds, the course's causal model is too slow. These models speak an
alphabet of a few dozen tokens, and learn in seconds. They are Llamas like the large one; nothing but the size differs.

    Words            tokens from a list: text to ids and back
    fresh_llama      the model, from random weights
    Rows             a prompt and a response as ids, in batches: padded, with labels on the response only
    teach            trains on rows with the course's one loop
    continue_with    what the model says, token by token, until it ends
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from courselib.lab import runtime
from courselib.lab.rates import falling_rate
from courselib.lab.training import fit

PAD, END, IGNORED = 0, 1, -100
HIDDEN, LAYERS, HEADS = 64, 2, 4


@dataclass(frozen=True)
class Words:
    """An alphabet: every token is one of `words`; ids 0 and 1 are padding and the end of a turn."""

    words: tuple[str, ...]

    @property
    def size(self) -> int:
        return len(self.words) + 2

    def ids(self, tokens: Sequence[str]) -> list[int]:
        """The id of each token. Raises KeyError for a token that the alphabet lacks."""
        table = {word: number for number, word in enumerate(self.words, 2)}
        return [table[token] for token in tokens]

    def tokens(self, ids: Sequence[int]) -> list[str]:
        """Ids back to tokens; padding and ends are left out."""
        return [self.words[i - 2] for i in ids if i > END]


Pair = tuple[list[int], list[int]]  # a prompt and the response to it, as ids, without the end


def fresh_llama(size: int, seed: int, *, hidden: int = HIDDEN, layers: int = LAYERS, longest: int = 64) -> nn.Module:
    """A Llama with `size` tokens and random weights: about 85,000 of them unless another shape is asked for."""
    from transformers import LlamaConfig, LlamaForCausalLM

    runtime.set_seed(seed)
    return LlamaForCausalLM(LlamaConfig(
        vocab_size=size, hidden_size=hidden, intermediate_size=2 * hidden, num_hidden_layers=layers, num_attention_heads=HEADS,
        num_key_value_heads=HEADS, max_position_embeddings=longest, tie_word_embeddings=True, pad_token_id=PAD, bos_token_id=END,
        eos_token_id=END,
    )).to(runtime.device()).eval()


class Rows:
    """Endless batches of `size` rows: ids, labels (both (size, longest)) and a weight for each row, shuffled anew each time
    round.

    A row is prompt, response, end. With `whole` the prompt's tokens have labels too. `weights` are one a pair; without them all
    are 1.
    """

    def __init__(self, pairs: Sequence[Pair], size: int, seed: int, whole: bool = False, weights: Sequence[float] | None = None):
        self.pairs, self.size, self.seed, self.whole = list(pairs), min(size, len(pairs)), seed, whole
        self.weights = [1.0] * len(self.pairs) if weights is None else list(weights)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        rng, order = random.Random(self.seed), []
        while True:
            if len(order) < self.size:
                order = rng.sample(range(len(self.pairs)), len(self.pairs))
            chosen, order = order[: self.size], order[self.size :]
            rows = [(*self.pairs[i][0], *self.pairs[i][1], END) for i in chosen]
            width = max(map(len, rows))
            ids, labels = torch.full((self.size, width), PAD), torch.full((self.size, width), IGNORED)
            for at, (i, row) in enumerate(zip(chosen, rows, strict=True)):
                ids[at, : len(row)] = torch.tensor(row)
                first = 1 if self.whole else len(self.pairs[i][0])
                labels[at, first : len(row)] = ids[at, first : len(row)]
            yield ids, labels, torch.tensor([self.weights[i] for i in chosen])


def weighted_loss(model: nn.Module, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """The mean over all labelled tokens, each counted with the weight of its row."""
    ids, labels, weights = (part.to(runtime.device()) for part in batch)
    logits, targets = model(input_ids=ids).logits[:, :-1], labels[:, 1:]  # (batch, seq - 1, vocab), (batch, seq - 1)
    each = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="none").view_as(targets)
    counted = (targets != IGNORED) * weights[:, None]
    return (each * counted).sum() / counted.sum()


def teach(
    model: nn.Module, pairs: Sequence[Pair], *, steps: int, seed: int, lr: float = 3e-3, size: int = 32, whole: bool = False,
    weights: Sequence[float] | None = None, callbacks: Sequence[Any] = (),
) -> list[float]:
    """Trains the model on the pairs for `steps` steps of `size` rows (padding on the right needs no mask in a causal model)."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, betas=(0.9, 0.98), weight_decay=0.01)
    return fit(model, Rows(pairs, size, seed, whole, weights), weighted_loss, optimizer, steps=steps, max_grad_norm=1.0,
               scheduler=falling_rate(optimizer, max(1, steps // 20), steps), callbacks=callbacks, progress=False)


@torch.no_grad()
def continue_with(model: nn.Module, prompts: Sequence[Sequence[int]], longest: int, sample: int | None = None) -> list[list[int]]:
    """What the model says after each prompt, at most `longest` tokens; the end is left out. Prompts have to be equally long.

    The likeliest token each time, or with `sample` (a seed) one drawn from the model's distribution.
    """
    ids = torch.tensor([list(prompt) for prompt in prompts], device=runtime.device())
    begin, draw = ids.shape[1], None if sample is None else torch.Generator().manual_seed(sample)
    done = torch.zeros(len(prompts), dtype=torch.bool, device=ids.device)
    for _ in range(longest):
        logits = model(input_ids=ids).logits[:, -1]  # (prompts, vocab)
        if draw is None:
            chosen = logits.argmax(-1)
        else:
            chosen = torch.multinomial(logits.softmax(-1).cpu(), 1, generator=draw)[:, 0].to(ids.device)
        chosen = chosen.masked_fill(done, PAD)
        ids = torch.cat([ids, chosen[:, None]], 1)
        done |= chosen == END
        if done.all():
            break
    said = [row[begin:] for row in ids.tolist()]
    return [row[: row.index(END)] if END in row else row for row in said]
