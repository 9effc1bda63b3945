"""Five tasks of real digits, one after another: what each method of continual learning keeps of them.

0 or 1, then 2 or 3, ... and three questions that can be asked about the same pictures (van de Ven and Tolias 2019):

    domain    is it the odd one of its pair?  One head of two answers serves all tasks; nobody says which task a picture is of
    task      the same, and the task is said: a head of two answers for each
    class     which digit is it?  One head of ten answers; nobody says which task

    naive          nothing is done
    EWC, SI        a spring on every weight that mattered so far         (Kirkpatrick et al. 2017; Zenke et al. 2017)
    distillation   the frozen old model is a second teacher; with a head for each task it is LwF   (Li and Hoiem 2016)
    replay         a reservoir of old examples is rehearsed              (Chaudhry et al. 2019)
    dark replay    a reservoir of old answers                            (Buzzega et al. 2020)
    A-GEM          steps that do not point against the old examples      (Chaudhry et al. 2019)
    frozen         a head for each task on a trunk that only the first task trained
    adapters       the same, and adapters of its own for each task       (Rusu et al. 2016; Houlsby et al. 2019)
    joint          all tasks at once: no method, but a mark to hold the others against
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence

import torch
from torch import nn

from courselib.continual.distillation import Distillation
from courselib.continual.heads import InHeads, LwF, ReplayHeads
from courselib.continual.isolation import Answering, Isolation, OwnHeads, TaskNetwork
from courselib.continual.projection import AGEM
from courselib.continual.replay import DarkReplay, Replay
from courselib.continual.scores import average_accuracy, backward_transfer, forward_transfer, losses_and_gains
from courselib.forgetting.penalties import EWC
from courselib.forgetting.synaptic import SynapticIntelligence
from courselib.lab.classification import accuracy
from courselib.lab.data.digits import Task, class_tasks
from courselib.lab.in_turn import Method, learn_next, train_on

KNOWN = {
    "naive": Method, "EWC": EWC, "SI": SynapticIntelligence, "distillation": Distillation, "replay": Replay, "dark replay":
    DarkReplay, "A-GEM": AGEM, "joint": Method,
}
IN_HEADS = {  # what is there for the question "task"
    "naive": OwnHeads, "EWC": EWC, "distillation": LwF, "replay": ReplayHeads, "frozen": Isolation, "adapters": Isolation,
}
SMALL = {"steps": 50, "hidden": 100, "lr": 0.02}  # a third of a second a run, as the chapter needs it
METHODS = {  # in the small size; strengths and temperatures were chosen on seeds 100 to 104
    "naive": SMALL | {"method": "naive"},
    "EWC": SMALL | {"method": "EWC", "strength": 1000.0, "examples": 100},
    "SI": SMALL | {"method": "SI", "strength": 10.0},
    "distillation": SMALL | {"method": "distillation", "strength": 1.0, "temperature": 4.0},
    "A-GEM": SMALL | {"method": "A-GEM", "kept": 100},
    "replay": SMALL | {"method": "replay", "kept": 100},
    "dark replay": SMALL | {"method": "dark replay", "kept": 100},
    "joint": SMALL | {"method": "joint"},
    "heads alone": SMALL | {"question": "task", "method": "naive"},
    "EWC, heads": SMALL | {"question": "task", "method": "EWC", "strength": 100.0, "examples": 100},
    "LwF": SMALL | {"question": "task", "method": "distillation", "strength": 1.0, "temperature": 4.0},
    "replay, heads": SMALL | {"question": "task", "method": "replay", "kept": 100},
    "frozen trunk": SMALL | {"question": "task", "method": "frozen"},
    "adapters": SMALL | {"question": "task", "method": "adapters", "bottleneck": 16},
    "naive, classes": SMALL | {"question": "class", "method": "naive"},
    "EWC, classes": SMALL | {"question": "class", "method": "EWC", "strength": 300.0, "examples": 60},
    "distillation, classes": SMALL | {"question": "class", "method": "distillation", "strength": 1.0, "temperature": 4.0},
    "replay, classes": SMALL | {"question": "class", "method": "replay", "kept": 100},
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


def five_tasks(
    seed: int, method: str, *, question: str = "domain", steps: int = 300, hidden: int = 200, lr: float = 0.01,
    bottleneck: int = 32, **options: float | str,
) -> dict:
    """Trains on the five tasks in turn, `steps` steps each; returns the scores and the matrix R they are read from.

    Scores: ACC, BWT and its two sides `lost` and `gained`, `learned` (the mean of the diagonal: each task when it was just
    learned), and for networks with one head FWT. For "joint" there is no matrix, and ACC is all.
    `options` are those of the method's class, such as EWC's strength; `bottleneck` is for adapters alone.
    Raises ValueError for an unknown question or method, or an option that it has not.
    """
    remedy = _method(method, question, options)
    tasks, own_heads = class_tasks(seed) if question == "class" else parity_tasks(seed), question == "task"
    torch.manual_seed(seed)
    model = headless(hidden, bottleneck if method == "adapters" else 0)
    if not own_heads:
        model.add_task("all", 10 if question == "class" else 2)
    seen = [Answering(model, task.name if own_heads else "all") for task in tasks]  # the model, as each task sees it

    @torch.no_grad()
    def answers() -> list[float]:  # a task that has no head yet is answered by tossing a coin
        return [accuracy(s(t.x_test), t.y_test) if s.task in model.heads else 0.5 for s, t in zip(seen, tasks, strict=True)]

    start = answers()
    if method == "joint":
        train_on(seen[0], _together(tasks), steps=steps * len(tasks), seed=seed, lr=lr)
        return {"ACC": sum(answers()) / len(tasks)}
    R = []
    remedy.begin(seed)
    for number, task in enumerate(tasks):
        learn_next(seen[number], task, remedy, steps=steps, seed=100 * seed + number, lr=lr)
        R.append(answers())
    lost, gained = losses_and_gains(R)
    learned = sum(R[i][i] for i in range(len(R))) / len(R)
    scores = {"ACC": average_accuracy(R), "BWT": backward_transfer(R), "lost": lost, "gained": gained, "learned": learned}
    return scores | ({} if own_heads else {"FWT": forward_transfer(R, start)}) | {"R": R}


def _method(name: str, question: str, options: dict[str, float | str]) -> Method:
    """The method of that name, made with its options, for that question."""
    if question not in ("domain", "task", "class"):
        raise ValueError(f"There is no question {question!r}; choose 'domain', 'task' or 'class'.")
    there = IN_HEADS if question == "task" else KNOWN
    if name not in there:
        raise ValueError(f"There is no method {name!r} for the question {question!r}; choose one of {', '.join(there)}.")
    known = {key: found for key, found in inspect.signature(there[name]).parameters.items() if key not in ("args", "kwargs")}
    strange = [option for option in options if option not in known]
    if strange:
        raise ValueError(f"The method {name!r} has no option {strange[0]!r}; it has {', '.join(known) or 'none'}.")
    missing = [option for option, found in known.items() if found.default is found.empty and option not in options]
    if missing:
        raise ValueError(f"The method {name!r} needs its option {missing[0]!r}. `METHODS` has one that was tried.")
    made = there[name](**options)
    return InHeads(made) if question == "task" and not isinstance(made, OwnHeads) else made


def _together(tasks: Sequence[Task]) -> Task:
    """All tasks in one, to be trained on at once."""
    x, y = torch.cat([task.x_train for task in tasks]), torch.cat([task.y_train for task in tasks])
    return Task("all", x, y, x[:0], y[:0])
