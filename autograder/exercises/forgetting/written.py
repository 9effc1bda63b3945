"""The written exercise of chapter 04."""

from __future__ import annotations

import solutions.forgetting as answers
from autograder.exercises.exercise import Written

why = Written(
    id="forgetting.why",
    answer=answers.forgetting_why,
    rubric=[
        (1, "forgetting is the loss of an old ability through training on something else, with the chapter's numbers"),
        (1, "full fine-tuning minimises the new loss alone, over shared weights; nothing in it speaks of the old task"),
        (1, "direction (curvature of the old loss) decides, not distance; joint training or EWC as evidence"),
        (1, "new classes, one head: old classes are still told apart, but the unguarded new output weights win every comparison"),
    ],
)
