"""Exercises of chapter 04: why fine-tuning forgets, and the springs that hold it back."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

import solutions.forgetting as answers
from autograder.draws import integer, normal
from autograder.exercise import Case, Exercise, Misconception, Part, Written

CLOSED = ("courselib.forgetting", "courselib.interference", "courselib.early_stopping")

# --- gradient_cosine --------------------------------------------------------------------------------------------------


def gradient_cosine_cases(rng: np.random.Generator) -> list[Case]:
    shapes, lengths = [(3, 4), (5,), (2, 3)], [1.0, 3.0, 0.3]  # layers of unequal weight: their cosines may not be averaged

    def draw() -> tuple[Tensor, ...]:
        drawn = [normal(rng, *shape) for shape in shapes]
        return tuple(length * g / g.norm() for length, g in zip(lengths, drawn, strict=True))

    def mixed(base: tuple[Tensor, ...], shares: list[float]) -> tuple[Tensor, ...]:
        """Gradients whose angle with `base` is different in every layer."""
        return tuple(share * g + 0.3 * n for share, g, n in zip(shares, base, draw(), strict=True))

    first, second, third = draw(), draw(), draw()
    return [
        Case("three weights, nearly aligned", {"grads_a": first, "grads_b": mixed(first, [-1.0, 0.7, 2.0])}),
        Case("three weights, opposed", {"grads_a": second, "grads_b": mixed(second, [1.0, -0.7, 0.1])}),
        Case("one gradient is zero", {"grads_a": tuple(0 * g for g in third), "grads_b": third}, "zero"),
    ]


def _sums(grads_a: tuple[Tensor, ...], grads_b: tuple[Tensor, ...]) -> tuple[float, float, float]:
    pairs = list(zip(grads_a, grads_b, strict=True))
    return (float(sum((a * b).sum() for a, b in pairs)), float(sum((a * a).sum() for a, _ in pairs)),
            float(sum((b * b).sum() for _, b in pairs)))


def _cosine_of(formula: Callable[[float, float, float], float]) -> Callable:
    def wrong(grads_a: tuple[Tensor, ...], grads_b: tuple[Tensor, ...]) -> float:
        dot, aa, bb = _sums(grads_a, grads_b)
        return formula(dot, aa, bb) if aa * bb else 0.0

    return wrong


def averages_layers(grads_a: tuple[Tensor, ...], grads_b: tuple[Tensor, ...]) -> float:
    cosine = _cosine_of(lambda dot, aa, bb: dot / math.sqrt(aa * bb))
    cosines = [cosine((a,), (b,)) for a, b in zip(grads_a, grads_b, strict=True)]
    return sum(cosines) / len(cosines)


gradient_cosine = Exercise(
    id="forgetting.gradient_cosine",
    answer=answers.forgetting_gradient_cosine,
    cases=gradient_cosine_cases,
    parts=[Part("value", 2, on="main"), Part("a gradient without direction", 1, on="zero")],
    misconceptions=[
        Misconception(
            "averages_layers", averages_layers, earns=1,
            says="You averaged one cosine a tensor. Then a bias of ten numbers counts as much as a matrix of a million. Put all "
            "weights into one vector: add up the products and the squares over all tensors, and divide once.",
        ),
        Misconception(
            "dot_product", _cosine_of(lambda dot, aa, bb: dot), earns=1,
            says="This is the scalar product. Divide it by the lengths of both gradients to get the cosine.",
        ),
        Misconception(
            "no_root", _cosine_of(lambda dot, aa, bb: dot / (aa * bb)), earns=1,
            says="You divided by the squared lengths. A length is the root of the sum of squares.",
        ),
        Misconception(
            "one_length", _cosine_of(lambda dot, aa, bb: dot / aa), earns=1,
            says="You divided by the square of one gradient's length: that is the share of A's gradient in B's, not a cosine. "
            "Divide by the length of each.",
        ),
        Misconception(
            "absolute", _cosine_of(lambda dot, aa, bb: abs(dot) / math.sqrt(aa * bb)), earns=1,
            says="You took the absolute value. The sign is the point: above zero B's step helps A, below zero it harms A.",
        ),
    ],
    closes=CLOSED,
)

# --- stop_epoch -------------------------------------------------------------------------------------------------------


def stop_epoch_cases(rng: np.random.Generator) -> list[Case]:
    def losses(patience: int, falling: int) -> list[float]:
        """It falls, pauses for patience - 1 epochs, falls again, then a tie, and then a rise that is not steady."""
        start = [1.0 - 0.3 * i / falling for i in range(falling + 1)]  # down to 0.7
        pause = [0.9 - 0.01 * i for i in range(patience - 1)]
        after = [0.6, 0.6] + [0.75 - 0.02 * i for i in range(patience - 1)] + [0.9, 0.95, 0.5, 0.7, 0.8]
        scale = 0.5 + rng.random()
        return [round(scale * loss, 4) for loss in start + pause + after]

    cases = []
    for patience in (3, integer(rng, 2, 5)):
        values = losses(patience, integer(rng, 2, 6))
        cases.append(Case(f"{len(values)} epochs, patience {patience}", {"val_losses": values, "patience": patience}))
    values = [0.9, 0.9 + round(0.1 * rng.random() + 0.01, 4), 1.1]
    return cases + [Case("3 epochs, patience 3", {"val_losses": values, "patience": 3}, "never")]


def _stop(losses: list[float], patience: int, *, late: int = 0, ties: bool = False, resets: bool = True, previous: bool = False
          ) -> tuple[int, int]:
    """The rule with one thing wrong, chosen by a keyword; 0-based (last epoch, best epoch)."""
    best, bad = 0, 0
    for i, loss in enumerate(losses[1:], start=1):
        improves = loss <= losses[best] if ties else loss < losses[best]
        best = i if improves else best
        if loss < losses[i - 1] if previous else improves:
            bad = 0 if resets else bad
        else:
            bad += 1
        if bad == patience + late:
            return i, best
    return len(losses) - 1, best


def _stop_wrong(**how: Any) -> Callable:
    return lambda val_losses, patience: tuple(i + 1 for i in _stop(val_losses, patience, **how))


stop_epoch = Exercise(
    id="forgetting.stop_epoch",
    answer=answers.forgetting_stop_epoch,
    cases=stop_epoch_cases,
    parts=[
        Part("how many epochs are trained", 2, of=0, on="main"),
        Part("which weights are kept", 1, of=1, on="main"),
        Part("patience 3 in 3 epochs", 1, on="never"),
    ],
    misconceptions=[
        Misconception(
            "never_resets", _stop_wrong(resets=False), earns=2,
            says="You counted all epochs without an improvement. Patience asks for so many in a row: an improvement sets the "
            "count back to zero.",
        ),
        Misconception(
            "previous_epoch", _stop_wrong(previous=True), earns=1,
            says="You compared each epoch with the one before it. An epoch improves only if it is below the best so far: a loss "
            "that wobbles far above its best would never stop.",
        ),
        Misconception(
            "one_late", _stop_wrong(late=1), earns=2,
            says="You stopped one epoch late. Training stops after the epoch that makes the `patience` epochs full, "
            "not after the next.",
        ),
        Misconception(
            "ties_improve", _stop_wrong(ties=True), earns=1,
            says="You took an equal loss for an improvement. It has to be strictly below the best so far.",
        ),
        Misconception(
            "keeps_the_last", lambda val_losses, patience: (_stop(val_losses, patience)[0] + 1,) * 2, earns=2,
            says="You kept the weights of the last epoch that was trained. The last `patience` epochs are the ones that did not "
            "help: go back to the best.",
        ),
        Misconception(
            "from_zero", lambda val_losses, patience: _stop(val_losses, patience),
            says="You counted the epochs from zero. The first epoch is number 1.",
        ),
        Misconception(
            "looks_ahead", lambda val_losses, patience: (
                _stop(val_losses, patience)[0] + 1, min(range(len(val_losses)), key=lambda i: val_losses[i]) + 1
            ), earns=3,
            says="You looked for the best epoch in all of the losses. After the stop nothing was trained, so those epochs do not "
            "exist.",
        ),
    ],
    closes=CLOSED,
)

# --- l2_sp ------------------------------------------------------------------------------------------------------------


def _weights(rng: np.random.Generator, *shape: int) -> tuple[Tensor, Tensor]:
    """Weights now, and a starting point that is not zero and not near."""
    return normal(rng, *shape), 2 + normal(rng, *shape)


def l2_sp_cases(rng: np.random.Generator) -> list[Case]:
    vector, matrix, still = _weights(rng, 6), _weights(rng, 3, 4), _weights(rng, 5)[1]
    return [
        Case("6 weights, λ = 3", {"theta": vector[0], "theta_s": vector[1], "lam": 3.0}),
        Case("a 3 × 4 matrix, λ = 0.5", {"theta": matrix[0], "theta_s": matrix[1], "lam": 0.5}),
        Case("weights that have not moved", {"theta": still, "theta_s": still.clone(), "lam": 2.0}, "still"),
    ]


l2_sp = Exercise(
    id="forgetting.l2_sp",
    answer=answers.forgetting_l2_sp,
    cases=l2_sp_cases,
    parts=[Part("value", 2, on="main"), Part("before the first step", 1, on="still")],
    misconceptions=[
        Misconception(
            "weight_decay", lambda theta, theta_s, lam: float(lam / 2 * (theta**2).sum()),
            "This is weight decay: it pulls the weights to zero, and so away from what was learned. L2-SP pulls them to theta_s.",
        ),
        Misconception(
            "no_half", lambda theta, theta_s, lam: float(lam * ((theta - theta_s) ** 2).sum()), earns=1,
            says="The factor 1/2 is missing. Both conventions exist; with λ/2 the gradient is λ (θ − θ_s), without a 2.",
        ),
        Misconception(
            "not_squared", lambda theta, theta_s, lam: float(lam / 2 * (theta - theta_s).norm()), earns=1,
            says="You took the length of the difference, and not its square.",
        ),
        Misconception(
            "mean", lambda theta, theta_s, lam: float(lam / 2 * ((theta - theta_s) ** 2).mean()), earns=1,
            says="You averaged over the weights. It is a sum: the same λ must pull a weight as hard in a large model as in "
            "a small one.",
        ),
        Misconception(
            "squares_apart", lambda theta, theta_s, lam: float(lam / 2 * ((theta**2).sum() - (theta_s**2).sum())), earns=1,
            says="You took the difference of the squares. Subtract first, then square.",
        ),
    ],
    closes=CLOSED,
)

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
            "square_of_mean", lambda per_sample_grads: per_sample_grads.mean(0) ** 2, earns=2,
            says="You squared the mean gradient. At a minimum the gradients of the examples cancel, so this is near zero exactly "
            "where the importances are wanted. Square each example's gradient first, then average. (With one example "
            "the two agree, which is why the mistake is easily missed.)",
        ),
        Misconception(
            "sum", lambda per_sample_grads: (per_sample_grads**2).sum(0), earns=2,
            says="You summed over the examples. The Fisher information is an expectation, so take the mean: twice the data must "
            "not make the spring twice as stiff.",
        ),
        Misconception(
            "variance", lambda per_sample_grads: per_sample_grads.var(0, unbiased=False), earns=1,
            says="This is the variance of the gradients: you subtracted their mean. The Fisher information is the mean of the "
            "squares themselves.",
        ),
        Misconception(
            "absolute", lambda per_sample_grads: per_sample_grads.abs().mean(0), earns=1,
            says="You averaged absolute values. The gradients are squared.",
        ),
        Misconception(
            "whole_matrix", lambda per_sample_grads: per_sample_grads.T @ per_sample_grads / len(per_sample_grads),
            "This is the whole Fisher matrix, (p, p). Its diagonal is all that is asked for, and all that fits in memory.",
        ),
        Misconception(
            "wrong_axis", lambda per_sample_grads: (per_sample_grads**2).mean(1),
            "You averaged over the weights: one number for each example. Average over the examples, dimension 0.",
        ),
    ],
    closes=CLOSED,
)

# --- ewc_penalty ------------------------------------------------------------------------------------------------------


def ewc_penalty_cases(rng: np.random.Generator) -> list[Case]:
    def importances(*shape: int) -> Tensor:
        return torch.from_numpy(rng.uniform(0.2, 4.0, shape)).float()

    vector, matrix, (start, _) = _weights(rng, 6), _weights(rng, 2, 5), _weights(rng, 6)
    free = torch.tensor([0.0, 1.0, 0.0, 2.0, 0.0, 3.0])
    moved = start + (free == 0) * (1 + normal(rng, 6).abs())  # only weights without importance have moved
    return [
        Case("6 weights, λ = 3", {"theta": vector[0], "theta_s": vector[1], "fisher": importances(6), "lam": 3.0}),
        Case("a 2 × 5 matrix, λ = 40", {"theta": matrix[0], "theta_s": matrix[1], "fisher": importances(2, 5), "lam": 40.0}),
        Case("only unimportant weights have moved", {"theta": moved, "theta_s": start, "fisher": free, "lam": 5.0}, "free"),
    ]


def _penalty(weight: Callable[[Tensor], Tensor], factor: float = 0.5) -> Callable:
    return lambda theta, theta_s, fisher, lam: float(factor * lam * (weight(fisher) * (theta - theta_s) ** 2).sum())


ewc_penalty = Exercise(
    id="forgetting.ewc_penalty",
    answer=answers.forgetting_ewc_penalty,
    cases=ewc_penalty_cases,
    parts=[Part("value", 2, on="main"), Part("weights that may move freely", 1, on="free")],
    misconceptions=[
        Misconception(
            "no_half", _penalty(lambda F: F, factor=1.0), earns=1,
            says="The factor 1/2 is missing. It comes from the second-order term of the expansion, and makes the gradient "
            "λ F (θ − θ_s).",
        ),
        Misconception(
            "no_fisher", _penalty(torch.ones_like),
            "This is L2-SP: every weight counts alike. In EWC each square is multiplied by the importance of its weight.",
        ),
        Misconception(
            "fisher_squared", _penalty(lambda F: F**2), earns=1,
            says="You squared the importance as well. Only the distance is squared: F (θ − θ_s)².",
        ),
        Misconception(
            "total_importance",
            lambda theta, theta_s, fisher, lam: float(lam / 2 * fisher.sum() * ((theta - theta_s) ** 2).sum()),
            "You multiplied two sums. Each weight's importance belongs to its own square: multiply first, then sum.",
        ),
        Misconception(
            "mean", lambda theta, theta_s, fisher, lam: float(lam / 2 * (fisher * (theta - theta_s) ** 2).mean()), earns=1,
            says="You averaged over the weights. The log-posterior is a sum over the weights.",
        ),
        Misconception(
            "decays_to_zero", lambda theta, theta_s, fisher, lam: float(lam / 2 * (fisher * theta**2).sum()),
            "This pulls important weights to zero. They are to stay where the old task was learned, at theta_s.",
        ),
    ],
    closes=CLOSED,
)

# --- ewc_optimum ------------------------------------------------------------------------------------------------------


def ewc_optimum_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, p: int, lam: float, group: str, dense: bool = True) -> Case:
        root = normal(rng, p, p)
        H = root @ root.T / p + 0.5 * torch.eye(p) if dense else torch.diag(torch.from_numpy(rng.uniform(0.3, 3, p)).float())
        fisher = torch.from_numpy(rng.uniform(0.2, 3.0, p)).float()
        inputs = {"H": H, "theta_b": normal(rng, p), "theta_s": 2 + normal(rng, p), "fisher": fisher, "lam": lam}
        return Case(label, inputs, group)

    return [
        case("4 weights, diagonal H, λ = 1.5", 4, 1.5, "diagonal", dense=False),
        case("5 weights, λ = 2", 5, 2.0, "dense"),
        case("3 weights, λ = 0.3", 3, 0.3, "dense"),
        case("4 weights, λ = 0", 4, 0.0, "free"),
    ]


def diagonal_of_H(H: Tensor, theta_b: Tensor, theta_s: Tensor, fisher: Tensor, lam: float) -> Tensor:
    return (H.diag() * theta_b + lam * fisher * theta_s) / (H.diag() + lam * fisher)


def H_left_out(H: Tensor, theta_b: Tensor, theta_s: Tensor, fisher: Tensor, lam: float) -> Tensor:
    return (theta_b + lam * fisher * theta_s) / (1 + lam * fisher)


def H_on_one_side(H: Tensor, theta_b: Tensor, theta_s: Tensor, fisher: Tensor, lam: float) -> Tensor:
    return torch.linalg.solve(H + lam * torch.diag(fisher), theta_b + lam * fisher * theta_s)


def half_too_many(H: Tensor, theta_b: Tensor, theta_s: Tensor, fisher: Tensor, lam: float) -> Tensor:
    return answers.forgetting_ewc_optimum(H, theta_b, theta_s, fisher, lam / 2)


def fisher_left_out(H: Tensor, theta_b: Tensor, theta_s: Tensor, fisher: Tensor, lam: float) -> Tensor:
    return answers.forgetting_ewc_optimum(H, theta_b, theta_s, torch.ones_like(fisher), lam)


def one_gradient_step(H: Tensor, theta_b: Tensor, theta_s: Tensor, fisher: Tensor, lam: float) -> Tensor:
    return theta_b - lam * fisher * (theta_b - theta_s)


def pulls_to_zero(H: Tensor, theta_b: Tensor, theta_s: Tensor, fisher: Tensor, lam: float) -> Tensor:
    return torch.linalg.solve(H + lam * torch.diag(fisher), H @ theta_b)


ewc_optimum = Exercise(
    id="forgetting.ewc_optimum",
    answer=answers.forgetting_ewc_optimum,
    cases=ewc_optimum_cases,
    parts=[
        Part("a diagonal Hessian", 1, on="diagonal"), Part("any Hessian", 2, on="dense"), Part("no spring, λ = 0", 1, on="free"),
    ],
    misconceptions=[
        Misconception(
            "diagonal_of_H", diagonal_of_H, earns=2,
            says="Right weight by weight, but H is not diagonal: it couples the weights, so all p equations have to be solved "
            "together. Set the gradient H (θ − θ_B) + λ F (θ − θ_s) to zero and use torch.linalg.solve.",
        ),
        Misconception(
            "H_left_out", H_left_out, earns=1,
            says="You averaged θ_B and θ_s with the weights 1 and λF. The new task has a stiffness of its own, H, and not 1.",
        ),
        Misconception(
            "H_on_one_side", H_on_one_side,
            "H is missing on the right-hand side: the gradient of B's loss is H (θ − θ_B), so H θ_B goes there.",
        ),
        Misconception(
            "half_too_many", half_too_many, earns=1,
            says="Your spring is half as strong as it should be: the derivative of λ/2 · F (θ − θ_s)² has no 1/2 left.",
        ),
        Misconception(
            "fisher_left_out", fisher_left_out, earns=1,
            says="This is the optimum with L2-SP: the importances are missing from the spring.",
        ),
        Misconception(
            "one_gradient_step", one_gradient_step, earns=1,
            says="This is one step back from θ_B. At the optimum the two forces balance: set the whole gradient to zero, "
            "and solve.",
        ),
        Misconception(
            "pulls_to_zero", pulls_to_zero, earns=1,
            says="Your spring is fastened at zero: λ F θ_s is missing on the right-hand side.",
        ),
    ],
    closes=CLOSED,
)

# --- why --------------------------------------------------------------------------------------------------------------

why = Written(
    id="forgetting.why",
    answer=answers.forgetting_why,
    rubric=[
        (1, "forgetting is the loss of an old ability through training on something else, with the chapter's numbers"),
        (1, "full fine-tuning minimises the new loss alone, over shared weights; nothing in it speaks of the old task"),
        (1, "direction (curvature of the old loss) decides, not distance; joint training or EWC as evidence"),
        (1, "new classes, one head: old classes are still told apart, but the unguarded new output weights win every comparison"),
    ],
)
