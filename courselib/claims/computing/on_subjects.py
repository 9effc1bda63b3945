"""DreamBooth: its loss and the form of it, the prior's weight, and what an adapter adds to a network's output."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from courselib.claims.computed import Computed, computes
from courselib.lora.layer import LinearLoRA


def _alpha_bar(t: Tensor) -> Tensor:
    from diffusers import DDPMScheduler

    return DDPMScheduler(num_train_timesteps=1000).alphas_cumprod[t].double()


@computes("db-loss")
def _noise_or_picture() -> Computed:
    generator = torch.Generator().manual_seed(0)
    x0, noise, guess = (torch.randn(6, 16, generator=generator, dtype=torch.float64) for _ in range(3))
    abar = _alpha_bar(torch.tensor([10, 100, 300, 500, 700, 900]))[:, None]
    z = abar.sqrt() * x0 + (1 - abar).sqrt() * noise
    guess_x0 = (z - (1 - abar).sqrt() * guess) / abar.sqrt()
    weighted = abar / (1 - abar) * (guess_x0 - x0).square()
    apart = float(((guess - noise).square() - weighted).abs().max())
    weights = (abar / (1 - abar)).flatten()
    return Computed(apart < 1e-6, {"apart": apart, "weight at t 10": float(weights[0]), "weight at t 900": float(weights[-1])})


@computes("db-ppl")
def _two_halves_of_a_batch() -> Computed:
    generator = torch.Generator().manual_seed(0)
    predicted, noise = (torch.randn(4, 3, 8, 8, generator=generator) for _ in range(2))  # two of the subject, two of the class
    subject, prior = ((p - n).square().mean() for p, n in zip(predicted.chunk(2), noise.chunk(2), strict=True))
    weight = 0.7
    separate = (predicted[:2] - noise[:2]).square().mean() + weight * (predicted[2:] - noise[2:]).square().mean()
    apart = float((subject + weight * prior - separate).abs())
    return Computed(apart < 1e-6, {"apart": apart})


@computes("db-kl")
def _denoising_and_divergence() -> Computed:
    generator = torch.Generator().manual_seed(0)
    x0 = 0.6 + 0.8 * torch.randn(20_000, generator=generator, dtype=torch.float64)  # what the base model makes
    noise, abar = torch.randn(20_000, generator=generator, dtype=torch.float64), _alpha_bar(torch.tensor(300))
    z = abar.sqrt() * x0 + (1 - abar).sqrt() * noise
    means = torch.linspace(-0.4, 1.6, 41, dtype=torch.float64)
    variance = abar * 0.8**2 + 1 - abar  # of z; the right guess of the noise for a mean m is linear in z
    loss = [((1 - abar).sqrt() / variance * (z - abar.sqrt() * m) - noise).square().mean().item() for m in means]
    kl = (0.6 - means).square() / (2 * 0.8**2)
    best, least = float(means[torch.tensor(loss).argmin()]), float(means[kl.argmin()])
    return Computed(abs(best - least) < 0.06, {"mean with the least loss": best, "with the least divergence": least})


def _pulled(weight: float) -> tuple[float, float]:
    """Distances to what the subject and the prior ask for, after minimising their sum with that weight."""
    subject, prior = torch.tensor([1.0, 0.0]).double(), torch.tensor([0.0, 1.0]).double()
    theta = torch.zeros(2, dtype=torch.float64)
    for _ in range(2000):
        theta = theta - 0.4 / (1 + weight) * ((theta - subject) + weight * (theta - prior))
    return float((theta - subject).norm()), float((theta - prior).norm())


@computes("db-lam-lim")
def _limits_of_the_weight() -> Computed:
    (near_subject, _), (_, near_prior) = _pulled(1e-4), _pulled(1e4)
    figures = {"λ small, from the subject": near_subject, "λ large, from the prior": near_prior}
    return Computed(near_subject < 1e-3 and near_prior < 1e-3, figures)


@computes("db-lam-why")
def _size_of_the_class_set() -> Computed:
    torch.manual_seed(0)
    model = nn.Linear(8, 8)
    subject, prior = torch.randn(4, 8), torch.randn(200, 8)

    def gradient(rows: Tensor) -> float:
        return torch.autograd.grad((model(rows) - rows).square().mean(), model.weight)[0].norm().item()

    few = sum(gradient(subject[i : i + 1]) for i in range(4)) / 4
    many = sum(gradient(prior[i : i + 1]) for i in range(200)) / 200
    return Computed(many / few > 5, {"pictures, class over subject": 50.0, "pull of a step, class over subject": many / few})


@computes("db-batch")
def _in_turn_or_together() -> Computed:
    torch.manual_seed(0)
    rows, target = torch.randn(2, 8), torch.randn(2, 8)
    ends = {}
    for way in ("together", "in turn"):
        torch.manual_seed(1)
        model = nn.Linear(8, 8)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        for step in range(20):
            chosen = slice(None) if way == "together" else slice(step % 2, step % 2 + 1)
            optimizer.zero_grad()
            (model(rows[chosen]) - target[chosen]).square().mean().backward()
            optimizer.step()
        ends[way] = model.weight.detach()
    apart = float((ends["together"] - ends["in turn"]).norm() / ends["together"].norm())
    return Computed(apart < 1e-3, {"ends apart, relative": apart})


@computes("db-lora-add")
@torch.no_grad()
def _added_to_the_output() -> Computed:
    torch.manual_seed(0)
    first, second = (LinearLoRA(layer.double(), 2, 2) for layer in (nn.Linear(8, 16), nn.Linear(16, 8)))
    network, x, outputs = nn.Sequential(first, nn.Tanh(), second), torch.randn(64, 8, dtype=torch.float64), {}
    for layer in (first, second):
        nn.init.normal_(layer.lora_B["default"].weight)
    for name, on in {"base": (), "first": (first,), "second": (second,), "both": (first, second)}.items():
        for layer in (first, second):
            layer.set_adapter("default" if layer in on else None)
        outputs[name] = network(x)
    change = {name: output - outputs["base"] for name, output in outputs.items()}
    apart = float((change["both"] - change["first"] - change["second"]).norm() / change["both"].norm())
    return Computed(apart < 1e-6, {"not a sum, relative": apart})


@computes("chk-ppl")
def _noisy_picture_of_the_prior() -> Computed:
    generator = torch.Generator().manual_seed(0)
    x, x_prior, noise, noise_prior = (torch.randn(4000, 8, generator=generator, dtype=torch.float64) for _ in range(4))
    abar = 0.5
    z, z_prior = (abar**0.5 * picture + (1 - abar) ** 0.5 * e for picture, e in ((x, noise), (x_prior, noise_prior)))
    right, said = (  # the least error with which a linear network can guess the prior's noise
        (rows @ torch.linalg.lstsq(rows, noise_prior).solution - noise_prior).square().mean().item() for rows in (z_prior, z))
    return Computed(abs(right - said) < 0.01, {"from the prior's own z": right, "from the subject's z": said})
