"""Exercises of chapter 11 before and after the experiment: what is seen how often; and a question answered in words."""

from __future__ import annotations

from typing import Any

import numpy as np

import solutions.dreambooth as answers
from autograder.exercises.draws import integer
from autograder.exercises.exercise import Case, Exercise, Misconception, Part, Written

# --- predict_looks ----------------------------------------------------------------------------------------------------


def predict_looks_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, mine: int, prior: int, steps: int, batch: int, lam: float) -> Case:
        return Case(label, {"mine": mine, "prior": prior, "steps": steps, "batch": batch, "lam": lam})

    drawn = integer(rng, 3, 6), 10 * integer(rng, 6, 20), 100 * integer(rng, 2, 9), integer(rng, 2, 4)
    return [case("4 and 200 pictures, 800 steps of 1 and 1, λ = 1", 4, 200, 800, 1, 1.0),
            case("another training, λ = 0.5", *drawn, 0.5)]  # fmt: skip


def _looks(how: Any) -> Any:
    return lambda mine, prior, steps, batch, lam: how(mine, prior, steps, batch, lam)


predict_looks = Exercise(
    id="dreambooth.predict_looks",
    answer=answers.dreambooth_predict_looks,
    cases=predict_looks_cases,
    parts=[
        Part("looks at the subject's pictures", 1, of=0), Part("looks at the prior's", 1, of=1),
        Part("weight of the prior", 1, of=2),
    ],  # fmt: skip
    misconceptions=[
        Misconception(
            "more_pictures_weigh_more", _looks(lambda m, p, s, b, lam: (s * b / m, s * b / p, lam * p / m)), earns=2,
            says="You let the prior weigh more because it has more pictures. Each term is a mean over a batch: how many pictures "
            "wait outside does not change its weight.",
        ),
        Misconception(
            "dominated_by_the_few", _looks(lambda m, p, s, b, lam: (s * b / m, s * b / p, lam * m / p)), earns=2,
            says="You let the prior weigh less because each of its pictures is seen less. The term is a mean over the batch; its "
            "weight is λ.",
        ),
        Misconception(
            "epochs", _looks(lambda m, p, s, b, lam: (float(s), float(s), lam)), earns=1,
            says="You took a step for an epoch. A step looks at one batch, not at every picture.",
        ),
        Misconception(
            "from_one_heap", _looks(lambda m, p, s, b, lam: (2 * s * b / (m + p), 2 * s * b / (m + p), lam)), earns=1,
            says="You drew both from one heap. Every step takes as many of the subject's as of the prior's, so the few are "
            "seen much "
            "more often.",
        ),
        Misconception(
            "batch_forgotten", _looks(lambda m, p, s, b, lam: (s / m, s / p, lam)), earns=1,
            says="You forgot the size of the batch: a step looks at that many of each.",
        ),
    ],
)

# --- prior_against_drift ----------------------------------------------------------------------------------------------

prior_against_drift = Written(
    id="dreambooth.prior_against_drift",
    answer=answers.dreambooth_prior_against_drift,
    rubric=[
        (1, "the class's word stands in the subject's prompt, weights are shared: what is trained for one moves the other"),
        (1, "the second term: pictures the model itself made for the class's prompt before training, with that prompt"),
        (1, "noise and time steps of its own for each term; not the subject's noised pictures"),
        (1, "a rarer word and fewer steps do not separate learning from drift; they move along the trade or elsewhere"),
        (1, "names a price (computation, pictures, slower learning, λ) and a limit (other words), with a number of the chapter"),
    ],
)
