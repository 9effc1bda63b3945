"""Exercises of chapter 02: transfer learning."""

from autograder.exercises.transfer.strategies import (
    definition,
    finetune_learning_rate,
    gradual_unfreezing,
    scenarios,
    trainable_parameters,
)
from autograder.exercises.transfer.theory import critique, ridge_to_prior, samples_needed, two_stages

__all__ = [
    "critique", "definition", "finetune_learning_rate", "gradual_unfreezing", "ridge_to_prior", "samples_needed", "scenarios",
    "trainable_parameters", "two_stages",
]
