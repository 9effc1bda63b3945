"""What takes longer than a chapter may: the runs, and where their results are kept.

`python benchmarks/effects/instruction.py` makes every run of `PLAN` on seeds 5 to 9, and those that choose a rate on seed 100,
and writes chapters/measured/instruction.json, which the chapter shows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from courselib.instruction import answering, arithmetic, length, quality, tuning, unwanted
from courselib.lab import measured, models
from courselib.lab.data import worlds
from courselib.lab.experiments import Table

SEEDS = (5, 6, 7, 8, 9)


def tune_on(seed: int, learned: str, lr: float, steps: int = 150, pairs: int = 1500, asked: int = 200) -> dict[str, float]:
    """The causal model, fine-tuned on the world `instructions`: shares answered right in new and in known wordings."""
    world, pretrained = worlds.world("instructions"), models.load("causal")
    train, test = world.pairs(pairs, "train", seed), world.pairs(asked, "test", seed)
    known = world.pairs(asked, "train", seed + 1000)
    seen = {instruction for instruction, _ in train}
    tuning.instruct(pretrained, train, steps=steps, seed=seed, lr=lr, learned=learned)
    new, old = (answering.score_answers(pretrained, rows) for rows in (test, [pair for pair in known if pair[0] not in seen]))
    return {"new wordings": new.right, "stopped": new.stopped, "known wordings": old.right,
            "loss": tuning.held_out_loss(pretrained, test)}


def rate_of(seed: int, learned: str, lr: float) -> dict[str, float]:
    """What a rate is chosen by: the loss of held-out responses, whatever was learned."""
    return {"loss": tune_on(seed, learned, lr)["loss"]}


def seeds_of(experiment: str) -> tuple[int, ...]:
    """The seeds of an experiment: what chooses a rate may not be what is reported."""
    return {"rates": (100,), "rates of sums": (100,), "rates of sums, again": (101, 102)}.get(experiment, SEEDS)


Plan = dict[str, tuple[Callable[..., dict[str, float]], dict[str, dict[str, Any]]]]
PLAN: Plan = {  # experiment -> its function, and its settings
    "rates": (rate_of, {f"{learned}, {lr:g}": {"learned": learned, "lr": lr}
                        for learned in ("response", "whole") for lr in (1e-3, 2e-3, 4e-3, 8e-3)}),
    "rates of sums": (arithmetic.sums, {f"{style}, {n}, {lr:g}": {"style": style, "n": n, "lr": lr} for n in (250, 1000)
                                        for style in arithmetic.STYLES for lr in (2.5e-3, 5e-3, 1e-2)}),
    "rates of sums, again": (arithmetic.sums, {  # where, of the two styles that are compared, two rates were close on seed 100
        f"{style}, {n}, {lr:g}": {"style": style, "n": n, "lr": lr}
        for style, n in (("scratchpad", 250), ("scratchpad", 1000), ("filler", 1000)) for lr in (5e-3, 1e-2)}),
    "tuning": (tune_on, {learned: {"learned": learned, "lr": tuning.RATES[learned]} for learned in ("response", "whole")}),
    "sums": (arithmetic.sums, {f"{style}, {n}": {"style": style, "n": n} for n in (250, 1000) for style in arithmetic.STYLES}),
    "sums at another rate": (arithmetic.sums, {"scratchpad, 250": {"style": "scratchpad", "n": 250, "lr": 5e-3},
                                               "filler, 250": {"style": "filler", "n": 250, "lr": 1e-2}}),
    "reasons": (arithmetic.followed, {"all": {}}),
    "length": (length.learn_length, {f"gamma {gamma:g}": {"gamma": gamma} for gamma in (0.0, 0.25, 1.0)}),
    "quality": (quality.learn_from, {f"{n} pairs, {right:g} right": {"n": n, "right": right}
                                     for n in (250, 500, 1000) for right in (1.0, 0.75, 0.5)}),
    "kinds": (quality.learn_kinds, {f"{kinds} kinds": {"n": 500, "kinds": kinds} for kinds in (6, 20)}),
    "inventing": (unwanted.inventing, {taught: {"taught": taught} for taught in ("nothing", "known", "new")}),
    "declining": (unwanted.declining, {"all": {}}),
}


def table_of(experiment: str) -> Table:
    """What was measured last. Raises ValueError for an experiment that was not."""
    runs = measured.kept("instruction")["runs"]
    rows = [row for row in runs if row["experiment"] == experiment]
    if not rows:
        known = ", ".join(dict.fromkeys(row["experiment"] for row in runs))
        raise ValueError(f"Nothing of {experiment!r} is kept; there are {known}.")
    return Table([{name: value for name, value in row.items() if name != "experiment"} for row in rows])


def when() -> str:
    """The date and the machine of what is kept."""
    return measured.kept("instruction")["measured"]
