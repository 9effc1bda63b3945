"""Effects on handwritten digits: forgetting between two tasks, and continual learning over five."""

from collections.abc import Sequence

import torch
from measured import Check, Effect, Measured
from torch import Tensor, nn
from torch.nn import functional as F

from courselib.continual.five_tasks import five_tasks, train
from courselib.continual.replay import Reservoir, replay_loss
from courselib.forgetting.fisher import add, true_fisher
from courselib.forgetting.penalties import anchor, ewc_penalty
from courselib.lab.classification import accuracy
from courselib.lab.data.digits import Task, class_tasks, permuted_tasks
from courselib.lab.experiments import Table, run

# ---------------------------------------------------------------------------------------------------------------------
# Forgetting: task A, then task B, and what is left of A

HIDDEN, BATCH = 200, 32


def network(hidden: int = HIDDEN, classes: int = 10) -> nn.Sequential:
    layers = [nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, classes)]
    return nn.Sequential(*layers)


def two_tasks(seed: int, tasks: str, method: str, strength: float = 0.0, kept: int = 0, steps: int = 800) -> dict:
    """Accuracy on A before B, and on A and B after it. One head for all ten digits, in both kinds of tasks."""
    A, B = permuted_tasks(2, seed) if tasks == "permuted" else class_tasks(seed, ((0, 1, 2, 3, 4), (5, 6, 7, 8, 9)))
    torch.manual_seed(seed)
    model = network()
    train(model, A, lambda m, i: F.cross_entropy(m(A.x_train[i]), A.y_train[i]), steps=3 * steps // 4, seed=seed, lr=0.01)
    before = accuracy(model(A.x_test), A.y_test)

    if method == "EWC":
        start, fisher = anchor(model), true_fisher(model, A.x_train[:600])
    buffer = Reservoir(max(kept, 1), seed)
    buffer.add_all(A.x_train, A.y_train)

    def loss(model: nn.Module, i: Tensor) -> Tensor:
        new = B.x_train[i], B.y_train[i]
        if method == "replay":
            return replay_loss(model, new, buffer.sample(BATCH))
        penalty = ewc_penalty(model, start, fisher, strength) if method == "EWC" else 0
        return F.cross_entropy(model(new[0]), new[1]) + penalty

    train(model, B, loss, steps=steps, seed=seed + 1000, lr=0.01)
    return {"A before": before, "A after": accuracy(model(A.x_test), A.y_test), "B after": accuracy(model(B.x_test), B.y_test)}


def permuted_forgetting(seeds: Sequence[int], cache: bool = True, quick: bool = False) -> Measured:
    settings = {
        "naive": {"tasks": "permuted", "method": "naive"},
        "EWC": {"tasks": "permuted", "method": "EWC", "strength": 1500.0},
        "replay of 200": {"tasks": "permuted", "method": "replay", "kept": 200},
    }
    table = run(two_tasks, settings, seeds, cache=cache)
    return Measured(
        [
            Check("naive loses, in points", lost(table, "naive"), 40),
            Check("share of them that EWC keeps", kept(table, "EWC", "naive"), 0.8),
            Check("share of them that replay of 200 keeps", kept(table, "replay of 200", "naive"), 0.85),
        ],
        table, columns=("A before", "A after", "B after"),
    )


def lost(table: Table, setting: str) -> list[float]:
    """Points that the old tasks lose, seed by seed."""
    pairs = zip(table.column("A before", setting), table.column("A after", setting), strict=True)
    return [100 * (before - after) for before, after in pairs]


def kept(table: Table, setting: str, naive: str) -> list[float]:
    """The share of what naive training loses that this method keeps, seed by seed."""
    columns = table.column("A before", naive), table.column("A after", naive), table.column("A after", setting)
    return [(after - gone) / (before - gone) for before, gone, after in zip(*columns, strict=True)]


def five_pairs(seed: int, method: str, strength: float = 0.0, kept: int = 0, steps: int = 300) -> dict:
    """0 and 1, then 2 and 3, ..., one head of ten answers: the usual test. A is the first four tasks, B the last one.

    "A before" is the mean accuracy of the four, each when it was just learned; "A after" when all five were.
    """
    tasks, fisher, buffer, learned = class_tasks(seed), None, Reservoir(max(kept, 1), seed), []
    torch.manual_seed(seed)
    model = network()

    def score(task: Task) -> float:
        return accuracy(model(task.x_test), task.y_test)

    for number, task in enumerate(tasks):
        start = anchor(model)

        def loss(model: nn.Module, i: Tensor, task: Task = task, start: dict = start, fisher: dict | None = fisher) -> Tensor:
            new = task.x_train[i], task.y_train[i]
            if method == "replay" and buffer.seen:
                return replay_loss(model, new, buffer.sample(BATCH))
            return F.cross_entropy(model(new[0]), new[1]) + (ewc_penalty(model, start, fisher, strength) if fisher else 0)

        train(model, task, loss, steps=steps, seed=100 * seed + number, lr=0.01)
        learned.append(score(task))
        if method == "EWC":
            found = true_fisher(model, task.x_train)
            fisher = add(fisher, found) if fisher else found
        buffer.add_all(task.x_train, task.y_train)
    return {"A before": sum(learned[:4]) / 4, "A after": sum(map(score, tasks[:4])) / 4, "B after": score(tasks[4])}


STRENGTHS = {"halves": (500.0, 10_000.0, 100_000.0), "pairs": (2_000.0, 10_000.0)}
FAIR = {"halves": 10_000.0, "pairs": 2_000.0}  # the largest at which what comes later is learned within 3 points of naive


def by_class(seed: int, split: str, **setting) -> dict:
    return five_pairs(seed, **setting) if split == "pairs" else two_tasks(seed, "by class", **setting)


def class_forgetting(seeds: Sequence[int], cache: bool = True, quick: bool = False) -> Measured:
    settings = {}
    for split, strengths in STRENGTHS.items():
        settings[f"{split}: naive"] = {"split": split, "method": "naive"}
        for strength in [FAIR[split]] if quick else strengths:
            settings[f"{split}: EWC {strength:,.0f}"] = {"split": split, "method": "EWC", "strength": strength}
        settings[f"{split}: replay of 200"] = {"split": split, "method": "replay", "kept": 200}
    table = run(by_class, settings, seeds, cache=cache)
    checks = []
    for split, name in (("pairs", "five tasks of two digits"), ("halves", "two tasks of five digits")):
        naive, ewc = f"{split}: naive", f"{split}: EWC {FAIR[split]:,.0f}"
        checks += [
            Check(f"{name}: naive loses, in points", lost(table, naive), 40),
            Check(f"{name}: share of them that EWC keeps, next to nothing", kept(table, ewc, naive), 0.15, at_most=True),
            Check(f"{name}: share of them that replay of 200 keeps", kept(table, f"{split}: replay of 200", naive), 0.85),
        ]
    return Measured(
        checks, table, columns=("A before", "A after", "B after"),
        note="One head of ten answers. In the five tasks A is the first four, B the last. EWC's strength is the largest tried on "
        "tuning seeds (100 to 10^6) at which what comes later is still learned within 3 points of naive training. That it "
        "keeps nothing is true of five tasks. Of two tasks it is not quite: there one or two of the five old digits survive, "
        "and longer training (2,400 steps) and other strengths gave no less, from 0.17 at 100 to 0.32 at 10,000. Beyond, it "
        "keeps A by not learning B: at 100,000 both are about three quarters right, at 10^6 B is not learned at all. Nothing in "
        "EWC says how the old answers compare with the new ones, for no loss ever saw the two together; replay is such a loss.",
    )


# ---------------------------------------------------------------------------------------------------------------------
# Continual learning: 0 or 1, then 2 or 3, ... The question is always the same: is it the odd one? So one head of two
# answers serves all tasks, and a method can be asked about digits it has yet to see.

METHODS = {
    "naive": {"method": "naive"},
    "EWC": {"method": "EWC", "strength": 10000.0},
    "distillation": {"method": "distillation", "temperature": 4.0},
    "replay of 100": {"method": "replay", "kept": 100},
    "isolation": {"method": "adapters"},
}


def continual(seeds: Sequence[int], cache: bool = True, quick: bool = False) -> Measured:
    table = run(five_tasks, METHODS, seeds, cache=cache)

    def above(better: str, worse: str) -> Check:
        pairs = zip(table.column("ACC", better), table.column("ACC", worse), strict=True)
        return Check(f"ACC of {better} above {worse}, in points", [100 * (b - w) for b, w in pairs], 0)

    order = [("EWC", "naive"), ("distillation", "EWC"), ("replay of 100", "EWC")]
    order += [("isolation", "distillation"), ("isolation", "replay of 100")]
    return Measured(
        [above(*pair) for pair in order], table, columns=("ACC", "BWT", "FWT"),
        note="Isolation is told which task a picture belongs to; the others are not, so this is the price and the gain of "
        "knowing. Its heads are new for each task, so it has no forward transfer to measure. EWC and distillation see no old "
        "picture; replay keeps 100. FWT compares with the untrained network, which guesses. Distillation has a BWT near 0 "
        "and still ends below replay. That is no sign that nothing is forgotten: holding on to old answers keeps it from "
        "learning some tasks, and what these gain later cancels in the mean what others lose.",
    )


EFFECTS = [
    Effect(
        "Forgetting, permuted digits", "A loses ≥ 40 points after B; EWC keeps ≥ 80 % of them, replay ≥ 85 %", permuted_forgetting
    ),
    Effect("Forgetting, split by class, one head", "EWC keeps next to nothing (≤ 15 %); replay ≥ 85 %", class_forgetting),
    Effect("Continual learning, five tasks of digits", "by ACC: naive < EWC < distillation, replay < isolation", continual),
]
