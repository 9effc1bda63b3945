"""Exercise of chapter 09 that is answered in words."""

from __future__ import annotations

import solutions.peft_family as answers
from autograder.exercises.exercise import Written

choose_method = Written(
    id="peft_family.choose_method",
    answer=answers.peft_family_choose_method,
    rubric=[
        (1, "Chooses LoRA on all layers (or defends another choice) and names what decides: merging, what is stored, who serves "
            "it."),
        (1, "Says that the colleague's comparison is unfair: one learning rate for all methods; demands a rate of its own for "
            "each."),
        (1, "Names a measurement of the chapter for each choice, with its interval, and does not read a difference out of a "
            "null."),
        (1, "Says what would change the choice: many tasks in one batch, a layer that cannot be touched, a budget of storage."),
        (1, "Names a limit of the measurement: a small model, one task, a few seeds, a short training."),
    ],
)
