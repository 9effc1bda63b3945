"""Effects of pretraining, with the real encoder: how many labels it saves, and how much of it to train, for how long."""

from collections.abc import Sequence

from measured import Check, Effect, Measured

from courselib.lab import models
from courselib.lab.experiments import run
from courselib.transfer.race import RATES, finetune
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


# ---------------------------------------------------------------------------------------------------------------------
# How much to train, and how long: each strategy with a rate of its own for each budget

BUDGETS = tuple(RATES)
MARGIN = 2  # points


def runner(seed: int, strategy: str, steps: int) -> dict:
    """A strategy of chapter 02 on 32 labelled sentences; accuracy on 200 whose words of praise and blame it never saw."""
    return finetune(strategy, seed, steps=steps)


def race(seeds: Sequence[int], cache: bool = True, quick: bool = False) -> Measured:
    settings = {f"{name}, {steps} steps": {"strategy": name, "steps": steps} for steps in BUDGETS for name in RATES[steps]
                if not (quick and name in ("scratch", "gradual"))}
    table = run(runner, settings, seeds, cache=cache)

    def gap(first: str, second: str, column: str = "accuracy") -> list[float]:
        return [100 * (a - b) for a, b in zip(table.column(column, first), table.column(column, second), strict=True)]

    probe = "feature_extraction, 30 steps"
    checks = [
        Check("30 steps: full fine-tuning above the probe, in points", gap("full, 30 steps", probe), MARGIN),
        Check("30 steps: LoRA above the probe, in points", gap("lora, 30 steps", probe), MARGIN),
        Check("LoRA: what 22 more steps give, in points", gap("lora, 30 steps", "lora, 8 steps"), 0),
        Check("full fine-tuning, which makes up for few steps by a larger rate: what 22 more give, in points",
              gap("full, 30 steps", "full, 8 steps"), MARGIN, at_most=True),
        Check("30 steps: full fine-tuning loses of the old ability, in points",
              gap(probe, "full, 30 steps", "topic"), 10),
    ]
    if not quick:
        more = gap("gradual, 30 steps", "gradual, 8 steps")
        above = gap("full, 30 steps", "scratch, 30 steps")
        checks.append(Check("gradual unfreezing: what 22 more steps give, in points", more, MARGIN))
        checks.append(Check("30 steps: full fine-tuning above scratch, in points", above, 15))
    return Measured(
        checks, table, columns=("accuracy", "topic", "trained", "share", "static", "activations", "seconds"),
        note="32 labelled sentences, batches of 8, 200 test sentences in which no word of praise or blame and no frame of the "
        "training sentences occurs. That more steps would help full fine-tuning was expected and is not so. "
        "Feature extraction takes 100 steps on ready vectors in both. Topic: the nearest neighbour of a "
        "sentence is about the same sort of thing; nobody trains that. Static memory and activations in MB. The interval covers "
        "the seeds, each with sentences of its own from one grammar and one list of words.",
    )


TUNING = (100, 101, 102, 103, 104)
SWEEPS = {"full": (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3), "lora": (3e-4, 1e-3, 3e-3, 1e-2, 3e-2), "top_2": (3e-5, 1e-4, 3e-4, 1e-3),
          "gradual": (1e-5, 3e-5, 1e-4, 3e-4, 1e-3), "feature_extraction": (1e-3, 3e-3, 1e-2, 3e-2)}


def tried(seed: int, strategy: str, rate: float) -> dict:
    """The same on the validation split, at a rate that is tried: 30 steps, 120 sentences."""
    return {"accuracy": finetune(strategy, seed, split="validation", texts=120, learning_rate=rate)["accuracy"]}


def sweep(seeds: Sequence[int], cache: bool = True, quick: bool = False) -> Measured:
    own = TUNING[:2] if quick else TUNING
    settings = {f"{name} at {rate:g}": {"strategy": name, "rate": rate} for name, rates in SWEEPS.items() for rate in rates
                if not (quick and name != "full")}
    table = run(tried, settings, own, cache=cache)
    best, worst = table.column("accuracy", "full at 3e-05"), table.column("accuracy", "full at 0.001")
    gaps = [100 * (a - b) for a, b in zip(best, worst, strict=True)]
    return Measured(
        [Check("full fine-tuning: points lost at 33 times its best rate", gaps, 10)], table, columns=("accuracy",), seeds=own,
        note="From these the rates of the race over 30 steps were chosen.",
    )


EFFECTS = [
    Effect(
        "Sample efficiency, from pretrained and from random weights",
        "scratch needs ≥ 8 times the labels to reach what fine-tuning reaches with 64, on words it has seen; on unseen words it "
        "stays at chance",
        sample_efficiency, data="sample_efficiency",
    ),
    Effect(
        "How much to train, and how long",
        "given enough steps and a rate of its own, full fine-tuning is above a probe, and forgets what a probe keeps",
        race, data="race",
    ),
    Effect("Learning rates of the race", "a rate 33 times the best undoes what pretraining gave", sweep, data="rates"),
]
