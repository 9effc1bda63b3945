"""Exercises of chapter 05 on the matrix of accuracies."""

from __future__ import annotations

import numpy as np

import solutions.continual as answers
from autograder.exercises.exercise import Case, Exercise, Misconception, Part


def matrix(rng: np.random.Generator, tasks: int) -> np.ndarray:
    """Accuracies after each of `tasks` stages: high when learned, lower later, lowest before, and never twice the same.

    Just after the next task a task is answered a little better than when it was learned, so that its best is not its first.
    """
    R = rng.uniform(0.3, 0.5, (tasks, tasks))
    for j in range(tasks):
        R[j, j] = rng.uniform(0.8, 0.9)
        R[j + 1 :, j] = R[j, j] - rng.uniform(0.1, 0.3, tasks - j - 1)
        if j + 2 < tasks:
            R[j + 1, j] = R[j, j] + rng.uniform(0.03, 0.08)
    return R.round(4)


def scores_cases(rng: np.random.Generator) -> list[Case]:
    return [
        Case("4 tasks", {"R": matrix(rng, 4)}, "several"),
        Case("6 tasks", {"R": matrix(rng, 6)}, "several"),
        Case("2 tasks", {"R": matrix(rng, 2)}, "two"),
    ]


def changes(R: np.ndarray) -> np.ndarray:
    """What each task but the last has gained since it was learned."""
    return R[-1, :-1] - np.diag(R)[:-1]


def every_stage(R: np.ndarray) -> float:
    """R[i, j] - R[j, j] in the mean over all i > j."""
    return float(np.mean([R[i, j] - R[j, j] for j in range(len(R)) for i in range(j + 1, len(R))]))


average_accuracy = Exercise(
    id="continual.average_accuracy",
    answer=answers.continual_average_accuracy,
    cases=scores_cases,
    parts=[Part("value", 2)],
    misconceptions=[
        Misconception(
            "whole_matrix", lambda R: R.mean(),
            "This is the mean of the whole matrix. ACC looks at the end only, when all tasks have been learned: the last row.",
        ),
        Misconception(
            "diagonal", lambda R: np.diag(R).mean(),
            "This is the mean of the diagonal: each task just after it was learned, when nothing has been forgotten yet.",
        ),
        Misconception(
            "last_column", lambda R: R[:, -1].mean(),
            "This is the last column: the last task at all times. You need all tasks at the last time, which is the last row.",
        ),
        Misconception(
            "seen_so_far", lambda R: R[np.tril_indices(len(R))].mean(),
            "This is the mean over all stages of what had been seen by then. ACC is measured once, after the last task.",
        ),
        Misconception(
            "without_the_last", lambda R: R[-1, :-1].mean(),
            "You left out the last task. That is right for BWT, which asks about the past; ACC is over all tasks.",
        ),
    ],
)

backward_transfer = Exercise(
    id="continual.backward_transfer",
    answer=answers.continual_backward_transfer,
    cases=scores_cases,
    parts=[Part("several tasks", 2, on="several"), Part("two tasks", 1, on="two")],
    misconceptions=[
        Misconception(
            "over_all_tasks", lambda R: changes(R).sum() / len(R),
            "You divided by the number of tasks. The last task has had no time to be forgotten, so one fewer is averaged.",
        ),
        Misconception(
            "every_stage", lambda R: every_stage(R), earns=1,
            says="You averaged over all stages, every i > j. BWT is measured once, at the end: only the last row is compared.",
        ),
        Misconception(
            "sign", lambda R: -changes(R).mean(),
            "The sign is turned round: BWT is the accuracy now minus the accuracy then, so forgetting is negative.",
        ),
        Misconception(
            "last_stage_only", lambda R: (R[-1, :-1] - R[-2, :-1]).mean(), earns=1,
            says="You compared with the row before the last. That is what the last stage alone did; compare each task with the "
            "moment it was learned, R[j, j].",
        ),
        Misconception(
            "from_the_best", lambda R: (R[-1, :-1] - R[:-1, :-1].max(axis=0)).mean(), earns=1,
            says="You compared with the best accuracy ever reached. That is the forgetting measure of Chaudhry et al. (2018); "
            "BWT compares with R[j, j].",
        ),
        Misconception(
            "transposed", lambda R: changes(R.T).mean(),
            "You read the last column where the last row is needed. R[i, j]: the row says when, the column says which task.",
        ),
        Misconception(
            "sum", lambda R: changes(R).sum(), earns=1,
            says="This is the sum over the tasks. BWT is the mean, so that streams of different lengths can be compared.",
        ),
    ],
)


def forward_cases(rng: np.random.Generator) -> list[Case]:
    cases = scores_cases(rng)
    return [Case(c.label, c.inputs | {"start": rng.uniform(0.15, 0.7, len(c.inputs["R"])).round(4)}, c.group) for c in cases]


def just_before(R: np.ndarray) -> np.ndarray:
    """The accuracy on each task but the first, one stage before it is learned."""
    return np.diag(R, 1)


forward_transfer = Exercise(
    id="continual.forward_transfer",
    answer=answers.continual_forward_transfer,
    cases=forward_cases,
    parts=[Part("several tasks", 2, on="several"), Part("two tasks", 1, on="two")],
    misconceptions=[
        Misconception(
            "no_baseline", lambda R, start: just_before(R).mean(),
            "You left out what the untrained network gets. An accuracy of one half is no transfer where guessing gives one half.",
        ),
        Misconception(
            "against_chance", lambda R, start: (just_before(R) - 0.5).mean(),
            "You compared with one half. What knowing nothing gives on a task is measured: start[j].",
        ),
        Misconception(
            "after_learning", lambda R, start: (np.diag(R) - start)[1:].mean(),
            "You took the diagonal: each task after it was learned. Transfer forward is what is there just before, in the "
            "row above.",
        ),
        Misconception(
            "over_all_tasks", lambda R, start: (just_before(R) - start[1:]).sum() / len(R),
            "You divided by the number of tasks. Nothing came before the first one, so one fewer is averaged.",
        ),
        Misconception(
            "below_the_diagonal", lambda R, start: (np.diag(R, -1) - start[1:]).mean(),
            "You read below the diagonal: that is what has become of tasks learned before. R[j − 1, j] stands above it.",
        ),
        Misconception(
            "shifted_start", lambda R, start: (just_before(R) - start[:-1]).mean(),
            "You compared task j with the start of task j − 1. Both numbers are about the same task.",
        ),
        Misconception(
            "first_row", lambda R, start: (R[0] - start)[1:].mean(), earns=1,
            says="You read the first row for every task: what task 1 alone has brought. Ask just before each task is learned.",
        ),
    ],
)
