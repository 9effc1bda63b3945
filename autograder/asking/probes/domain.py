"""Probes of the topic `domain`: a step of continued pretraining, carried out many times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from autograder.asking.probes.calling import call

WIDTH, WINDOWS, RATE, PRETRAINING = 12, 8, 0.03, 250


def adapt(answer: Callable, inputs: dict[str, Any]) -> Tensor:
    """Pretrains a small next-token model, and has `answer(model, optimizer, notes, general)` carry out every step after that.

    `inputs` are vocab, the texts `general` and `notes`, (windows, length) each, the number of `steps` and a seed. Returns the
    log-probability of each token after each other one when all is done: (vocab, vocab).
    """
    notes, general, vocab = inputs["notes"], inputs["general"], inputs["vocab"]
    draw = torch.Generator().manual_seed(inputs["seed"])

    def some(text: Tensor) -> Tensor:
        return text[torch.randint(len(text), (WINDOWS,), generator=draw)]  # (8, length)

    model = nn.Sequential(nn.Embedding(vocab, WIDTH), nn.Linear(WIDTH, vocab))
    with torch.no_grad():
        for weights in model.parameters():
            weights.copy_(torch.randn(weights.shape, generator=draw) / WIDTH**0.5)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    for _ in range(PRETRAINING):
        windows = some(general)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(windows[:, :-1]).transpose(1, 2), windows[:, 1:]).backward()
        optimizer.step()
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    for _ in range(inputs["steps"]):
        optimizer.zero_grad()
        call(answer, {"model": model, "optimizer": optimizer, "notes": some(notes), "general": some(general)})
    with torch.no_grad():
        return model(torch.arange(vocab)).log_softmax(-1)
