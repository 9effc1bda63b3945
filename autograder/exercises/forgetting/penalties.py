"""Exercises of chapter 04 on springs: L2-SP, EWC, where they come to rest, and a descent with two bugs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

import solutions.forgetting as answers
from autograder.exercises.draws import normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

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
)

# --- ewc_descent ------------------------------------------------------------------------------------------------------


def ewc_descent_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, p: int, lam: float, steps: int, group: str) -> Case:
        root = normal(rng, p, p)
        H = root @ root.T / p + 0.5 * torch.eye(p)
        fisher = torch.from_numpy(rng.uniform(0.2, 3.0, p)).float()
        lr = 0.5 / (float(torch.linalg.eigvalsh(H).max()) + lam * float(fisher.max()))  # stable, and not at rest after `steps`
        inputs = {"H": H, "theta_b": normal(rng, p), "theta_s": 2 + normal(rng, p), "fisher": fisher, "lam": lam}
        return Case(label, inputs | {"lr": lr, "steps": steps}, group)

    return [
        case("4 weights, λ = 2, 6 steps", 4, 2.0, 6, "spring"),
        case("5 weights, λ = 0.8, 30 steps", 5, 0.8, 30, "spring"),
        case("3 weights, λ = 0, 5 steps", 3, 0.0, 5, "free"),
    ]


def _descent(H: Tensor, theta_b: Tensor, theta_s: Tensor, fisher: Tensor, lam: float, lr: float, steps: int, *,
             factor: float = 1.0, moving: bool = False, end: float = 1.0, at: str = "s", more: int = 0) -> Tensor:
    """The descent with one thing wrong, chosen by a keyword."""
    w = (theta_s if at == "s" else theta_b).clone()
    for _ in range(steps + more):
        pull = torch.zeros_like(w) if moving else factor * lam * fisher * (w - end * theta_s)
        w = w - lr * (H @ (w - theta_b) + pull)
    return w


def _wrong_descent(**how: Any) -> Any:
    return lambda **inputs: _descent(**inputs, **how)


ewc_descent = Exercise(
    id="forgetting.ewc_descent",
    answer=answers.forgetting_ewc_descent,
    cases=ewc_descent_cases,
    keeps_inputs=True,
    parts=[Part("with a spring", 3, on="spring"), Part("without one, λ = 0", 1, on="free")],
    misconceptions=[
        Misconception(
            "anchor_moves", _wrong_descent(moving=True), earns=1,
            says="Your spring never pulls: its end moves along with the weights. `theta = theta_s` is one tensor with two "
            "names, and `theta -= ...` changes both. Start from a copy.",
        ),
        Misconception(
            "half_left", _wrong_descent(factor=0.5), earns=1,
            says="The anchor stays now. Your spring is half as strong as it should be: the penalty has λ/2 and a square, so its "
            "derivative has no 1/2.",
        ),
        Misconception(
            "two_too_many", _wrong_descent(factor=2.0), earns=1,
            says="Your spring is twice as strong as it should be: the 2 from the square meets the 1/2 in front.",
        ),
        Misconception(
            "pulls_to_zero", _wrong_descent(end=0.0), earns=1,
            says="Your spring is fastened at zero: that is weight decay, weighed by the importances.",
        ),
        Misconception(
            "starts_at_b", _wrong_descent(at="b"),
            "You start at theta_b, where the new task is done already. Fine-tuning starts where the old one was learned, at "
            "theta_s.",
        ),
        Misconception(
            "one_step_more", _wrong_descent(more=1),
            "You made one step more than was asked for.",
        ),
    ],
)
