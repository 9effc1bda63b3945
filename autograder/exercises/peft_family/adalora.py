"""Exercises of chapter 09 on AdaLoRA and LoRA+: the update, orthogonality, sharing out ranks, two rates."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

import solutions.peft_family as answers
from autograder.exercises.draws import normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

# --- adalora_update ---------------------------------------------------------------------------------------------------


def adalora_update_cases(rng: np.random.Generator) -> list[Case]:
    some = (0.4 + normal(rng, 3).abs()) * torch.tensor([1.0, -1.0, 1.0])  # some negative, as trained ones may be
    masked = (0.4 + normal(rng, 4).abs()) * torch.tensor([-1.0, 0.0, 1.0, 1.0])
    return [
        Case("5 × 6, rank 3", {"P": normal(rng, 5, 3), "lam": some, "Q": normal(rng, 3, 6)}, "rectangular"),
        Case("4 × 4, rank 4, one masked", {"P": normal(rng, 4, 4), "lam": masked, "Q": normal(rng, 4, 4)}, "square"),
    ]


adalora_update = Exercise(
    id="peft_family.adalora_update",
    answer=answers.peft_family_adalora_update,
    cases=adalora_update_cases,
    parts=[Part("shape", 1, shape_only=True), Part("rectangular", 1, on="rectangular"), Part("square", 1, on="square")],
    misconceptions=[
        Misconception("no_lambda", lambda P, lam, Q: P @ Q,
            "The lambdas are missing: without them no rank could be switched off.",
                      earns=1),
        Misconception("root", lambda P, lam, Q: P @ torch.diag(lam.abs().sqrt()) @ Q, earns=1,
                      says="You took the square root of the lambdas, as for two factors. Here each stands once in the middle, "
                           "with its sign."),
        Misconception("absolute", lambda P, lam, Q: P @ torch.diag(lam.abs()) @ Q, earns=1,
                      says="You took the size of lambda. It is trained like any weight and may be negative; singular values may "
                           "not."),
        Misconception("squared", lambda P, lam, Q: (P * lam) @ (lam[:, None] * Q), earns=1,
                      says="lambda stands on both sides, so it acts squared. It belongs in the middle, once."),
        Misconception("mean", lambda P, lam, Q: P @ torch.diag(lam) @ Q / len(lam), earns=1,
                      says="You divided by the rank. The scale is left out here."),
        Misconception("turned", lambda P, lam, Q: (P @ torch.diag(lam) @ Q).T,
                      "This is the update transposed. P (d_out, r) stands on the left."),
    ],
)

# --- orthogonality ----------------------------------------------------------------------------------------------------


def orthogonality_cases(rng: np.random.Generator) -> list[Case]:
    def columns(d: int, r: int) -> Tensor:
        """Orthonormal without any rounding: columns of I, in another order and with other signs."""
        signs = torch.from_numpy(rng.choice([-1.0, 1.0], r)).float()
        return torch.eye(d)[:, torch.from_numpy(rng.permutation(d)[:r])] * signs

    return [
        Case("5 × 3, some matrix", {"P": normal(rng, 5, 3, scale=0.7)}, "some"),
        Case("4 × 2, orthogonal columns of length 2", {"P": 2 * columns(4, 2)}, "long"),
        Case("6 × 3, orthonormal columns", {"P": columns(6, 3)}, "orthonormal"),
    ]


def _gram(P: Tensor) -> Tensor:
    return P.T @ P - torch.eye(P.shape[1])


orthogonality = Exercise(
    id="peft_family.orthogonality",
    answer=answers.peft_family_orthogonality,
    cases=orthogonality_cases,
    parts=[Part("some matrix", 1, on="some"), Part("long columns", 1, on="long"), Part("orthonormal columns", 1, on=
        "orthonormal")],
    misconceptions=[
        Misconception("rows", lambda P: (P @ P.T - torch.eye(len(P))).square().sum().item(),
                      "You compared P P^T with I. That asks the rows to be orthonormal, and a tall matrix can never do it: P "
                      "P^T has rank r at most."),
        Misconception("not_squared", lambda P: _gram(P).norm().item(), earns=1,
                      says="This is the norm, not its square. (peft's penalty takes the norm; the paper and this exercise "
                           "square it.)"),
        Misconception("mean", lambda P: _gram(P).square().mean().item(), earns=1,
                      says="You took the mean over the entries. The Frobenius norm squared is their sum."),
        Misconception("no_identity", lambda P: (P.T @ P).square().sum().item(),
                      "You did not subtract I. Then only P = 0 would be perfect."),
        Misconception("off_diagonal", lambda P: (_gram(P) - torch.diag(torch.diag(_gram(P)))).square().sum().item(), earns=1,
                      says="You left the diagonal out. It asks every column to have length 1; otherwise P could grow and lambda "
                           "shrink with nothing to stop it."),
        Misconception("spectral", lambda P: torch.linalg.matrix_norm(_gram(P), 2).item() ** 2, earns=1,
                      says="You took the spectral norm, the largest singular value. Asked is the Frobenius norm: all squares, "
                           "summed."),
        Misconception("absolute", lambda P: _gram(P).abs().sum().item(), earns=1,
                      says="You added absolute values. The Frobenius norm adds squares."),
    ],
)

# --- allocate ---------------------------------------------------------------------------------------------------------


def allocate_cases(rng: np.random.Generator) -> list[Case]:
    def scores(size: int, level: float) -> Tensor:
        return level * (0.05 + normal(rng, size).abs())

    return [
        Case("three layers of rank 4, budget 6", {"importance": [scores(4, 0.01), scores(4, 5.0), scores(4, 1.0)],
              "budget": 6}, "even"),
        Case("ranks 3, 5, 4 and 2, budget 5",
             {"importance": [scores(3, 3.0), scores(5, 0.3), scores(4, 1.0), scores(2, 0.001)], "budget": 5}, "uneven"),
        Case("one layer far above the others, budget 4",
             {"importance": [scores(4, 0.01), 10 + scores(5, 1.0), scores(3, 0.01)], "budget": 4}, "one"),
    ]


def _top(scores: Tensor, keep: int) -> Tensor:
    mask = torch.zeros(len(scores))
    mask[scores.topk(min(max(keep, 0), len(scores))).indices] = 1.0
    return mask


def _by_layer(importance: list[Tensor], budget: int) -> tuple[Tensor, ...]:
    return tuple(_top(scores, budget // len(importance)) for scores in importance)


def _relative(importance: list[Tensor], budget: int) -> tuple[Tensor, ...]:
    return answers.peft_family_allocate([scores / scores.max() for scores in importance], budget)


def _at_least_one(importance: list[Tensor], budget: int) -> tuple[Tensor, ...]:
    lifted = [torch.where(scores == scores.max(), scores + 1e6, scores) for scores in importance]
    return answers.peft_family_allocate(lifted, budget)


allocate = Exercise(
    id="peft_family.allocate",
    answer=answers.peft_family_allocate,
    cases=allocate_cases,
    parts=[Part("equal ranks", 1, on="even"), Part("unequal ranks", 1, on="uneven"),
           Part("a layer far above the rest", 1, on="one")],
    misconceptions=[
        Misconception("by_layer", _by_layer, "Each layer keeps the same number, so nothing was shared out: this is LoRA with a "
                                             "smaller rank. The triplets of all layers compete with one another."),
        Misconception("least_important", lambda importance, budget: tuple(
            1 - mask for mask in answers.peft_family_allocate(importance, sum(map(len, importance)) - budget)),
            "You kept the least important ones."),
        Misconception("complement", lambda importance, budget: tuple(
            1 - mask for mask in answers.peft_family_allocate(importance, budget)),
            "Your masks are the other way round: 1 is what stays."),
        Misconception("relative", _relative, "You scaled the importance within each layer first. Then every layer's best "
                                             "triplet counts the same, and a layer that needs nothing keeps as much as one that "
                                             "needs all."),
        Misconception("at_least_one", _at_least_one,
            "You left every layer at least one rank. A layer may keep none: that is what a planted rank of 0 asks for."),
        Misconception("one_short", lambda importance, budget: answers.peft_family_allocate(importance, budget - 1),
                      "One too few stay: is the threshold itself kept?"),
    ],
)

# --- loraplus_rates ---------------------------------------------------------------------------------------------------


def loraplus_rates_cases(rng: np.random.Generator) -> list[Case]:
    drawn = float(np.round(rng.uniform(2, 30), 1))
    return [
        Case("ratio 16", {"lr": 3e-4, "ratio": 16.0}),
        Case(f"ratio {drawn:g}", {"lr": 2e-3, "ratio": drawn}),
        Case("ratio 1 is LoRA", {"lr": 1e-3, "ratio": 1.0}),
    ]


loraplus_rates = Exercise(
    id="peft_family.loraplus_rates",
    answer=answers.peft_family_loraplus_rates,
    cases=loraplus_rates_cases,
    tolerance=1e-6,
    parts=[Part("rate of A", 1, of=0), Part("rate of B", 1, of=1)],
    misconceptions=[
        Misconception("A_faster", lambda lr, ratio: (lr * ratio, lr),
                      "You let A learn faster. It is the other way about: B starts at zero and needs the longer steps."),
        Misconception("A_slower", lambda lr, ratio: (lr / ratio, lr),
                      "You slowed A down instead of speeding B up. The base rate is A's; the ratio is what you gave, and both "
                      "rates are too small by it."),
        Misconception("shared_out", lambda lr, ratio: (lr / ratio**0.5, lr * ratio**0.5),
                      "You shared the ratio out to both. The base rate stays A's own."),
        Misconception("both", lambda lr, ratio: (lr * ratio, lr * ratio), earns=1,
                      says="You multiplied both rates. Then it is LoRA with another rate."),
        Misconception("A_down", lambda lr, ratio: (lr / ratio, lr * ratio), earns=1,
                      says="B's rate is right, and A's is divided: their ratio is then the square of what was asked for."),
    ],
)
