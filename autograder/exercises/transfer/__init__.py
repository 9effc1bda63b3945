"""Exercises of chapters 02 and 02b: transfer learning, and a whole sentiment pipeline."""

from autograder.exercises.transfer.pipeline_batch import mixup, pad_batch
from autograder.exercises.transfer.pipeline_scores import confidence, f1_from_confusion, reported_result
from autograder.exercises.transfer.pipeline_settings import hyperparameters, parameter_groups
from autograder.exercises.transfer.pipeline_split import group_split
from autograder.exercises.transfer.pipeline_steps import clip_by_norm, warmup_lr
from autograder.exercises.transfer.strategies import (
    definition,
    finetune_learning_rate,
    gradual_unfreezing,
    scenarios,
    trainable_parameters,
)
from autograder.exercises.transfer.theory import critique, ridge_to_prior, samples_needed, two_stages

__all__ = [
    "clip_by_norm", "confidence", "critique", "definition", "f1_from_confusion", "finetune_learning_rate", "gradual_unfreezing",
    "group_split", "hyperparameters", "mixup", "pad_batch", "parameter_groups", "reported_result", "ridge_to_prior",
    "samples_needed", "scenarios", "trainable_parameters", "two_stages", "warmup_lr",
]
