"""The stages after pretraining, on two axes: what the loss is, and which parameters move.

You may meet one list, "continued pretraining, instruction tuning, preferences, PEFT", as if the last were a fourth stage. It is
not: it answers another question. Each objective can be minimised over all parameters, theta, or over a few new ones, phi:

    full:  min over theta of L(theta)          PEFT:  min over phi of L(theta_0, phi), theta_0 frozen
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from courselib.lab.models.encoder import Pretrained
from courselib.lora import add_lora, trainable_report

LINEAR_LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class Objective:
    """A stage: what it reads, which tokens count, what it is minimised for, and amounts of data as reported."""

    name: str
    reads: str
    loss: str
    reported: str


OBJECTIVES = (
    Objective("continued pretraining", "text of a domain", "every token", "gigabytes to terabytes of text"),
    Objective("instruction tuning", "conversations", "the assistant's tokens", "13,000 (InstructGPT) to millions of "
    "conversations"),
    Objective("preferences", "pairs of answers", "a pair at a time (chapter 07)", "33,000 prompts for InstructGPT's reward "
    "model"),
)
TRAINED = {"full": "all weights", "LoRA": "two thin matrices a layer (chapter 08)", "QLoRA": "the same, on a base of 4 bits "
"(chapter 10)"}


def prepared(pretrained: Pretrained, trained: str, rank: int = 8) -> Pretrained:
    """The model, ready to be trained by any objective: "full" as it is, "LoRA" or "QLoRA" with adapters on every linear layer.

    For QLoRA, load the model with `four_bit=True`. Raises ValueError for another word.
    """
    if trained not in TRAINED:
        raise ValueError(f"What is trained is one of {', '.join(TRAINED)}, not {trained!r}.")
    if trained != "full":
        add_lora(pretrained.model, LINEAR_LAYERS, rank, 2 * rank)
    return pretrained


def described(model: nn.Module) -> dict[str, Any]:
    """How many numbers are trained, and in which precision the linear layers of the base are stored."""
    report = trainable_report(model)
    kinds = sorted({type(module).__name__ for module in model.modules() if "Linear" in type(module).__name__} - {"LinearLoRA"})
    return {"trained": report.trainable, "of": report.total, "layers": ", ".join(kinds)}
