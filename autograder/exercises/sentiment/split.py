"""The exercise of chapter 02b on the split: whole groups, in a given order."""

from __future__ import annotations

import math

import numpy as np

import solutions.sentiment as answers
from autograder.exercises.draws import integer
from autograder.exercises.exercise import Case, Exercise, Misconception, Part


def _groups(rng: np.random.Generator, sizes: list[int]) -> list[str]:
    names = [f"template {chr(65 + i)}" for i in range(len(sizes))]
    rows = [name for name, size in zip(names, sizes, strict=True) for _ in range(size)]
    return [rows[i] for i in rng.permutation(len(rows))]


def group_split_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for label, sizes, share, group in [
        ("groups of unequal size", [9, 1, 2, 7, 1, 3, 5, 2], 0.4, "main"),
        ("other groups", [integer(rng, 6, 9), 2, 1, integer(rng, 4, 6), 3, 1, 2], 0.3, "main"),
        ("the share is met exactly", [4, 4, 4, 4, 4], 0.4, "exactly"),
    ]:
        order = [f"template {chr(65 + i)}" for i in range(len(sizes))]
        if group == "exactly":
            order = order[::-1]
        else:  # the largest group is met second, after a small one, so that rows and groups are told apart
            order = [order[2], order[0], *order[:0:-1]]
            order = list(dict.fromkeys(order))
        cases.append(Case(label, {"groups": _groups(rng, sizes), "order": order, "share": share}, group))
    return cases


def _split(groups: list[str], order: list[str], enough) -> list[int]:
    test: list[str] = []
    for group in order:
        if enough(test, group):
            break
        test.append(group)
    return [int(g in test) for g in groups]


def rows_not_groups(groups: list[str], order: list[str], share: float) -> list[int]:
    count = math.ceil(share * len(groups))
    return [int(i < count) for i in range(len(groups))]


def rows_in_order_of_groups(groups: list[str], order: list[str], share: float) -> list[int]:
    ranked = sorted(range(len(groups)), key=lambda i: order.index(groups[i]))
    chosen = set(ranked[: math.ceil(share * len(groups))])
    return [int(i in chosen) for i in range(len(groups))]


def share_of_groups(groups: list[str], order: list[str], share: float) -> list[int]:
    return _split(groups, order, lambda test, _: len(test) >= share * len(order))


def never_beyond(groups: list[str], order: list[str], share: float) -> list[int]:
    return _split(groups, order, lambda test, g: sum(x in test or x == g for x in groups) > share * len(groups))


def skips_what_is_too_large(groups: list[str], order: list[str], share: float) -> list[int]:
    test: list[str] = []
    for group in order:
        if sum(x in test or x == group for x in groups) <= share * len(groups):
            test.append(group)
    return [int(g in test) for g in groups]


group_split = Exercise(
    id="sentiment.group_split",
    answer=answers.transfer_group_split,
    cases=group_split_cases,
    parts=[Part("groups of unequal size", 2, on="main"), Part("the share is met exactly", 1, on="exactly")],
    misconceptions=[
        Misconception(
            "rows_not_groups", rows_not_groups,
            "You split the rows. Then rows of one group stand on both sides, and the test measures what training has seen. "
            "Decide for each group, and give its decision to all its rows.",
        ),
        Misconception(
            "rows_in_order_of_groups", rows_in_order_of_groups, earns=1,
            says="The last group that you put into the test is cut in two: some of its rows are in training. A group goes to "
            "one side whole, even if the test becomes larger than asked.",
        ),
        Misconception(
            "share_of_groups", share_of_groups, earns=1,
            says="You took a share of the groups. Groups differ in size; what has to reach the share is the number of rows.",
        ),
        Misconception(
            "never_beyond", never_beyond, earns=1,
            says="You stopped before the group that would lead beyond the share. The test is to have at least that share, so "
            "this group still goes in.",
        ),
        Misconception(
            "skips", skips_what_is_too_large, earns=1,
            says="You passed over groups that do not fit and took later, smaller ones. Then large groups never get into a "
            "test set, and it is no fair sample. Take the groups as they come, and stop.",
        ),
        Misconception(
            "inverted", lambda groups, order, share: [1 - x for x in answers.transfer_group_split(groups, order, share)],
            "Your ones and zeros are exchanged: 1 is for the test, 0 for training.",
        ),
    ],
)
