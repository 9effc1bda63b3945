"""Exercises of chapter 07 around DPO: a bug, a gradient by hand, a relative of it, and on-policy distillation."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

import solutions.preference as answers
from autograder.asking.probes import without_autograd
from autograder.exercises.draws import integer, normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

# --- sequence_log_probs -----------------------------------------------------------------------------------------------


def sequence_log_probs_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, spans: list[tuple[int, int]], seq: int, group: str = "main") -> Case:
        """`spans` are first and end positions of each row's response."""
        mask = torch.zeros(len(spans), seq, dtype=torch.long)
        for row, (first, end) in enumerate(spans):
            mask[row, first:end] = 1
        ids = torch.from_numpy(rng.integers(0, 7, (len(spans), seq)))
        return Case(label, {"logits": 2 * normal(rng, len(spans), seq, 7), "input_ids": ids, "response_mask": mask}, group)

    return [
        case("2 rows without padding", [(2, 6), (3, 6)], 6),
        case("3 rows, unequal lengths, padding", [(2, 5), (3, 8), (1, 4)], 8),
        case("one long response, one of a single token", [(1, 9), (4, 5)], 9, "lengths"),
    ]


def _log_p(logits: Tensor, ids: Tensor) -> Tensor:
    return logits.log_softmax(-1).gather(2, ids[..., None]).squeeze(2)


def _mean_of_row(logits: Tensor, input_ids: Tensor, response_mask: Tensor) -> Tensor:
    mask = response_mask[:, 1:]
    return (_log_p(logits[:, :-1], input_ids[:, 1:]) * mask).sum(1) / mask.sum(1)


sequence_log_probs = Exercise(
    id="preference.sequence_log_probs",
    answer=answers.preference_sequence_log_probs,
    cases=sequence_log_probs_cases,
    parts=[Part("shape", 1, shape_only=True), Part("value", 2, on="main"), Part("unequal lengths", 1, on="lengths")],
    misconceptions=[
        Misconception(
            "not_shifted", lambda logits, input_ids, response_mask: (_log_p(logits, input_ids) * response_mask).sum(1), earns=1,
            says="You scored each token with the logits of its own position. A causal model's logits at position t are about "
            "the token at t + 1.",
        ),
        Misconception(
            "mask_not_shifted",
            lambda logits, input_ids, response_mask: (_log_p(logits[:, :-1], input_ids[:, 1:]) * response_mask[:, :-1]).sum(1),
            earns=1,
            says="The tokens are shifted and the mask is not: it drops each response's first token and counts one that comes "
            "after it.",
        ),
        Misconception(
            "prompt_counted", lambda logits, input_ids, response_mask: _log_p(logits[:, :-1], input_ids[:, 1:]).sum(1), earns=1,
            says="You counted every token: the prompt, and the padding as well. Padding makes short responses look unlikely.",
        ),
        Misconception(
            "mean", _mean_of_row, earns=1,
            says="This is the mean log-probability a token. log p(response | prompt) is the sum: with the mean, log Z no longer "
            "cancels.",
        ),
        Misconception(
            "shifted_back",
            lambda logits, input_ids, response_mask: (_log_p(logits[:, 1:], input_ids[:, :-1]) * response_mask[:, :-1]).sum(1),
            earns=1, says="You shifted the other way: each token is scored by logits that come after it, which have read it.",
        ),
    ],
)

# --- dpo_gradient -----------------------------------------------------------------------------------------------------


def dpo_gradient_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, actions: int, pairs: int, beta: float, seen: int, group: str = "main") -> Case:
        order = [rng.permutation(seen)[:2].tolist() for _ in range(pairs)]
        inputs = {"logits": normal(rng, actions), "reference": normal(rng, actions), "chosen": [a for a, _ in order],
                  "rejected": [b for _, b in order], "beta": beta}
        return Case(label, inputs, group)

    return [
        case("4 actions, one pair", 4, 1, 0.7, 4),
        case("5 actions, 3 pairs", 5, 3, 2.0, 5),
        case("5 actions, of which two are never compared", 5, 4, 0.5, 3, "unseen"),
    ]


def _dpo_gradient(
    logits: Tensor, reference: Tensor, chosen: list[int], rejected: list[int], beta: float, *, outer: float | None = None,
    weight: Any = None, reference_counts: float = 1.0, normaliser: float = 0.0,
) -> Tensor:
    """The answer with one thing wrong, chosen by a keyword."""
    out = torch.zeros_like(logits)
    weight = weight or (lambda z: torch.sigmoid(-z))
    for w, r in zip(chosen, rejected, strict=True):
        margin = logits[w] - logits[r] - reference_counts * (reference[w] - reference[r])
        push = (beta if outer is None else outer) * weight(beta * margin)
        out[w] -= push
        out[r] += push
        out += normaliser * push * logits.softmax(-1)
    return out / len(chosen)


def _wrong_gradient(**how: Any) -> Any:
    return lambda **inputs: _dpo_gradient(**inputs, **how)


dpo_gradient = Exercise(
    id="preference.dpo_gradient",
    answer=answers.preference_dpo_gradient,
    cases=dpo_gradient_cases,
    probe=without_autograd,
    keeps_inputs=True,
    parts=[Part("shape", 1, shape_only=True), Part("value", 2, on="main"), Part("actions never compared", 1, on="unseen")],
    misconceptions=[
        Misconception(
            "upwards", lambda **inputs: -_dpo_gradient(**inputs), earns=1,
            says="This is the direction that *lowers* the loss. The gradient points the other way: at the chosen action it is "
            "negative.",
        ),
        Misconception(
            "normaliser", _wrong_gradient(normaliser=1.0), earns=1,
            says="You kept the softmax of the chosen action's log-probability. The rejected one's has the same, with the other "
            "sign: they cancel, and an action that is in no pair gets no gradient at all.",
        ),
        Misconception(
            "margin_turned", _wrong_gradient(weight=torch.sigmoid), earns=1,
            says="The weight is σ(+β·margin): it would push hardest where the policy is right already. It is σ(-β·margin).",
        ),
        Misconception(
            "no_outer_beta", _wrong_gradient(outer=1.0), earns=1,
            says="The factor β of the inner derivative is missing.",
        ),
        Misconception(
            "no_reference", _wrong_gradient(reference_counts=0.0), earns=1,
            says="The reference is missing within the margin. It is constant, but it decides how hard each pair still pushes.",
        ),
        Misconception(
            "likelihood", _wrong_gradient(weight=lambda z: torch.sigmoid(z) * torch.sigmoid(-z)),
            earns=1,
            says="This is the derivative of the probability σ, not of the loss -log σ: the factor σ(β·margin) is one too many.",
        ),
    ],
)

# --- simpo_loss -------------------------------------------------------------------------------------------------------


def simpo_loss_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, pairs: int, beta: float, gamma: float) -> Case:
        lengths = [torch.from_numpy(rng.integers(low, low + 6, pairs)).float() for low in (12, 3)]
        sums = [length * (-1.5 + 0.4 * normal(rng, pairs)) for length in lengths]
        return Case(label, {"chosen": sums[0], "rejected": sums[1], "chosen_length": lengths[0], "rejected_length": lengths[1],
                            "beta": beta, "gamma": gamma})

    return [case("4 pairs, beta 2, gamma 1", 4, 2.0, 1.0), case("6 pairs, beta 2.5, gamma 0.5", 6, 2.5, 0.5)]


def _simpo(z: Tensor) -> Tensor:
    return -F.logsigmoid(z).mean()


simpo_loss = Exercise(
    id="preference.simpo_loss",
    answer=answers.preference_simpo_loss,
    cases=simpo_loss_cases,
    parts=[Part("value", 2)],
    misconceptions=[
        Misconception(
            "sums",
            lambda chosen, rejected, chosen_length, rejected_length, beta, gamma: _simpo(beta * (chosen - rejected) - gamma),
            "You compared the sums. Here the chosen responses are longer, and a sum punishes each token: SimPO divides by the "
            "length.",
        ),
        Misconception(
            "gamma_added",
            lambda chosen, rejected, chosen_length, rejected_length, beta, gamma: _simpo(
                beta * (chosen / chosen_length - rejected / rejected_length) + gamma),
            "You added γ. It is what the difference has to exceed, so it is taken off.",
        ),
        Misconception(
            "gamma_inside",
            lambda chosen, rejected, chosen_length, rejected_length, beta, gamma: _simpo(
                beta * (chosen / chosen_length - rejected / rejected_length - gamma)),
            "You multiplied γ by β as well. In SimPO the margin stands outside.",
        ),
        Misconception(
            "one_length",
            lambda chosen, rejected, chosen_length, rejected_length, beta, gamma: _simpo(
                beta * (chosen - rejected) / (chosen_length + rejected_length) - gamma),
            "Each response is divided by its *own* length, not both by the length of the pair.",
        ),
        Misconception(
            "lengths_exchanged",
            lambda chosen, rejected, chosen_length, rejected_length, beta, gamma: _simpo(
                beta * (chosen / rejected_length - rejected / chosen_length) - gamma),
            "You divided each response by the length of the other one.",
        ),
    ],
)

# --- on_policy_loss ---------------------------------------------------------------------------------------------------


def on_policy_loss_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, batch: int, T: int, lengths: list[int]) -> Case:
        mask = (torch.arange(T)[None] < torch.tensor(lengths)[:, None]).long()
        return Case(label, {"student_logits": 1.5 * normal(rng, batch, T, 6), "teacher_logits": 1.5 * normal(rng, batch, T, 6),
                            "mask": mask})

    return [
        case("2 responses of 5 and 3 tokens", 2, 5, [5, 3]),
        case("3 responses of unequal length", 3, 6, [2, 6, integer(rng, 3, 4)]),
    ]


def _token_kl(student: Tensor, teacher: Tensor) -> Tensor:
    log_s, log_t = student.log_softmax(-1), teacher.log_softmax(-1)
    return (log_s.exp() * (log_s - log_t)).sum(-1)


on_policy_loss = Exercise(
    id="preference.on_policy_loss",
    answer=answers.preference_on_policy_loss,
    cases=on_policy_loss_cases,
    parts=[Part("value", 3)],
    misconceptions=[
        Misconception(
            "forward",
            lambda student_logits, teacher_logits, mask: (_token_kl(teacher_logits, student_logits) * mask).sum() / mask.sum(),
            "This is KL(teacher ‖ student), the divergence of distillation on the *teacher's* samples. On the student's own the "
            "expectation is under the student.",
        ),
        Misconception(
            "padding_counted", lambda student_logits, teacher_logits, mask: _token_kl(student_logits, teacher_logits).mean(),
            "You counted the positions where the mask is 0: nothing was written there.",
        ),
        Misconception(
            "all_positions",
            lambda student_logits, teacher_logits, mask: (_token_kl(student_logits, teacher_logits) * mask).mean(),
            "The masked sum is right, and you divided by all positions instead of the counted ones.",
        ),
        Misconception(
            "mean_of_means",
            lambda student_logits, teacher_logits, mask: (
                (_token_kl(student_logits, teacher_logits) * mask).sum(1) / mask.sum(1)).mean(),
            "You averaged each response first and then those means. Over the batch's tokens is asked: each counts the same.",
        ),
        Misconception(
            "cross_entropy",
            lambda student_logits, teacher_logits, mask: (
                -(student_logits.softmax(-1) * teacher_logits.log_softmax(-1)).sum(-1) * mask).sum() / mask.sum(),
            "This is the cross-entropy: the student's own entropy is missing. On its own samples it is not constant, and "
            "without it the student collapses on the teacher's single best word.",
        ),
    ],
)
