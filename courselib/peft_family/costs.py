"""What each method costs: numbers trained, bytes to keep, operations of a step, and time at inference, merged and not.

Numbers, bytes and operations are counted; time is measured, as the median of several passes in turn, and belongs to the machine.
Peak memory of a step is weights + gradients and moments of what is trained (16 bytes a trained number, 4 a frozen one) + what the
forward pass keeps.
"""

from __future__ import annotations

import copy
import statistics
import time
from typing import Any

import torch
from torch import Tensor, nn

from courselib.lora import merge
from courselib.lora.counting import adamw_memory
from courselib.lora.inject import lora_layers
from courselib.lora.spending import kept_bytes, step_flops
from courselib.peft_family.adalora import LinearAdaLoRA
from courselib.peft_family.dora import LinearDoRA
from courselib.peft_family.ia3 import LinearIA3
from courselib.peft_family.putting import replace_module, trained_count
from courselib.peft_family.vera import LinearVeRA

MERGE = (LinearDoRA, LinearAdaLoRA, LinearVeRA, LinearIA3)


@torch.no_grad()
def merged_copy(model: nn.Module) -> nn.Module:
    """A copy with everything merged into plain linear layers that can be; a prompt, a prefix or an adapter stays where it is."""
    model = copy.deepcopy(model)
    if lora_layers(model):
        merge(model)
        for path, layer in lora_layers(model):
            replace_module(model, path, layer.base_layer)
    for path, layer in [(path, layer) for path, layer in model.named_modules() if isinstance(layer, MERGE)]:
        base = layer.base_layer
        if isinstance(layer, LinearIA3):
            base = layer.merged_linear()
        elif isinstance(layer, LinearDoRA):
            base.weight.copy_(layer.adapted_weight())
        else:
            base.weight += layer.delta_weight()
        replace_module(model, path, base)
    return model


def counted(model: nn.Module, total: int, ids: Tensor) -> dict[str, Any]:
    """Of a model with a method in it, `total` weights before, and one batch (batch, n) of token ids: what a step costs, counted.

    "kept" and "memory" are bytes, "flops" of a forward and a backward pass.
    """

    def loss(model: nn.Module) -> Tensor:
        found = model(input_ids=ids)
        return (found.logits if hasattr(found, "logits") else found.last_hidden_state).square().mean()

    trained = trained_count(model)
    everything = total if trained == total else total + trained
    kept = kept_bytes(model, loss)
    return {"trained": trained, "share": trained / total, "file": 4 * trained, "kept": kept,
            "memory": adamw_memory(everything, trained) + kept, "flops": step_flops(model, loss)}


@torch.no_grad()
def seconds_of(models: dict[str, nn.Module], ids: Tensor, rounds: int = 5) -> dict[str, float]:
    """The median processor time of a forward pass of each model on ids (batch, n), in turn: all share the moods of the machine.

    Processor time, of all threads together: with one thread it is what a pass takes on a machine that does nothing else.
    """
    found: dict[str, list[float]] = {name: [] for name in models}
    for number in range(rounds + 1):
        for name, model in models.items():
            begun = time.process_time()
            model(input_ids=ids)
            if number:  # the first round warms up
                found[name].append(time.process_time() - begun)
    return {name: statistics.median(times) for name, times in found.items()}
