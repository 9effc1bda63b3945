"""Instruction tuning: stages, templates, which tokens count, chains of thought, length, and quality against quantity."""

from __future__ import annotations

import dataclasses

import torch
from torch.nn import functional as F

from courselib.claims.computed import Computed, computes
from courselib.instruction.chat import messages_of, render_chat
from courselib.instruction.length import expected_length, length_weight
from courselib.instruction.loss import chain_loss, mean_over_steps, response_labels, response_loss
from courselib.instruction.measurements import table_of
from courselib.instruction.quality import break_even_quality


@computes("ov-halluc")
def _invented_after_tuning() -> Computed:
    found = table_of("inventing").summary()
    nothing, new = (100 * found[name]["invented"].mean for name in ("nothing", "new"))
    return Computed(new < nothing, {"invents before, %": nothing, "after new facts, %": new})


@computes("p0-stages")
def _every_objective_with_adapters() -> Computed:
    from courselib.instruction.small import fresh_llama
    from courselib.instruction.stages import LINEAR_LAYERS
    from courselib.lora.inject import add_lora

    model, ids = add_lora(fresh_llama(40, 0), LINEAR_LAYERS, 4), torch.arange(16).view(2, 8) + 2
    response = torch.tensor([[0] * 4 + [1] * 4] * 2)
    reached = 0
    for objective in ("continued pretraining", "instruction tuning", "preferences"):
        model.zero_grad()
        logits = model(input_ids=ids).logits
        if objective == "preferences":
            log_p = -F.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten(), reduction="none").view(2, -1).sum(1)
            loss = -F.logsigmoid(log_p[0] - log_p[1])
        else:
            labels = ids if objective == "continued pretraining" else response_labels(ids, response)
            loss = response_loss(logits, labels)
        loss.backward()
        reached += all(p.grad is not None for name, p in model.named_parameters() if "lora_B" in name)
    return Computed(reached == 3, {"objectives that reach the adapters": reached})


@computes("sft-template")
def _one_template_of_many() -> Computed:
    text = render_chat(messages_of("Say hello.", "Hello.", system="Be kind."))
    marks = ("<|system|>", "<|user|>", "<|assistant|>")
    return Computed(all(mark in text for mark in marks), {"marks of a role": sum(text.count(mark) for mark in marks)})


def _batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits (2, 9, 20), ids and the mask of the response, with responses of 3 and 5 tokens."""
    torch.manual_seed(0)
    mask = torch.zeros(2, 9, dtype=torch.long)
    mask[0, 4:7], mask[1, 4:9] = 1, 1
    return torch.randn(2, 9, 20, dtype=torch.float64), torch.randint(0, 20, (2, 9)), mask


@computes("sft-mask")
def _only_the_assistant() -> Computed:
    from trl import SFTConfig

    logits, ids, mask = _batch()
    logits.requires_grad_()
    (gradient,) = torch.autograd.grad(response_loss(logits, response_labels(ids, mask)), logits)
    reached = int((gradient.abs().sum(-1) > 0).sum())
    default = next(field.default for field in dataclasses.fields(SFTConfig) if field.name == "assistant_only_loss")
    return Computed(reached == int(mask.sum()), {"positions that learn": reached, "trl does so by default": float(default)})


@computes("sft-xnotation")
def _two_meanings_of_x() -> Computed:
    instruction, response = "Say hello.", "Hello."
    whole = render_chat(messages_of(instruction, response, system="Be kind."))
    figures = {"responses in the first x": whole.count(response), "in the second": instruction.count(response)}
    return Computed(whole == instruction, figures)


@computes("sft-loss")
def _mean_over_the_response() -> Computed:
    logits, ids, mask = _batch()
    row = slice(0, 1)
    log_p = logits[row, :-1].log_softmax(-1).gather(-1, ids[row, 1:, None])[..., 0]
    by_hand = -(log_p * mask[row, 1:]).sum() / mask[row].sum()
    apart = float((response_loss(logits[row], response_labels(ids, mask)[row]) - by_hand).abs())
    labels = response_labels(ids, mask)[row, 1:]
    in_torch = F.cross_entropy(logits[row, :-1].flatten(0, 1), labels.flatten(), ignore_index=-100)
    return Computed(apart < 1e-12 and abs(float(in_torch - by_hand)) < 1e-12, {"apart": apart})


@computes("sft-vs-cpt")
def _all_tokens_or_the_response() -> Computed:
    _, ids, mask = _batch()
    every, some = int((ids[:, 1:] != -100).sum()), int((response_labels(ids, mask)[:, 1:] != -100).sum())
    return Computed(some == int(mask.sum()) < every, {"tokens that count, CPT": every, "SFT": some})


@computes("sft-cot")
def _divisor_of_a_chain() -> Computed:
    steps = [torch.full((n,), -1.0) for n in (6, 4, 2)]  # two steps of reasoning and an answer, every token a nat
    said, found = mean_over_steps(steps), chain_loss(steps)
    return Computed(abs(said - found) < 1e-9, {"over tokens": found, "over K + 1": said})


@computes("sft-cot-measure")
def _reasons_that_are_followed() -> Computed:
    found = table_of("reasons").summary()["all"]
    figures = {name: found[name].mean for name in ("right", "led astray", "in spite")}
    names = ("own reasons, own answer", "another's reasons, another's answer", "another's reasons, own answer")
    named = {f"log p, {name}": value for name, value in zip(names, figures.values(), strict=True)}
    return Computed(figures["right"] > figures["in spite"], named)


@computes("sft-length")
def _weight_by_length() -> Computed:
    weights = [length_weight(n, 4, 0.5) for n in (1, 4, 5, 6)]
    shorter = expected_length(range(1, 11), 4, 0.5) < expected_length(range(1, 11), 4, 0.0)
    right = weights[:2] == [1.0, 1.0] and weights[2] > weights[3]
    return Computed(right and shorter, {"up to the limit": weights[1], "one above": weights[2], "two above": weights[3]})


@computes("sft-quality-law")
def _exchangeable_by_the_law() -> Computed:
    beta = 0.3
    law = {(n, q): (n * q) ** beta for n, q in ((1000, 0.4), (2000, 0.4), (1000, 0.8))}
    more_data, better_data = law[2000, 0.4] / law[1000, 0.4], law[1000, 0.8] / law[1000, 0.4]
    level = break_even_quality(1000, 1.0, 52_000)
    figures = {"for twice the data": more_data, "for twice the quality": better_data, "quality at which 52,000 draw level": level}
    return Computed(better_data > more_data * 1.001, figures)
