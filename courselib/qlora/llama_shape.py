"""A Llama as far as its memory goes: its matrices, and what its forward pass keeps for the backward pass, tensor by tensor.

RMSNorm, rotary positions, a gated MLP, an attention that keeps no table of scores: a Mistral and, but for some biases, a Qwen2
are built so as well. With T = batch * length tokens, width d, inner
width f, width g of keys and values and h heads, one block keeps for full fine-tuning in float32

    8 T d + 2 T g + 4 T f   numbers    (each norm: what it saw, what it made of it, its output; q, k, v, the heads' output;
                                        gate, up, silu(gate), their product)    and 2 T + T h small ones.

Frozen norms keep one T d less each; what adapters keep beside it is the same for every shape (`memory.kept_by_adapters`).
Source: Korthikanti et al. 2022, arXiv:2205.05198, count a GPT so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class LlamaShape:
    """What of a Llama its memory depends on. `untied`: the output head is a matrix of its own. See `shapes.Shape`."""

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
        """Weights in embeddings, head and norms."""
        return self.vocabulary * self.width * (1 + self.untied) + self.width * (2 * self.layers + 1)

    def kept_by_blocks(self, full: bool, batch: int, length: int, size: int) -> float:
        """Bytes that all blocks keep, adapters left out."""
        T, d, g, f = batch * length, self.width, self.kv_width, self.inner
        if full:
            numbers = 2 * T * d * (4 + 2 * size) + size * (2 * T * d + 2 * T * g + 4 * T * f)  # a norm sees float32
        elif size == 4:
            numbers = 2 * T * d * 8 + 4 * (2 * T * d + 2 * T * g + 4 * T * f)
        else:  # a frozen matrix keeps nothing, and a float32 adapter keeps a copy of its own
            numbers = 2 * T * d * 4 + size * (2 * T * d + 2 * T * g + 3 * T * f)
        first = 0 if full else T * d * 4 + T * 4  # nothing below the first norm is trained: it keeps nothing
        return self.layers * (numbers + 4 * (2 * T + T * self.heads)) - first

    def kept_outside(self, full: bool, batch: int, length: int, size: int) -> float:
        """Bytes that the last norm, the head and the loss keep; the loss is float32."""
        T, d = batch * length, self.width
        return T * d * (4 + (2 * size if full else 0)) + 4 * batch * (length - 1) * self.vocabulary

    def passing_at_the_loss(self, batch: int, length: int, size: int) -> float:
        """Bytes of two gradients as large as the logits, in float32 as the loss is."""
        return 8 * batch * length * self.vocabulary

    def passing_in_a_block(self, full: bool, batch: int, length: int, size: int) -> float:
        """Bytes of three gradients of the inner width; an adapter makes them in float32."""
        return 3 * (size if full else 4) * batch * length * self.inner


def llama_shape(config: Mapping[str, Any]) -> LlamaShape:
    """From a dict of Hugging Face's names; KeyError where one is missing, ValueError for heads of another width than d / h."""
    heads, width = config["num_attention_heads"], config["hidden_size"]
    if (config.get("head_dim") or width // heads) != width // heads:
        raise ValueError(f"expected heads of {width // heads} numbers, {width} / {heads}; the config's head_dim is "
                         f"{config['head_dim']}. Such a model has not been counted here.")
    return LlamaShape(
        config["vocab_size"], width, config["intermediate_size"], config["num_hidden_layers"], heads,
        config.get("num_key_value_heads") or heads, not config.get("tie_word_embeddings", False),
    )
