"""Exercises of chapter 05: continual learning."""

from autograder.exercises.continual.distillation import distillation_gradient, distillation_loss
from autograder.exercises.continual.replay import replay_batch, reservoir
from autograder.exercises.continual.scores import average_accuracy, backward_transfer, choose
from autograder.exercises.continual.settings import recipe_problems

__all__ = [
    "average_accuracy", "backward_transfer", "choose", "distillation_gradient", "distillation_loss", "recipe_problems",
    "replay_batch", "reservoir",
]
