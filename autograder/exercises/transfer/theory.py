"""Exercises of chapter 02 on theory: two stages, ridge towards a prior, what a start is worth, and a critique."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

import solutions.transfer as answers
from autograder.exercises.draws import integer, normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part, Written

# --- two_stages -------------------------------------------------------------------------------------------------------


def _bowl(rng: np.random.Generator, d: int) -> Tensor:
    """A symmetric matrix with eigenvalues between about 0.5 and 2, so that eta = 0.2 is safe."""
    Q, _ = torch.linalg.qr(normal(rng, d, d).double())
    return (Q * torch.from_numpy(rng.uniform(0.5, 2, d))) @ Q.T


def two_stages_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, d: int, source: int, target: int, group: str) -> Case:
        inputs = {
            "H_s": _bowl(rng, d), "b_s": normal(rng, d).double(), "H_t": _bowl(rng, d), "b_t": normal(rng, d).double(),
            "theta_0": normal(rng, d).double(), "eta": 0.2, "source_steps": source, "target_steps": target,
        }
        return Case(label, inputs, group)

    return [
        case("3 parameters, 7 source steps, 4 target steps", 3, 7, 4, "two"),
        case("2 parameters, 3 source steps, 5 target steps", 2, 3, 5, "two"),
        case("no source steps: from scratch", 3, 0, 4, "none"),
        case("no target steps: the pretrained model as it is", 3, 5, 0, "none"),
    ]


def _stages(H_s, b_s, H_t, b_t, theta_0, eta, source_steps, target_steps, *, sign=1.0, restart=False, linear=True, mixed=False):
    """Both stages with one thing wrong, chosen by a keyword."""
    def walk(theta: Tensor, H: Tensor, b: Tensor, steps: int) -> Tensor:
        for _ in range(steps):
            theta = theta - sign * eta * (H @ theta - b if linear else H @ theta)
        return theta

    theta_s = walk(theta_0, H_s, b_s, source_steps)
    if mixed:
        H_t, b_t = (H_s + H_t) / 2, (b_s + b_t) / 2
    return theta_s, walk(theta_0 if restart else theta_s, H_t, b_t, target_steps)


def _one_step(H_s, b_s, H_t, b_t, theta_0, eta, source_steps, target_steps):
    return _stages(H_s, b_s, H_t, b_t, theta_0, eta, min(source_steps, 1), min(target_steps, 1))


def _one_long_step(H_s, b_s, H_t, b_t, theta_0, eta, source_steps, target_steps):
    theta_s = theta_0 - source_steps * eta * (H_s @ theta_0 - b_s)
    return theta_s, theta_s - target_steps * eta * (H_t @ theta_s - b_t)


def _optima(H_s, b_s, H_t, b_t, theta_0, eta, source_steps, target_steps):
    return torch.linalg.solve(H_s, b_s), torch.linalg.solve(H_t, b_t)


def _swapped(**inputs: Any) -> tuple[Tensor, Tensor]:
    theta_s, theta_t = _stages(**inputs)
    return theta_t, theta_s


two_stages = Exercise(
    id="transfer.two_stages",
    answer=answers.transfer_two_stages,
    cases=two_stages_cases,
    parts=[
        Part("pretraining", 1, of=0, on="two"), Part("fine-tuning", 1, of=1, on="two"),
        Part("a stage without steps", 1, on="none"),
    ],
    misconceptions=[
        Misconception(
            "one_step", _one_step,
            "You made one step in each stage. θ ← θ − η∇L is to be repeated, each time with the gradient at the new place; many "
            "texts print it once and call the result θ*.",
        ),
        Misconception(
            "one_long_step", _one_long_step,
            "You used the gradient of the first place for all the steps. It has to be computed anew after each of them.",
        ),
        Misconception(
            "restarted", lambda **inputs: _stages(**inputs, restart=True), earns=1,
            says="Your second stage starts at theta_0 again. That is training from scratch; fine-tuning starts where pretraining "
            "ended.",
        ),
        Misconception(
            "uphill", lambda **inputs: _stages(**inputs, sign=-1.0),
            "You went uphill. The gradient points to where the loss grows, so it is subtracted.",
        ),
        Misconception(
            "no_b", lambda **inputs: _stages(**inputs, linear=False),
            "Your gradient lacks b. The derivative of θ·Hθ/2 − b·θ is Hθ − b.",
        ),
        Misconception(
            "optima", _optima,
            "These are the optima, solved for exactly. They do not know where you started; after a given number of steps the "
            "start still shows, and that is what is asked.",
        ),
        Misconception(
            "mixed", lambda **inputs: _stages(**inputs, mixed=True), earns=1,
            says="Your second stage descends on the mean of both losses. Fine-tuning sees the target's loss alone; mixing is a "
            "remedy against forgetting, and comes later.",
        ),
        Misconception(
            "swapped", _swapped,
            "Both results are right, in the wrong order: the end of pretraining comes first.",
        ),
    ],
)

# --- ridge_to_prior ---------------------------------------------------------------------------------------------------


def ridge_cases(rng: np.random.Generator) -> list[Case]:
    def case(n: int, d: int, lam: float, group: str) -> Case:
        inputs = {"X": normal(rng, n, d).double(), "y": normal(rng, n).double(), "theta_s": normal(rng, d).double(), "lam": lam}
        return Case(f"{n} examples, {d} parameters, λ = {lam:g}", inputs, group)

    return [case(9, 3, 0.5, "many"), case(12, 4, 2.0, "many"), case(3, 5, 0.7, "few")]


def _ridge(X, y, theta_s, lam, *, mean=True, right=1.0, left=1.0, prior=None, double=False):
    n, d = X.shape
    scale = n if mean else 1
    prior = theta_s if prior is None else prior(theta_s)
    H = X.T @ X / scale + (2 if double else 1) * left * lam * torch.eye(d, dtype=X.dtype)
    return torch.linalg.solve(H, X.T @ y / scale + right * lam * prior)


def _wrong_ridge(**how: Any) -> Any:
    return lambda X, y, theta_s, lam: _ridge(X, y, theta_s, lam, **how)


ridge_to_prior = Exercise(
    id="transfer.ridge_to_prior",
    answer=answers.transfer_ridge_to_prior,
    cases=ridge_cases,
    parts=[Part("more examples than parameters", 2, on="many"), Part("fewer examples than parameters", 1, on="few")],
    misconceptions=[
        Misconception(
            "to_zero", _wrong_ridge(right=0.0),
            "This is ordinary ridge: it draws θ to zero. Here it is drawn to θ_s, so λθ_s stays on the right-hand side.",
        ),
        Misconception(
            "no_mean", _wrong_ridge(mean=False),
            "You left out the 1/n in front of the squared error, so λ is n times too weak.",
        ),
        Misconception(
            "least_squares", lambda X, y, theta_s, lam: torch.linalg.pinv(X) @ y,
            "This is least squares, the shortest solution if there are several: θ_s and λ play no part in it. "
            "What draws θ to θ_s is "
            "the penalty.",
        ),
        Misconception(
            "sign", _wrong_ridge(right=-1.0),
            "The sign of θ_s is wrong: the gradient of the penalty is 2λ(θ − θ_s), so λθ_s stands on the right with a plus.",
        ),
        Misconception(
            "twice", _wrong_ridge(right=2.0, double=True),
            "Your λ counts twice. Both terms of the gradient have a factor 2; it cancels in both or in none.",
        ),
        Misconception(
            "difference", lambda X, y, theta_s, lam: _ridge(X, y - X @ theta_s, theta_s, lam, right=0.0),
            "This is the step θ − θ_s that the data ask for. Add θ_s to it, and it is the minimiser.",
        ),
        Misconception(
            "interpolated",
            lambda X, y, theta_s, lam: (torch.linalg.pinv(X) @ y + lam * theta_s) / (1 + lam),
            "You took the weighted mean of least squares and θ_s. That is right only where XᵀX = nI; in general each "
            "direction has its own weight.",
        ),
    ],
)

# --- samples_needed ---------------------------------------------------------------------------------------------------


def samples_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, group: str, **inputs: Any) -> Case:
        return Case(label, inputs, group)

    d, sigma = integer(rng, 20, 200), float(rng.uniform(1.5, 3.0))
    delta = float(rng.uniform(0.5, 0.8))
    return [
        case("d 100, σ 1, Δ 0.5, ε 0.05", "near", d=100, sigma=1.0, delta=0.5, epsilon=0.05),
        case(f"d {d}, σ {sigma:.2f}, Δ {delta:.2f}", "near", d=d, sigma=sigma, delta=delta, epsilon=0.25 * delta**2),
        case("a far start: d 50, σ 2, Δ 3, ε 0.1", "near", d=50, sigma=2.0, delta=3.0, epsilon=0.1),
        case("a start that is good enough already", "enough", d=60, sigma=2.0, delta=0.2, epsilon=0.06),
    ]


def _needed(d, sigma, delta, epsilon, *, power=2, noise=2, floor=True, rate=1):
    scratch = sigma**noise * d / epsilon**rate
    n = scratch - sigma**noise * d / delta**power
    return scratch, max(0.0, n) if floor else n


def _wrong_needed(**how: Any) -> Any:
    return lambda d, sigma, delta, epsilon: _needed(d, sigma, delta, epsilon, **how)


samples_needed = Exercise(
    id="transfer.samples_needed",
    answer=answers.transfer_samples_needed,
    cases=samples_cases,
    parts=[
        Part("from scratch", 1, of=0), Part("from a pretrained start", 2, of=1, on="near"),
        Part("a start that is good enough", 1, of=1, on="enough"),
    ],
    misconceptions=[
        Misconception(
            "negative", _wrong_needed(floor=False), earns=3,
            says="Where Δ² is below ε the start already is good enough: no example is needed, not fewer than none.",
        ),
        Misconception(
            "ratio", lambda d, sigma, delta, epsilon: (sigma**2 * d / epsilon, sigma**2 * delta / epsilon), earns=1,
            says="You put Δ in the place of d. A length cannot replace a count: what Δ buys is subtracted, σ²d/Δ² examples.",
        ),
        Misconception(
            "square_ratio", lambda d, sigma, delta, epsilon: (sigma**2 * d / epsilon, sigma**2 * delta**2 / epsilon), earns=1,
            says="You put Δ² in the place of d. Solve vΔ²/(v + Δ²) = ε for v first, then put in v = σ²d/n.",
        ),
        Misconception(
            "length", _wrong_needed(power=1), earns=1,
            says="You subtracted σ²d/Δ. The risk at the start is Δ², the square of the distance, so it is σ²d/Δ².",
        ),
        Misconception(
            "slow_rate", _wrong_needed(rate=2),
            "You divided by ε², the rate of the bound that assumes nothing. In this setting the risk of least squares is exactly "
            "σ²d/n, so the number of examples goes like 1/ε.",
        ),
        Misconception(
            "noise_not_squared", _wrong_needed(noise=1), earns=1,
            says="You used σ where the variance σ² is needed.",
        ),
        Misconception(
            "swapped", lambda d, sigma, delta, epsilon: _needed(d, sigma, delta, epsilon)[::-1],
            "Both numbers are right, in the wrong order: from scratch comes first.",
        ),
        Misconception(
            "saved",
            lambda d, sigma, delta, epsilon: (sigma**2 * d / epsilon, sigma**2 * d / delta**2), earns=1,
            says="Your second number is what the start saves. Asked is what is still needed.",
        ),
    ],
)

# --- critique ---------------------------------------------------------------------------------------------------------

critique = Written(
    id="transfer.critique",
    answer=answers.transfer_critique,
    rubric=[
        (1, "d/Δ = 1,000 is right as a division, and it is not a ratio of numbers of examples"),
        (1, "an argument against it: rescaling the features changes Δ and not the problem (or: count over length has units)"),
        (1, "B²Δ² (B the size of the features) is what may stand in the bound, and it is an upper bound"),
        (1, "a measurement: labels needed for the same accuracy, both ways, over several seeds"),
    ],
)
