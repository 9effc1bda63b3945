"""Exercises of chapter 02: transfer learning."""

from autograder.exercises.transfer.pipeline_data import group_split, mixup, pad_batch
from autograder.exercises.transfer.pipeline_scores import confidence, f1_from_confusion, reported_result
from autograder.exercises.transfer.pipeline_steps import clip_by_norm, hyperparameters, parameter_groups, warmup_lr

__all__ = [
    "clip_by_norm", "confidence", "f1_from_confusion", "group_split", "hyperparameters", "mixup", "pad_batch", "parameter_groups",
    "reported_result", "warmup_lr",
]
