"""Exercises of chapter 04: forgetting."""

from autograder.exercises.forgetting.penalties import ewc_optimum, ewc_penalty, fisher_diagonal, l2_sp, why
from autograder.exercises.forgetting.watching import gradient_cosine, stop_epoch

__all__ = ["ewc_optimum", "ewc_penalty", "fisher_diagonal", "gradient_cosine", "l2_sp", "stop_epoch", "why"]
