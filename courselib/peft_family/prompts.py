"""Prompt tuning: a few vectors in front of the word vectors, and nothing else is trained.

    [p_1 ... p_k, E(x_1) ... E(x_n)]  ->  the frozen model        k d numbers

The vectors live where word vectors live, but need be no word's. Every layer sees k more positions, so a prompt takes room in the
context and time in every layer. P-tuning computes the same k vectors by a small network from k others: that changes how they
move while they are trained, not what they can be; afterwards the network is thrown away.

Papers: Lester et al. 2021, "The Power of Scale for Parameter-Efficient Prompt Tuning", arXiv:2104.08691; Liu et al. 2021, "GPT
Understands, Too" (P-tuning), arXiv:2103.10385.
"""

from __future__ import annotations

from types import SimpleNamespace

import torch
from torch import Tensor, nn


def prompt_parameters(length: int, width: int) -> int:
    """k d: (20, 768) -> 15,360."""
    return length * width


def p_tuning_parameters(length: int, width: int, hidden: int) -> int:
    """What P-tuning trains: k d vectors and a network of three layers, d -> hidden -> hidden -> d, with biases."""
    return length * width + (width * hidden + hidden) + (hidden * hidden + hidden) + (hidden * width + width)


class PromptNetwork(nn.Module):
    """P-tuning's network: k vectors of its own (k, d) through three linear layers with ReLU between them -> (k, d)."""

    def __init__(self, length: int, width: int, hidden: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(length, width)
        self.mlp_head = nn.Sequential(
            nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, width),
        )

    def forward(self) -> Tensor:
        return self.mlp_head(self.embedding.weight)  # (k, d)


class SoftPrompt(nn.Module):
    """A frozen model behind `length` trained vectors. `model(input_ids=(batch, n)).logits` is (batch, n, vocab).

    The logits of the prompt's own positions are cut off, so position i still predicts token i + 1. (peft leaves them on: its
    logits are `length` longer.) An encoder without a head has `last_hidden_state` (batch, n, d), cut likewise. The vectors
    start as those of words drawn at random, `start` = "words", or as normal noise with standard deviation 1, "noise", which is
    peft's own start. `hidden` above 0 computes them by a `PromptNetwork`.
    """

    def __init__(self, model: nn.Module, length: int, start: str = "words", hidden: int = 0) -> None:
        super().__init__()
        if length < 1:
            raise ValueError(f"The prompt has {length} vectors; it needs at least one.")
        if start not in ("words", "noise"):
            raise ValueError(f"A prompt starts from 'words' or from 'noise', not from {start!r}.")
        self.model = model.requires_grad_(False)
        words = model.get_input_embeddings().weight  # (vocab, d)
        self.network = PromptNetwork(length, words.shape[1], hidden).to(words.device) if hidden else None
        if not hidden:
            drawn = words[torch.randint(0, len(words), (length,), device=words.device)].detach().clone()
            self.prompt = nn.Parameter(drawn if start == "words" else torch.randn_like(drawn))  # (k, d)

    @property
    def vectors(self) -> Tensor:
        """The prompt as the model sees it, (k, d)."""
        return self.network() if self.network is not None else self.prompt

    @property
    def device(self) -> torch.device:
        return self.vectors.device

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> SimpleNamespace:
        prompt = self.vectors.expand(len(input_ids), -1, -1)  # (batch, k, d)
        words = self.model.get_input_embeddings()(input_ids)  # (batch, n, d)
        length = prompt.shape[1]
        if attention_mask is not None:
            attention_mask = torch.cat([attention_mask.new_ones(len(input_ids), length), attention_mask], 1)
        found = self.model(inputs_embeds=torch.cat([prompt, words], 1), attention_mask=attention_mask)
        name = "logits" if hasattr(found, "logits") else "last_hidden_state"
        return SimpleNamespace(**{name: found[name][:, length:]})  # (batch, n, vocab), or (batch, n, d)
