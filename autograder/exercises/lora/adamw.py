"""Exercise of chapter 08 on the optimiser's step."""

from __future__ import annotations

from typing import Any

import numpy as np

import solutions.lora as answers
from autograder.exercises.draws import normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

# --- adamw_step -------------------------------------------------------------------------------------------------------


def adamw_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, step: int, group: str, **settings: float) -> Case:
        shape = (3, 4)
        started = step > 1
        inputs = {
            "theta": normal(rng, *shape), "grad": normal(rng, *shape),
            "m": 0.3 * normal(rng, *shape) * started, "v": 0.2 * normal(rng, *shape) ** 2 * started, "step": step,
            "lr": 0.2, "beta1": 0.9, "beta2": 0.99, "eps": 0.05, "weight_decay": 0.4,
        }
        return Case(label, inputs | settings, group)

    return [
        case("first step", 1, "first"),
        case("step 7", 7, "later"),
        case("step 3, a larger eps", 3, "later", eps=0.2),
    ]


def _adamw(theta, grad, m, v, step, lr, beta1, beta2, eps, weight_decay, *, corrected=True, decay="decoupled", eps_inside=False,
           hats_out=False):
    """The step with one thing wrong, chosen by a keyword."""
    if decay == "coupled":
        grad = grad + weight_decay * theta
    m, v = beta1 * m + (1 - beta1) * grad, beta2 * v + (1 - beta2) * grad**2
    m_hat = m / (1 - beta1**step) if corrected in (True, "m") else m
    v_hat = v / (1 - beta2**step) if corrected in (True, "v") else v
    size = (v_hat + eps).sqrt() if eps_inside else v_hat.sqrt() + eps
    shrink = {"decoupled": lr * weight_decay, "not_times_lr": weight_decay, "coupled": 0.0, "none": 0.0, "late": 0.0}[decay]
    if decay == "late":
        theta = theta - lr * m_hat / size
        return theta - lr * weight_decay * theta, m, v
    return theta - shrink * theta - lr * m_hat / size, *((m_hat, v_hat) if hats_out else (m, v))


def _wrong_adamw(**how: Any) -> Any:
    return lambda **inputs: _adamw(**inputs, **how)


adamw_step = Exercise(
    id="lora.adamw_step",
    answer=answers.lora_adamw_step,
    cases=adamw_cases,
    keeps_inputs=True,
    parts=[
        Part("m", 1, of=1), Part("v", 1, of=2),
        Part("theta at the first step", 1, of=0, on="first"), Part("theta later on", 1, of=0, on="later"),
    ],
    misconceptions=[
        Misconception(
            "no_bias_correction", _wrong_adamw(corrected=False), earns=2,
            says="The bias correction is missing: m and v start at zero and are too small at first. With the usual "
            "0.9 and 0.999 the "
            "first step would come out 3.16 times too long.",
        ),
        Misconception(
            "only_m_corrected", _wrong_adamw(corrected="m"), earns=2,
            says="You corrected m and left v. Then the first step is 1/√(1 - beta2) times too long: 32 times with the usual "
            "0.999.",
        ),
        Misconception(
            "only_v_corrected", _wrong_adamw(corrected="v"), earns=2,
            says="You corrected v and left m. Then the first step is (1 - beta1) times what it should be: a tenth with the "
            "usual 0.9.",
        ),
        Misconception(
            "decay_not_times_lr", _wrong_adamw(decay="not_times_lr"), earns=2,
            says="Your weight decay is not multiplied by the learning rate. torch.optim.AdamW shrinks "
            "by lr · weight_decay a step. (The paper has no lr there, only its schedule, which is 1 when constant; then λ is "
            "meant smaller.)",
        ),
        Misconception(
            "coupled_decay", _wrong_adamw(decay="coupled"),
            says="You added the decay to the gradient. That is Adam with L2, where the decay is divided by √v like "
            "everything else; "
            "AdamW decouples it (that is what the W stands for).",
        ),
        Misconception(
            "no_decay", _wrong_adamw(decay="none"), earns=2,
            says="This is plain Adam: the weight decay is missing.",
        ),
        Misconception(
            "eps_inside_root", _wrong_adamw(eps_inside=True), earns=2,
            says="You put eps inside the square root. It is added after the root: √v̂ + eps.",
        ),
        Misconception(
            "hats_returned", _wrong_adamw(hats_out=True), earns=2,
            says="theta is right. Return m and v as they are: the corrected ones serve this step only.",
        ),
        Misconception(
            "decay_last", _wrong_adamw(decay="late"), earns=2,
            says="You decayed theta after the step. torch.optim.AdamW decays the old theta, before the gradient's part.",
        ),
    ],
)
