"""Effects on generated text, with the course's causal model."""

import random
from collections.abc import Sequence
from functools import cache

import torch
from measured import Check, Effect, Measured

from courselib.domain import small_model
from courselib.domain.adaptation import BATCH, WARMUP, WINDOW, nats_per_word, perplexity
from courselib.lab import models
from courselib.lab.data import worlds
from courselib.lab.data.grammar import kl
from courselib.lab.data.windows import Windows, token_stream
from courselib.lab.experiments import run
from courselib.lab.models.causal import next_token_loss
from courselib.lab.models.encoder import Pretrained
from courselib.lab.rates import falling_rate
from courselib.lab.training import fit
from courselib.lora import add_lora
from courselib.lora.habits import other_habits

GONE = "share of the nats above the floor gone"


@cache
def small() -> Pretrained:
    """The model that chapter 03 starts from: it has read a little of the clinical world, so its words are partly known."""
    return small_model.small_model()


def adapt(seed: int, alpha: float, world: str = "clinical") -> dict:
    """Chapter 03's continued pretraining: perplexity a word of both worlds before and after; and the way to the floor."""
    start, name = small(), ("clinical", "general")
    after = small_model.adapt(start, world, seed=seed, alpha=alpha).model
    nats = {(w, when): nats_per_word(model, w, seed=seed) for w in name for when, model in (("before", start), ("after", after))}
    before, floor = nats["clinical", "before"], worlds.world("clinical").grammar("test").entropy("token")
    return {f"{w} {when}": perplexity(loss) for (w, when), loss in nats.items()} | {
        GONE: (before - nats["clinical", "after"]) / (before - floor),
    }


def domain_adaptation(seeds: Sequence[int], cache: bool = True, quick: bool = False) -> Measured:
    settings = {"clinical only": {"alpha": 1.0}, "half general": {"alpha": 0.5}}
    settings["control: general only"] = {"alpha": 1.0, "world": "general"}
    table = run(adapt, settings, seeds, cache=cache)

    def column(world: str, when: str, setting: str = "clinical only") -> list[float]:
        return table.column(f"{world} {when}", setting)

    def fall(setting: str) -> list[float]:
        pairs = zip(column("clinical", "after", setting), column("clinical", "before", setting), strict=True)
        return [100 * (1 - a / b) for a, b in pairs]

    start, alone = column("general", "before"), column("general", "after")
    mixed = column("general", "after", "half general")
    removed = [(a - m) / (a - s) for s, a, m in zip(start, alone, mixed, strict=True)]
    return Measured(
        [
            Check("perplexity of clinical notes falls, in percent", fall("clinical only"), 40),
            Check("control: as many steps on general text, the fall in percent", fall("control: general only"), 0, at_most=True),
            Check("share of the forgetting that mixing half general text in removes", removed, 0.5),
        ],
        table, columns=("clinical before", "clinical after", "general before", "general after", GONE),
        note=f"Perplexity a word, chapter 03's small model, {small_model.STEPS} steps. {small_model.NOTES} of the "
             f"{small_model.DOCUMENTS:,} documents of its pretraining were clinical notes, so their words are partly "
             "known and the fall says something: a model that has never seen a clinical word begins at millions, and nearly "
             "any training brings that down. The last column holds the loss against the exact entropy. There is one "
             "pretrained model; the seeds draw the notes, their order and the test texts.",
    )


# ---------------------------------------------------------------------------------------------------------------------
# LoRA against full fine-tuning, on the causal model

LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
RANK, STEPS, DOCUMENTS, HELD_OUT = 2, 120, 500, 60
LEARNING_RATES = {  # the best on seeds 100 to 102, each of three or four; clinical on seed 101
    "other habits": {"full": 5e-4, "lora": 1e-2},
    "clinical": {"full": 4e-3, "lora": 2e-2},
}


def tune(seed: int, method: str, domain: str, steps: int = STEPS) -> dict:
    """Trains the causal model on a domain; share of held-out tokens that it predicts before and after, in percent."""
    general = worlds.world("general").grammar()
    target = other_habits(seed) if domain == "other habits" else worlds.world(domain).grammar()
    draws = {part: random.Random(f"{domain} {part} {seed}") for part in ("train", "test")}
    model, tokenizer = models.load("causal")
    stream = token_stream(tokenizer, [target.sample(draws["train"]) for _ in range(DOCUMENTS)])
    held_out = token_stream(tokenizer, [target.sample(draws["test"]) for _ in range(HELD_OUT)])
    before = right(model, held_out)
    if method == "lora":
        add_lora(model, LINEAR, RANK, 2 * RANK)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=LEARNING_RATES[domain][method])
    schedule = falling_rate(optimizer, WARMUP, steps, 0.9)
    batches = Windows([stream], [BATCH], WINDOW, seed)
    fit(model, batches, next_token_loss, optimizer, steps=steps, scheduler=schedule, max_grad_norm=1.0, progress=False)
    share = sum(p.numel() for p in trained) / sum(p.numel() for p in model.parameters())
    found = {"right before, %": before, "right after, %": right(model, held_out), "trained, %": 100 * share}
    return found | ({"KL, nats a token": kl(target, general, "token")} if domain == "other habits" else {})


@torch.no_grad()
def right(model: torch.nn.Module, stream: torch.Tensor, width: int = 128) -> float:
    """The share of tokens, in percent, that the model holds for the likeliest, in windows of `width`."""
    windows = stream[: len(stream) // width * width].view(-1, width).to(model.device)  # (windows, width)
    predicted = model(input_ids=windows).logits[:, :-1].argmax(-1)
    return 100 * (predicted == windows[:, 1:]).double().mean().item()


def lora(seeds: Sequence[int], cache: bool = True, quick: bool = False) -> Measured:
    settings = {f"{method}, {domain}": {"method": method, "domain": domain} for domain in LEARNING_RATES
                for method in ("full", "lora") if not (quick and domain == "clinical")}
    table = run(tune, settings, seeds, cache=cache)
    after = {method: table.column("right after, %", f"{method}, other habits") for method in ("full", "lora")}
    gained = [a - b for a, b in zip(after["full"], table.column("right before, %", "full, other habits"), strict=True)]
    behind = [a - b for a, b in zip(after["full"], after["lora"], strict=True)]
    return Measured(
        [
            Check("full fine-tuning gains, in points of next-token accuracy", gained, 5),
            Check("LoRA stays behind it by, in points", behind, 2, at_most=True),
            Check("share of the parameters that LoRA trains, in percent", table.column("trained, %", "lora, other habits"), 2,
                  at_most=True),
        ],
        table, columns=("right before, %", "right after, %", "trained, %", "KL, nats a token"),
        note="Other habits: the general world's own words and sentences, with other frequencies (new ones for every seed); LoRA "
        "of rank 2 on every linear layer. Clinical notes are measured beside it, without a target, to show where this ends: "
        "there nearly every word is new to the model, its embeddings stay as they are under LoRA, and in the same "
        "number of steps LoRA with so few parameters stays far behind. LoRA steers what a model has; it is slow to give it a "
        "vocabulary.",
    )


EFFECTS = [
    Effect(
        "Domain adaptation, general to clinical", "perplexity falls ≥ 40 %; mixing general text in removes ≥ half the forgetting",
        domain_adaptation,
    ),
    Effect("LoRA, the causal model", "within 2 points of full fine-tuning with ≤ 2 % of the parameters trained", lora),
]
