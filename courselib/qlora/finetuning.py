"""A small language model learns new habits on a base of four bits: QLoRA against LoRA, and what merging does to it.

The laboratory is chapter 08's (`courselib.lora.habits`): a Llama of two layers, general prose, and a new language with the same
words. The base is quantised before the adapters are put beside it; all else is the same.

    four_bit_start()   the same start with the blocks' matrices in four bits
    qlora_habits()     one seed: full, LoRA, QLoRA; and the three ways to merge
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from courselib.lab.models import Pretrained
from courselib.lora.habits import ATTENTION, MLP, WAYS, Lesson, learn_habits, lesson, stream_loss
from courselib.qlora.layer import quantize_model
from courselib.qlora.merging import WAYS_TO_MERGE, merged_model

QUANTISED = ATTENTION + MLP


def four_bit_start(start: Pretrained, levels: Tensor | None = None, block_size: int = 64, double: bool = True) -> Pretrained:
    """A copy of the model whose blocks' matrices have four bits; by default NF4 with double quantisation."""
    return Pretrained(quantize_model(copy.deepcopy(start.model), QUANTISED, block_size, double, levels), start.tokenizer)


@torch.no_grad()
def percent_right(model: nn.Module, stream: Tensor, width: int = 64) -> float:
    """The share of tokens, in percent, that the model holds for the likeliest, in windows of `width`."""
    model.eval()
    windows = stream[: len(stream) // width * width].view(-1, width).to(model.device)  # (windows, width)
    predicted = model(input_ids=windows).logits[:, :-1].argmax(-1)
    return 100 * (predicted == windows[:, 1:]).double().mean().item()


def new_language(model: nn.Module, drawn: Lesson) -> tuple[float, float]:
    """(loss in nats a token, tokens right in percent) on held-out text of the new language."""
    return stream_loss(model, drawn.new), percent_right(model, drawn.new)


def qlora_habits(start: Pretrained, quantised: Pretrained, seed: int, way: str = "all layers") -> dict[str, tuple[float, float]]:
    """Name -> (loss, percent right) in the new language: before, full, LoRA, QLoRA, and QLoRA's adapter merged in three ways.

    QLoRA takes LoRA's rank and rate. The same lesson, batches and first A for all.
    """
    drawn = lesson(start, seed)
    found = {"before": new_language(start.model, drawn), "before, 4 bits": new_language(quantised.model, drawn)}
    for name, begin, how in (("full", start, "full"), ("LoRA", start, way), ("QLoRA", quantised, way)):
        model = learn_habits(begin, WAYS[how], drawn).model
        found[name] = new_language(model, drawn)
    for merging in WAYS_TO_MERGE:
        found[merging] = new_language(merged_model(model, merging, start.model), drawn)
    return found
