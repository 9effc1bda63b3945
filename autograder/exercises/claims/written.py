"""The question of chapter A that is answered in words."""

from __future__ import annotations

import solutions.claims as answers
from autograder.exercises.exercise import Written

refute = Written(
    id="claims.refute",
    answer=answers.claims_refute,
    rubric=[
        (1, "grants what is right: the share of 0.27 % (294,912 of 109.5 million), and that the pretrained weights do not "
        "change"),
        (1, "computes the memory: the frozen weights stay, so 16 bytes a parameter become 4 and not none, 1.75 GB against 0.44 "
        "GB, about 75 % less; activations come on top in both"),
        (1, "says why unchanged weights are not unchanged answers: the active adapter changes the function, and only with it "
            "switched off is the old one back, exactly"),
        (1, "names an experiment with a control: an old task before and after, adapter on and off, beside full fine-tuning at "
        "matched accuracy or with its own learning rate, over several seeds"),
        (1, "says which outcome would have proved the author right, and keeps to what the computation supports"),
    ],
)
