"""A diffusion model small enough to see all of it: pictures are numbers, and what a prompt brings is a handful of weights.

A "ball" is a number near one of six places on a line. The model of a prompt is a mixture of Gaussians at these places; its
weights are a softmax of the noun's logits and, if the rare word stands before it, the rare word's on top. The best prediction of
the noise is then a formula, and drift and fidelity are read off the weights: nothing is sampled.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from courselib.dreambooth.looking import drift
from courselib.dreambooth.noising import add_noise
from courselib.dreambooth.personal import prior_preservation_loss
from courselib.lab.training import fit

SUBJECT, WIDTH = 5, 0.07
LEVELS = torch.linspace(0.98, 0.3, 40)


def mixture_noise(x_t: Tensor, level: Tensor, weights: Tensor, means: Tensor, width: float = WIDTH) -> Tensor:
    """E[noise | x_t] for x_0 from a mixture: (n,). x_t, level: (n,); weights (before the logarithm), means: (k,)."""
    level = level[:, None]
    variance = level * width**2 + 1 - level  # of x_t within a component, (n, 1)
    off = x_t[:, None] - level.sqrt() * means  # (n, k)
    whose = (weights.log() - off.square() / (2 * variance)).softmax(1)
    return (whose * off * (1 - level).sqrt() / variance).sum(1)


class LineModel(nn.Module):
    """`logits` (2, k): the noun's and the rare word's. `brings(rare)`: the weights of a prompt with or without it."""

    def __init__(self, noun: Tensor, means: Tensor):
        super().__init__()
        self.logits, self.means = nn.Parameter(torch.stack([noun, torch.zeros_like(noun)])), means

    def brings(self, rare: bool) -> Tensor:
        return (self.logits.sum(0) if rare else self.logits[0]).softmax(0)

    def forward(self, x_t: Tensor, level: Tensor, rare: bool) -> Tensor:
        return mixture_noise(x_t, level, self.brings(rare), self.means)


def line_world(seed: int) -> LineModel:
    """A model that knows five kinds of ball, each about as often, and the sixth, the subject's, hardly."""
    generator = torch.Generator().manual_seed(seed)
    noun = torch.cat([0.3 * torch.randn(5, generator=generator), torch.tensor([-4.0])])
    return LineModel(noun, torch.linspace(-1.5, 1.5, 6)[torch.randperm(6, generator=generator)])


def line_trial(seed: int, lam: float, steps: int = 150, batch: int = 32, lr: float = 0.1) -> tuple[float, float]:
    """(drift of the class's word in nats, share of the subject in its prompt) after DreamBooth with this λ; both exact."""
    model, generator = line_world(seed), torch.Generator().manual_seed(seed)
    before = model.brings(rare=False).detach().clone()
    mine = model.means[SUBJECT] + WIDTH * torch.randn(4, generator=generator)
    kinds = torch.multinomial(before, 256, replacement=True, generator=generator)
    prior = model.means[kinds] + WIDTH * torch.randn(256, generator=generator)

    def loss(model: nn.Module, _: None) -> Tensor:
        terms = []
        for clean, rare in ((mine.repeat(batch // 4), True), (prior[torch.randint(256, (batch,), generator=generator)], False)):
            level = LEVELS[torch.randint(len(LEVELS), (batch,), generator=generator)]
            noise = torch.randn(batch, generator=generator)
            terms += [model(add_noise(clean, noise, level), level, rare), noise]
        return prior_preservation_loss(*terms, lam)

    fit(model, [None], loss, torch.optim.Adam(model.parameters(), lr=lr), steps=steps, progress=False)
    with torch.no_grad():
        return drift(before, model.brings(rare=False)), float(model.brings(rare=True)[SUBJECT])
