"""A text-to-image diffusion model in the parts that every one of them has, and how to load one.

    tokenizer, text_encoder   a prompt becomes vectors, (tokens, width)
    to_latents, to_pictures   pictures become what is noised, and back: in Stable Diffusion an autoencoder that was trained; in
                              the course's model a rearrangement: the four pixels of each 2 by 2 square in one place
    unet                      sees noised latents, the time step, and the prompt's vectors; says which noise is in them
    scheduler                 holds the noise levels

Rombach et al. 2022, "High-Resolution Image Synthesis with Latent Diffusion Models", arXiv:2112.10752.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from courselib.lab import runtime

FOLDER = Path(__file__).parent / "weights"
PATCH = 2  # pixels of the course's model that stand in one place, along each side


@dataclass(frozen=True)
class Painter:
    """The parts. `vae` is None where latents are pixels rearranged. `alpha_bar` (T,) are the scheduler's."""

    unet: nn.Module
    text_encoder: nn.Module
    tokenizer: Any
    scheduler: Any
    vae: Any = None

    @property
    def alpha_bar(self) -> Tensor:
        return self.scheduler.alphas_cumprod

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of what is noised."""
        side = self.unet.config.sample_size
        return self.unet.config.in_channels, side, side

    @property
    def picture_size(self) -> int:
        """Pixels of a picture's side."""
        return self.unet.config.sample_size * (PATCH if self.vae is None else 2 ** (len(self.vae.config.block_out_channels) - 1))

    def encode(self, prompts: Sequence[str]) -> Tensor:
        """The prompts as vectors: (prompts, tokens, width). Padded to the tokenizer's length, as Stable Diffusion's are."""
        ids = self.tokenizer(
            list(prompts), padding="max_length", max_length=self.tokenizer.model_max_length, truncation=True, return_tensors="pt"
        ).input_ids
        return self.text_encoder(ids.to(next(self.text_encoder.parameters()).device)).last_hidden_state

    @torch.no_grad()
    def to_latents(self, pictures: Tensor) -> Tensor:
        """(n, 3, H, W) from -1 to 1 -> latents (n, channels, h, w)."""
        if self.vae is None:
            return nn.functional.pixel_unshuffle(pictures, PATCH)
        return self.vae.encode(pictures).latent_dist.mean * self.vae.config.scaling_factor

    @torch.no_grad()
    def to_pictures(self, latents: Tensor) -> Tensor:
        """Latents (n, channels, h, w) -> (n, 3, H, W) from -1 to 1."""
        found = (
            nn.functional.pixel_shuffle(latents, PATCH)
            if self.vae is None
            else self.vae.decode(latents / self.vae.config.scaling_factor).sample
        )
        return found.clamp(-1, 1)

    def copy(self) -> Painter:
        """One with networks of its own to train; the rest is shared."""
        return replace(self, unet=copy.deepcopy(self.unet), text_encoder=copy.deepcopy(self.text_encoder))


def load_painter(source: str | Path | None = None) -> Painter:
    """The course's own diffusion model; at COURSE_SCALE=hub the one in the folder (or of the Hub name) COURSE_DIFFUSION.

    `source` is a folder in the Hub's layout, with subfolders unet, text_encoder, tokenizer, scheduler and, for a latent
    model, vae. In eval mode, on the course's device. Raises ValueError at hub scale when no model is named, and for one whose
    network does not predict the noise.
    """
    from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
    from transformers import AutoTokenizer, CLIPTextModel

    if source is None and runtime.scale() == "hub":
        source = os.environ.get("COURSE_DIFFUSION")
        if not source:
            raise ValueError("At COURSE_SCALE=hub set COURSE_DIFFUSION to the folder or Hub name of a Stable Diffusion model.")
    source = str(source or FOLDER)
    scheduler = DDPMScheduler.from_pretrained(source, subfolder="scheduler")
    if scheduler.config.prediction_type != "epsilon":
        kind = scheduler.config.prediction_type
        raise ValueError(
            f"This model predicts {kind!r}; the chapter trains models that predict the noise. Try Stable Diffusion 1.5."
        )
    vae = (
        AutoencoderKL.from_pretrained(source, subfolder="vae")
        if (Path(source) / "vae").is_dir() or not Path(source).is_dir()
        else None
    )
    painter = Painter(
        UNet2DConditionModel.from_pretrained(source, subfolder="unet"),
        CLIPTextModel.from_pretrained(source, subfolder="text_encoder"),
        AutoTokenizer.from_pretrained(source, subfolder="tokenizer"),
        scheduler, vae,
    )  # fmt: skip
    for part in (painter.unet, painter.text_encoder, *([vae] if vae else [])):
        part.to(runtime.device()).eval()
    return painter
