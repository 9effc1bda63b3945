"""Exercises of chapter 11 on the loss: with its prior, from one batch, and training a very small model."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

import solutions.dreambooth as answers
from autograder.asking.probes import dreambooth as probes
from autograder.exercises.draws import normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part
from autograder.judging.measures import dreambooth as measures

# --- prior_preservation_loss ------------------------------------------------------------------------------------------


def prior_preservation_loss_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, group: str, n: int, m: int, lam: float) -> Case:
        mine, theirs = (n, 2, 3, 3), (m, 2, 3, 3)
        return Case(
            label,
            {
                "predicted": normal(rng, *mine),
                "noise": normal(rng, *mine),
                "prior_predicted": 2 * normal(rng, *theirs),
                "prior_noise": normal(rng, *theirs),
                "lam": lam,
            },
            group,
        )

    return [
        case("batches of 3 and 3, λ = 1", "equal", 3, 3, 1.0),
        case("batches of 2 and 2, λ = 0.3", "equal", 2, 2, 0.3),
        case("batches of 2 and 6, λ = 0.7", "unequal", 2, 6, 0.7),
        case("batches of 4 and 1, λ = 0", "unequal", 4, 1, 0.0),
    ]


def _square(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).square()


def _loss(how: Any) -> Any:
    def loss(predicted: Tensor, noise: Tensor, prior_predicted: Tensor, prior_noise: Tensor, lam: float) -> float:
        return float(how(_square(predicted, noise), _square(prior_predicted, prior_noise), lam))

    return loss


prior_preservation_loss = Exercise(
    id="dreambooth.prior_preservation_loss",
    answer=answers.dreambooth_prior_preservation_loss,
    cases=prior_preservation_loss_cases,
    parts=[Part("equal batches", 1, on="equal"), Part("unequal batches", 2, on="unequal")],
    misconceptions=[
        Misconception(
            "sums",
            _loss(lambda a, b, lam: a.sum() + lam * b.sum()),
            "You took sums. Then the larger batch weighs more, and λ is no longer what balances the two. Take means.",
        ),
        Misconception(
            "one_mean_over_both",
            _loss(lambda a, b, lam: (a.sum() + lam * b.sum()) / (a.numel() + b.numel())),
            "You divided by the size of both batches together. Each term is a mean of its own.",
        ),
        Misconception(
            "lam_on_the_subject",
            _loss(lambda a, b, lam: lam * a.mean() + b.mean()),
            "λ stands in front of the subject's term. It weighs the prior: with λ = 0 the subject alone is learned.",
        ),
        Misconception(
            "convex",
            _loss(lambda a, b, lam: (1 - lam) * a.mean() + lam * b.mean()),
            "You took λ for a share: 1 - λ and λ. The subject's term has the weight 1, whatever λ is.",
        ),
        Misconception(
            "against_the_subjects_noise",
            lambda predicted, noise, prior_predicted, prior_noise, lam: float(
                _square(predicted, noise).mean() + lam * _square(prior_predicted.mean(0), noise.mean(0)).mean()
            ),
            "You held the prior's prediction against the subject's noise. Each term has noise of its own.",
        ),
        Misconception(
            "roots",
            _loss(lambda a, b, lam: a.mean().sqrt() + lam * b.mean().sqrt()),
            "You took the root of each mean. The loss is the mean square itself.",
        ),
    ],
)

# --- mend_loss --------------------------------------------------------------------------------------------------------


def mend_loss_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, group: str, n: int, lam: float) -> Case:
        scale = torch.cat([torch.ones(n), 1.5 * torch.ones(n)])[:, None, None, None]
        return Case(
            label, {"predicted": scale * normal(rng, 2 * n, 2, 3, 3), "noise": normal(rng, 2 * n, 2, 3, 3), "lam": lam}, group
        )

    return [case("λ = 0: the subject alone", "none", 3, 0.0), case("λ = 1", "some", 2, 1.0), case("λ = 0.4", "some", 4, 0.4)]


def _halves(how: Any) -> Any:
    def loss(predicted: Tensor, noise: Tensor, lam: float) -> float:
        off = (predicted - noise).square()
        return float(how(off, len(off) // 2, lam))

    return loss


mend_loss = Exercise(
    id="dreambooth.mend_loss",
    answer=answers.dreambooth_mend_loss,
    cases=mend_loss_cases,
    parts=[Part("without the prior", 1, on="none"), Part("with it", 2, on="some")],
    misconceptions=[
        Misconception(
            "as_it_was",
            _halves(lambda off, n, lam: off.mean() + lam * off[n:].mean()),
            "This is still the function of the cell: its first term is the mean over *both* halves. So the prior counts even at "
            "λ = 0.",
        ),
        Misconception(
            "halves_exchanged",
            _halves(lambda off, n, lam: off[n:].mean() + lam * off[:n].mean()),
            "You exchanged the halves: the subject comes first, and λ weighs the other.",
        ),
        Misconception(
            "every_other",
            _halves(lambda off, n, lam: off[::2].mean() + lam * off[1::2].mean()),
            "You took every other picture. The batch holds all of the subject's first, then all of the prior's.",
        ),
        Misconception(
            "over_the_whole",
            _halves(lambda off, n, lam: (off[:n].sum() + lam * off[n:].sum()) / off.numel()),
            "You divided by the size of the whole batch. Each half has a mean of its own.",
        ),
        Misconception(
            "one_half_forgotten",
            _halves(lambda off, n, lam: off[:n].mean()),
            earns=1,
            says="The prior's term is gone altogether. It belongs there, times λ.",
        ),
    ],
)

# --- training_loss ----------------------------------------------------------------------------------------------------


def training_loss_cases(rng: np.random.Generator) -> list[Case]:
    """Five kinds of ball on a line, and a sixth that the model hardly knows: the subject's."""

    def case(label: str, width: float, lam: float) -> Case:
        means = torch.linspace(-1.5, 1.5, 6)[torch.from_numpy(rng.permutation(6))]
        noun = torch.cat([0.3 * normal(rng, 5), torch.tensor([-4.0])])
        kinds = torch.from_numpy(rng.choice(6, size=256, p=noun.double().softmax(0).numpy()))
        inputs = {
            "mine": means[5] + width * normal(rng, 4), "prior": means[kinds] + width * normal(rng, 256),
            "noun": noun, "means": means,
            "width": width, "alpha_bar": torch.linspace(0.98, 0.3, 40), "lam": lam, "lr": 0.1, "steps": 150,
            "seed": int(rng.integers(10**6)),
        }  # fmt: skip
        return Case(label, inputs, held={"noun": noun, "subject": 5})

    return [case("six kinds on a line, λ = 1", 0.06, 1.0), case("six kinds on a line, λ = 0.5", 0.08, 0.5)]


def _training_loss(
    denoise, mine, prior, alpha_bar, lam, *, with_prior=True, prior_prompt="a ball", my_prompt="a sks ball", alone=False
):
    """The loss with one thing wrong, chosen by a keyword."""
    terms = []
    for clean, prompt in ((mine, my_prompt), (prior, prior_prompt)):
        level = alpha_bar[torch.randint(len(alpha_bar), (len(clean),))]
        noise = torch.randn(len(clean))
        terms.append(
            torch.nn.functional.mse_loss(denoise(level.sqrt() * clean + (1 - level).sqrt() * noise, level, prompt), noise)
        )
    return (0 if alone else terms[0]) + (lam if with_prior else 0) * terms[1]


def _weak(**how: Any) -> Any:
    return lambda **inputs: _training_loss(**inputs, **how)


NOT_LEARNED = (
    "The subject was not learned: its prompt seldom brings it. Is the subject's prompt used for the subject's examples "
    "only, is the "
    "target the noise that was put in, and is it put in with the roots of the shares?"
)
DRIFTED = (
    "The subject is learned, and the class's word has drifted: \"a ball\" no longer brings what it brought. The prior's examples "
    "belong in the loss, with the class's prompt, times λ."
)

# Over 30 seeds: the model answer has shares of 0.94 and more and drifts of 0.24 and less. Weak strategies have shares of 0.83 and
# less, where the subject is missed, and drifts of 0.45 and more, where the word drifts.
training_loss = Exercise(
    id="dreambooth.training_loss",
    answer=answers.dreambooth_training_loss,
    probe=probes.personalise,
    cases=training_loss_cases,
    expected=lambda noun, **inputs: torch.zeros(2, len(noun)),
    parts=[
        Part("share of the subject", 2, measure=measures.subject_share, at_least=0.88, says=NOT_LEARNED),
        Part("drift of the word", 2, measure=measures.word_drift, at_most=0.34, says=DRIFTED),
    ],
    misconceptions=[
        Misconception("naive", _weak(with_prior=False), DRIFTED, earns=2),
        Misconception("class_prompt_for_both", _weak(my_prompt="a ball"), NOT_LEARNED, earns=0),
        Misconception("subjects_prompt_for_both", _weak(prior_prompt="a sks ball"), NOT_LEARNED, earns=2),
        Misconception("prior_alone", _weak(alone=True), NOT_LEARNED, earns=2),
    ],
    seconds=10.0,
)
