"""The question of chapter 10 that is answered in words."""

from __future__ import annotations

import solutions.qlora as answers
from autograder.exercises.exercise import Written

# --- more_memory ------------------------------------------------------------------------------------------------------

more_memory = Written(
    id="qlora.more_memory",
    answer=answers.qlora_more_memory,
    rubric=[
        (1, "four bits shrink the frozen weights and nothing else; gradients and moments are those of the adapters, with LoRA as "
            "with QLoRA"),
        (1, "kept activations do not depend on the bits of the weight; they grow with batch and length and are most of this "
            "peak"),
        (1, "what QLoRA adds: a dequantised copy of a weight that comes and goes, and the time to make it, twice a step"),
        (1, "looks at the items of the peak before choosing a lever, and compares like with like (checkpointing on in both, or "
            "in neither)"),
        (1, "checkpointing, a smaller batch with accumulation weighted by tokens, shorter texts, in an order with a reason from "
            "numbers"),
    ],
)
