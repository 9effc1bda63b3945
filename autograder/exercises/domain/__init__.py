"""Exercises of chapter 03: domain adaptation."""

from autograder.exercises.domain.language import medical_bert, nll_gradient, perplexity
from autograder.exercises.domain.mixing import choose_alpha, curriculum_weights, data_mix
from autograder.exercises.domain.shift import kl_divergence

__all__ = ["choose_alpha", "curriculum_weights", "data_mix", "kl_divergence", "medical_bert", "nll_gradient", "perplexity"]
