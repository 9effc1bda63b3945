"""Exercises of chapter 01: pretraining."""

from autograder.exercises.pretraining.causal import causal_attention, clm_loss, efficiency
from autograder.exercises.pretraining.masked import loss_gradient, mlm_labels
from autograder.exercises.pretraining.using import aggregate_entities, objective, top_k

__all__ = [
    "aggregate_entities", "causal_attention", "clm_loss", "efficiency", "loss_gradient", "mlm_labels", "objective", "top_k",
]
