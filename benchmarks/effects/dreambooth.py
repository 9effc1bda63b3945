"""DreamBooth on the course's diffusion model: what prior preservation holds, what λ trades, and the controls."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from measured import Check, Effect, Measured

from courselib.dreambooth import trials
from courselib.dreambooth.painter import Painter, load_painter
from courselib.lab.experiments import Table, run

LAMBDAS = (0.3, 1.0, 3.0)
TUNING = (100,)
RATES = {"naive": (7.5e-5, 1.5e-4, 3e-4), "prior, λ = 1": (2.5e-4, 5e-4, 1e-3)}
MAIN = {"naive": {}, "prior, λ = 1": {"lam": 1.0}}
OTHER = {
    "a common word": {"word": "red"}, "naive, a third of the steps": {"steps": trials.STEPS // 3},
}  # fmt: skip


@lru_cache(maxsize=1)
def _base() -> tuple[Painter, dict]:
    base = load_painter()
    return base, trials.before_of(base)


def personal(seed: int, lr: float, others: bool = True, **how: Any) -> dict:
    """One subject, learned in one way: what `courselib.dreambooth.trials` observes, of other words than its class's too."""
    base, before = _base()
    return trials.trial(base, "Dot", seed, lr, before if others else {"ball": before["ball"]}, **how)


def repainted(seed: int) -> dict:
    """No training at all: what is observed of the model as it is, and so the floor of every drift."""
    base, before = _base()
    return trials.observed(base, "Dot", before, seed)


def settings(quick: bool) -> dict[str, dict]:
    ways = MAIN | {f"prior, λ = {lam:g}": {"lam": lam} for lam in LAMBDAS if lam != 1} | OTHER
    ways = MAIN if quick else ways
    return {name: {"lr": trials.rate_of(**how), **how} for name, how in ways.items()}


def tuned() -> Table:
    """What the rates in `trials.RATES` were chosen from, on seeds that are reported nowhere."""
    ways = {f"{name}, {lr:g}": {"lr": lr, "others": False, **how} for name, how in MAIN.items() for lr in RATES[name]}
    return run(personal, ways, TUNING)


def dreambooth(seeds: Sequence[int], cache: bool = True, quick: bool = False) -> Measured:
    table = run(personal, settings(quick), seeds, cache=cache)
    floor = run(repainted, {"not trained": {}}, seeds, cache=cache)
    table = Table([*table.rows, *floor.rows])

    def pairs(name: str, setting: str, by: str) -> list[float]:
        return [a / b for a, b in zip(table.column(name, setting), table.column(name, by), strict=True)]

    checks = [
        Check("naive: drift of the class's word, nats", table.column("drift", "naive"), 1),
        Check("prior, λ = 1: drift, as a share of the naive one", pairs("drift", "prior, λ = 1", "naive"), 0.5, at_most=True),
        Check("prior, λ = 1: fidelity, as a share of the naive one", pairs("fidelity", "prior, λ = 1", "naive"), 0.9),
        Check("control: fidelity without training", table.column("fidelity", "not trained"), 0.05, at_most=True),
        Check("control: drift without training, nats", table.column("drift", "not trained"), 0.15, at_most=True),
    ]
    if not quick:
        third = "naive, a third of the steps"
        checks += [
            Check("control: fewer steps and no prior, drift as a share of the naive one", pairs("drift", third, "naive"), 0.5),
            Check("a common word in the rare one's place: drift of the class, as a share of the naive one",
                  pairs("drift", "a common word", "naive"), 0.5),
        ]  # fmt: skip
    return Measured(
        checks, table, columns=("fidelity", "drift", "other words"),
        note=f"Four pictures of one subject, {trials.STEPS} steps of eight draws of them (and eight of {trials.PRIOR} pictures "
        "that the base model painted); the U-Net and the word vectors are trained, at rates that fall to nothing. Each way has "
        "its own rate for the U-Net, chosen on seed 100: least drift among the rates with a fidelity of at least 0.85, or else "
        "the best fidelity. Drift is the KL divergence of the exact observer's shares over looks, 192 pictures before and 96 "
        "after (of the other words 32), each with one picture's worth of smoothing; its floor is in the table. Intervals are "
        "over the four pictures, the draws of the training and the painted pictures, not over base models.",
    )  # fmt: skip


EFFECTS = [
    Effect("DreamBooth, the diffusion model", "prior preservation halves the drift and keeps 90 % of the fidelity", dreambooth,
           data="dreambooth"),
]  # fmt: skip
