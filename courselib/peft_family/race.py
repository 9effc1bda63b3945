"""The fair race: one small language model, one new language a seed, every method with a rate of its own.

The model and the languages are those of chapter 08's `habits`: a Llama of two layers that speaks general prose, and texts with
the same words and other odds. All methods sit on all linear layers (prompt and prefix before the text), see the same batches, and
train equally many steps.

    put_in()      gives a copy of a model one of the METHODS
    learn_by()    one run: the loss in the new language, before and after
    SIZES, RATES  what each method was run with; the rates were chosen by `sweep` on seeds from 100 on

What this cannot tell: how a larger model fares. Prompt tuning in particular is said to come into its own with size (Lester et al.
2021).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from courselib.lab import runtime
from courselib.lab.data.windows import Windows
from courselib.lab.models import Pretrained
from courselib.lab.models.causal import next_token_loss
from courselib.lab.rates import falling_rate
from courselib.lab.training import fit
from courselib.lora import add_lora
from courselib.lora.habits import ATTENTION, MLP, Lesson, stream_loss
from courselib.lora.inject import lora_layers
from courselib.peft_family.adalora import add_adalora, orthogonality_penalty
from courselib.peft_family.allocation import Allocator
from courselib.peft_family.bottleneck import add_bottlenecks
from courselib.peft_family.dora import LinearDoRA
from courselib.peft_family.ia3 import LinearIA3
from courselib.peft_family.loraplus import loraplus_groups
from courselib.peft_family.prefix import Prefixed
from courselib.peft_family.prompts import SoftPrompt
from courselib.peft_family.putting import trained_count, wrap_linear
from courselib.peft_family.starts import start_pissa
from courselib.peft_family.vera import add_vera

LLAMA = ATTENTION + MLP
SIZES = {"LoRA": 8, "rsLoRA": 8, "LoRA+": 8, "PiSSA": 8, "DoRA": 8, "AdaLoRA": 12, "VeRA": 128, "adapter": 32, "prefix": 16,
         "prompt": 16, "(IA)³": 0, "full": 0, "full, no embeddings": 0}
METHODS = tuple(SIZES)
TARGET, ORTHOGONAL, RATIO = 8, 0.5, 16  # AdaLoRA ends with this mean rank; peft's penalty; LoRA+'s ratio
STEPS, BATCH, WINDOW, WARMUP = 40, 8, 48, 5


def put_in(model: nn.Module, method: str, size: int, targets: tuple[str, ...] = LLAMA,
           behind: tuple[str, ...] = ("o_proj", "down_proj")) -> nn.Module:
    """Gives a model the method, in place, and returns what is to be trained: the model, or a wrapper around it.

    `size` is the rank, the bottleneck, or the length. LoRA's scale is 1 at the rank given (alpha = rank), rsLoRA's √rank then,
    and AdaLoRA's 1 at its first rank.
    """
    if method not in METHODS:
        raise ValueError(f"There is no method {method!r}; there are {', '.join(METHODS)}.")
    if method in ("LoRA", "rsLoRA", "LoRA+", "PiSSA"):
        add_lora(model, targets, size, alpha=size, rslora=method == "rsLoRA")
        if method == "PiSSA":
            for _, layer in lora_layers(model):
                start_pissa(layer)
    elif method == "DoRA":
        wrap_linear(model, targets, lambda layer: LinearDoRA(layer, size, alpha=size))
    elif method == "AdaLoRA":
        add_adalora(model, targets, size, alpha=size)
    elif method == "VeRA":
        add_vera(model, targets, size)
    elif method == "(IA)³":
        wrap_linear(model, targets, LinearIA3)
    elif method == "adapter":
        add_bottlenecks(model, behind, size)
    elif method == "full, no embeddings":
        model.get_input_embeddings().requires_grad_(False)
    elif method == "prefix":
        return Prefixed(model, size)
    elif method == "prompt":
        return SoftPrompt(model, size)
    return model


def learn_by(
    start: Pretrained, method: str, drawn: Lesson, lr: float, *, size: int | None = None, steps: int = STEPS
) -> dict[str, Any]:
    """Teaches a copy of the model the new language by one method. The lesson's seed draws the batches and the method's start.

    Returns what was trained, and the losses in nats a token in the new language before and after, and in the old one after.
    """
    runtime.set_seed(drawn.seed)
    size = SIZES[method] if size is None else size
    model = put_in(copy.deepcopy(start.model), method, size)
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = loraplus_groups(model, lr, RATIO) if method == "LoRA+" else [{"params": trained, "lr": lr}]
    optimizer = torch.optim.AdamW(groups, lr=lr, weight_decay=0.0, fused=True)
    callbacks: list[Callable] = []
    loss = next_token_loss
    if method == "AdaLoRA":
        callbacks = [Allocator(model, min(TARGET, size - 1), steps, warmup=steps // 4, final=steps // 4)]

        def loss(model: nn.Module, batch: torch.Tensor) -> torch.Tensor:
            return next_token_loss(model, batch) + ORTHOGONAL * orthogonality_penalty(model)

    fit(model, Windows([drawn.train], [BATCH], WINDOW, drawn.seed), loss, optimizer, steps=steps, max_grad_norm=1.0,
        scheduler=falling_rate(optimizer, WARMUP, steps, 0.9), callbacks=callbacks, progress=False)
    return {"trained": trained_count(model), "before": drawn.new_before, "after": stream_loss(model, drawn.new),
            "old before": drawn.old_before, "old after": stream_loss(model, drawn.old)}
