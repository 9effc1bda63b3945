"""Instruction tuning of the course's causal model: conversations, batches, the loss, and the course's one loop.

Sources: InstructGPT (Ouyang et al. 2022, arXiv:2203.02155); before it FLAN (Wei et al. 2021, arXiv:2109.01652) and T0.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from courselib.instruction.chat import EncodedChat, encode_chat, messages_of
from courselib.instruction.loss import IGNORE_INDEX, response_labels
from courselib.lab import runtime
from courselib.lab.models.encoder import Pretrained
from courselib.lab.rates import falling_rate
from courselib.lab.training import fit

BATCH, WARMUP = 16, 10
RATES = {"response": 2e-3, "whole": 4e-3, "no end": 2e-3}  # the best of 1e-3 to 8e-3 on seed 100: "rates" in measurements
LEARNED = tuple(RATES)


class ChatBatch(NamedTuple):
    """Conversations side by side, padded on the right: all (batch, seq). `labels` are -100 where nothing is to be learned."""

    input_ids: Tensor
    attention_mask: Tensor
    labels: Tensor


def chat_batch(chats: Sequence[EncodedChat], pad: int, learned: str = "response", end: int | None = None) -> ChatBatch:
    """Pads conversations to the longest and gives them labels. Which tokens have one:

    "response" is what is right: what the assistant says, with the end of its turn. "whole" is every token but padding. "no end"
    is what happens where the end of the turn is also the padding token, and padding is masked by its id: the end, `end`, goes
    with it.

    Padding is masked by where it is, not by which token it is. Raises ValueError for another word.
    """
    if learned not in LEARNED:
        raise ValueError(f"What is to be learned is one of {', '.join(LEARNED)}, not {learned!r}.")
    width = max(len(chat.input_ids) for chat in chats)
    ids, real = torch.full((len(chats), width), pad), torch.zeros(len(chats), width, dtype=torch.long)
    said = torch.zeros_like(real)
    for row, chat in enumerate(chats):
        length = len(chat.input_ids)
        ids[row, :length], real[row, :length] = torch.tensor(chat.input_ids), 1
        said[row, :length] = torch.tensor(chat.assistant_mask)
    labels = response_labels(ids, real if learned == "whole" else said)
    if learned == "no end":
        labels = labels.masked_fill(ids == end, IGNORE_INDEX)
    return ChatBatch(ids, real, labels)


class ChatBatches:
    """Endless batches of `size` conversations, shuffled anew each time round; the order depends on the seed alone."""

    def __init__(self, chats: Sequence[EncodedChat], size: int, seed: int, make: Callable[[Sequence[EncodedChat]], ChatBatch]):
        self.chats, self.size, self.seed, self.make = list(chats), min(size, len(chats)), seed, make

    def __iter__(self) -> Iterator[ChatBatch]:
        rng, order = random.Random(self.seed), []
        while True:
            if len(order) < self.size:
                order = rng.sample(range(len(self.chats)), len(self.chats))
            chosen, order = order[: self.size], order[self.size :]
            yield self.make([self.chats[i] for i in chosen])


def chat_loss(model: nn.Module, batch: ChatBatch) -> Tensor:
    """`response_loss` of a batch, with one saving: only positions that predict a labelled token go through the output layer.

    For a vocabulary of 4,096 and a width of 128 that layer is the largest there is, and most positions are the user's.
    """
    ids, real, labels = (part.to(runtime.device()) for part in batch)
    hidden = model.model(input_ids=ids, attention_mask=real).last_hidden_state[:, :-1]  # (batch, seq - 1, hidden)
    counted = labels[:, 1:] != IGNORE_INDEX
    return F.cross_entropy(model.lm_head(hidden[counted]).float(), labels[:, 1:][counted])


def encode_pairs(tokenizer: Any, pairs: Sequence[tuple[str, str]], system: str | None = None) -> list[EncodedChat]:
    """Each instruction with its response as a conversation of one turn."""
    return [encode_chat(tokenizer, messages_of(instruction, response, system)) for instruction, response in pairs]


def instruct(
    pretrained: Pretrained, pairs: Sequence[tuple[str, str]], *, steps: int, seed: int, lr: float | None = None,
    batch: int = BATCH, learned: str = "response", callbacks: Sequence[Any] = (),
) -> list[float]:
    """Fine-tunes the model on pairs of instruction and response, in place, and returns the loss of every step. Without a rate
    it takes that of `RATES`.
    """
    model, tokenizer = pretrained
    lr = RATES[learned] if lr is None else lr
    chats = encode_pairs(tokenizer, pairs)
    end = tokenizer.convert_tokens_to_ids("<|end|>")
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=lr, fused=True)
    batches = ChatBatches(chats, batch, seed, lambda rows: chat_batch(rows, tokenizer.pad_token_id, learned, end))
    return fit(model, batches, chat_loss, optimizer, steps=steps, scheduler=falling_rate(optimizer, min(WARMUP, steps), steps),
               max_grad_norm=1.0, callbacks=callbacks, progress=False)


@torch.no_grad()
def held_out_loss(pretrained: Pretrained, pairs: Sequence[tuple[str, str]]) -> float:
    """The response's loss, in nats a token, on conversations that were not trained on."""
    batch = chat_batch(encode_pairs(pretrained.tokenizer, pairs), pretrained.tokenizer.pad_token_id)
    return float(chat_loss(pretrained.model, batch))
