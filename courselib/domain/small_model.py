"""A laboratory for domain adaptation: a language model small enough to be adapted five times over while you watch.

The course's causal model takes many seconds for one run of continued pretraining, and an effect is only claimed here after five.
So there is a smaller one, a Llama of two layers, pretrained in a few seconds on the general world and on a few clinical notes:
as on the web, where every trade has left some text. So the trade's words are known a little, and the loss on notes begins at a
number that says something. (A word that was never seen costs as much as its random vector happens to cost.) The tokenizer
has seen all worlds, so that no word falls into single bytes.

    adapt(...)      one run of continued pretraining: both losses, the distance moved, and the adapted model
    methods(...)    how to call it for replay, EWC, and LoRA with and without the embeddings
    sweep(...)      runs over mixing shares and seeds

Sources: EWC, Kirkpatrick et al. 2017; LoRA, Hu et al. 2021; replay, Robins 1995. How LoRA fares at continued pretraining:
Biderman et al. 2024, arXiv:2405.09673.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from courselib import lora
from courselib.domain import curriculum
from courselib.domain.adaptation import BATCH, WARMUP, continue_pretraining, nats_per_word
from courselib.forgetting import penalties
from courselib.lab import runtime
from courselib.lab.data import worlds
from courselib.lab.data.windows import Windows, token_stream
from courselib.lab.models.causal import next_token_loss
from courselib.lab.models.encoder import Pretrained
from courselib.lab.models.tokenizer import train_tokenizer
from courselib.lab.rates import falling_rate
from courselib.lab.training import fit

SHAPE = dict(hidden_size=64, intermediate_size=192, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2)
STEPS, LR, WINDOW = 24, 8e-3, 48  # of one adaptation
BLOCK = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
DOCUMENTS, NOTES, NOTES_SEED = 1560, 60, 9_000  # what the small model was pretrained on
LORA_RANK = 16
# The rate with the least domain loss + general loss after STEPS steps, of three or four; on seeds 100 and 101.
LORA_LR, EMBEDDINGS_LR, EWC_LR, EWC_STRENGTH = 5e-3, 4e-3, 2.2e-2, 100.0
GENTLER = (1e-3, 3e-3)  # rates below LR, for the curve that plain training draws


def small_model(seed: int = 0, steps: int = 270, vocabulary: int = 2048, notes: int = NOTES) -> Pretrained:
    """The small model, pretrained for `steps` steps on `DOCUMENTS` documents, `notes` of them clinical and the rest general.

    Takes seconds on one CPU thread. The notes are not those that `adapt` reads or that any loss is measured on.
    """
    from transformers import LlamaConfig, LlamaForCausalLM

    runtime.quiet()
    runtime.set_seed(seed)
    texts = [text for name in worlds.PROSE for text in worlds.world(name).texts(1000)]
    tokenizer = train_tokenizer(texts, vocabulary, longest=256)
    end = tokenizer.eos_token_id
    model = LlamaForCausalLM(LlamaConfig(
        vocab_size=len(tokenizer), max_position_embeddings=256, tie_word_embeddings=True, bos_token_id=end, eos_token_id=end,
        pad_token_id=tokenizer.pad_token_id, **SHAPE,
    )).to(runtime.device())
    optimizer = torch.optim.AdamW(model.parameters(), lr=6e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    schedule = falling_rate(optimizer, 30, steps, 0.95)
    read = worlds.world("general").texts(DOCUMENTS - notes, "train", seed)
    read += worlds.world("clinical").texts(notes, "train", NOTES_SEED + seed) if notes else []
    stream = token_stream(tokenizer, random.Random(seed).sample(read, len(read)))  # shuffled
    fit(model, Windows([stream], [8], 64, seed), next_token_loss, optimizer, steps=steps, scheduler=schedule, max_grad_norm=1.0,
        progress=False)
    return Pretrained(model, tokenizer)


def next_token_fisher(pretrained: Pretrained, texts: Sequence[str], *, window: int = WINDOW, batches: int = 25,
                      seed: int = 0) -> dict[str, Tensor]:
    """The diagonal of the Fisher information of a language model, per token: E_context E_{v ~ model} (d log p(v) / d theta_i)^2.

    For every position a token is drawn from the model itself. The gradients of different positions then have mean zero and are
    uncorrelated, so the square of their *sum* is on average the sum of their squares: one backward pass a batch is enough. (With
    the tokens of the data that would be wrong: see `forgetting.batch_mean_square`.) Memory is one number a weight.
    """
    model, stream = pretrained.model.eval(), token_stream(pretrained.tokenizer, texts)
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    total = {name: torch.zeros_like(p) for name, p in named}
    draw, tokens = torch.Generator().manual_seed(seed), 0
    windows = iter(Windows([stream], [8], window, seed))
    for _ in range(batches):
        logits = model(input_ids=next(windows)).logits.flatten(0, 1)  # (8 * window, vocab)
        drawn = torch.multinomial(logits.detach().softmax(-1).cpu(), 1, generator=draw).squeeze(1).to(logits.device)
        loss = nn.functional.cross_entropy(logits, drawn, reduction="sum")
        for (name, _), g in zip(named, torch.autograd.grad(loss, [p for _, p in named]), strict=True):
            total[name] += g**2
        tokens += len(drawn)
    return {name: f / tokens for name, f in total.items()}


@dataclass(frozen=True)
class Adapted:
    """One run. Losses in nats a word, both worlds; `distance` is the length of the change of all weights together."""

    domain: float
    general: float
    distance: float
    trained: int
    model: Pretrained


def methods(
    start: Pretrained, *, fisher: dict[str, Tensor] | None = None, strength: float = EWC_STRENGTH
) -> dict[str, dict[str, Any]]:
    """Ways to adapt, by name, as keywords of `adapt`. The Fisher information is computed here unless it is given."""
    anchor = penalties.anchor(start.model)
    fisher = fisher or next_token_fisher(start, worlds.world("general").texts(200, "train", seed=1))

    def add_adapters(model: nn.Module, train_also: Sequence[str] = ()) -> None:
        lora.add_lora(model, BLOCK, rank=LORA_RANK, alpha=2 * LORA_RANK, train_also=train_also)

    return {
        "plain": {},
        "replay": {"alpha": 0.5},
        "EWC": {"penalty": lambda model: penalties.ewc_penalty(model, anchor, fisher, strength), "lr": EWC_LR},
        "LoRA": {"prepare": add_adapters, "lr": LORA_LR},
        "LoRA + embeddings": {"prepare": partial(add_adapters, train_also=("embed_tokens",)), "lr": EMBEDDINGS_LR},
    }


def adapt(start: Pretrained, domain: str = "clinical", seed: int = 0, *, steps: int = STEPS, lr: float = LR, window: int = WINDOW,
          texts: int = 20, documents: int = 300, **how: Any) -> Adapted:
    """Continued pretraining of `start` on a world, and what came of it. `how` is passed to `domain.continue_pretraining`."""
    runtime.set_seed(seed)
    after = continue_pretraining(start, domain, steps=steps, lr=lr, window=window, documents=documents, seed=seed, **how)
    losses = [nats_per_word(after, name, texts, seed=1) for name in (domain, "general")]  # the same texts for all runs
    return Adapted(*losses, moved(after.model, start.model), lora.trainable_report(after.model).trainable, after)


def moved(model: nn.Module, start: nn.Module) -> float:
    """The Euclidean length of the change of all weights, a LoRA adapter's product counted as the change of its matrix."""
    before, total = dict(start.named_parameters()), torch.zeros(())
    for name, p in model.named_parameters():
        if name in before:
            total += (p - before[name]).detach().square().sum().cpu()
    for module in model.modules():
        if isinstance(module, lora.LinearLoRA):
            total += module.delta_weight().detach().square().sum().cpu()
    return total.sqrt().item()


def without_adapter(pretrained: Pretrained) -> Pretrained:
    """A copy of a model with LoRA layers whose adapters are switched off."""
    model = copy.deepcopy(pretrained.model)
    lora.set_adapter(model, None)
    return Pretrained(model, pretrained.tokenizer)


def sweep(start: Pretrained, alphas: Sequence[float], seeds: Sequence[int]) -> dict[float, list[Adapted]]:
    """One run of `adapt` for each mixing share alpha and each seed."""
    return {alpha: [adapt(start, seed=seed, alpha=alpha) for seed in seeds] for alpha in alphas}


def read_in_order(start: Pretrained, documents: Sequence[str], difficulty: Sequence[float], betas: Sequence[float], seed: int = 0,
                  lr: float = LR) -> Pretrained:
    """Continued pretraining with a curriculum: one step a beta, documents drawn by `curriculum.weights` of their difficulty.

    The difficulties are taken as ranks from 0 to 1.
    """
    runtime.set_seed(seed)
    model, tokenizer = copy.deepcopy(start.model), start.tokenizer
    ids = [[*tokens, tokenizer.eos_token_id] for tokens in tokenizer(list(documents))["input_ids"]]
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, fused=True)
    schedule = falling_rate(optimizer, WARMUP, len(betas), 0.9)
    batches = curriculum.CurriculumWindows(ids, curriculum.scaled(difficulty), betas, BATCH, WINDOW, seed)
    fit(model, batches, next_token_loss, optimizer, steps=len(betas), scheduler=schedule, max_grad_norm=1.0, progress=False)
    return Pretrained(model, tokenizer)
