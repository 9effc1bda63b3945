"""How few bits may QLoRA's base have? Three questions to the same fine-tuned models, each before and after training.

That the next token is the right one is easy where few words can follow; training repairs most of what a coarse base had lost.
So two harder questions stand beside it: is a whole text that the model writes one of the language's, where one wrong token costs
all of it; and what is left of English prose, which the model was pretrained on and the fine-tuning never shows.
"""

import copy
import math
from collections.abc import Sequence
from typing import Any

import torch
from measured import Check, Effect, Measured
from qlora import habits_of, teach
from text import LINEAR, RANK, right
from torch import nn

from courselib import lora
from courselib.lab import models
from courselib.lab.data import prose
from courselib.lab.data.grammar import Grammar
from courselib.lab.data.windows import token_stream
from courselib.lab.experiments import run
from courselib.lora.habits import stream_loss
from courselib.qlora.layer import quantize_model
from courselib.qlora.levels import linear_levels, nf4_levels
from courselib.qlora.merging import WAYS_TO_MERGE, merged_model

RATES = {"32 bits": 1e-2, "NF4": 1e-2, "3 bits": 1e-2, "2 bits": 1e-2, "1 bit": 2e-2}  # each the least loss on held-out text of
# three: 5e-3, 1e-2 and 2e-2 (one bit: 1e-2, 2e-2 and 4e-2), on seeds 100 to 102 (three bits and one bit: 101 alone)
BASES = ("32 bits", "NF4", "2 bits")  # what is measured; the curve's other points, three bits and one, have their rates above
TEXTS, LONGEST, ENGLISH = 200, 96, 60 * 128  # 900 texts of languages 100 to 102 had at most 87 tokens
NOTE = (
    f"The task of the effect above: other habits, rank {RANK} on every linear layer, the base's matrices in blocks of 64, with "
    "double quantisation. Two bits have levels at equal distances: a bad base on purpose, and not the best that two bits "
    f"can do. A possible text is one of {TEXTS} that the model writes, at temperature 1, which the language could "
    "have made from the first word to the end. English is held-out prose of the kind that a quarter of the pretraining was; the "
    "fine-tuning has none. Each base has its own rate; at half and at twice the rate two bits had the larger loss on each of the "
    "seeds 100 to 102. Targets were set on seeds 100 and 101."
)
QUESTIONS = ("tokens right, %", "texts possible, %", "English right, %")
INTO_16_BITS = "loss added by merging into the 16-bit base"


def habits_on_few_bits(seed: int, base: str, lr: float | None = None) -> dict[str, float]:
    """Teaches the causal model other habits on a base of so many bits; what it can do before and after, in percent."""
    original, tokenizer = models.load("causal")
    language, stream, held_out = habits_of(seed, tokenizer)
    english = token_stream(tokenizer, prose.english("test"))[:ENGLISH]
    model = copy.deepcopy(original)
    if quantised := base != "32 bits":
        quantize_model(model, LINEAR, levels=nf4_levels() if base == "NF4" else linear_levels(2 ** int(base[0])))
    lora.add_lora(model, LINEAR, RANK, 2 * RANK)
    found = {}
    for when in ("before", "after"):  # before, B is zero: the base alone
        if when == "after":
            teach(model, stream, seed, lr or RATES[base])
        whole = merged_model(model, WAYS_TO_MERGE[1], original) if quantised else lora.merge(copy.deepcopy(model))
        answers = right(whole, held_out), texts_possible(whole, tokenizer, language, seed), right(whole, english)
        found |= {f"{question}, {when}": answer for question, answer in zip(QUESTIONS, answers, strict=True)}
    found["loss"] = stream_loss(whole, held_out)
    if quantised:
        found[INTO_16_BITS] = stream_loss(merged_model(model, WAYS_TO_MERGE[0], original), held_out) - found["loss"]
    return found


@torch.no_grad()
def texts_possible(model: nn.Module, tokenizer: Any, language: Grammar, seed: int) -> float:
    """The share, in percent, of texts sampled from the model that the language can make, from the first word to the end."""
    model.eval()
    end = tokenizer.eos_token_id
    start = torch.full((TEXTS, 1), end, device=model.device)
    with torch.random.fork_rng():  # so that the training draws what it would draw without these texts
        torch.manual_seed(seed)
        written = model.generate(
            input_ids=start, attention_mask=torch.ones_like(start), max_new_tokens=LONGEST, do_sample=True, top_k=0,
            eos_token_id=end, pad_token_id=tokenizer.pad_token_id,
        )[:, 1:].tolist()  # fmt: skip
    ended = [tokenizer.decode(row, skip_special_tokens=True) for row in written if end in row]
    return 100 * sum(language.log_prob(text) > -math.inf for text in ended) / TEXTS


def few_bits(seeds: Sequence[int], cache: bool = True, quick: bool = False) -> Measured:
    table = run(habits_on_few_bits, {base: {"base": base} for base in BASES}, seeds, cache=cache)

    def behind(base: str, question: str, when: str = "after") -> list[float]:
        pairs = (table.column(f"{question}, {when}", name) for name in ("32 bits", base))
        return [a - b for a, b in zip(*pairs, strict=True)]

    tokens, texts, english = QUESTIONS
    repaired = [a - b for a, b in zip(behind("2 bits", tokens, "before"), behind("2 bits", tokens), strict=True)]
    return Measured(
        [
            Check("NF4 stays behind LoRA in possible texts by, in points", behind("NF4", texts), 5, at_most=True),
            Check("control: two bits stay behind LoRA in possible texts by, in points", behind("2 bits", texts), 10),
            Check("NF4 stays behind LoRA in English tokens right by, in points", behind("NF4", english), 1, at_most=True),
            Check("control: two bits stay behind LoRA in English tokens right by, in points", behind("2 bits", english), 2),
            Check("two bits: how much of the gap in tokens right training closes, in points", repaired, 1),
            Check("two bits merged into the 16-bit base: loss above the trained model's, in thousandths of a nat",
                  [1000 * gap for gap in table.column(INTO_16_BITS, "2 bits")], 2),
        ],
        table,
        columns=(*(f"{question}, {when}" for question in QUESTIONS for when in ("before", "after")), "loss", INTO_16_BITS),
        note=NOTE,
    )  # fmt: skip


EFFECTS = [
    Effect(
        "How few bits, the causal model", "NF4 keeps what LoRA keeps and two bits do not: a control tells", few_bits, data="bits"
    ),
]
