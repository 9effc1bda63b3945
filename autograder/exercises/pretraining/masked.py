"""Exercises of chapter 01 on the hidden word: its labels, and the gradient of the loss."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

import solutions.pretraining as answers
from autograder.asking.probes import without_autograd
from autograder.exercises.draws import integer, normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part


def tokens(rng: np.random.Generator, *shape: int, vocab: int) -> Tensor:
    return torch.from_numpy(rng.integers(5, vocab, shape))


# --- mlm_labels -------------------------------------------------------------------------------------------------------


def mlm_labels_cases(rng: np.random.Generator) -> list[Case]:
    chosen = torch.from_numpy(rng.random((3, 9)) < 0.3)
    chosen[0, integer(rng, 1, 3)] = chosen[1, 5] = True
    chosen[2] = False
    def case(label: str, masked: Tensor, group: str) -> Case:
        return Case(label, {"input_ids": tokens(rng, *masked.shape, vocab=900), "masked": masked}, group)

    return [
        case("3 sentences of 9 tokens, the last without a chosen token", chosen, "main"),
        case("one sentence, everything chosen", torch.ones(1, 6, dtype=torch.bool), "all"),
        case("one sentence, nothing chosen", torch.zeros(1, 6, dtype=torch.bool), "none"),
    ]


mlm_labels = Exercise(
    id="pretraining.mlm_labels",
    answer=answers.mlm_labels,
    cases=mlm_labels_cases,
    parts=[Part("some chosen", 1, on="main"), Part("all chosen", 1, on="all"), Part("none chosen", 1, on="none")],
    misconceptions=[
        Misconception(
            "every_token", lambda input_ids, masked: input_ids.clone(), earns=1,
            says="These labels ask for every token, also for those that stand in the input unchanged. Copying them teaches "
            "nothing. "
            "Ask at the chosen positions only: -100 elsewhere.",
        ),
        Misconception(
            "zero_elsewhere", lambda input_ids, masked: torch.where(masked, input_ids, 0), earns=1,
            says="0 is a token ([PAD] in BERT), so the loss would ask for it at every other position. What the loss passes "
            "over is -100.",
        ),
        Misconception(
            "minus_one", lambda input_ids, masked: torch.where(masked, input_ids, -1), earns=1,
            says="-1 was the label to ignore in old code. In torch it is -100 (`ignore_index`); with -1 the loss raises an "
            "error.",
        ),
        Misconception(
            "inverted", lambda input_ids, masked: torch.where(masked, -100, input_ids),
            says="It is the other way round: the model is asked for what was chosen, and not for what it can see.",
        ),
        Misconception(
            "shifted", lambda input_ids, masked: torch.where(masked, input_ids.roll(-1, 1), -100), earns=1,
            says="You shifted the labels by one. That is for causal models. A masked model answers at the very position "
            "that is hidden.",
        ),
        Misconception(
            "chosen_only", lambda input_ids, masked: input_ids[masked],
            "These are the right tokens without their places. Keep the shape (batch, seq), with -100 in between.",
        ),
    ],
    tolerance=1e-6,
)

# --- loss_gradient ----------------------------------------------------------------------------------------------------


def loss_gradient_cases(rng: np.random.Generator) -> list[Case]:
    some, every = tokens(rng, 7, vocab=11) - 5, tokens(rng, 4, vocab=10) - 5
    some[torch.from_numpy(rng.permutation(7)[:4])] = -100
    return [
        Case("7 positions, 3 labelled, vocabulary of 6", {"logits": normal(rng, 7, 6, scale=1.5), "labels": some}, "some"),
        Case("4 positions, all labelled, vocabulary of 5", {"logits": normal(rng, 4, 5, scale=1.5), "labels": every}, "all"),
    ]


def _gradient(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """softmax minus one-hot at every position (no one-hot where there is no label), and where there is one."""
    asked = labels != -100
    p = logits.softmax(-1)
    p[asked, labels[asked]] -= 1
    return p, asked


def over_all_positions(logits: Tensor, labels: Tensor) -> Tensor:
    p, asked = _gradient(logits, labels)
    return p * asked[:, None] / len(labels)


def not_averaged(logits: Tensor, labels: Tensor) -> Tensor:
    p, asked = _gradient(logits, labels)
    return p * asked[:, None]


def unlabelled_pushed(logits: Tensor, labels: Tensor) -> Tensor:
    p, asked = _gradient(logits, labels)
    return p / asked.sum()


def uphill(logits: Tensor, labels: Tensor) -> Tensor:
    return -answers.loss_gradient(logits, labels)


def no_one_hot(logits: Tensor, labels: Tensor) -> Tensor:
    asked = labels != -100
    return logits.softmax(-1) * asked[:, None] / asked.sum()


def at_the_label_only(logits: Tensor, labels: Tensor) -> Tensor:
    gradient = answers.loss_gradient(logits, labels)
    asked = labels != -100
    keep = torch.zeros_like(gradient)
    keep[asked, labels[asked]] = 1
    return gradient * keep


loss_gradient = Exercise(
    id="pretraining.loss_gradient",
    answer=answers.loss_gradient,
    probe=without_autograd,
    cases=loss_gradient_cases,
    parts=[
        Part("shape", 1, shape_only=True),
        Part("all positions labelled", 1, on="all"),
        Part("some positions labelled", 2, on="some"),
    ],
    misconceptions=[
        Misconception(
            "over_all_positions", over_all_positions, earns=2,
            says="You divided by the number of positions. The loss is the mean over the positions that have a label, so "
            "divide by "
            "their number.",
        ),
        Misconception(
            "unlabelled_pushed", unlabelled_pushed, earns=2,
            says="Where there is no label the loss does not depend on the logits, so the gradient there is zero. You left "
            "the softmax "
            "standing, which would push all tokens down.",
        ),
        Misconception(
            "not_averaged", not_averaged, earns=1,
            says="This is the gradient of the sum. The loss is the mean over the labelled positions.",
        ),
        Misconception(
            "uphill", uphill, earns=1,
            says="The sign is the other way round: the loss falls when the right token's logit rises, so its gradient is "
            "negative.",
        ),
        Misconception(
            "no_one_hot", no_one_hot, earns=1,
            says="This is the gradient of the log of the sum of exponentials alone. The loss also has the term minus the "
            "right token's "
            "logit, which gives -1 at the label.",
        ),
        Misconception(
            "at_the_label_only", at_the_label_only, earns=1,
            says="The loss depends on every logit of a labelled position, through the sum in the softmax: the wrong tokens "
            "have a "
            "gradient too.",
        ),
    ],
)
