"""The shapes that the memory of a training step is foretold for: what one has to say of itself, a table, and a reader of configs.

    shape_of("llama-7b")    shape_of("path/of/a/config.json")    shape_of(model.config.to_dict())
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from courselib.qlora.bert_shape import BertShape, bert_shape
from courselib.qlora.llama_shape import LlamaShape, llama_shape


class Shape(Protocol):
    """What `memory` asks of a shape. The counts are bytes, and leave out what adapters keep.

    `full`: all is trained; else only adapters are. `size`: bytes of a number in the computation, 4 or 2.
    """

    @property
    def width(self) -> int: ...
    @property
    def layers(self) -> int: ...
    @property
    def matrices(self) -> list[tuple[int, int]]:
        """(d_out, d_in) of the linear layers of one block: those that get adapters, and that QLoRA quantises."""
    @property
    def linear(self) -> int:
        """Weights in the linear layers of all blocks."""
    @property
    def other(self) -> int:
        """How many weights are not in them."""
    def kept_by_blocks(self, full: bool, batch: int, length: int, size: int) -> float:
        """What all blocks keep for the backward pass."""
    def kept_outside(self, full: bool, batch: int, length: int, size: int) -> float:
        """What embeddings, head and loss keep."""
    def passing_at_the_loss(self, batch: int, length: int, size: int) -> float:
        """What comes and goes between forward and backward pass."""
    def passing_in_a_block(self, full: bool, batch: int, length: int, size: int) -> float:
        """What comes and goes in the last block, where the backward pass begins."""


READERS = {"llama": llama_shape, "mistral": llama_shape, "qwen2": llama_shape, "bert": bert_shape}  # by a config's model_type

SHAPES: dict[str, Shape] = {  # of public models; a BERT's head is a classifier of two classes
    "course": LlamaShape(4096, 128, 384, 6, 2, 2, untied=False),
    "bert-base": BertShape(30_522, 768, 3072, 12, 12),
    "bert-large": BertShape(30_522, 1024, 4096, 24, 16),
    "tinyllama-1.1b": LlamaShape(32_000, 2048, 5632, 22, 32, 4),
    "llama-7b": LlamaShape(32_000, 4096, 11_008, 32, 32, 32),
    "llama-13b": LlamaShape(32_000, 5120, 13_824, 40, 40, 40),
    "llama-65b": LlamaShape(32_000, 8192, 22_016, 80, 64, 64),
    "llama-3-8b": LlamaShape(128_256, 4096, 14_336, 32, 32, 8),
}


def shape_of(config: str | Path | Mapping[str, Any]) -> Shape:
    """The shape by the name of a public model, from a config.json or its folder, or from a dict of Hugging Face's names.

    Raises ValueError for a name that is not in the table and no file, for a model of another type, and for a config that lacks
    a number.
    """
    if isinstance(config, Mapping):
        kind = config.get("model_type")
        if kind not in READERS:
            raise ValueError(f"expected a config whose model_type is one of {', '.join(READERS)}; {kind!r} came, and what "
                             "its layers keep has not been counted here.")
        try:
            return READERS[kind](config)
        except KeyError as error:
            raise ValueError(f"the config has no {error}; expected one of a {kind}, with Hugging Face's names.") from None
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
