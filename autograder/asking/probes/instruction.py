"""Probes of the topic `instruction`: a step of fine-tuning that is taken many times, and a choice of examples that is trained
on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from autograder.asking.probes.calling import call


class WindowReader(nn.Module):
    """A causal model that sees two tokens: the one at its position and the one before. (batch, seq) -> (batch, seq, vocab)."""

    def __init__(self, vocab: int, width: int = 24):
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        self.read = nn.Sequential(nn.Linear(2 * width, 3 * width), nn.ReLU(), nn.Linear(3 * width, vocab))

    def forward(self, input_ids: Tensor) -> Tensor:
        seen = self.embed(input_ids)  # (batch, seq, width)
        before = torch.cat([torch.zeros_like(seen[:, :1]), seen[:, :-1]], dim=1)
        return self.read(torch.cat([before, seen], dim=-1))


def fine_tune(answer: Callable, inputs: dict[str, Any]) -> Tensor:
    """Takes `answer(model, optimizer, input_ids, assistant_mask)` as the step, once for each batch, and asks the model.

    `inputs` are input_ids and assistant_masks (steps, batch, seq), vocab, seed, lr, and prompts (n, seq) that end where the
    assistant begins. Returns what the model says after each prompt, likeliest token by token: (n, 3).
    """
    ids, masks, prompts = (torch.as_tensor(inputs[name]) for name in ("input_ids", "assistant_masks", "prompts"))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(inputs["seed"]))
        model = WindowReader(int(inputs["vocab"]))
    optimizer = torch.optim.SGD(model.parameters(), lr=float(inputs["lr"]), momentum=0.9)
    for batch, mask in zip(ids, masks, strict=True):
        call(answer, {"model": model, "optimizer": optimizer, "input_ids": batch.clone(), "assistant_mask": mask.clone()})
    with torch.no_grad():
        for _ in range(3):
            prompts = torch.cat([prompts, model(prompts)[:, -1].argmax(-1, keepdim=True)], dim=1)
    return prompts[:, -3:]


def fine_tune_on_choice(answer: Callable, inputs: dict[str, Any]) -> Tensor:
    """Asks `answer(kinds, quality, budget)` for examples, trains one reader a kind on them, and returns what they say of the
    test.

    `inputs` beside those three are x (n, d) and y (n,), the examples with the responses that they came with, ±1; test_x (m, d)
    and test_kinds (m,). A reader is linear, by ridge regression. A kind without an example says 0. Returns (m,).
    """
    kinds, x, y = (torch.as_tensor(inputs[name]) for name in ("kinds", "x", "y"))
    asked = {"kinds": list(inputs["kinds"]), "quality": list(inputs["quality"]), "budget": inputs["budget"]}
    chosen = [int(i) for i in call(answer, asked)]
    if len(chosen) > inputs["budget"]:
        raise ValueError(f"{len(chosen)} examples were chosen, and the budget is {inputs['budget']}")
    if len(set(chosen)) < len(chosen) or any(not 0 <= i < len(kinds) for i in chosen):
        raise ValueError("the same example was chosen twice, or one that is not there")
    test_x, test_kinds = torch.as_tensor(inputs["test_x"]), torch.as_tensor(inputs["test_kinds"])
    said = torch.zeros(len(test_x))
    for kind in set(kinds.tolist()):
        mine = torch.tensor([i for i in chosen if int(kinds[i]) == kind], dtype=torch.long)
        if len(mine):
            a = x[mine]
            weights = torch.linalg.solve(a.T @ a + 0.5 * torch.eye(a.shape[1]), a.T @ y[mine])
            said[test_kinds == kind] = torch.sign(test_x[test_kinds == kind] @ weights)
    return said
