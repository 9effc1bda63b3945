"""How to score it: R[i][j] is the accuracy on task j after training on task i (Lopez-Paz and Ranzato 2017)."""

from __future__ import annotations

from collections.abc import Sequence

Matrix = Sequence[Sequence[float]]


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
