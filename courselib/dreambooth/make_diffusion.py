"""Making the course's diffusion model again: `python -m courselib.dreambooth.make_diffusion`.

A text encoder and a U-Net learn pictures of the world of `courselib.dreambooth.pictures` together with their captions. The recipe
is resumable: it writes its state every `SAVE_EVERY` steps, and the same command goes on from there. What a step sees depends on
the step's number alone, so an interrupted run sees what an uninterrupted one would have seen.
"""

from __future__ import annotations

import csv
import json
import math
import platform
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from courselib.dreambooth import pictures as world
from courselib.dreambooth.painter import FOLDER, PATCH, Painter
from courselib.lab import runtime
from courselib.lab.training import Step, fit

SEED, STEPS, WARMUP, BATCH, PEAK = 0, 4500, 200, 32, 2e-3
SPAN, FALL = 7000, 1500  # the steps of the rate's half cosine, which is cut short: over the last 1500 it falls to nothing
SAVE_EVERY = 500
TOKENS, TEXT_WIDTH = 10, 32
T, BETAS = 1000, (0.00085, 0.012)  # Stable Diffusion's


def new_painter() -> Painter:
    """The model before training, with a tokenizer that knows the world's words."""
    from diffusers import DDPMScheduler, UNet2DConditionModel
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast

    vocabulary = {word: i for i, word in enumerate(("<start>", "<end>", "<unknown>", *world.WORDS))}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="<unknown>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=[("<start>", 0), ("<end>", 1)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<start>", eos_token="<end>", pad_token="<end>", unk_token="<unknown>",
        model_max_length=TOKENS,
    )  # fmt: skip
    text = CLIPTextConfig(
        vocab_size=len(vocabulary), hidden_size=TEXT_WIDTH, intermediate_size=4 * TEXT_WIDTH, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=TOKENS, bos_token_id=0, eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    unet = UNet2DConditionModel(
        sample_size=world.SIZE // PATCH, in_channels=3 * PATCH**2, out_channels=3 * PATCH**2, block_out_channels=(32, 64),
        layers_per_block=1, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), mid_block_type="UNetMidBlock2DCrossAttn",
        cross_attention_dim=TEXT_WIDTH, attention_head_dim=2, norm_num_groups=8,
    )  # fmt: skip
    scheduler = DDPMScheduler(num_train_timesteps=T, beta_start=BETAS[0], beta_end=BETAS[1], beta_schedule="scaled_linear")
    return Painter(unet, CLIPTextModel(text), tokenizer, scheduler)


class Lessons:
    """Batches for `fit`: (latents, captions, time steps, noise), each made from the number of its step."""

    def __init__(self, painter: Painter, done: int):
        self.painter, self.done, self.templates = painter, done, world.templates()

    def __iter__(self):
        step = self.done
        while True:
            rng, generator = np.random.default_rng((SEED, step)), torch.Generator().manual_seed(SEED * 10**6 + step)
            things = world.draw_things(BATCH, rng)
            shown = torch.stack([self.templates[thing.shape, thing.look, thing.place] for thing in things])
            latents = self.painter.to_latents(world.noisy(shown, generator))
            captions = [world.caption(thing, rng) for thing in things]
            times = torch.randint(T, (BATCH,), generator=generator)
            yield latents, captions, times, torch.randn(latents.shape, generator=generator)
            step += 1


def denoising_loss(painter: Painter, batch: tuple[Tensor, list[str], Tensor, Tensor]) -> Tensor:
    latents, captions, times, noise = batch
    noised = painter.scheduler.add_noise(latents, noise, times)
    predicted = painter.unet(noised, times, painter.encode(captions)).sample
    return (predicted - noise).square().mean()


def diffusion(folder: Path = FOLDER, steps: int = STEPS) -> None:
    """Train the model and write it to `folder`, in the Hub's layout, with its loss curve and a model card."""
    print(runtime.start(SEED))
    begun = time.process_time()
    folder.mkdir(parents=True, exist_ok=True)
    painter = new_painter()
    model = nn.ModuleDict({"unet": painter.unet, "text_encoder": painter.text_encoder})
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK, betas=(0.9, 0.99), weight_decay=0.01, fused=True)
    done, curve, spent = _resume(folder, model, optimizer)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: share_of_peak(done + step, steps))
    if done < steps:

        def keep(step: Step) -> None:
            curve.append(step.loss)
            if step.number % SAVE_EVERY == 0 or step.number == step.steps:
                _save_state(folder, model, optimizer, curve, spent + time.process_time() - begun)

        fit(model, Lessons(painter, done), lambda _, batch: denoising_loss(painter, batch), optimizer, steps=steps - done,
            scheduler=schedule, max_grad_norm=1.0, callbacks=[keep])  # fmt: skip
    for name in ("unet", "text_encoder", "tokenizer", "scheduler"):
        getattr(painter, name).save_pretrained(folder / name)
    _write_card(folder, painter, curve, spent + time.process_time() - begun)
    for leftover in folder.glob("state.*"):
        leftover.unlink()
    print(f"Written to {folder}.")


def share_of_peak(step: int, steps: int) -> float:
    """Share of the peak learning rate: linear warm-up, half a cosine over SPAN steps, over the last FALL a line to nothing."""
    cosine = 0.5 + 0.5 * math.cos(math.pi * min(1.0, max(0, step - WARMUP) / (SPAN - WARMUP)))
    return cosine * min(1.0, (step + 1) / WARMUP, (steps - step) / FALL)


def _save_state(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, curve: list[float], spent: float) -> None:
    """Model, moments and curve, each file written whole before it takes its place; the curve, which counts the steps, last."""
    moments = {f"{i}.{k}": v.contiguous() for i, s in optimizer.state_dict()["state"].items() for k, v in s.items()}
    for name, tensors in {"model": dict(model.state_dict()), "moments": moments}.items():
        save_file(tensors, folder / f"state.{name}.part")
        (folder / f"state.{name}.part").replace(folder / f"state.{name}.safetensors")
    (folder / "state.part").write_text(json.dumps({"curve": curve, "spent": spent}), encoding="utf-8")
    (folder / "state.part").replace(folder / "state.json")


def _resume(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[int, list[float], float]:
    """Puts back what `_save_state` wrote; returns the steps done, the curve and the seconds so far, or none of each."""
    if not (folder / "state.json").exists():
        return 0, [], 0.0
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    model.load_state_dict(load_file(folder / "state.model.safetensors"))
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in load_file(folder / "state.moments.safetensors").items():
        index, name = key.split(".")
        moments.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
    print(f"Going on from step {len(state['curve'])}.")
    return len(state["curve"]), state["curve"], state["spent"]


def _write_card(folder: Path, painter: Painter, curve: list[float], seconds: float) -> None:
    with (folder / "loss.csv").open("w", newline="", encoding="utf-8") as file:
        means = [(n + 50, f"{sum(curve[n : n + 50]) / 50:.4f}") for n in range(0, len(curve) - 49, 50)]
        csv.writer(file, lineterminator="\n").writerows([("step", "loss (mean of 50 steps)"), *means])
    count = {name: sum(p.numel() for p in getattr(painter, name).parameters()) for name in ("unet", "text_encoder")}
    card = CARD.format(
        unet=count["unet"], text=count["text_encoder"], loss=sum(curve[-500:]) / len(curve[-500:]),
        held_out=" and ".join(f"{colour} {shape}" for shape, colour in world.HELD_OUT),
        steps=len(curve), batch=BATCH, peak=PEAK, warmup=WARMUP, fall=FALL, seed=SEED, T=T, betas=BETAS,
        minutes=seconds / 60, machine=platform.machine(), threads=torch.get_num_threads(), torch=torch.__version__,
    )  # fmt: skip
    (folder / "README.md").write_text(card, encoding="utf-8")


CARD = """# The course's text-to-image diffusion model

A `UNet2DConditionModel` of {unet:,} parameters and a `CLIPTextModel` of {text:,}, for pictures of 16 by 16 pixels.
`python -m courselib.dreambooth.make_diffusion` makes it, and writes this card.

- **Data**: generated pictures of a ball, a box, a tent or a star, of one of four colours, solid or hollow, at one of 36
  places, with captions that name some of this (`courselib.dreambooth.pictures`). Never shown: {held_out}. Nothing else.
- **Recipe**: predicts the noise; {T} noise levels, betas from {betas[0]} to {betas[1]}, their roots equally spaced; AdamW,
  peak learning rate {peak}, {warmup} steps of warm-up, then a cosine, and a straight line to nothing over the last {fall};
  {steps} steps of {batch} pictures; a tenth of the captions empty; seed {seed}. The loss curve is in `loss.csv`; its last 500
  steps have a mean of {loss:.4f}.
- **Latents**: `torch.nn.functional.pixel_unshuffle(pictures, 2)`, 12 channels of 8 by 8; back with `pixel_shuffle`. Values
  from -1 to 1.
- **Made in** {minutes:.0f} minutes of processor time on {machine}, {threads} thread(s), torch {torch}.

Open it with diffusers and transformers alone: `UNet2DConditionModel.from_pretrained(folder, subfolder="unet")`, `CLIPTextModel`,
`AutoTokenizer` and `DDPMScheduler` likewise.

Use it for the course's experiments. It has seen sixteen-pixel shapes, and knows nothing else.
"""

if __name__ == "__main__":
    diffusion()
