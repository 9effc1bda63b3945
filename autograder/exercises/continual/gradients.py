"""Exercise of chapter 05 on steps that do not point against the old tasks: A-GEM."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

import solutions.continual as answers
from autograder.exercises.draws import normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

Gradient = tuple[Tensor, ...]


def project_cases(rng: np.random.Generator) -> list[Case]:
    shapes = [(3, 4), (5,), (2, 3)]

    def case(label: str, cosines: list[float], group: str) -> Case:
        """Gradients whose angle is another one in every layer; the lengths differ, and the reference is not of length 1."""
        reference = [normal(rng, *shape) for shape in shapes]
        noise = [0.3 * normal(rng, *shape) for shape in shapes]
        reference = [length * r / r.norm() for length, r in zip((3.0, 2.0, 1.5), reference, strict=True)]
        gradient = [c * r + n for c, r, n in zip(cosines, reference, noise, strict=True)]
        return Case(label, {"gradient": tuple(gradient), "reference": tuple(reference)}, group)

    return [
        case("pointing apart", [-1.0, 0.6, -1.4], "apart"),
        case("pointing apart, in one layer only", [0.3, 0.4, -4.0], "apart"),
        case("agreeing, but for one layer", [1.2, -0.5, 1.0], "agree"),
    ]


def _projection(
    gradient: Gradient,
    reference: Gradient,
    *,
    always: bool = False,
    per_layer: bool = False,
    divide: str = "r r",
    out: str = "rest",
    sign: float = 1.0,
) -> Gradient:
    """The answer with one thing wrong, chosen by a keyword."""
    if per_layer:
        return tuple(_projection((g,), (r,))[0] for g, r in zip(gradient, reference, strict=True))

    def product(a: Gradient, b: Gradient) -> float:
        return sum((s * t).sum().item() for s, t in zip(a, b, strict=True))

    along = product(gradient, reference)
    if along >= 0 and not always:
        return gradient
    rr, gg = product(reference, reference), product(gradient, gradient)
    along = sign * along / {"r r": rr, "nothing": 1.0, "length": rr**0.5, "g g": gg}[divide]
    return tuple((g if out == "rest" else 0 * g) - along * r for g, r in zip(gradient, reference, strict=True))


def _wrong_projection(**how: Any) -> Any:
    return lambda gradient, reference: _projection(gradient, reference, **how)


project_gradient = Exercise(
    id="continual.project_gradient",
    answer=answers.continual_project_gradient,
    cases=project_cases,
    parts=[Part("pointing apart", 3, on="apart"), Part("agreeing", 1, on="agree")],
    misconceptions=[
        Misconception(
            "always_projects",
            _wrong_projection(always=True),
            earns=3,
            says="You project always. Where the two agree, the step helps the old tasks: leave it as it is.",
        ),
        Misconception(
            "layer_by_layer",
            _wrong_projection(per_layer=True),
            says="You projected each tensor for itself. All weights together are one vector: one scalar product decides, and "
            "one factor is taken for all tensors.",
        ),
        Misconception(
            "never_projects",
            lambda gradient, reference: gradient,
            earns=1,
            says="The gradient comes back as it was, although it points against the old tasks.",
        ),
        Misconception(
            "not_divided",
            _wrong_projection(divide="nothing"),
            earns=1,
            says="You subtracted (g · r) r. Divide by r · r, or the result depends on how long the reference is.",
        ),
        Misconception(
            "divided_by_the_length",
            _wrong_projection(divide="length"),
            earns=1,
            says="You divided by the length of the reference once. r comes in twice, in the product and as the direction: "
            "divide by r · r.",
        ),
        Misconception(
            "divided_by_g",
            _wrong_projection(divide="g g"),
            earns=1,
            says="You divided by g · g. What is taken out is a multiple of the reference, so its length counts: r · r.",
        ),
        Misconception(
            "the_part_along",
            _wrong_projection(out="part", sign=-1.0),
            earns=1,
            says="This is the part of the gradient that points along the reference. Asked is what is left without it.",
        ),
        Misconception(
            "doubled",
            _wrong_projection(sign=-1.0),
            earns=1,
            says="The sign is turned round: you made the part that points against the old tasks twice as large.",
        ),
    ],
)
