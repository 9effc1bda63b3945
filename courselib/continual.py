"""Learning one task after another without losing the first: replay, distillation, isolation, and how to score it.

    replay         keep a few old examples, drawn fairly, and mix them in          (Chaudhry et al. 2019)
    distillation   keep the old model, and ask the new one to answer as it would   (Li and Hoiem 2016, "LwF")
    isolation      give every task weights of its own, and freeze what is shared   (Rusu et al. 2016; Houlsby et al. 2019)

The score is a matrix: R[i][j] is the accuracy on task j after training on task i (Lopez-Paz and Ranzato 2017).
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Matrix = Sequence[Sequence[float]]


class Reservoir:
    """A fair sample of a stream whose length nobody knows: Algorithm R (Vitter 1985, after Waterman).

    The first `capacity` examples are kept. Example number n after that replaces a random one with probability
    capacity / n; then every example seen so far is inside with the same probability, however early it came.
    So old tasks stay in the buffer in proportion to what was seen of them. State: `items`, and `seen`, a count.
    """

    def __init__(self, capacity: int, seed: int = 0):
        if capacity < 1:
            raise ValueError(f"The capacity is {capacity}; a reservoir needs room for at least 1 example.")
        self.capacity = capacity
        self.items: list[tuple[Tensor, ...]] = []
        self.seen = 0
        self._rng = random.Random(seed)

    def add(self, *example: Tensor) -> None:
        """Shows it one example, such as (x, y), which is kept or let go."""
        self.seen += 1
        if len(self.items) < self.capacity:
            self.items.append(example)
        elif (place := self._rng.randrange(self.seen)) < self.capacity:  # place is uniform over 0 .. seen - 1
            self.items[place] = example

    def add_all(self, *tensors: Tensor) -> None:
        """Shows it every row of tensors of equal length, such as x (n, d) and y (n,), in order."""
        for example in zip(*tensors, strict=True):
            self.add(*example)

    def sample(self, count: int) -> tuple[Tensor, ...]:
        """`count` kept examples (all, if there are fewer), stacked: x (count, d), y (count,), without repeats."""
        if not self.items:
            raise ValueError("The reservoir is empty, so there is nothing to replay. Call add or add_all first.")
        chosen = self._rng.sample(self.items, min(count, len(self.items)))
        return tuple(torch.stack(column) for column in zip(*chosen, strict=True))


def replay_counts(batch: int, old_share: float) -> tuple[int, int]:
    """How many new and how many old examples make a batch: replay_counts(32, 0.1) is (29, 3).

    Raises ValueError unless both kinds are there.
    """
    old = round(batch * old_share)
    if not 0 < old < batch:
        raise ValueError(
            f"A batch of {batch} with a share of {old_share} old examples has {old} of them; it needs some of both kinds. "
            "Try a larger batch, or another share."
        )
    return batch - old, old


def replay_loss(model: nn.Module, new: tuple[Tensor, Tensor], old: tuple[Tensor, Tensor], alpha: float = 1.0) -> Tensor:
    """L_new + alpha * L_old, each the mean cross-entropy of its own examples (x, y), in one pass of the model."""
    n = len(new[1])
    logits = model(torch.cat([new[0], old[0]]))  # (n_new + n_old, classes)
    return F.cross_entropy(logits[:n], new[1]) + alpha * F.cross_entropy(logits[n:], old[1])


def softened(logits: Tensor, temperature: float) -> Tensor:
    """softmax(logits / T) over the last dimension: T > 1 shows what the model holds for the second-best answer."""
    if temperature <= 0:
        raise ValueError(f"The temperature is {temperature}; it has to be above 0. Try 2.")
    return (logits / temperature).softmax(-1)


def entropy(probabilities: Tensor) -> Tensor:
    """-sum p log p over the last dimension, in nats: 0 for a sure answer, log(classes) for no preference at all."""
    return -torch.xlogy(probabilities, probabilities).sum(-1)


def distillation_loss(student: Tensor, teacher: Tensor, temperature: float = 2.0) -> Tensor:
    """T^2 * KL(softmax(teacher / T) || softmax(student / T)), the mean over the rows of logits (n, classes).

    The gradient of the KL alone shrinks as 1 / T^2: one 1/T from the student's logits, one because softened
    answers differ less. T^2 puts it back, so that T changes what is taught and not how loudly (Hinton, Vinyals
    and Dean 2015, section 2). No gradient reaches the teacher. Raises ValueError if the shapes differ.
    """
    if student.shape != teacher.shape:
        raise ValueError(
            f"The student's logits have shape {tuple(student.shape)} and the teacher's {tuple(teacher.shape)}; they have to "
            "be about the same examples and classes. Has the student a new head? Then compare the old one only."
        )
    target = softened(teacher.detach(), temperature)  # (n, classes)
    log_student = (student / temperature).log_softmax(-1)
    return temperature**2 * F.kl_div(log_student, target, reduction="none").sum(-1).mean()


def distillation_gradient(student: Tensor, teacher: Tensor, temperature: float = 2.0) -> Tensor:
    """The gradient of `distillation_loss` with respect to the student's logits (n, classes), by hand: T/n (q - p).

    One of the two T of T^2 is used up by the chain rule, for the loss sees student/T; 1/n is the mean over the rows.
    """
    return temperature / len(student) * (softened(student, temperature) - softened(teacher, temperature))


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
        for adapter, block in zip(self.adapters[task], self.blocks, strict=True):
            x = block(adapter(x))
        return self.heads[task](x)


def average_accuracy(R: Matrix) -> float:
    """ACC: the mean accuracy over all tasks at the end, the last row's mean. Lopez-Paz and Ranzato 2017, eq. 2."""
    return sum(_square(R)[-1]) / len(R)


def backward_transfer(R: Matrix) -> float:
    """BWT: how much each task but the last has gained (or, below 0, lost) since it was learned, R[T-1][j] - R[j][j].

    Needs two tasks. Source: Lopez-Paz and Ranzato 2017, eq. 3.
    """
    last = len(_square(R, least=2)) - 1
    return sum(R[last][j] - R[j][j] for j in range(last)) / last


def losses_and_gains(R: Matrix) -> tuple[float, float]:
    """BWT taken apart: what tasks have lost since they were learned, and what they have gained; BWT is gains - losses.

    Both are means over all tasks but the last, and neither is negative. A BWT of 0 may be no loss, or a loss on one task
    and a gain on another that was learned badly. Needs two tasks.
    """
    last = len(_square(R, least=2)) - 1
    changes = [R[last][j] - R[j][j] for j in range(last)]
    return sum(max(0.0, -c) for c in changes) / last, sum(max(0.0, c) for c in changes) / last


def forward_transfer(R: Matrix, start: Sequence[float]) -> float:
    """FWT: how much better than `start` a task is answered just before it is learned, R[j-1][j] - start[j].

    `start[j]` is the accuracy of the untrained network on task j. A network with a fresh head for every task
    has no forward transfer to measure. Needs two tasks. Source: Lopez-Paz and Ranzato 2017, eq. 4.
    """
    tasks = len(_square(R, least=2))
    if len(start) != tasks:
        raise ValueError(f"R has {tasks} tasks but start has {len(start)} accuracies; each task needs one.")
    return sum(R[j - 1][j] - start[j] for j in range(1, tasks)) / (tasks - 1)


def target_and_general(R: Matrix) -> list[tuple[float, float | None]]:
    """The check after each stage: (accuracy on the task just learned, mean accuracy on all that came before it).

    Before the first task there was nothing, so its second number is None.
    """
    return [(row[i], sum(row[:i]) / i if i else None) for i, row in enumerate(_square(R))]


def _square(R: Matrix, least: int = 1) -> Matrix:
    if len(R) < least or any(len(row) != len(R) for row in R):
        raise ValueError(
            f"R has to be square, a row after each task and a column for each, with at least {least}; "
            f"its rows have {[len(row) for row in R]} entries. Measure every task after every task, also those to come."
        )
    return R
