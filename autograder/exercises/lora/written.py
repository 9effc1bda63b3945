"""Questions of chapter 08 that are answered in words."""

from __future__ import annotations

import solutions.lora as answers
from autograder.exercises.exercise import Written

# --- why_scale --------------------------------------------------------------------------------------------------------

why_scale = Written(
    id="lora.why_scale",
    answer=answers.lora_why_scale,
    rubric=[
        (1, "α is a strength that can be set apart from the rank (like a learning rate of the update), so α ≠ r makes sense; α/r "
            "was meant to let the rank change without tuning the learning rate again"),
        (1, "where the factors are independent, or gradient descent makes the step, α/r does not cancel the rank: the mean "
            "square goes like α²/r (after steps of gradient descent even faster), and α/√r keeps it constant"),
        (1, "for AdamW it is the other way about: after its steps the update under α/r hardly depends on the rank, and under "
            "α/√r it grows with it. (An answer that gives AdamW its due and derives it loses nothing by being short on the "
            "rest.)"),
        (1, "a measurement of the chapter over r as evidence, and what it was a measurement of: random factors, a gradient step, "
            "or AdamW's steps"),
    ],
)

# --- choose_settings --------------------------------------------------------------------------------------------------

choose_settings = Written(
    id="lora.choose_settings",
    answer=answers.lora_choose_settings,
    rubric=[
        (1, "spreads the same number of weights over more layers (all, or the MLP) instead of a large rank on query and value, "
    "and "
            "cites the chapter's comparison at an equal budget"),
        (1, "gives LoRA a learning rate of its own, found by trying several on validation data; it is not the rate of full "
            "fine-tuning"),
        (1, "chooses the rank by a sweep, starts small, and cites where the chapter's accuracy stopped rising"),
        (1, "names a control (full fine-tuning, at a gentle rate too) or says what LoRA is for here: one base, adapters to "
    "switch"),
        (1, "says of at least one choice why it may not carry over: model size, task, number of seeds, what the interval "
    "leaves out"),
    ],
)
