"""Real handwritten digits, as streams of tasks: the smallest honest test of forgetting.

The pictures are scikit-learn's `load_digits` (Alpaydin and Kaynak 1998, UCI): 1797 digits of 8 x 8 grey levels,
shipped with the library, so nothing is fetched. Two classic ways to make several tasks of them:

    permuted    every task shows the same digits through its own fixed shuffling of the 64 pixels; what has to be
                said is the same, what is seen is not (Goodfellow et al. 2013)
    by class    five tasks of two digits each, 0 and 1, then 2 and 3, ...; the answers are new (Zenke et al. 2017)

There is one split a seed, and all tasks are made from it: a test picture is in no task's training half, shuffled
or not. No two of the pictures are equal. Test digits are by the same writers as training digits, though: the
library does not say who wrote which, so no split by writer can be made.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

PIXELS, CLASSES = 64, 10
PAIRS = ((0, 1), (2, 3), (4, 5), (6, 7), (8, 9))


@dataclass(frozen=True)
class Task:
    """Something to learn: pictures `x` (n, 64), float32 in [0, 1], and digits `y` (n,), int64, in two halves.

    `classes` are the digits that occur. Labels stay the digits themselves, 0 to 9, in every task.
    """

    name: str
    x_train: Tensor
    y_train: Tensor
    x_test: Tensor
    y_test: Tensor
    classes: tuple[int, ...] = tuple(range(CLASSES))


def digits(seed: int = 0, test_share: float = 0.25) -> Task:
    """All ten digits, shuffled and split so that every digit has its share of the test half.

    The same seed gives the same split anywhere. Raises ValueError for a negative seed and for a `test_share` not
    between 0.05 and 0.95, beyond which a digit would be left with hardly a picture.
    """
    if seed < 0:
        raise ValueError(f"The seed is {seed}; it has to be 0 or more. Try 0.")
    if not 0.05 <= test_share <= 0.95:
        raise ValueError(f"test_share is {test_share}; the share kept for testing is between 0.05 and 0.95. Try 0.25.")
    x, y = _pictures()
    generator = torch.Generator().manual_seed(seed)
    train, test = [], []
    for digit in range(CLASSES):
        members = (y == digit).nonzero().squeeze(1)
        members = members[torch.randperm(len(members), generator=generator)]
        cut = round(len(members) * test_share)
        test.append(members[:cut])
        train.append(members[cut:])
    train, test = torch.cat(train), torch.cat(test)
    train = train[torch.randperm(len(train), generator=generator)]
    test = test[torch.randperm(len(test), generator=generator)]
    return Task("digits", x[train], y[train], x[test], y[test])


def permuted_tasks(count: int, seed: int = 0) -> list[Task]:
    """`count` tasks: the digits as they are, then the same digits with their pixels shuffled, anew for each task.

    The seed draws the split and the shufflings. The first tasks do not depend on `count`. Raises ValueError for
    fewer than one task.
    """
    if count < 1:
        raise ValueError(f"{count} permuted tasks were asked for; there has to be at least 1. Try 2.")
    whole = digits(seed)
    generator = torch.Generator().manual_seed(seed)
    tasks = []
    for number in range(count):
        order = torch.arange(PIXELS) if number == 0 else torch.randperm(PIXELS, generator=generator)
        name = "as they are" if number == 0 else f"shuffled {number}"
        tasks.append(Task(name, whole.x_train[:, order], whole.y_train, whole.x_test[:, order], whole.y_test))
    return tasks


def class_tasks(seed: int = 0, groups: tuple[tuple[int, ...], ...] = PAIRS) -> list[Task]:
    """One task for every group of digits, five pairs by default. The seed draws the split.

    Raises ValueError if a group is empty, asks for something that is no digit, or shares a digit with another.
    """
    asked = [digit for group in groups for digit in group]
    if not groups or not all(groups):
        raise ValueError(f"Every task needs at least one digit; the groups are {groups}. Try {PAIRS}.")
    strange = [digit for digit in asked if digit not in range(CLASSES)]
    if strange:
        raise ValueError(f"There are only the digits 0 to 9; {strange} were asked for. Try {PAIRS}.")
    twice = sorted({digit for digit in asked if asked.count(digit) > 1})
    if twice:
        raise ValueError(f"The digits {twice} are in more than one task, so they could not be forgotten. Give each digit once.")
    whole = digits(seed)
    tasks = []
    for group in groups:
        wanted = torch.tensor(group)
        train, test = torch.isin(whole.y_train, wanted), torch.isin(whole.y_test, wanted)
        name = " and ".join(map(str, group))
        tasks.append(
            Task(name, whole.x_train[train], whole.y_train[train], whole.x_test[test], whole.y_test[test], tuple(group))
        )
    return tasks


@cache
def _pictures() -> tuple[Tensor, Tensor]:
    """All pictures (1797, 64), grey levels 0 .. 16 scaled to 0 .. 1, and their digits (1797,)."""
    from sklearn.datasets import load_digits  # slow to import

    found = load_digits()
    return torch.tensor(found.data, dtype=torch.float32) / 16, torch.tensor(found.target, dtype=torch.int64)
