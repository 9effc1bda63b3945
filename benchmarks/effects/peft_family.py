"""Effects of chapter 09: the race of the family, prompts, the costs."""

import copy
import functools
from collections.abc import Sequence

import torch
from measured import Check, Effect, Measured

from courselib.lab import models
from courselib.lab.experiments import Table, run
from courselib.lora import habits
from courselib.lora.swaps import gentlest
from courselib.peft_family import costs, race

TUNING = (100, 101, 102)


@functools.cache
def speaker():
    return habits.small_speaker()


# ---------------------------------------------------------------------------------------------------------------------
# The race: thirteen methods, each with its own rate

RACE_STEPS = 60
TRIED = {
    "LoRA": (5e-3, 1e-2, 2e-2, 4e-2, 8e-2),
    "rsLoRA": (2.5e-3, 5e-3, 1e-2, 2e-2, 4e-2),
    "DoRA": (5e-3, 1e-2, 2e-2, 4e-2, 8e-2),
    "PiSSA": (2.5e-3, 5e-3, 1e-2, 2e-2, 4e-2),
    "LoRA+": (1.25e-3, 2.5e-3, 5e-3, 1e-2, 2e-2),
    "AdaLoRA": (2e-2, 4e-2, 8e-2, 0.16, 0.32),
    "VeRA": (2e-2, 4e-2, 8e-2, 0.16, 0.32),
    "(IA)³": (4e-2, 8e-2, 0.16, 0.32, 0.64),
    "adapter": (5e-3, 1e-2, 2e-2, 4e-2, 8e-2),
    "prefix": (8e-2, 0.16, 0.32, 0.64, 1.28),
    "prompt": (8e-2, 0.16, 0.32, 0.64, 1.28),
    "full": (2e-3, 4e-3, 8e-3, 1.6e-2, 3.2e-2),
    "full, no embeddings": (2e-3, 4e-3, 8e-3, 1.6e-2, 3.2e-2),
}


def one_race(seed: int, method: str, lr: float, steps: int = RACE_STEPS, size: int | None = None) -> dict:
    found = race.learn_by(speaker(), method, habits.lesson(speaker(), seed), lr, steps=steps, size=size)
    return {
        "loss": found["after"],
        "gain": found["before"] - found["after"],
        "forgotten": found["old after"] - found["old before"],
        "trained": found["trained"],
    }


def chosen(table: Table, settings: dict[str, float]) -> float:
    """The smallest rate whose mean loss over the tuning seeds comes within 0.01 nats of the best one."""
    return gentlest({lr: -sum(table.column("loss", name)) / len(TUNING) for name, lr in settings.items()})


def the_race(seeds: Sequence[int], cache: bool = True, quick: bool = False) -> Measured:
    tried = {name: rates[1:4:2] if quick else rates for name, rates in TRIED.items()}
    settings = {f"{name}, tuning, {lr:g}": {"method": name, "lr": lr} for name, rates in tried.items() for lr in rates}
    tuning = run(one_race, settings, TUNING[:2] if quick else TUNING, cache=cache)
    best = {name: chosen(tuning, {f"{name}, tuning, {lr:g}": lr for lr in rates}) for name, rates in tried.items()}
    final = run(one_race, {name: {"method": name, "lr": lr} for name, lr in best.items()}, seeds, cache=cache)
    rows = tuning.rows + [row | {"rate": best[row["setting"]]} for row in final.rows]

    def minus(one: str, other: str) -> list[float]:
        pairs = zip(
            final.column("gain", one), final.column("gain", other), final.column("gain", "full, no embeddings"), strict=True
        )
        return [(a - b) / whole for a, b, whole in pairs]

    variants = ("rsLoRA", "DoRA", "PiSSA", "LoRA+", "AdaLoRA")
    checks = [
        Check(f"{name} minus LoRA, as a share of full fine-tuning's gain without the embeddings", minus(name, "LoRA"), 0)
        for name in variants
    ]
    checks += [
        Check(f"LoRA minus {name}, as such a share", minus("LoRA", name), 0.1)
        for name in ("VeRA", "adapter", "(IA)³", "prefix", "prompt")
    ]
    checks.append(Check("full without embeddings minus LoRA, as such a share", minus("full, no embeddings", "LoRA"), 0))
    return Measured(
        checks,
        Table(rows),
        columns=("loss", "gain", "forgotten", "trained", "rate"),
        note="Rates were chosen on seeds 100 to 102, the smallest within 0.01 nats of the best of five that lie a factor of two "
        "apart. Sixty steps of eight windows. A claim that a variant is above LoRA may well be refuted: that is a result.",
    )


# ---------------------------------------------------------------------------------------------------------------------
# Prompt tuning: how long, and how fast

LENGTHS, PROMPT_RATES = (1, 4, 16, 64), (0.03, 0.1, 0.3, 1.0, 3.0)


def prompt_lengths(seeds: Sequence[int], cache: bool = True, quick: bool = False) -> Measured:
    lengths, rates = (LENGTHS[1:3], PROMPT_RATES[1:3]) if quick else (LENGTHS, PROMPT_RATES)
    settings = {f"length {n}, tuning, {lr:g}": {"method": "prompt", "lr": lr, "size": n} for n in lengths for lr in rates}
    tuning = run(one_race, settings, TUNING[:2], cache=cache)
    best = {n: gentlest({lr: -sum(tuning.column("loss", f"length {n}, tuning, {lr:g}")) / 2 for lr in rates}) for n in lengths}
    final = run(
        one_race, {f"length {n}": {"method": "prompt", "lr": lr, "size": n} for n, lr in best.items()}, seeds, cache=cache
    )
    rows = tuning.rows + [row | {"rate": best[int(row["setting"].split()[1])]} for row in final.rows]
    first, last = (final.column("gain", f"length {n}") for n in (lengths[0], lengths[-1]))
    return Measured(
        [
            Check(
                f"length {lengths[-1]} gains more than length {lengths[0]}, in nats",
                [b - a for a, b in zip(first, last, strict=True)],
                0,
            ),
        ],
        Table(rows),
        columns=("loss", "gain", "trained", "rate"),
        note="Prompt tuning of the race's model, sixty steps. Rates chosen on seeds 100 and 101, the smallest "
        "within 0.01 nats of the best: for every length that was the smallest of all.",
    )


# ---------------------------------------------------------------------------------------------------------------------
# What it costs, on the encoder and on the causal model

PLACES = {
    "encoder": {"targets": ("query", "key", "value", "dense"), "behind": ("attention.output.dense", "output.dense")},
    "causal": {"targets": habits.ATTENTION + habits.MLP, "behind": ("o_proj", "down_proj")},
}
COSTED = ("full", "LoRA", "DoRA", "AdaLoRA", "VeRA", "(IA)³", "adapter", "prefix", "prompt")


@functools.cache
def pretrained(kind: str):
    return models.load(kind).model.eval()


def one_cost(seed: int, kind: str, method: str) -> dict:
    base = pretrained(kind)
    size = {"VeRA": 256, "prefix": 16, "prompt": 16, "adapter": 32}.get(method, 8)
    model = copy.deepcopy(base) if method == "full" else race.put_in(copy.deepcopy(base), method, size, **PLACES[kind])
    total = sum(p.numel() for p in base.parameters())
    found = costs.counted(model, total, torch.randint(1000, (2, 48)))
    both = {"as trained": model, "merged": costs.merged_copy(model), "base": base}
    for batch in (1, 32):
        seconds = costs.seconds_of(both, torch.randint(1000, (batch, 32)), rounds=30 if batch == 1 else 3)
        found |= {f"{name}, batch {batch}": seconds[name] / seconds["base"] for name in ("as trained", "merged")}
        found[f"base ms, batch {batch}"] = 1000 * seconds["base"]
    return found


def the_costs(seeds: Sequence[int], cache: bool = True, quick: bool = False) -> Measured:
    settings = {
        f"{kind}: {method}": {"kind": kind, "method": method}
        for kind in PLACES
        for method in COSTED
        if not (kind == "encoder" and method in ("prefix", "prompt"))
    }
    table = run(one_cost, settings, seeds[:3], cache=cache)
    checks = [
        Check(
            f"{kind}: LoRA merged costs as much as the model alone at batch 1, times",
            table.column("merged, batch 1", f"{kind}: LoRA"),
            1.1,
            at_most=True,
        )
        for kind in PLACES
    ]
    checks += [
        Check(
            f"{kind}: adapters at batch 1, times the model alone", table.column("as trained, batch 1", f"{kind}: adapter"), 1.05
        )
        for kind in PLACES
    ]
    columns = (
        "trained",
        "share",
        "file",
        "kept",
        "memory",
        "flops",
        "as trained, batch 1",
        "merged, batch 1",
        "as trained, batch 32",
        "merged, batch 32",
        "base ms, batch 1",
        "base ms, batch 32",
    )
    return Measured(
        checks,
        table,
        columns=columns,
        seeds=tuple(seeds[:3]),
        note="Counted for a batch of 2 texts of 48 tokens; times are ratios to the model alone, median of five passes in turn, "
        "32 tokens a text, and belong to this machine.",
    )


EFFECTS = [
    Effect(
        "The family, a fair race",
        "a variant of LoRA above LoRA, each at its own rate; what is not LoRA, behind it",
        the_race,
        data="peft_race",
    ),
    Effect(
        "Prompt tuning, length and rate",
        "longer is better, and the rates are far higher than LoRA's",
        prompt_lengths,
        data="peft_prompts",
    ),
    Effect("The family, what it costs", "merged, no method costs more than the model", the_costs, data="peft_costs"),
]
