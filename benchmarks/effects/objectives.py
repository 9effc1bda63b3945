"""What slows masked language modelling down: the suspects of chapter 01, on its small language with exact answers."""

from collections.abc import Sequence

from measured import Check, Effect, Measured

from courselib import pretraining
from courselib.lab.experiments import run

NATS, ASK_AT = 1.0, tuple(range(60, 501, 20))
SETTINGS = {  # each with its best learning rate: see courselib.pretraining.mini
    "masked": {"shares": (0.8, 0.1)},
    "masked, all hidden": {"shares": (1.0, 0.0), "lr": 6e-3},
    "masked, 40 %": {"rate": 0.4, "lr": 6e-3},
}


def learn(seed: int, **how: object) -> dict:
    """Trains a mini masked model until its answers to 18 blanks are within 1 nat of the exact ones."""
    asked = pretraining.blanks(18)
    points = pretraining.train_mini("mlm", ASK_AT[-1], seed, asked=asked, ask_at=ASK_AT, until=NATS, **how).asked
    return {"sentences to 1 nat": pretraining.sentences_to_reach(points, NATS)}


def masking(seeds: Sequence[int], cache: bool = True, quick: bool = False) -> Measured:
    table = run(learn, SETTINGS, seeds, cache=cache)
    needed = {name: table.column("sentences to 1 nat", name) for name in SETTINGS}
    times = {name: [a / b for a, b in zip(values, needed["masked"], strict=True)] for name, values in needed.items()}
    return Measured(
        [
            Check("without swapped words: times as many sentences", times["masked, all hidden"], 0.8),
            Check("40 % chosen instead of 15 %: times as many sentences", times["masked, 40 %"], 1, at_most=True),
        ],
        table, columns=("sentences to 1 nat",),
        note="Chapter 01's mini model (two layers, width 64), its language of 4,032 sentences and its 18 blanks. Times are "
        "seed by seed, against 80/10/10 at 15 %. If swapped words were what slows a masked model down, it would need a third of "
        "the sentences without them, as the causal model with as few labels does; 0.8 leaves room for chance.",
    )


EFFECTS = [
    Effect("Masking, a mini model", "without swapped words ≥ 0.8 times the sentences; with 40 % chosen fewer", masking),
]
