"""Exercises of chapter 05 on distillation: the loss, its gradient by hand, and one with two bugs over several heads."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

import solutions.continual as answers
from autograder.asking.probes import without_autograd
from autograder.exercises.draws import normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part


def _case(rng: np.random.Generator, n: int, classes: int, temperature: float, group: str) -> Case:
    inputs = {"student_logits": normal(rng, n, classes, scale=2), "teacher_logits": normal(rng, n, classes, scale=2)}
    return Case(f"{n} rows of {classes} classes, T = {temperature:g}", inputs | {"temperature": temperature}, group)


def distillation_cases(rng: np.random.Generator) -> list[Case]:
    return [_case(rng, 3, 4, 1.0, "plain"), _case(rng, 4, 6, 3.0, "softened"), _case(rng, 2, 5, 1.5, "softened")]


def loss_cases(rng: np.random.Generator) -> list[Case]:
    large = _case(rng, 3, 4, 2.0, "large")
    large.inputs["teacher_logits"][:, 0] -= 300  # exp of it is 0 in float32, and log of that is not finite
    large.inputs["student_logits"][:, 1] += 30
    return [*distillation_cases(rng), Case(large.label + ", a class the teacher rules out", large.inputs, "large")]


# --- distillation_loss ------------------------------------------------------------------------------------------------


def _loss(student_logits: Tensor, teacher_logits: Tensor, temperature: float, *, power: float = 2, reverse: bool = False,
          reduce: str = "rows", what: str = "divergence", student_T: Any = lambda T: T, teacher_T: Any = lambda T: T) -> float:
    """The loss with one thing wrong, chosen by a keyword."""
    log_p = (teacher_logits / teacher_T(temperature)).log_softmax(-1)
    log_q = (student_logits / student_T(temperature)).log_softmax(-1)
    if reverse:
        log_p, log_q = log_q, log_p
    if what == "log of softmax":
        p, q = log_p.exp(), log_q.exp()
        terms = p * (p / q).log()
    elif what == "log target":
        terms = F.kl_div(log_q, log_p, reduction="none")
    else:
        terms = log_p.exp() * ((log_p if what == "divergence" else 0) - log_q)
    value = {"rows": terms.sum(-1).mean(), "all": terms.mean(), "sum": terms.sum()}[reduce]
    return (temperature**power * value).item()


def _wrong_loss(**how: Any) -> Any:
    return lambda student_logits, teacher_logits, temperature: _loss(student_logits, teacher_logits, temperature, **how)


distillation_loss = Exercise(
    id="continual.distillation_loss",
    answer=answers.continual_distillation_loss,
    cases=loss_cases,
    parts=[Part("T = 1", 1, on="plain"), Part("T above 1", 2, on="softened"), Part("large logits", 1, on="large")],
    misconceptions=[
        Misconception(
            "no_t_squared", _wrong_loss(power=0), earns=1,
            says="The factor T² is missing. Without it the gradient shrinks as 1/T², and a high temperature teaches next to "
            "nothing.",
        ),
        Misconception(
            "t_once", _wrong_loss(power=1), earns=1,
            says="You multiplied by T where T² is needed: one T for the division of the logits, one because softened answers "
            "differ less.",
        ),
        Misconception(
            "reversed", _wrong_loss(reverse=True),
            "This is KL(student ‖ teacher): the arguments are the other way round. The teacher's probabilities weigh the terms, "
            "and in F.kl_div the student's log-probabilities come first.",
        ),
        Misconception(
            "mean_over_everything", _wrong_loss(reduce="all"),
            "You took the mean over rows and classes. The divergence of a row is a sum over its classes; only rows are averaged. "
            "(F.kl_div's default, reduction='mean', is this mistake; 'batchmean' is right.)",
        ),
        Misconception(
            "sum_over_rows", _wrong_loss(reduce="sum"),
            "You summed over the rows of the batch. Take their mean, or the loss grows with the batch.",
        ),
        Misconception(
            "cross_entropy", _wrong_loss(what="cross-entropy"),
            "This is the cross-entropy. Its gradient is the same, but the teacher's entropy is missing, so it is not 0 when "
            "the student agrees.",
        ),
        Misconception(
            "teacher_not_softened", _wrong_loss(teacher_T=lambda T: 1.0), earns=1,
            says="Only the student is softened. Divide the teacher's logits by T too, or an exact copy of the teacher "
            "would be told that it is wrong.",
        ),
        Misconception(
            "student_not_softened", _wrong_loss(student_T=lambda T: 1.0), earns=1,
            says="Only the teacher is softened. Divide the student's logits by the same T; at use, both go back to T = 1.",
        ),
        Misconception(
            "log_target", _wrong_loss(what="log target"),
            "F.kl_div got log-probabilities as its target and took them for probabilities. Pass probabilities, or say "
            "log_target=True.",
        ),
        Misconception(
            "log_of_softmax", _wrong_loss(what="log of softmax"), earns=3,
            says="A class that the teacher rules out gives 0 · log 0, which is nan. Use log_softmax, and subtract the "
            "logarithms.",
        ),
    ],
)

# --- distillation_gradient --------------------------------------------------------------------------------------------


def _gradient(student_logits: Tensor, teacher_logits: Tensor, temperature: float, *, power: float = 1, sign: float = 1,
              soften: bool = True, over: str = "rows", by: str = "logits") -> Tensor:
    """The gradient with one thing wrong, chosen by a keyword."""
    T = temperature if soften else 1.0
    p, q = (teacher_logits / T).softmax(-1), (student_logits / T).softmax(-1)
    count = {"rows": len(p), "nothing": 1, "everything": p.numel()}[over]
    return sign * temperature**power * ((q - p) if by == "logits" else -p / q) / count


def _wrong_gradient(**how: Any) -> Any:
    return lambda student_logits, teacher_logits, temperature: _gradient(student_logits, teacher_logits, temperature, **how)


distillation_gradient = Exercise(
    id="continual.distillation_gradient",
    answer=answers.continual_distillation_gradient,
    probe=without_autograd,
    cases=distillation_cases,
    parts=[Part("shape", 1, shape_only=True), Part("T = 1", 1, on="plain"), Part("T above 1", 2, on="softened")],
    misconceptions=[
        Misconception(
            "chain_rule_forgotten", _wrong_gradient(power=2), earns=2,
            says="Your factor is T². The loss has it, but the softmax sees logits/T, so the chain rule takes one T away.",
        ),
        Misconception(
            "no_t_squared", _wrong_gradient(power=-1), earns=2,
            says="Your factor is 1/T: this is the gradient of the divergence without T². Multiply by T².",
        ),
        Misconception(
            "no_temperature_factor", _wrong_gradient(power=0), earns=2,
            says="The factor T is missing: T² from the loss, times 1/T from the chain rule.",
        ),
        Misconception(
            "not_averaged", _wrong_gradient(over="nothing"), earns=1,
            says="The loss is a mean over the n rows, so each row's gradient carries 1/n.",
        ),
        Misconception(
            "over_everything", _wrong_gradient(over="everything"), earns=1,
            says="You divided by rows times classes. The sum over classes is no mean; divide by the number of rows.",
        ),
        Misconception(
            "sign", _wrong_gradient(sign=-1), earns=1,
            says="The sign is turned round. Where the student gives too much (q > p), going uphill in the loss means giving "
            "more.",
        ),
        Misconception(
            "not_softened", _wrong_gradient(soften=False), earns=2,
            says="p and q are the probabilities at temperature T: divide both logits by T before the softmax.",
        ),
        Misconception(
            "by_probabilities", _wrong_gradient(by="probabilities"), earns=1,
            says="−p/q comes from differentiating with respect to the student's probabilities. Go on through the softmax to its "
            "logits.",
        ),
    ],
)

# --- lwf_loss ---------------------------------------------------------------------------------------------------------


def lwf_cases(rng: np.random.Generator) -> list[Case]:
    def case(n: int, new: int, old: tuple[int, ...], temperature: float, strength: float, group: str) -> Case:
        inputs = {"new_logits": normal(rng, n, new, scale=2), "y": torch.from_numpy(rng.integers(new, size=n))}
        inputs |= {"old_logits": tuple(normal(rng, n, c, scale=2) for c in old)}
        inputs |= {"teacher_logits": tuple(normal(rng, n, c, scale=2) for c in old)}
        inputs |= {"temperature": temperature, "strength": strength}
        heads = "one old head" if len(old) == 1 else f"{len(old)} old heads"
        return Case(f"{n} rows, {heads}, T = {temperature:g}, λ = {strength:g}", inputs, group)

    return [
        case(5, 3, (3,), 2.0, 0.7, "one"), case(6, 2, (3, 4, 2), 3.0, 1.6, "several"), case(1, 4, (2, 3), 1.5, 1.2, "one row"),
    ]


def _lwf(new_logits: Tensor, y: Tensor, old_logits: tuple[Tensor, ...], teacher_logits: tuple[Tensor, ...], temperature: float,
         strength: float, *, axis: int = 1, hot: bool = False, heads: str = "sum", reverse: bool = False, power: int = 2,
         all_of_it: bool = False) -> float:
    """The loss with one thing wrong, chosen by a keyword; `axis` 0 and `hot` are the chapter's two bugs."""
    T = temperature
    task = F.cross_entropy(new_logits / T if hot else new_logits, y)
    terms = []
    for ours, theirs in zip(old_logits, teacher_logits, strict=True):
        q, p = (ours / T).log_softmax(axis), (theirs / T).log_softmax(axis)
        p, q = (q, p) if reverse else (p, q)
        terms.append(T**power * (p.exp() * (p - q)).sum() / len(y))
    kept = {"sum": sum(terms), "mean": sum(terms) / len(terms), "last": terms[-1]}[heads]
    return (strength * (task + kept) if all_of_it else task + strength * kept).item()


def _wrong_lwf(**how: Any) -> Any:
    return lambda **inputs: _lwf(**inputs, **how)


lwf_loss = Exercise(
    id="continual.lwf_loss",
    answer=answers.continual_lwf_loss,
    cases=lwf_cases,
    parts=[
        Part("one old head", 1, on="one"), Part("several old heads", 1, on="several"), Part("a batch of one", 1, on="one row"),
    ],
    misconceptions=[
        Misconception(
            "both_bugs", _wrong_lwf(axis=0, hot=True),
            "This is the code as it was: the softmax goes over the batch, and the labels meet softened answers.",
        ),
        Misconception(
            "over_the_batch", _wrong_lwf(axis=0),
            "The task's loss is right. Your softmax still goes down the batch, dimension 0, so that pictures compete for a "
            "class; the classes of one picture have to. With a batch of one every such probability is 1.",
        ),
        Misconception(
            "hot_task", _wrong_lwf(hot=True),
            "The old heads are right. The labels are still held against softened answers: temperature is for the teacher's "
            "part only, the task's loss and the model in use stay at T = 1.",
        ),
        Misconception(
            "last_head_only", _wrong_lwf(heads="last"), earns=1,
            says="Only the last old head counts in your loss. Each of them is to answer as it did before.",
        ),
        Misconception(
            "mean_over_heads", _wrong_lwf(heads="mean"), earns=1,
            says="You averaged over the old heads. They are added up, or the hold on each would weaken with every task.",
        ),
        Misconception(
            "reversed", _wrong_lwf(reverse=True),
            "This has KL(student ‖ teacher). The teacher's probabilities weigh the terms.",
        ),
        Misconception(
            "no_t_squared", _wrong_lwf(power=0),
            "The factor T² is missing from the distillation loss.",
        ),
        Misconception(
            "strength_on_everything", _wrong_lwf(all_of_it=True),
            "λ multiplies the task's loss as well. It weighs the teacher's part against the labels.",
        ),
    ],
)
