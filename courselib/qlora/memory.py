"""Will it fit? The peak of a training step, itemised, from the shape of a model alone.

Five things lie in memory at the peak: the weights; what is trained, with its gradients and moments; what the forward pass keeps
for the backward pass; and what comes and goes. For a Llama (RMSNorm, rotary positions, gated MLP, an attention that keeps no
table of scores) the third is counted exactly here, tensor by tensor. With T = batch * length tokens, width d, inner width f,
width g of keys and values and h heads, one layer keeps for full fine-tuning in float32

    8 T d + 2 T g + 4 T f   numbers    (each norm: what it saw, what it made of it, its output; q, k, v, the heads' output;
                                        gate, up, silu(gate), their product)    and 2 T + T h small ones.

Frozen norms keep one T d less each. LoRA adds T r for each adapted matrix, and a copy of its B.

`course fits llama-7b --method qlora --card 24` prints it; in the place of a name stands a config.json as well.
Sources: Korthikanti et al. 2022, arXiv:2205.05198, count a GPT so; Dettmers et al. 2023, arXiv:2305.14314, for what QLoRA keeps.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from courselib.qlora.double import bits_for_each

METHODS = ("full", "lora", "qlora")
GB = 1e9


@dataclass(frozen=True)
class LlamaShape:
    """What of a Llama its memory depends on. `untied`: the output head is a matrix of its own."""

    vocabulary: int
    width: int
    inner: int
    layers: int
    heads: int
    kv_heads: int
    untied: bool = True

    @property
    def kv_width(self) -> int:
        return self.width // self.heads * self.kv_heads

    @property
    def matrices(self) -> list[tuple[int, int]]:
        """(d_out, d_in) of the linear layers of one block: q, k, v, o, gate, up, down."""
        d, g, f = self.width, self.kv_width, self.inner
        return [(d, d), (g, d), (g, d), (d, d), (f, d), (f, d), (d, f)]

    @property
    def linear(self) -> int:
        """Weights in the linear layers of all blocks: those that QLoRA quantises."""
        return self.layers * sum(a * b for a, b in self.matrices)

    @property
    def other(self) -> int:
        """Embeddings, head and norms."""
        return self.vocabulary * self.width * (1 + self.untied) + self.width * (2 * self.layers + 1)


SHAPES = {  # of public models
    "course": LlamaShape(4096, 128, 384, 6, 2, 2, untied=False),
    "tinyllama-1.1b": LlamaShape(32_000, 2048, 5632, 22, 32, 4),
    "llama-7b": LlamaShape(32_000, 4096, 11_008, 32, 32, 32),
    "llama-13b": LlamaShape(32_000, 5120, 13_824, 40, 40, 40),
    "llama-65b": LlamaShape(32_000, 8192, 22_016, 80, 64, 64),
    "llama-3-8b": LlamaShape(128_256, 4096, 14_336, 32, 32, 8),
}


@dataclass(frozen=True)
class Peak:
    """Bytes, by item. `gradients` and `activations` are never at their largest together, unless gradients are accumulated."""

    weights: float
    adapters: float
    optimiser: float
    gradients: float
    activations: float
    temporaries: float
    accumulated: bool

    @property
    def total(self) -> float:
        fixed, forward = self.weights + self.adapters + self.optimiser, self.activations + self.temporaries
        return fixed + (forward + self.gradients if self.accumulated else max(forward, self.gradients))

    def items(self) -> dict[str, float]:
        """GB of each item, in the order in which a bar would stack them; what is not there at the peak is left out."""
        hidden = () if self.accumulated else ("gradients",) if self.activations + self.temporaries > self.gradients else (
            "activations", "temporaries")
        names = ("weights", "adapters", "optimiser", "gradients", "activations", "temporaries")
        return {name: getattr(self, name) / GB for name in names if name not in hidden}


def shape_of(config: str | Path | Mapping[str, Any]) -> LlamaShape:
    """The shape by the name of a public model, from a config.json or its folder, or from a dict of Hugging Face's names.

    Raises ValueError for a name that is not in the table and no file, and for a config that lacks a number.
    """
    if isinstance(config, Mapping):
        try:
            heads = config["num_attention_heads"]
            return LlamaShape(
                config["vocab_size"], config["hidden_size"], config["intermediate_size"], config["num_hidden_layers"], heads,
                config.get("num_key_value_heads") or heads, not config.get("tie_word_embeddings", False),
            )
        except KeyError as error:
            raise ValueError(f"the config has no {error}; expected one of a Llama, with Hugging Face's names.") from None
    if str(config) in SHAPES:
        return SHAPES[str(config)]
    path = Path(config)
    path = path / "config.json" if path.is_dir() else path
    if not path.is_file():
        raise ValueError(f"{str(config)!r} is no config.json and none of {', '.join(SHAPES)}.")
    try:
        return shape_of(json.loads(path.read_text(encoding="utf-8")))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is no JSON ({error}); expected a model's config.json, as the Hub has it.") from None


def kept_by_layers(shape: LlamaShape, method: str, batch: int, length: int, rank: int, size: int) -> float:
    """Bytes that the blocks keep for the backward pass, at `size` bytes a number (4 or 2)."""
    T, d, g, f = batch * length, shape.width, shape.kv_width, shape.inner
    small = 4 * (2 * T + T * shape.heads)
    if method == "full":
        numbers = 2 * T * d * (4 + 2 * size) + size * (2 * T * d + 2 * T * g + 4 * T * f)  # a norm keeps what it saw in float32
    elif size == 4:
        numbers = 2 * T * d * 8 + 4 * (2 * T * d + 2 * T * g + 4 * T * f) + 4 * sum(rank * (T + out) for out, _ in shape.matrices)
    else:  # each adapter makes a float32 copy of what its matrix sees, and keeps that
        copies = 4 * T * sum(rank + d_in for _, d_in in shape.matrices)
        numbers = 2 * T * d * 4 + size * (2 * T * d + 2 * T * g + 3 * T * f) + copies
    numbers += small
    first = 0 if method == "full" else T * d * 4 + T * 4  # nothing below the first norm is trained: it keeps nothing
    return shape.layers * numbers - first


def peak_memory(
    shape: LlamaShape, method: str = "qlora", batch: int = 1, length: int = 512, *, rank: int = 16,
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
    each = weight_bytes if weight_bytes is not None else 4 if method == "full" else size
    T = batch * length
    weights = each * (shape.linear + shape.other)
    if method == "qlora":
        weights = bits_for_each(block_size, 256) / 8 * shape.linear + each * shape.other
    trained = shape.linear + shape.other if method == "full" else rank * shape.layers * sum(a + b for a, b in shape.matrices)
    kept = kept_by_layers(shape, method, batch, length, rank, size)
    if checkpointing:  # the input of every block; one block at a time is computed again
        kept = shape.layers * T * shape.width * size + kept / shape.layers
    head = T * shape.width * (4 + (2 * size if method == "full" else 0)) + 4 * batch * (length - 1) * shape.vocabulary
    logits = (8 + size) * T * shape.vocabulary  # the loss is float32: the logits twice, and a gradient of theirs
    dequantised = max(a * b for a, b in shape.matrices) * max(4, size) if method == "qlora" else 0
    return Peak(
        weights, 0 if method == "full" else 4 * trained, moments * trained, (each if method == "full" else 4) * trained,
        kept + head, max(logits, dequantised), accumulated,
    )


def plan_for(shape: LlamaShape, card: float, batch: int, length: int) -> list[tuple[str, float, bool]]:
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
