"""Probes of the topic `dreambooth`: a student's sampler at work, and a student's loss training a very small model.

The model of both is a mixture of Gaussians on a line. For it the best prediction of the noise is a formula.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from autograder.asking.probes.calling import call

PROMPTS = {"a ball": (1.0, 0.0), "a sks ball": (1.0, 1.0)}


def noise_in(x_t: Tensor, level: Tensor, log_weights: Tensor, means: Tensor, width: float) -> Tensor:
    """E[noise | x_t] where x_0 comes from the mixture. x_t (n,), level (n,) or a scalar. Returns (n,)."""
    level = torch.as_tensor(level, dtype=x_t.dtype).expand(x_t.shape)[:, None]
    variance = level * width**2 + 1 - level  # (n, 1), of x_t within a component
    off = x_t[:, None] - level.sqrt() * means  # (n, components)
    whose = (log_weights - off.square() / (2 * variance)).softmax(1)
    return (whose * off * (1 - level).sqrt() / variance).sum(1)


def draw(answer: Callable, inputs: dict[str, Any]) -> Any:
    """What the student's sampler makes of noise, with the exact prediction in the place of a network."""
    weights, means, width = inputs["weights"], inputs["means"], inputs["width"]

    def denoise(x_t: Any, level: Any) -> Tensor:
        x_t = torch.as_tensor(x_t, dtype=torch.float32)
        return noise_in(x_t, torch.as_tensor(level, dtype=torch.float32), weights.log(), means, width)

    torch.manual_seed(0)
    return call(answer, {"denoise": denoise, "x": inputs["x"].clone(), "alpha_bar": inputs["alpha_bar"].clone()})


def personalise(answer: Callable, inputs: dict[str, Any]) -> Tensor:
    """Trains the weights of the mixture with the student's loss, and returns them: (2, components), logits of noun and rare word.

    A prompt's mixture has the noun's logits, and with the rare word in it the rare word's logits on top.
    """
    logits = torch.stack([inputs["noun"], torch.zeros_like(inputs["noun"])]).requires_grad_()
    means, width, generator = inputs["means"], inputs["width"], torch.Generator().manual_seed(inputs["seed"])
    optimizer = torch.optim.Adam([logits], lr=inputs["lr"])
    torch.manual_seed(inputs["seed"])

    def denoise(x_t: Tensor, level: Tensor, prompt: str) -> Tensor:
        if prompt not in PROMPTS:
            raise ValueError(f"there is no prompt {prompt!r} here: the subject's is 'a sks ball', the class's 'a ball'")
        return noise_in(x_t, level, torch.tensor(PROMPTS[prompt]) @ logits, means, width)

    for _ in range(inputs["steps"]):
        rows = torch.randint(len(inputs["prior"]), (32,), generator=generator)
        loss = call(
            answer,
            {
                "denoise": denoise,
                "mine": inputs["mine"].clone(),
                "prior": inputs["prior"][rows],
                "alpha_bar": inputs["alpha_bar"].clone(),
                "lam": inputs["lam"],
            },
        )
        if not isinstance(loss, Tensor) or loss.numel() != 1 or not loss.requires_grad:
            raise ValueError(
                "return the loss as a tensor with one number that depends on what `denoise` returned: no .item(), no float()"
            )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return logits.detach()
