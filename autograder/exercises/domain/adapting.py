"""The exercise of chapter 03 that trains: a step of adaptation that learns the new text and keeps the old."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import solutions.domain as answers
from autograder.asking.probes import domain as probing
from autograder.exercises.exercise import Case, Exercise, Misconception, Part
from autograder.judging.measures import domain as measures

VOCAB, LENGTH, WINDOWS, STEPS = 30, 17, 400, 150
OLD, NEW = np.arange(20), np.arange(10, 30)  # the tokens that are common in either source: a third of them in both


def chain(rng: np.random.Generator, tokens: np.ndarray) -> np.ndarray:
    """A source of text: after each token mostly four others follow, of those common in it. (vocab, vocab), rows sum to 1."""
    table = np.full((VOCAB, VOCAB), 0.03 / VOCAB)  # and rarely any other: so no divergence is infinite
    for row in table:
        row[rng.choice(tokens, 4, replace=False)] += 0.97 * rng.dirichlet(np.full(4, 2.0))
    return table


def written(rng: np.random.Generator, table: np.ndarray) -> Tensor:
    """Windows of a chain's text: (windows, length)."""
    token, rows = rng.integers(0, VOCAB, WINDOWS), []
    for place in range(-10, LENGTH):  # ten tokens are thrown away, so that the first one kept is one of many
        token = (rng.random(WINDOWS)[:, None] > table.cumsum(1)[token]).sum(1).clip(max=VOCAB - 1)
        rows += [token] if place >= 0 else []
    return torch.from_numpy(np.stack(rows, 1))


def adapt_step_cases(rng: np.random.Generator) -> list[Case]:
    general, notes = chain(rng, OLD), chain(rng, NEW)
    inputs = {"vocab": VOCAB, "general": written(rng, general), "notes": written(rng, notes), "steps": STEPS,
              "seed": int(rng.integers(1_000_000))}  # fmt: skip
    return [Case(f"{STEPS} of your steps, on new text", inputs, held={"general": general, "notes": notes})]


def stepping(new: int, old: int, *, rate: float | None = None, ahead: int = 1) -> Callable:
    """A step on `new` windows of notes and `old` general ones, at another rate if one is given."""

    def step(model: nn.Module, optimizer: torch.optim.Optimizer, notes: Tensor, general: Tensor) -> None:
        for group in optimizer.param_groups:
            group["lr"] = rate or group["lr"]
        some = torch.cat((notes[:new], general[:old]))
        z, y = model(some[:, : some.shape[1] - ahead]), some[:, ahead:]
        optimizer.zero_grad()
        nn.functional.cross_entropy(z.reshape(-1, VOCAB), y.reshape(-1)).backward()
        optimizer.step()

    return step


def nothing(model: nn.Module, optimizer: torch.optim.Optimizer, notes: Tensor, general: Tensor) -> None:
    """No gradient, so no step."""


def form(**inputs: Any) -> Tensor:
    """What the probe returns, in form: log-probabilities of each token after each other one."""
    return torch.zeros(VOCAB, VOCAB)


# Over 30 seeds, learned and forgotten. Half notes and half general text: .91 to .95 and .05 to .09 (4 windows of each the same).
# Notes alone: .98 to .99 and .67 to .82; at .008 instead of .03 .92 to .95 and .26 to .39; at .0015 .38 to .59 and .05 at most.
# At .004 to .006, where a gentle rate comes closest, .79 to .92 and .13 to .26 (5 seeds), and never both. An eighth of notes:
# .73 to .84 and .03. General text alone, and no step: .13 at most. A loss without the shift: less than 0 and more than 1.
NOT_LEARNED = (
    "It has not learned the notes. Does every step read notes, enough of them, at the rate that the optimiser has? And is each "
    "token predicted from the one before it?"
)
NOT_KEPT = (
    "It has lost too much of the general text on the way. A step that reads notes alone only makes the notes likelier; at a "
    "gentler rate it loses less and learns less. Let every step read some of both."
)

adapt_step = Exercise(
    id="domain.adapt_step",
    answer=answers.domain_adapt_step,
    probe=probing.adapt,
    cases=adapt_step_cases,
    expected=form,
    parts=[
        Part("the notes are learned", 2, measure=measures.learned, at_least=0.87, says=NOT_LEARNED),
        Part("the general text is kept", 2, measure=measures.forgotten, at_most=0.14, says=NOT_KEPT),
    ],
    misconceptions=[
        Misconception("notes_only", stepping(8, 0), earns=2, says=NOT_KEPT),
        Misconception("notes_only_gently", stepping(8, 0, rate=0.008), earns=2, says=NOT_KEPT),
        Misconception("notes_only_too_gently", stepping(8, 0, rate=0.0015), earns=2, says=NOT_LEARNED),
        Misconception("an_eighth_of_notes", stepping(1, 7), earns=2, says=NOT_LEARNED),
        Misconception("general_only", stepping(0, 8), earns=2, says=NOT_LEARNED),
        Misconception("no_step", nothing, earns=2, says=NOT_LEARNED),
        Misconception("not_shifted", stepping(8, 8, ahead=0), says=NOT_LEARNED),
    ],
    seconds=10.0,
)
