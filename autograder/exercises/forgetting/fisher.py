"""Exercises of chapter 04 on the Fisher information: the diagonal, the true one, and how it grows."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

import solutions.forgetting as answers
from autograder.exercises.draws import integer, normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

# --- fisher_diagonal --------------------------------------------------------------------------------------------------


def fisher_diagonal_cases(rng: np.random.Generator) -> list[Case]:
    near_minimum = normal(rng, 8, 5)
    near_minimum = near_minimum - 0.9 * near_minimum.mean(0)  # the examples' gradients nearly cancel, as they do at a minimum
    return [
        Case("8 examples, 5 weights, near a minimum", {"per_sample_grads": near_minimum}),
        Case("4 examples, 4 weights", {"per_sample_grads": 1 + normal(rng, 4, 4)}),
        Case("1 example, 3 weights", {"per_sample_grads": normal(rng, 1, 3)}, "one"),
    ]


fisher_diagonal = Exercise(
    id="forgetting.fisher_diagonal",
    answer=answers.forgetting_fisher_diagonal,
    cases=fisher_diagonal_cases,
    parts=[Part("shape", 1, shape_only=True), Part("value", 2, on="main"), Part("a single example", 1, on="one")],
    misconceptions=[
        Misconception(
            "square_of_mean",
            lambda per_sample_grads: per_sample_grads.mean(0) ** 2,
            earns=2,
            says="You squared the mean gradient. At a minimum the gradients of the examples cancel, so this is near zero exactly "
            "where the importances are wanted. Square each example's gradient first, then average. (With one example "
            "the two agree, which is why the mistake is easily missed.)",
        ),
        Misconception(
            "sum",
            lambda per_sample_grads: (per_sample_grads**2).sum(0),
            earns=2,
            says="You summed over the examples. The Fisher information is an expectation, so take the mean: twice the data must "
            "not make the spring twice as stiff.",
        ),
        Misconception(
            "variance",
            lambda per_sample_grads: per_sample_grads.var(0, unbiased=False),
            earns=1,
            says="This is the variance of the gradients: you subtracted their mean. The Fisher information is the mean of the "
            "squares themselves.",
        ),
        Misconception(
            "absolute",
            lambda per_sample_grads: per_sample_grads.abs().mean(0),
            earns=1,
            says="You averaged absolute values. The gradients are squared.",
        ),
        Misconception(
            "whole_matrix",
            lambda per_sample_grads: per_sample_grads.T @ per_sample_grads / len(per_sample_grads),
            "This is the whole Fisher matrix, (p, p). Its diagonal is all that is asked for, and all that fits in memory.",
        ),
        Misconception(
            "wrong_axis",
            lambda per_sample_grads: (per_sample_grads**2).mean(1),
            "You averaged over the weights: one number for each example. Average over the examples, dimension 0.",
        ),
    ],
)

# --- true_fisher ------------------------------------------------------------------------------------------------------


def true_fisher_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, n: int, classes: int, p: int, group: str = "main") -> Case:
        return Case(label, {"logits": normal(rng, n, classes, scale=1.5), "jacobian": 0.5 + normal(rng, n, classes, p)}, group)

    return [
        case("5 inputs, 3 classes, 4 weights", 5, 3, 4),
        case("4 inputs, 6 classes, 3 weights", 4, 6, 3),
        case("1 input, 4 classes, 5 weights", 1, 4, 5, "one"),
    ]


def _true(
    logits: Tensor, jacobian: Tensor, *, centred: bool = True, weigh: str = "p", over: str = "mean", square: str = "each"
) -> Tensor:
    """The answer with one thing wrong, chosen by a keyword."""
    p = logits.softmax(-1)[..., None]
    slopes = jacobian - (p * jacobian).sum(1, keepdim=True) if centred else jacobian
    weight = {
        "p": p,
        "alike": torch.full_like(p, 1 / p.shape[1]),
        "likeliest": (p == p.amax(1, keepdim=True)).float(),
        "p squared": p**2,
    }[weigh]
    found = (weight * slopes**2).sum(1) if square == "each" else (weight * slopes).sum(1) ** 2
    return found.mean(0) if over == "mean" else found.sum(0)


def _wrong_true(**how: Any) -> Any:
    return lambda logits, jacobian: _true(logits, jacobian, **how)


true_fisher = Exercise(
    id="forgetting.true_fisher",
    answer=answers.forgetting_true_fisher,
    cases=true_fisher_cases,
    parts=[Part("shape", 1, shape_only=True), Part("value", 2, on="main"), Part("a single input", 1, on="one")],
    misconceptions=[
        Misconception(
            "of_the_logit",
            _wrong_true(centred=False),
            earns=1,
            says="You squared the gradients of the logits. log p is the logit minus the log of the sum, and that sum has a "
            "gradient too: the mean of the logits' gradients under p.",
        ),
        Misconception(
            "classes_alike",
            _wrong_true(weigh="alike"),
            earns=1,
            says="You averaged over the classes as if each were as likely. The labels are drawn from the model: weigh each "
            "class by its probability.",
        ),
        Misconception(
            "likeliest_label",
            _wrong_true(weigh="likeliest"),
            earns=1,
            says="You took the model's likeliest answer for its label. The expectation is over all labels, each with its "
            "probability; the unlikely ones have the large gradients.",
        ),
        Misconception(
            "square_of_the_mean",
            _wrong_true(square="mean"),
            earns=1,
            says="You averaged over the labels first and squared then. That mean is zero for any model: square each label's "
            "gradient.",
        ),
        Misconception(
            "probability_squared",
            _wrong_true(weigh="p squared"),
            earns=1,
            says="Your probabilities were squared along with the gradients. They weigh the squares: p g², not (p g)².",
        ),
        Misconception(
            "sum_over_inputs",
            _wrong_true(over="sum"),
            earns=2,
            says="You summed over the inputs. It is a mean: twice the inputs must not make the spring twice as stiff.",
        ),
    ],
)

# --- predict_growth ---------------------------------------------------------------------------------------------------

POWERS = {  # of the factor
    "true Fisher, examples": 0,
    "batch-mean, batch": -1,
    "strength, batch": 1,
    "diagonal, weights": 1,
    "whole matrix, weights": 2,
    "true Fisher, classes": 1,
}


def predict_growth_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for number, quantity in enumerate(POWERS):
        factor = float(integer(rng, 3, 12))
        group = "estimates" if number < 3 else "costs"
        cases.append(Case(f"{quantity}, {factor:g} times as many", {"quantity": quantity, "factor": factor}, group))
    return cases


def _growth(**powers: float) -> Any:
    """The answer of one who believes in other powers of the factor; `true_Fisher__examples` stands for the name with spaces."""
    known = POWERS | {
        name.replace("__", ", ").replace("_mean", "-mean").replace("_", " "): power for name, power in powers.items()
    }
    assert known.keys() == POWERS.keys()
    return lambda quantity, factor: factor ** known[quantity]


predict_growth = Exercise(
    id="forgetting.predict_growth",
    answer=answers.forgetting_predict_growth,
    cases=predict_growth_cases,
    parts=[Part("what the estimates do", 2, on="estimates"), Part("what it costs", 1, on="costs")],
    misconceptions=[
        Misconception(
            "batch_does_not_matter",
            _growth(batch_mean__batch=0, strength__batch=0),
            earns=1,
            says="You let the batch-mean estimate be the same at every batch size. At a minimum the gradients of a batch "
            "cancel, and the square of their mean shrinks with the batch; λ has to make up for it.",
        ),
        Misconception(
            "root_of_the_batch",
            _growth(batch_mean__batch=-0.5, strength__batch=0.5),
            earns=1,
            says="A mean of m independent gradients is √m times smaller. Its square, which is what counts here, is m times "
            "smaller.",
        ),
        Misconception(
            "strength_the_other_way",
            _growth(strength__batch=-1),
            earns=1,
            says="The estimate shrinks with the batch, that is right. So λ has to grow to make the same spring.",
        ),
        Misconception(
            "grows_with_examples",
            _growth(true_Fisher__examples=1),
            earns=1,
            says="The Fisher information is a mean over the examples: more of them make the estimate surer, and not larger.",
        ),
        Misconception(
            "diagonal_is_quadratic",
            _growth(diagonal__weights=2),
            earns=2,
            says="The diagonal has one number a weight, so it grows with the weights. Their square belongs to the whole matrix.",
        ),
        Misconception(
            "matrix_is_linear",
            _growth(whole_matrix__weights=1),
            earns=2,
            says="The whole matrix has a row and a column for every weight: with ten times the weights it is a hundred "
            "times as large.",
        ),
        Misconception(
            "classes_are_free",
            _growth(true_Fisher__classes=0),
            earns=2,
            says="The exact mean over the labels takes one gradient for every class. (One drawn label would be free of that.)",
        ),
    ],
)
