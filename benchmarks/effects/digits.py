"""Effects on handwritten digits: forgetting between two tasks, and continual learning over five."""

from collections.abc import Sequence

import torch
from measured import Check, Effect, Measured
from torch import Tensor, nn

from courselib.continual.five_tasks import five_tasks
from courselib.continual.replay import Replay
from courselib.forgetting.fisher import Weights, true_fisher
from courselib.forgetting.penalties import EWC
from courselib.forgetting.two_tasks import first_task, network, score, second_task
from courselib.lab.data.digits import class_tasks
from courselib.lab.experiments import Table, run
from courselib.lab.in_turn import Method, learn_next

# ---------------------------------------------------------------------------------------------------------------------
# Forgetting: task A, then task B, and what is left of A. The code is chapter 04's; the network is larger and learns more slowly.

HIDDEN, LEARNING_RATE = 200, 0.01
REMEDIES = {"naive": Method, "EWC": EWC, "replay": Replay}


def two_tasks(seed: int, tasks: str, method: str, steps: int = 800, **options) -> dict:
    """Accuracy on A before B, and on A and B after it. One head for all ten digits, in both kinds of tasks."""
    start = first_task(seed, tasks, 3 * steps // 4, lr=LEARNING_RATE, hidden=HIDDEN)
    if method == "EWC":
        options |= {"importance": of_600}
    found = second_task(start, REMEDIES[method](**options), lr=LEARNING_RATE, steps=steps)
    return {"A before": start.before[0], "A after": found.old, "B after": found.new}


def of_600(model: nn.Module, x: Tensor, y: Tensor) -> Weights:
    """The Fisher from 600 pictures: one gradient for each of ten answers makes all of them slow."""
    return true_fisher(model, x[:600])


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


def five_pairs(seed: int, method: str, steps: int = 300, **options) -> dict:
    """0 and 1, then 2 and 3, ..., one head of ten answers: the usual test. A is the first four tasks, B the last one.

    "A before" is the mean accuracy of the four, each when it was just learned; "A after" when all five were.
    """
    tasks, remedy, learned = class_tasks(seed), REMEDIES[method](**options), []
    torch.manual_seed(seed)
    model = network(HIDDEN)
    remedy.begin(seed)
    for number, task in enumerate(tasks):
        learn_next(model, task, remedy, steps=steps, seed=100 * seed + number, lr=LEARNING_RATE)
        learned.append(score(model, task))
    after = [score(model, task) for task in tasks]
    return {"A before": sum(learned[:4]) / 4, "A after": sum(after[:4]) / 4, "B after": after[4]}


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
        note="One head of ten answers. In the five tasks A is the first four, B the last. EWC's strength is the largest tried "
        "on tuning seeds (100 to 10^6) at which what comes later is still learned within 3 points of naive training. Of "
        "five tasks it then keeps nothing. Of two it keeps little, though not as little as was promised (at most "
        "0.15): one or two of the five old digits survive, and longer training (2,400 steps) and other strengths gave no "
        "less, from 0.17 at 100 to 0.32 at 10,000. Beyond, it keeps A by not learning B: at 100,000 both are about three "
        "quarters right, at 10^6 B is not learned at all. Nothing in EWC says how the old answers compare with the new "
        "ones, for no loss ever saw the two together; replay is such a loss. Replay is a mix: half of each batch of 32 is "
        "old.",
    )


# ---------------------------------------------------------------------------------------------------------------------
# Continual learning: 0 or 1, then 2 or 3, ... The question is always the same: is it the odd one? With one head of two answers
# nobody says which task a picture is of; with a head for each task somebody does.

METHODS = {
    "naive": {"method": "naive"},
    "EWC": {"method": "EWC", "strength": 10000.0},
    "distillation, one head": {"method": "distillation", "temperature": 4.0},
    "replay of 100": {"method": "replay", "kept": 100},
    "heads alone": {"method": "naive", "question": "task"},
    "LwF": {"method": "distillation", "question": "task", "temperature": 4.0},
    "isolation": {"method": "adapters", "question": "task"},
}


def continual(seeds: Sequence[int], cache: bool = True, quick: bool = False) -> Measured:
    table = run(five_tasks, METHODS, seeds, cache=cache)

    def above(better: str, worse: str, score: str = "ACC", least: float = 0) -> Check:
        pairs = zip(table.column(score, better), table.column(score, worse), strict=True)
        what = {"ACC": "ACC", "learned": "accuracy on each task when it was new,"}[score]
        return Check(f"{what} of {better} above {worse}, in points", [100 * (b - w) for b, w in pairs], least)

    order = [("EWC", "naive"), ("distillation, one head", "naive"), ("replay of 100", "EWC"), ("LwF", "heads alone")]
    order += [("LwF", "replay of 100"), ("isolation", "replay of 100")]
    checks = [above(*pair) for pair in order] + [above("LwF", "distillation, one head", "learned", least=5)]
    return Measured(
        checks, table, columns=("ACC", "BWT", "learned", "FWT"),
        note="Heads alone, LwF and isolation are told which task a picture belongs to; the others are not. So the two groups "
        "answer different questions, and only heads alone is the fair control of LwF. EWC, distillation and LwF see no "
        "old picture; replay keeps 100, and half of each batch of 32 is drawn from them. With one head distillation has a "
        "BWT near 0 and is no remedy: its teacher answers the question that the label answers, about pictures it has "
        "never seen, so new tasks are learned badly, and what these gain later cancels in the mean what others lose. LwF, "
        "which is distillation with a head for each task, asks the teacher about the old heads only. FWT compares with "
        "the untrained network, which guesses; heads that are new for each task have no forward transfer to measure.",
    )


EFFECTS = [
    Effect(
        "Forgetting, permuted digits", "A loses ≥ 40 points after B; EWC keeps ≥ 80 % of them, replay ≥ 85 %", permuted_forgetting
    ),
    Effect(
        "Forgetting, split by class, one head",
        "EWC keeps next to nothing (≤ 15 %); replay ≥ 85 %", class_forgetting,
    ),
    Effect(
        "Continual learning, five tasks of digits", "by ACC: naive < EWC < replay; told the task: heads alone < LwF", continual
    ),
]
