"""DreamBooth on the course's diffusion model: what prior preservation holds, what λ trades, and the controls."""

from collections.abc import Sequence
from functools import lru_cache

from measured import Check, Effect, Measured

from courselib.dreambooth import trials
from courselib.dreambooth.painter import Painter, load_painter
from courselib.lab.experiments import Table, run

TUNING = (100,)
RATES = {"naive": (7.5e-5, 1.5e-4, 3e-4), "prior": (2.5e-4, 5e-4, 1e-3)}
WAYS = {"naive": {}, "prior": {"lam": 1.0}}


@lru_cache(maxsize=1)
def _base() -> tuple[Painter, dict]:
    base = load_painter()
    return base, trials.before_of(base, ["ball"])


def personal(seed: int, lr: float, lam: float = 0.0) -> dict:
    """One subject, learned in one way: what `courselib.dreambooth.trials` observes."""
    base, before = _base()
    return trials.trial(base, "Dot", seed, lr, before, lam=lam)


def repainted(seed: int) -> dict:
    """No training at all: what is observed of the model as it is, and so the floor of the drift."""
    base, before = _base()
    return trials.observed(base, "Dot", before, seed)


def tuned() -> Table:
    """What the rates in `trials.RATES` were chosen from, on a seed that is reported nowhere."""
    return run(personal, {f"{name}, {lr:g}": {"lr": lr, **how} for name, how in WAYS.items() for lr in RATES[name]}, TUNING)


def dreambooth(seeds: Sequence[int], cache: bool = True, quick: bool = False) -> Measured:
    trained = run(personal, {name: {"lr": trials.RATES[name], **how} for name, how in WAYS.items()}, seeds, cache=cache)
    table = Table([*trained.rows, *run(repainted, {"not trained": {}}, seeds, cache=cache).rows])

    def share(name: str) -> list[float]:
        return [a / b for a, b in zip(table.column(name, "prior"), table.column(name, "naive"), strict=True)]

    return Measured(
        [
            Check("naive: drift of the class's word, nats", table.column("drift", "naive"), 1),
            Check("prior, λ = 1: drift, as a share of the naive one", share("drift"), 0.5, at_most=True),
            Check("prior, λ = 1: fidelity, as a share of the naive one", share("fidelity"), 0.9),
            Check("control: fidelity without training", table.column("fidelity", "not trained"), 0.05, at_most=True),
            Check("control: drift without training, nats", table.column("drift", "not trained"), 0.15, at_most=True),
        ],
        table, columns=("fidelity", "drift"),
        note=f"Four pictures of one subject, {trials.STEPS} steps of eight draws of them (and eight of {trials.PRIOR} pictures "
        "that the base model painted); the U-Net and the word vectors are trained, at rates that fall to nothing. Each way has "
        "its own rate for the U-Net, chosen on seed 100: least drift among the rates with a fidelity of at least 0.85, or else "
        "the best fidelity. Drift is the KL divergence of the exact observer's shares over looks, 192 pictures before and 96 "
        "after, each with one picture's worth of smoothing; its floor is in the table. Intervals are over the four pictures, the "
        "draws of the training and the painted pictures, not over base models.",
    )  # fmt: skip


EFFECTS = [
    Effect("DreamBooth, the diffusion model", "prior preservation halves the drift and keeps 90 % of the fidelity", dreambooth,
           data="dreambooth"),
]  # fmt: skip
