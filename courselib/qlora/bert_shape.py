"""A BERT as far as its memory goes: its matrices, and what its forward pass keeps for the backward pass, tensor by tensor.

LayerNorm behind each half of a block, GELU, dropout, no gate. With T = batch * length tokens, width d, inner width f and h heads,
one block keeps for full fine-tuning, on a GPU,

    8 T d + 2 T f   numbers    (q, k, v, the heads' output; of each LayerNorm what it saw, and its output, which matrices saw;
                                what GELU saw, and its output)
    2 T d           bytes      (a mask for each of the two dropouts)    and 4 T + T h float32 ones, for norms and attention.

Frozen, in 16 bits, no matrix keeps what it saw: 6 T d + T f are left, and each adapter keeps a copy (`memory.kept_by_adapters`).

Attention is torch's `scaled_dot_product_attention`, transformers' default. On a GPU it keeps no table of scores, dropout or not.
On a CPU, with dropout, it does: 3 h batch length² float32 numbers a block, and masks are as large as what they mask. That is
`fused=False`. A padding mask, not counted, adds batch length² numbers a block.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class BertShape:
    """What of a BERT its memory depends on. See `shapes.Shape`.

    `classes`: of the classifier behind the pooler; None stands for the head that foretells masked words, tied to the embeddings.
    `dropout`: whether there is any. `fused`: a GPU's kernels; False: a CPU's.
    """

    vocabulary: int
    width: int
    inner: int
    layers: int
    heads: int
    positions: int = 512
    classes: int | None = 2
    dropout: bool = True
    fused: bool = True

    @property
    def matrices(self) -> list[tuple[int, int]]:
        """(d_out, d_in) of the linear layers of one block: query, key, value, the attention's output, up, down."""
        d, f = self.width, self.inner
        return [(d, d), (d, d), (d, d), (d, d), (f, d), (d, f)]

    @property
    def linear(self) -> int:
        """Weights in the linear layers of all blocks: those that QLoRA quantises."""
        return self.layers * sum(a * b for a, b in self.matrices)

    @property
    def other(self) -> int:
        """Weights in embeddings (words, positions, two segments), norms, biases and head."""
        d = self.width
        head = (d + 1) * (d + self.classes) if self.classes is not None else (d + 1) * d + 2 * d + self.vocabulary
        return d * (self.vocabulary + self.positions + 2 + 2) + self.layers * (9 * d + self.inner) + head

    def kept_by_blocks(self, full: bool, batch: int, length: int, size: int) -> float:
        """Bytes that all blocks keep, adapters left out. ValueError for a text that is longer than there are positions."""
        if length > self.positions:
            raise ValueError(f"expected texts of at most {self.positions} tokens, as this BERT has positions; {length} came.")
        T, d, f = batch * length, self.width, self.inner
        seen = full or size == 4  # what a matrix saw is kept by it, or else by a float32 adapter as it is
        norms = 2 * (size * T * d + self._statistics(T, size) + self._mask(T, size)) + seen * 2 * size * T * d
        if self.dropout and not self.fused:  # q, k, v and a table of scores, of masks, and of their product, all float32
            attention = 4 * (3 * T * d + 3 * self.heads * T * length) + seen * size * T * d
        else:
            attention = size * 4 * T * d + 4 * T * self.heads
        return self.layers * (norms + attention + size * T * f * (1 + seen))

    def kept_outside(self, full: bool, batch: int, length: int, size: int) -> float:
        """Bytes that embeddings, head and loss keep: of masked words a table, T times vocabulary; of classes next to nothing."""
        T, d = batch * length, self.width
        embeddings = size * T * d + self._statistics(T, size) + self._mask(T, size) if full else 0
        if self.classes is not None:
            return embeddings + full * size * T * d  # the pooler needs each text's first state, and holds all of them
        return embeddings + (4 if full else 2) * size * T * d + self._statistics(T, size) + size * T * self.vocabulary

    def passing_at_the_loss(self, batch: int, length: int, size: int) -> float:
        """Bytes of two gradients as large as the table of words; classes take next to nothing."""
        return 0 if self.classes is not None else 2 * size * batch * length * self.vocabulary

    def passing_in_a_block(self, full: bool, batch: int, length: int, size: int) -> float:
        """Bytes of two gradients of the inner width; an adapter makes them in float32."""
        return 2 * (size if full else 4) * batch * length * self.inner

    def _statistics(self, T: int, size: int) -> int:
        return 2 * T * (4 if self.fused else size)  # mean and deviation of each token; float32 on a GPU

    def _mask(self, T: int, size: int) -> int:
        return self.dropout * T * self.width * (1 if self.fused else size)


def bert_shape(config: Mapping[str, Any]) -> BertShape:
    """From a dict of Hugging Face's names; KeyError where one is missing.

    `architectures` says which head it is: for masked words, which also stands for that of pretraining, or else a classifier.
    """
    words = any("MaskedLM" in name or "PreTraining" in name for name in config.get("architectures") or ())
    dropout = config.get("hidden_dropout_prob", 0.1) > 0 or config.get("attention_probs_dropout_prob", 0.1) > 0
    return BertShape(
        config["vocab_size"], config["hidden_size"], config["intermediate_size"], config["num_hidden_layers"],
        config["num_attention_heads"], config.get("max_position_embeddings", 512),
        None if words else len(config.get("id2label") or (0, 1)), dropout,
    )
