"""Will it fit? The peak of a training step, itemised, from the shape of a model alone.

Four things lie in memory at the peak: the weights; what is trained, with its gradients and moments; what the forward pass keeps
for the backward pass; and what comes and goes. The third is counted exactly, tensor by tensor, for a Llama (`llama_shape`) and
for a BERT (`bert_shape`); what every shape has in common is here. With T tokens and rank r LoRA adds T r numbers for each adapted
matrix, and a copy of its B; in 16 bits, in place of that, a float32 copy of what the matrix sees. The peak is at one of four
moments of the step: after the forward pass, in the block that goes backward first, in the one that goes last, or when all
gradients are there.

`course fits llama-7b --method qlora --card 24` prints it, `course fits bert-base --method full --card 8` too; in the place of a
name stands a config.json as well.
Sources: Korthikanti et al. 2022, arXiv:2205.05198, count a GPT so; Dettmers et al. 2023, arXiv:2305.14314, for what QLoRA keeps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from courselib.qlora.double import bits_for_each
from courselib.qlora.shapes import Shape

METHODS = ("full", "lora", "qlora")
GB = 1e9


@dataclass(frozen=True)
class Peak:
    """Bytes of each item that are there at the peak: 0 for what has gone by then, or is not there yet."""

    weights: float
    adapters: float
    optimiser: float
    gradients: float
    activations: float
    temporaries: float

    @property
    def total(self) -> float:
        return sum(vars(self).values())

    def items(self) -> dict[str, float]:
        """GB of each item that is there, in the order in which a bar would stack them."""
        return {name: held / GB for name, held in vars(self).items() if held}


def kept_by_adapters(shape: Shape, tokens: int, rank: int, size: int) -> float:
    """Bytes that the float32 adapters of one block keep, beside what its matrices saw."""
    if size == 4:
        return 4 * sum(rank * (tokens + out) for out, _ in shape.matrices)
    return 4 * tokens * sum(rank + d_in for _, d_in in shape.matrices)  # each makes a float32 copy of what its matrix sees


def kept_by_layers(shape: Shape, method: str, batch: int, length: int, rank: int, size: int) -> float:
    """Bytes that the blocks keep for the backward pass, at `size` bytes a number (4 or 2)."""
    adapters = 0 if method == "full" else shape.layers * kept_by_adapters(shape, batch * length, rank, size)
    return shape.kept_by_blocks(method == "full", batch, length, size) + adapters


def peak_memory(
    shape: Shape, method: str = "qlora", batch: int = 1, length: int = 512, *, rank: int = 16,
    weight_bytes: float | None = None, size: int = 2, checkpointing: bool = False, accumulated: bool = False, moments: int = 8,
    block_size: int = 64,
) -> Peak:
    """The peak of a training step with AdamW, LoRA on every linear layer of the blocks.

    `size`: bytes of a number in the computation. `weight_bytes`: of a weight that is not quantised; if None, 4 for full
    fine-tuning and `size` otherwise. `moments`: bytes of both moments, 8 or, with an 8-bit optimiser, 2. Adapters are float32 and
    compute in float32, as here and in peft without autocast. Raises ValueError for an unknown method.
    """
    if method not in METHODS:
        raise ValueError(f"expected a method of {', '.join(METHODS)}; {method!r} came.")
    full = method == "full"
    each = weight_bytes if weight_bytes is not None else 4 if full else size
    weights = each * (shape.linear + shape.other)
    if method == "qlora":
        weights = bits_for_each(block_size, 256) / 8 * shape.linear + each * shape.other
    trained = shape.linear + shape.other if full else rank * shape.layers * sum(a + b for a, b in shape.matrices)
    gradients = (each if full else 4) * trained
    blocks = kept_by_layers(shape, method, batch, length, rank, size)
    block = blocks / shape.layers
    dequantised = max(a * b for a, b in shape.matrices) * (4 if size == 4 else 4 + size) if method == "qlora" else 0
    passing = max(shape.passing_in_a_block(full, batch, length, size), dequantised)
    inputs = shape.layers * batch * length * shape.width * size  # all that checkpointing keeps, until a block is computed again
    before = gradients if accumulated else 0.0  # from the batches before
    above = gradients * (shape.linear / (shape.linear + shape.other) if full else 1) * (1 - 1 / shape.layers)
    times = (  # gradients, activations, temporaries
        (before, (inputs if checkpointing else blocks) + shape.kept_outside(full, batch, length, size),
         shape.passing_at_the_loss(batch, length, size)),  # after the forward pass
        (before, inputs + block if checkpointing else blocks, passing),  # in the last block, which goes backward first
        (max(before, above), block, passing),  # in the first one
        (gradients, 0, 0),  # when all is done
    )  # fmt: skip
    return Peak(weights, 0 if full else 4 * trained, moments * trained, *max(times, key=sum))


def plan_for(shape: Shape, card: float, batch: int, length: int) -> list[tuple[str, float, bool]]:
    """Steps from the most comfortable way to the most frugal, up to the first that fits: (what, GB at the peak, fits).

    `card` in GB. Each step keeps those before it; the order is that of what a step costs: first memory that only time pays for
    (checkpointing, accumulation), then what is trained, then the weights' bits.
    """
    ways: list[tuple[str, dict[str, Any]]] = [
        ("full fine-tuning", {"method": "full"}),
        ("LoRA, 16-bit base", {"method": "lora"}),
        ("… and checkpointing", {"method": "lora", "checkpointing": True}),
        ("… and one text at a time, accumulated", {"method": "lora", "checkpointing": True, "batch": 1, "accumulated": True}),
        ("QLoRA, with both", {"method": "qlora", "checkpointing": True, "batch": 1, "accumulated": True}),
    ]
    found = []
    for name, options in ways:
        total = peak_memory(shape, **({"batch": batch, "length": length} | options)).total / GB
        found.append((name, total, total <= card))
        if total <= card:
            break
    return found
