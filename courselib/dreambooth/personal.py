"""DreamBooth: four pictures of a subject, a rare word, and the model's own pictures of the class against forgetting.

loss = |noise - predicted|² for the subject's pictures with the prompt "a sks ball"
     + lam · the same for pictures that the model itself made for "a ball", before anything was trained

Each term has noise and time steps of its own. Ruiz et al. 2023, "DreamBooth: Fine Tuning Text-to-Image Diffusion Models for
Subject-Driven Generation", arXiv:2208.12242.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from courselib.dreambooth.noising import add_noise
from courselib.dreambooth.painter import Painter
from courselib.dreambooth.sampling import paint
from courselib.lab.rates import falling_rate
from courselib.lab.training import fit


def make_prompts(word: str, noun: str) -> tuple[str, str]:
    """The subject's prompt and the class's: ("a sks ball", "a ball"). Raises ValueError for anything but single words."""
    if any(len(part.split()) != 1 for part in (word, noun)):
        raise ValueError(f"one word each was expected, and {word!r}, {noun!r} came. The class is a noun the model knows.")
    return f"a {word} {noun}", f"a {noun}"


def make_prior(painter: Painter, prompt: str, count: int, seed: int = 0, steps: int = 20) -> Tensor:
    """Pictures of the class by the model as it is: (count, 3, H, W). Without guidance, which would make them more alike."""
    return paint(painter, [prompt] * count, steps, seed=seed)


def prior_preservation_loss(predicted: Tensor, noise: Tensor, prior_predicted: Tensor, prior_noise: Tensor, lam: float) -> Tensor:
    """The mean square of the subject's batch + lam times that of the prior's. The batches may differ in size."""
    return (predicted - noise).square().mean() + lam * (prior_predicted - prior_noise).square().mean()


@dataclass(frozen=True)
class Course:
    """What is trained on: latents (n, ...) and a prompt; the prior's or None; lam; how many pictures a step has of each."""

    latents: Tensor
    prompt: str
    prior: Tensor | None = None
    prior_prompt: str = ""
    lam: float = 1.0
    batch: int = 8
    shared_noise: bool = False  # one draw of noise and times for both terms: what not to do


def lessons(course: Course, seed: int) -> Iterable[tuple[Tensor, Tensor]]:
    """Endless batches for `fit`: the rows of the subject's pictures and of the prior's."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        turns = [torch.randperm(len(course.latents), generator=generator) for _ in range(-(-course.batch // len(course.latents)))]
        mine = torch.cat(turns)[: course.batch]
        theirs = torch.randint(len(course.prior) if course.prior is not None else 1, (len(mine),), generator=generator)
        yield mine, theirs


def personalise(
    base: Painter, course: Course, lr: float, steps: int, seed: int = 0, *, word_lr: float = 0.0,
    lora: dict | None = None, callbacks: Sequence[Callable] = (), progress: bool = False,
) -> Painter:  # fmt: skip
    """A copy of `base` that was trained on the course; `base` stays as it was. The rates fall to nothing in a straight line.

    The U-Net is trained, and at `word_lr` the table of word vectors, if that is not 0. With `lora` (arguments of peft's
    LoraConfig) only an adapter of the U-Net is, which diffusers' `add_adapter` puts in.
    """
    painter = base.copy()
    painter.text_encoder.requires_grad_(False)
    if lora is not None:
        from peft import LoraConfig

        torch.manual_seed(seed)
        painter.unet.requires_grad_(False)
        painter.unet.add_adapter(LoraConfig(**lora))
    groups = [{"params": [p for p in painter.unet.parameters() if p.requires_grad], "lr": lr}]
    if word_lr:
        words = painter.text_encoder.get_input_embeddings().requires_grad_(True)
        groups.append({"params": list(words.parameters()), "lr": word_lr})
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
    draws = torch.Generator().manual_seed(seed + 1)

    def loss(_: nn.Module, rows: tuple[Tensor, Tensor]) -> Tensor:
        return course_loss(painter, course, rows, draws)

    fit(
        nn.ModuleDict({"unet": painter.unet, "text_encoder": painter.text_encoder}), lessons(course, seed), loss, optimizer,
        steps=steps, scheduler=falling_rate(optimizer, 10, steps), max_grad_norm=1.0, callbacks=callbacks, progress=progress,
    )  # fmt: skip
    return painter


def course_loss(painter: Painter, course: Course, rows: tuple[Tensor, Tensor], generator: torch.Generator) -> Tensor:
    """The loss of one step, with or without the prior's term."""
    mine, theirs = rows
    parts = [(course.latents[mine], course.prompt)]
    if course.prior is not None:
        parts.append((course.prior[theirs], course.prior_prompt))
    x0 = torch.cat([latents for latents, _ in parts])
    count = len(mine) if course.shared_noise else len(x0)
    noise = torch.randn((count, *x0.shape[1:]), generator=generator).to(x0).repeat(len(x0) // count, 1, 1, 1)
    times = torch.randint(len(painter.alpha_bar), (count,), generator=generator).repeat(len(x0) // count)
    conditions = painter.encode([prompt for _, prompt in parts])
    conditions = torch.cat(
        [vectors.expand(len(latents), -1, -1) for vectors, (latents, _) in zip(conditions, parts, strict=True)]
    )
    noised = add_noise(x0, noise, painter.alpha_bar[times])
    predicted = painter.unet(noised, times.to(x0.device), conditions).sample
    if course.prior is None:
        return (predicted - noise).square().mean()
    (a, b), (c, d) = (t.split(len(mine)) for t in (predicted, noise))
    return prior_preservation_loss(a, c, b, d, course.lam)


def layer_changes(before: nn.Module, after: nn.Module) -> dict[str, float]:
    """How far each block has moved, as a share of its own size: sqrt(sum |change|² / sum |weight|²), by the name of the block."""
    moved: dict[str, list[float]] = {}
    for (name, old), new in zip(before.named_parameters(), after.parameters(), strict=True):
        block = ".".join(name.split(".")[:2]) if name.split(".")[0] in ("down_blocks", "up_blocks") else name.split(".")[0]
        sums = moved.setdefault(block, [0.0, 0.0])
        sums[0] += float((new - old).detach().square().sum())
        sums[1] += float(old.detach().square().sum())
    return {block: (change / size) ** 0.5 for block, (change, size) in moved.items()}
