"""Five tasks of real digits, one after another: what each method of continual learning keeps of them.

0 or 1, then 2 or 3, ... The question is always the same: *is it the odd one?* So one head of two answers serves all
tasks, and a method can be asked about digits that it has yet to see, or is meant to have forgotten.

    naive          nothing is done
    EWC            a spring on every weight that mattered so far         (Kirkpatrick et al. 2017)
    distillation   the frozen old model is a second teacher              (Li and Hoiem 2016)
    replay         a reservoir of old examples is rehearsed              (Chaudhry et al. 2019)
    heads          a head for each task on a trunk that all of them train: isolates nothing
    frozen         a head for each task on a trunk that only the first task trained
    adapters       the same, and adapters of its own for each task       (Rusu et al. 2016; Houlsby et al. 2019)
    joint          all tasks at once: no method, but a mark to hold the others against

`heads`, `frozen` and `adapters` are told, for every picture, which task it belongs to. The others are not.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence

import torch
from torch import nn

from courselib.continual.distillation import Distillation
from courselib.continual.isolation import Answering, Isolation, OwnHeads, TaskNetwork
from courselib.continual.replay import Replay
from courselib.continual.scores import average_accuracy, backward_transfer, forward_transfer, losses_and_gains
from courselib.forgetting.penalties import EWC
from courselib.lab.classification import accuracy
from courselib.lab.data.digits import Task, class_tasks
from courselib.lab.in_turn import Method, learn_next, train_on

KNOWN = {
    "naive": Method, "EWC": EWC, "distillation": Distillation, "replay": Replay,
    "heads": OwnHeads, "frozen": Isolation, "adapters": Isolation, "joint": Method,
}
SMALL = {"steps": 100, "hidden": 100}  # half a second a run, as the chapter needs it
METHODS = {  # in the small size; strengths and temperature were chosen on seeds 100 to 104
    "naive": SMALL | {"method": "naive"},
    "EWC": SMALL | {"method": "EWC", "strength": 1000.0},
    "distillation": SMALL | {"method": "distillation", "strength": 1.0, "temperature": 4.0},
    "replay": SMALL | {"method": "replay", "kept": 100},
    "heads alone": SMALL | {"method": "heads"},
    "frozen trunk": SMALL | {"method": "frozen"},
    "adapters": SMALL | {"method": "adapters", "bottleneck": 16},
    "joint": SMALL | {"method": "joint"},
}


def parity_tasks(seed: int = 0) -> list[Task]:
    """The five tasks with the labels of the one question: y is 1 for the odd digit of the pair, 0 for the even one."""
    return [
        Task(task.name, task.x_train, task.y_train % 2, task.x_test, task.y_test % 2, task.classes) for task in class_tasks(seed)
    ]


def headless(hidden: int = 200, bottleneck: int = 0) -> TaskNetwork:
    """Two hidden layers for pictures of 64 pixels; the heads come with the tasks."""
    blocks = [nn.Sequential(nn.Linear(64, hidden), nn.ReLU()), nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU())]
    return TaskNetwork(blocks, (64, hidden, hidden), bottleneck)


def five_tasks(seed: int, method: str, *, steps: int = 300, hidden: int = 200, bottleneck: int = 32, **options: float) -> dict:
    """Trains on the five tasks in turn, `steps` steps each; returns the scores and the matrix R they are read from.

    Scores: ACC, BWT and its two sides `lost` and `gained`, `learned` (the mean of the diagonal: each task when it was just
    learned), and for networks with one head FWT. For "joint" there is no matrix, and ACC is all.
    `options` are those of the method's class, such as EWC's strength; `bottleneck` is for adapters alone.
    Raises ValueError for an unknown method, or an option that it has not.
    """
    remedy = _method(method, options)
    tasks, own_heads = parity_tasks(seed), isinstance(remedy, OwnHeads)
    torch.manual_seed(seed)
    model = headless(hidden, bottleneck if method == "adapters" else 0)
    if not own_heads:
        model.add_task("all", 2)
    seen = [Answering(model, task.name if own_heads else "all") for task in tasks]  # the model, as each task sees it

    def answers() -> list[float]:  # a task that has no head yet is answered by tossing a coin
        return [accuracy(s(t.x_test), t.y_test) if s.task in model.heads else 0.5 for s, t in zip(seen, tasks, strict=True)]

    start = answers()
    if method == "joint":
        train_on(seen[0], _together(tasks), steps=steps * len(tasks), seed=seed)
        return {"ACC": sum(answers()) / len(tasks)}
    R = []
    remedy.begin(seed)
    for number, task in enumerate(tasks):
        learn_next(seen[number], task, remedy, steps=steps, seed=100 * seed + number)
        R.append(answers())
    lost, gained = losses_and_gains(R)
    learned = sum(R[i][i] for i in range(len(R))) / len(R)
    scores = {"ACC": average_accuracy(R), "BWT": backward_transfer(R), "lost": lost, "gained": gained, "learned": learned}
    return scores | ({} if own_heads else {"FWT": forward_transfer(R, start)}) | {"R": R}


def _method(name: str, options: dict[str, float]) -> Method:
    """The method of that name, made with its options."""
    if name not in KNOWN:
        raise ValueError(f"There is no method {name!r}; choose one of {', '.join(KNOWN)}.")
    known = inspect.signature(KNOWN[name]).parameters
    strange = [option for option in options if option not in known]
    if strange:
        raise ValueError(f"The method {name!r} has no option {strange[0]!r}; it has {', '.join(known) or 'none'}.")
    missing = [option for option, found in known.items() if found.default is found.empty and option not in options]
    if missing:
        raise ValueError(f"The method {name!r} needs its option {missing[0]!r}. `METHODS` has one that was tried.")
    return KNOWN[name](**options)


def _together(tasks: Sequence[Task]) -> Task:
    """All tasks in one, to be trained on at once."""
    x, y = torch.cat([task.x_train for task in tasks]), torch.cat([task.y_train for task in tasks])
    return Task("all", x, y, x[:0], y[:0])
