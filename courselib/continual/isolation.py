"""Isolation: give every task weights of its own, and freeze what is shared (Rusu et al. 2016; Houlsby et al. 2019)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from courselib.lab.data.digits import Task
from courselib.lab.in_turn import Method


class Adapter(nn.Module):
    """x + up(relu(down(x))): a narrow detour, (n, d) -> (n, d). `up` starts at 0, so at first nothing changes.

    Source: Houlsby et al. 2019, section 2.1.
    """

    def __init__(self, d: int, bottleneck: int):
        super().__init__()
        self.down, self.up = nn.Linear(d, bottleneck), nn.Linear(bottleneck, d)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.up(F.relu(self.down(x)))


class TaskNetwork(nn.Module):
    """A shared trunk, and for each task a head of its own and, if `bottleneck` is above 0, adapters of its own.

    Heads alone isolate nothing: whoever trains the trunk moves it under every other task's head. Isolation begins
    with `freeze_trunk()`; from then on a task's answers depend on nothing that another task can train, and stay
    the same to the last bit. The price: one must know which task an input belongs to, the network grows with
    every task, and a frozen trunk learns nothing new.

    `blocks` are the trunk's layers in order; `widths` the size of each one's input, and of the last one's output.
    """

    def __init__(self, blocks: Sequence[nn.Module], widths: Sequence[int], bottleneck: int = 0):
        super().__init__()
        if len(widths) != len(blocks) + 1:
            raise ValueError(
                f"{len(blocks)} blocks have {len(blocks)} inputs and one last output, so {len(blocks) + 1} widths; "
                f"got {len(widths)}."
            )
        self.blocks, self.widths, self.bottleneck = nn.ModuleList(blocks), tuple(widths), bottleneck
        self.heads, self.adapters = nn.ModuleDict(), nn.ModuleDict()

    def add_task(self, name: str, classes: int, adapters: bool = True) -> None:
        """A new head and, unless told otherwise, new adapters before every block. The other tasks' are frozen."""
        if name in self.heads:
            raise ValueError(f"There is a task {name!r} already, and a new head would lose the old one. Choose another name.")
        self.heads.requires_grad_(False)
        self.adapters.requires_grad_(False)
        self.heads[name] = nn.Linear(self.widths[-1], classes)
        wanted = self.bottleneck if adapters else 0
        self.adapters[name] = nn.ModuleList(Adapter(d, wanted) if wanted else nn.Identity() for d in self.widths[:-1])

    def freeze_trunk(self) -> None:
        """From now on no task trains what is shared."""
        self.blocks.requires_grad_(False)

    def forward(self, x: Tensor, task: str) -> Tensor:
        """The logits (n, classes of that task) of inputs (n, widths[0])."""
        if task not in self.heads:
            raise ValueError(f"There is no task {task!r}; there are {', '.join(self.heads) or 'none yet'}. Call add_task first.")
        return self.heads[task](self.features(x, task))

    def features(self, x: Tensor, task: str) -> Tensor:
        """What the heads see, (n, widths[-1]): the trunk, through the adapters of that task."""
        for adapter, block in zip(self.adapters[task], self.blocks, strict=True):
            x = block(adapter(x))
        return x


class Answering(nn.Module):
    """A TaskNetwork as a function of x alone: the logits of the task `task`, once that has been added."""

    def __init__(self, network: TaskNetwork, task: str):
        super().__init__()
        self.network, self.task = network, task

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x, self.task)


class OwnHeads(Method):
    """A head of its own for each task, on a trunk that all of them train. For a model that is `Answering` about the task.

    Limits: it isolates nothing, for the trunk moves under the older heads; and whoever asks has to name the task.
    """

    def before_task(self, model: Answering, task: Task) -> None:
        later = len(model.network.heads) > 0  # the first task has the trunk to itself, and needs no adapters
        model.network.add_task(model.task, len(set(task.y_train.tolist())), adapters=later)


class Isolation(OwnHeads):
    """A head and adapters of its own for each task, on a trunk that the first task trains and nobody after it.

    Adapters are there if the network was made with a bottleneck (Houlsby et al. 2019); without, only the heads are new. Old
    answers stay the same to the last bit. Limits: the task has to be named, and the network grows with every task.
    """

    def after_task(self, model: Answering, task: Task) -> None:
        model.network.freeze_trunk()
