"""Exercises of chapter 05 on the matrix of accuracies, and the written one."""

from __future__ import annotations

import numpy as np

import solutions.continual as answers
from autograder.exercises.exercise import Case, Exercise, Misconception, Part, Written


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

choose = Written(
    id="continual.choose",
    answer=answers.continual_choose,
    rubric=[
        (1, "Adapters: no forgetting only if trunk and older adapters are frozen and the task is known; with evidence"),
        (1, "Here the task is not known in use, so adapters or heads cannot be chosen without a further classifier"),
        (1, "Replay of records is ruled out by law (generated or otherwise lawful examples may be discussed), whatever its ACC"),
        (1, "Distillation is possible, and its price is named: it hinders the new task (evidence: diagonal or ACC, not BWT)"),
        (1, "Reports target and older tasks after each stage, ACC and BWT, against naive and joint training (or says why not)"),
    ],
)
