"""A language model small enough to be fine-tuned thirty times in a chapter, and a new language whose words it knows.

The model is a Llama of two layers and width 64, pretrained here on general prose (`worlds.world("general")`). The new language
has the same words and the same sentences with other odds: every choice of the grammar is made more or less often, at random.
So there is nothing to learn but habits, and nothing that the model could not say.

    small_speaker()   the start; a few seconds
    lesson()          what a seed draws: a language, its texts, and where the model stands before
    learn_habits()    one run on a lesson: the loss in the new language and in the old one
    WAYS              what may be trained: everything, or adapters in four places, all of the same size
    try_rates()       how each way's learning rate was chosen; `python -m courselib.lora.habits` prints it

What this cannot tell: how a larger model fares, or a task that asks for new knowledge.

Sources: Hu et al. 2021, arXiv:2106.09685, section 7.1 (where to adapt, at one budget); Biderman et al. 2024, arXiv:2405.09673
(LoRA learns less and forgets less).
"""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from courselib.lab import runtime
from courselib.lab.data import worlds
from courselib.lab.data.grammar import Grammar, reweighted
from courselib.lab.data.windows import Windows, token_stream
from courselib.lab.models import Pretrained
from courselib.lab.models.causal import next_token_loss
from courselib.lab.models.tokenizer import train_tokenizer
from courselib.lab.rates import falling_rate
from courselib.lab.training import fit
from courselib.lora.inject import add_lora

WIDTH, INNER, LAYERS = 64, 192, 2
ATTENTION, MLP = ("q_proj", "k_proj", "v_proj", "o_proj"), ("gate_proj", "up_proj", "down_proj")


class Way(NamedTuple):
    """What a run trains: adapters of a rank on `targets`, or, without targets, the weights themselves."""

    lr: float
    targets: tuple[str, ...] = ()
    rank: int = 0
    embeddings: bool = True  # for full fine-tuning: whether the word vectors are trained too


# Rates: the smallest of those tried whose loss comes within 0.01 nats of the best, see `try_rates`.
WAYS = {  # the adapters have 2 layers x 7,680 = 15,360 weights each
    "full": Way(8e-3),
    "full, gently": Way(1e-3),
    "full, no embeddings": Way(8e-3, embeddings=False),
    "query and value": Way(2e-2, ("q_proj", "v_proj"), 30),
    "attention": Way(2e-2, ATTENTION, 15),
    "MLP": Way(2e-2, MLP, 10),
    "all layers": Way(2e-2, ATTENTION + MLP, 6),
}
TRIED = {"full": (1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2), "full, no embeddings": (4e-3, 8e-3, 1.6e-2)}
TRIED_FOR_ADAPTERS = (1e-2, 2e-2, 4e-2, 8e-2)
STEPS, BATCH, WINDOW = 18, 8, 48


class Lesson(NamedTuple):
    """What a seed draws, the same for every way: streams of tokens, and the losses of the start on the last two."""

    seed: int
    train: Tensor  # (tokens,) of the new language
    new: Tensor  # (tokens,) held out, of the new language
    old: Tensor  # (tokens,) held out, of general prose
    new_before: float
    old_before: float


@dataclass(frozen=True)
class Habits:
    """One run. Losses are nats a token on held-out text, before and after: in the new language, and in the old one."""

    trained: int
    new_before: float
    new: float
    old_before: float
    old: float
    model: nn.Module

    @property
    def gain(self) -> float:
        return self.new_before - self.new

    @property
    def forgotten(self) -> float:
        return self.old - self.old_before


def small_speaker(seed: int = 0, steps: int = 160, vocabulary: int = 1024) -> Pretrained:
    """The model of 172,352 weights, pretrained on general prose for `steps` steps."""
    from transformers import LlamaConfig, LlamaForCausalLM

    runtime.quiet()
    runtime.set_seed(seed)
    texts = worlds.world("general").texts(1500, "train", seed)
    tokenizer = train_tokenizer(texts, vocabulary, longest=128)
    end = tokenizer.eos_token_id
    model = LlamaForCausalLM(LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=WIDTH, intermediate_size=INNER, num_hidden_layers=LAYERS, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=128, tie_word_embeddings=True, bos_token_id=end, eos_token_id=end,
        pad_token_id=tokenizer.pad_token_id,
    )).to(runtime.device())
    optimizer = torch.optim.AdamW(model.parameters(), lr=6e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    fit(model, Windows([token_stream(tokenizer, texts)], [8], 64, seed), next_token_loss, optimizer, steps=steps,
        scheduler=falling_rate(optimizer, 20, steps, 0.95), max_grad_norm=1.0, progress=False)
    model.zero_grad()  # whoever calls backward() next adds to what is there
    return Pretrained(model, tokenizer)


def other_habits(seed: int, strength: float = 2.0) -> Grammar:
    """General prose with other odds: those of every choice multiplied by exp(strength * normal noise), drawn by the seed."""
    general = worlds.world("general").grammar()
    draw = random.Random(f"habits {seed}")
    odds = {
        name: [p * math.exp(strength * draw.gauss(0, 1)) for p in chances]
        for name, chances in general.probabilities.items() if name != general.start and len(chances) > 1
    }
    return reweighted(general, odds)


def lesson(start: Pretrained, seed: int, documents: int = 160) -> Lesson:
    """Draws a new language and its texts, and measures the losses of `start`, nats a token: once for all ways to learn it."""
    tokenizer, target = start.tokenizer, other_habits(seed)
    train, test = (random.Random(f"{part} {seed}") for part in ("train", "test"))
    stream = token_stream(tokenizer, [target.sample(train) for _ in range(documents)])
    new = token_stream(tokenizer, [target.sample(test) for _ in range(24)])
    old = token_stream(tokenizer, worlds.world("general").texts(24, "test", seed))
    return Lesson(seed, stream, new, old, stream_loss(start.model, new), stream_loss(start.model, old))


def learn_habits(start: Pretrained, way: Way, drawn: Lesson, *, steps: int = STEPS) -> Habits:
    """Teaches a copy of the model the habits of a lesson, in one way. Alpha is the rank, so that the scale of the update is 1.

    The lesson's seed draws the batches and A. Rates rise for 5 steps and then fall to a tenth.
    """
    runtime.set_seed(drawn.seed)
    model = copy.deepcopy(start.model)
    if way.targets:
        add_lora(model, way.targets, way.rank, alpha=way.rank)
    elif not way.embeddings:
        model.get_input_embeddings().requires_grad_(False)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=way.lr, weight_decay=0.0, fused=True)
    fit(model, Windows([drawn.train], [BATCH], WINDOW, drawn.seed), next_token_loss, optimizer, steps=steps,
        scheduler=falling_rate(optimizer, 5, steps, 0.9), max_grad_norm=1.0, progress=False)
    count = sum(p.numel() for p in trained)
    return Habits(
        count, drawn.new_before, stream_loss(model, drawn.new), drawn.old_before, stream_loss(model, drawn.old), model
    )


def try_rates(start: Pretrained, name: str, seeds: Sequence[int] = (100, 101, 102)) -> dict[float, float]:
    """Learning rate -> mean loss in the new language, for one of `WAYS`, over seeds that no chapter reports."""
    rates, drawn = TRIED.get(name, TRIED_FOR_ADAPTERS), [lesson(start, seed) for seed in seeds]
    return {lr: sum(learn_habits(start, WAYS[name]._replace(lr=lr), one).new for one in drawn) / len(drawn) for lr in rates}


@torch.no_grad()
def stream_loss(model: nn.Module, stream: Tensor, width: int = 64) -> float:
    """Mean loss of the next token in nats, over the stream cut into windows of `width`."""
    model.eval()
    windows = stream[: len(stream) // width * width].view(-1, width).to(model.device)
    return next_token_loss(model, windows).item()


if __name__ == "__main__":
    speaker = small_speaker()
    for name in WAYS:
        if name != "full, gently":
            print(f"{name:20}", "  ".join(f"{lr:g}: {loss:.3f}" for lr, loss in try_rates(speaker, name).items()), flush=True)
