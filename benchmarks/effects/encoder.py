"""Effects of pretraining, with the real encoder: how many labels it saves, and what labels cannot buy."""

from collections.abc import Sequence

from measured import Check, Effect, Measured

from courselib.lab import models
from courselib.lab.experiments import run
from courselib.transfer.sample_efficiency import labels_needed, learn

FEW, MANY = 64, 512  # labels for fine-tuning, and eight times as many
CURVES = {"small": (256, 512, 1024), "words": (256, 512, 1024, 2048)}  # how far each start from random weights is followed
NAMES = {"pretrained": "fine-tuned", "same": "the same network", "small": "a small network", "words": "word vectors"}


def review(seed: int, start: str, labels: int, kind: str) -> dict:
    """Accuracy on reviews in company, after `labels` labels."""
    return {"accuracy": learn(start, labels, seed, models.load("encoder"), kind=kind)}


def setting(start: str, labels: int, kind: str = "seen") -> tuple[str, dict]:
    return f"{NAMES[start]}, {labels} labels, words {kind}", {"start": start, "labels": labels, "kind": kind}


def sample_efficiency(seeds: Sequence[int], cache: bool = True, quick: bool = False) -> Measured:
    """Quickly: without the large network from random weights, which takes minutes a run, and without the curves."""
    curves = {start: (MANY,) if quick else followed for start, followed in CURVES.items()}
    wanted = [setting("pretrained", FEW)]
    wanted += [setting(start, labels) for start, followed in curves.items() for labels in followed]
    wanted += [] if quick else [setting("same", MANY)]
    wanted += [setting("pretrained", FEW, "unseen"), setting("words", MANY, "unseen")]
    wanted += [] if quick else [setting("small", MANY, "unseen")]
    table = run(review, dict(wanted), seeds, cache=cache)

    def accuracy(start: str, labels: int, kind: str = "seen") -> list[float]:
        return table.column("accuracy", setting(start, labels, kind)[0])

    tuned = accuracy("pretrained", FEW)
    scratch = ["small", "words"] + ([] if quick else ["same"])
    checks = [
        Check(
            f"{NAMES[start]} from random weights, {MANY} labels: points below fine-tuning with {FEW}",
            [100 * (a - b) for a, b in zip(tuned, accuracy(start, MANY), strict=True)], 0,
        )
        for start in scratch
    ]
    if not quick:
        ratios = []
        for number, target in enumerate(tuned):
            needed = []
            for start, followed in curves.items():
                curve = {labels: accuracy(start, labels)[number] for labels in followed}
                needed.append(min(labels_needed(curve, target), followed[-1]))
            ratios.append(min(needed) / FEW)
        checks.append(Check("times the labels that the better of the two small ones needs to draw level", ratios, 8))
    checks.append(Check("unseen words: fine-tuning", accuracy("pretrained", FEW, "unseen"), 0.8))
    checks += [
        Check(
            f"unseen words: {NAMES[start]} from random weights, {MANY} labels, stays at chance",
            accuracy(start, MANY, "unseen"), 0.55, at_most=True,
        )
        for start in (["words"] if quick else ["words", "small"])
    ]
    return Measured(
        checks, table, columns=("accuracy",),
        note="Words seen: each word of a test text occurs in the training texts of that very run. The same network from random "
        "weights is the comparison that changes one thing only; the small ones are what one would take who has nothing but "
        "the labels. Each has a recipe of its own (`courselib.transfer.sample_efficiency.RECIPES`). How many labels draw "
        "level is read off each seed's own curve, straight over the logarithm of the labels; a curve that does not get there "
        "counts as its last point, so the ratio is rather too small. A single sentence of praise or blame, without the "
        "neutral one beside it, was tried first: there a small network needs hardly more than eight times the labels.",
    )


EFFECTS = [
    Effect(
        "Sample efficiency, from pretrained and from random weights",
        "scratch needs ≥ 8 times the labels to reach what fine-tuning reaches with 64, on words it has seen; on unseen words it "
        "stays at chance",
        sample_efficiency,
    ),
]
