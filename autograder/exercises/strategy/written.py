"""Questions of chapter 12 that are answered in words."""

from __future__ import annotations

import solutions.strategy as answers
from autograder.exercises.exercise import Written

# --- scenarios --------------------------------------------------------------------------------------------------------

scenarios = Written(
    id="strategy.scenarios",
    answer=answers.strategy_scenarios,
    rubric=[
        (1, "A: the unlabelled letters come first (continued pretraining, for the words), and the control is the same "
            "fine-tuning "
            "without them; full fine-tuning or LoRA are both right if memory is not given as the reason"),
        (1, "B: a method that fits 24 GB or whatever is named, with the memory worked out; forgetting is measured before and "
            "after "
            "as a second axis, and something is done about it that is not just LoRA (mixing, a lower rate, distillation)"),
        (1, "C: one base and adapters or heads; the storage or serving of 60 copies worked out; several comparisons are pooled "
            "or "
            "corrected for"),
        (1, "each has a control, and a number fixed beforehand that would change the decision: a margin, or an interval in "
            "pairs"),
        (1, "at least two measurements of this course are cited for what they measured, and one piece of usual advice is turned "
            "down with a reason"),
    ],
)  # fmt: skip

# --- medical ----------------------------------------------------------------------------------------------------------

medical = Written(
    id="strategy.medical",
    answer=answers.strategy_medical,
    rubric=[
        (1, "the leak of a random split (patients, templates, copies), a measurement that shows it and a split that prevents it"),
        (1, "two models on two test sets: both on one, in pairs, with an interval over texts or patients"),
        (1, "the rate, which is one for adapters, or the vocabulary and the domain: the sweep or the count that would show it"),
        (1, "forgetting as an axis that nobody measured: before and after, and what is done about it"),
        (1, "every measurement has a control, and nothing is changed without one"),
    ],
)  # fmt: skip
