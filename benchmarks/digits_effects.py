"""Effects on handwritten digits: forgetting between two tasks, and continual learning over five."""

from collections.abc import Sequence

import torch
from measured import Check, Effect, Measured
from torch import Tensor, nn
from torch.nn import functional as F

from courselib.continual import Reservoir, accuracy, replay_loss
from courselib.data.digits import class_tasks, permuted_tasks
from courselib.experiments import run
from courselib.forgetting import anchor, ewc_penalty, true_fisher
from courselib.stream import five_tasks, train

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


def forgetting(tasks: str, strength: float, seeds: Sequence[int], cache: bool) -> Measured:
    settings = {
        "naive": {"tasks": tasks, "method": "naive"},
        "EWC": {"tasks": tasks, "method": "EWC", "strength": strength},
        "replay of 200": {"tasks": tasks, "method": "replay", "kept": 200},
    }
    table = run(two_tasks, settings, seeds, cache=cache)
    before, naive = table.column("A before", "naive"), table.column("A after", "naive")

    def kept(setting: str) -> list[float]:
        after = table.column("A after", setting)
        return [(a - n) / (b - n) for a, n, b in zip(after, naive, before, strict=True)]

    lost = Check("naive loses, in points", [100 * (b - n) for b, n in zip(before, naive, strict=True)], 40)
    by_replay = Check("share of them that replay of 200 keeps", kept("replay of 200"), 0.85)
    if tasks == "permuted":
        by_ewc = Check("share of them that EWC keeps", kept("EWC"), 0.8)
    else:
        by_ewc = Check("share of them that EWC keeps: next to nothing", kept("EWC"), 0.15, at_most=True)
    return Measured([lost, by_ewc, by_replay], table, columns=("A before", "A after", "B after"))


def permuted_forgetting(seeds: Sequence[int], cache: bool = True) -> Measured:
    return forgetting("permuted", 1500.0, seeds, cache)


def class_forgetting(seeds: Sequence[int], cache: bool = True) -> Measured:
    return forgetting("by class", 500.0, seeds, cache)


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


def continual(seeds: Sequence[int], cache: bool = True) -> Measured:
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
