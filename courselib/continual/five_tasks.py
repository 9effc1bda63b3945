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

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from courselib.continual.distillation import distillation_loss
from courselib.continual.isolation import TaskNetwork
from courselib.continual.replay import Reservoir, replay_loss
from courselib.continual.scores import average_accuracy, backward_transfer, forward_transfer, losses_and_gains
from courselib.forgetting.fisher import add, true_fisher
from courselib.forgetting.penalties import anchor, ewc_penalty
from courselib.lab.classification import accuracy
from courselib.lab.data.digits import Task, class_tasks
from courselib.lab.training import fit

BATCH, LEARNING_RATE, MOMENTUM = 32, 0.01, 0.9
OWN_HEADS = ("heads", "frozen", "adapters")
KNOWN = ("naive", "EWC", "distillation", "replay", *OWN_HEADS, "joint")
SMALL = {"steps": 100, "hidden": 100, "bottleneck": 16}  # half a second a run, as the chapter needs it
METHODS = {  # in the small size; strengths and temperature were chosen on seeds 100 to 104
    "naive": SMALL | {"method": "naive"},
    "EWC": SMALL | {"method": "EWC", "strength": 1000.0},
    "distillation": SMALL | {"method": "distillation", "strength": 1.0, "temperature": 4.0},
    "replay": SMALL | {"method": "replay", "kept": 100},
    "heads alone": SMALL | {"method": "heads"},
    "frozen trunk": SMALL | {"method": "frozen"},
    "adapters": SMALL | {"method": "adapters"},
    "joint": SMALL | {"method": "joint"},
}


def parity_tasks(seed: int = 0) -> list[Task]:
    """The five tasks with the labels of the one question: y is 1 for the odd digit of the pair, 0 for the even one."""
    return [
        Task(task.name, task.x_train, task.y_train % 2, task.x_test, task.y_test % 2, task.classes) for task in class_tasks(seed)
    ]


def batches(task: Task, steps: int, seed: int, size: int = BATCH) -> list[Tensor]:
    """Indices of `steps` mini-batches, from one shuffled round through the task after another."""
    generator, found = torch.Generator().manual_seed(seed), []
    while len(found) < steps:
        found += torch.randperm(len(task.x_train), generator=generator).split(size)[: len(task.x_train) // size]
    return found[:steps]


def train(
    model: nn.Module, task: Task, loss: Callable, *, steps: int, seed: int, lr: float = LEARNING_RATE, callbacks: Sequence = ()
) -> list[float]:
    """SGD with momentum. The gradient is clipped to norm 1, or a strong EWC penalty would throw the weights about.

    `loss(model, i)` gets the indices of a batch. Returns the losses.
    """
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=lr, momentum=MOMENTUM)
    return fit(
        model, batches(task, steps, seed), loss, optimizer, steps=steps, max_grad_norm=1.0, callbacks=callbacks, progress=False
    )


def network(hidden: int = 200, bottleneck: int = 0) -> TaskNetwork:
    """Two hidden layers for pictures of 64 pixels; the heads come with the tasks."""
    blocks = [nn.Sequential(nn.Linear(64, hidden), nn.ReLU()), nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU())]
    return TaskNetwork(blocks, (64, hidden, hidden), bottleneck)


class Answering(nn.Module):
    """A TaskNetwork with one of its heads, as a function of x alone."""

    def __init__(self, network: TaskNetwork, task: str = "all"):
        super().__init__()
        self.network, self.task = network, task

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x, self.task)


def five_tasks(
    seed: int, method: str, *, strength: float = 1.0, temperature: float = 1.0, kept: int = 1, alpha: float = 1.0,
    steps: int = 300, hidden: int = 200, bottleneck: int = 32,
) -> dict:
    """Trains on the five tasks in turn, `steps` steps each; returns the scores and the matrix R they are read from.

    Scores: ACC, BWT and its two sides `lost` and `gained`, `learned` (the mean of the diagonal: each task when it was just
    learned), and for networks with one head FWT. For "joint" there is no matrix, and ACC is all.
    `strength` is EWC's lambda, or the weight of the distillation loss; `temperature` is distillation's; `kept` the size of the
    reservoir and `alpha` the weight of what comes from it. Raises ValueError for an unknown method.
    """
    if method not in KNOWN:
        raise ValueError(f"There is no method {method!r}; choose one of {', '.join(KNOWN)}.")
    tasks, own_heads = parity_tasks(seed), method in OWN_HEADS
    torch.manual_seed(seed)
    model = network(hidden, bottleneck if method == "adapters" else 0)
    if not own_heads:
        model.add_task("all", 2)

    def head(task: Task) -> str:
        return task.name if own_heads else "all"

    def answers(task: Task) -> float:  # a task that has no head yet is answered by tossing a coin
        return accuracy(model(task.x_test, head(task)), task.y_test) if head(task) in model.heads else 0.5

    start = [answers(task) for task in tasks]
    if method == "joint":
        _together(model, tasks, steps, seed)
        return {"ACC": sum(map(answers, tasks)) / len(tasks)}
    R, fisher, buffer = [], None, Reservoir(kept, seed)
    for number, task in enumerate(tasks):
        if own_heads:
            model.add_task(task.name, 2, adapters=number > 0)
        teacher = copy.deepcopy(model).requires_grad_(False)  # the model as it was before this task; never trained again
        anchored = anchor(model)

        def loss(
            model: nn.Module, i: Tensor, task: Task = task, teacher: nn.Module = teacher, anchored: dict = anchored,
            fisher: dict | None = fisher, number: int = number,
        ) -> Tensor:
            x, y = task.x_train[i], task.y_train[i]
            if number and method == "replay":
                return replay_loss(lambda x: model(x, "all"), (x, y), buffer.sample(BATCH), alpha)
            logits = model(x, head(task))
            value = F.cross_entropy(logits, y)
            if number and method == "EWC":
                value = value + ewc_penalty(model, anchored, fisher, strength)
            if number and method == "distillation":
                value = value + strength * distillation_loss(logits, teacher(x, "all"), temperature)
            return value

        train(model, task, loss, steps=steps, seed=100 * seed + number)
        if method in ("frozen", "adapters"):
            model.freeze_trunk()
        if method == "EWC":
            found = true_fisher(Answering(model), task.x_train)
            found = {name.removeprefix("network."): value for name, value in found.items()}
            fisher = add(fisher, found) if fisher else found
        buffer.add_all(task.x_train, task.y_train)
        R.append([answers(other) for other in tasks])
    lost, gained = losses_and_gains(R)
    learned = sum(R[i][i] for i in range(len(R))) / len(R)
    scores = {"ACC": average_accuracy(R), "BWT": backward_transfer(R), "lost": lost, "gained": gained, "learned": learned}
    return scores | ({} if own_heads else {"FWT": forward_transfer(R, start)}) | {"R": R}


def _together(model: TaskNetwork, tasks: Sequence[Task], steps: int, seed: int) -> None:
    """All tasks in one, for as many steps as they get in turn."""
    x, y = torch.cat([task.x_train for task in tasks]), torch.cat([task.y_train for task in tasks])
    whole = Task("all", x, y, x[:0], y[:0])
    train(model, whole, lambda m, i: F.cross_entropy(m(x[i], "all"), y[i]), steps=steps * len(tasks), seed=seed)
