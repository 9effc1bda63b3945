"""Exercises of chapter 02b: a whole sentiment pipeline."""

from autograder.exercises.sentiment.batch import mixup, pad_batch
from autograder.exercises.sentiment.scores import confidence, f1_from_confusion, reported_result
from autograder.exercises.sentiment.settings import hyperparameters, parameter_groups
from autograder.exercises.sentiment.split import group_split
from autograder.exercises.sentiment.steps import clip_by_norm, warmup_lr

__all__ = [
    "clip_by_norm", "confidence", "f1_from_confusion", "group_split", "hyperparameters", "mixup", "pad_batch",
    "parameter_groups", "reported_result", "warmup_lr",
]
