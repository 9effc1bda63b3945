"""The written exercise of chapter 05."""

from __future__ import annotations

import solutions.continual as answers
from autograder.exercises.exercise import Written

choose = Written(
    id="continual.choose",
    answer=answers.continual_choose,
    rubric=[
        (1, "Adapters: no forgetting only if trunk and older adapters are frozen and the task is known; with evidence"),
        (1, "Domain-incremental, and the task is not known in use: heads, adapters and LwF need a further classifier"),
        (1, "Replay of records is ruled out by law (generated or otherwise lawful examples may be discussed), whatever its ACC"),
        (1, "Distillation is possible with one head, and there the teacher contradicts the labels: diagonal or ACC as evidence"),
        (1, "Reports target and older tasks after each stage, ACC and BWT, against naive and joint training (or says why not)"),
    ],
)
