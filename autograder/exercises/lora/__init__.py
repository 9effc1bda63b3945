"""Exercises of chapter 08: LoRA."""

from autograder.exercises.lora.attention import adamw_step, attention_backward, attention_forward
from autograder.exercises.lora.counting import attention_budget, multi_task_ratio, parameter_count, static_memory
from autograder.exercises.lora.layer import forward, gradient, why_scale
from autograder.exercises.lora.merging import merge
from autograder.exercises.lora.spectrum import truncate

__all__ = [
    "adamw_step", "attention_backward", "attention_budget", "attention_forward", "forward", "gradient", "merge",
    "multi_task_ratio", "parameter_count", "static_memory", "truncate", "why_scale",
]
