"""A question of chapter 07 that is answered in words."""

from __future__ import annotations

import solutions.preference as answers
from autograder.exercises.exercise import Written

choose_method = Written(
    id="preference.choose_method",
    answer=answers.preference_choose_method,
    rubric=[
        (1, "starts with, or compares against, something simple on the clicks (DPO, or best-of-n), and cites how near "
        "it came to PPO in the chapter"),
        (1, "does not stop by the proxy: names a judgement of fresh samples (the clerks) as the stopping rule, and cites proxy "
        "up and truth down"),
        (1, "keeps a KL (or another bound) and cites what happened without one"),
        (1, "uses the program for the amounts as a verifiable reward, and cites GRPO's gain beside its null or beside imitation"),
        (1, "names a bias of the clicks, such as length, and how it would be seen (length over the steps, score against length)"),
        (1, "says of at least one measurement why it may not carry over: size of the model, one annotator, few prompts, seeds"),
    ],
)
