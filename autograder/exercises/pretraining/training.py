"""Exercise of chapter 01 that trains: one step of masked language modelling, taken on a language whose answers are exact."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

import solutions.pretraining as answers
from autograder.asking.probes import pretraining as probes
from autograder.exercises.exercise import Case, Exercise, Misconception, Part
from autograder.judging.measures import pretraining as measures

WORDS, STEPS, ROWS, LENGTH, RATE, ASKED = 10, 150, 32, 12, 0.15, 400


def masked_step_cases(rng: np.random.Generator) -> list[Case]:
    """Sentences of a chain: each word depends on the one before it. So a hidden word depends on both its neighbours, exactly."""
    follows = 0.95 * rng.dirichlet(np.full(WORDS, 0.25), size=WORDS) + 0.05 / WORDS  # (word, next word)
    frequency = np.linalg.matrix_power(follows, 200)[0]

    def sentences(n: int, length: int) -> np.ndarray:
        ids = np.empty((n, length), int)
        ids[:, 0] = rng.choice(WORDS, size=n, p=frequency / frequency.sum())
        for place in range(1, length):
            passed = rng.random(n)[:, None] > follows[ids[:, place - 1]].cumsum(1)
            ids[:, place] = np.minimum(passed.sum(1), WORDS - 1)
        return ids

    batches, asked = sentences(STEPS * ROWS, LENGTH).reshape(STEPS, ROWS, LENGTH), sentences(ASKED, 3)
    exact = follows[asked[:, 0]] * follows[:, asked[:, 2]].T
    inputs = {"batches": torch.from_numpy(batches), "rate": RATE, "mask_id": WORDS, "asked": torch.from_numpy(asked)}
    inputs["asked"][:, 1] = WORDS
    held = {"exact": exact / exact.sum(1, keepdims=True), "frequency": frequency, "rate": RATE}
    return [Case("a language of ten words", inputs, held=held)]


def _form(asked: Tensor, **_: Any) -> tuple[Tensor, float, float]:
    return torch.zeros(len(asked), WORDS), 0.0, 0.0


def _step(model: Any, optimizer: Any, ids: Tensor, rate: float, mask_id: int, *, hide: str = "chosen", count: str = "chosen",
          shift: int = 0, reset: bool = True, move: bool = True, share: float | None = None) -> float:  # fmt: skip
    """The step with one thing wrong, chosen by a keyword."""
    chosen = torch.rand(ids.shape) < (rate if share is None else share)
    chosen[0, 0] = True
    hidden = {"chosen": chosen, "nothing": torch.zeros_like(chosen), "everything": torch.ones_like(chosen)}[hide]
    counted = {"chosen": chosen, "all": torch.ones_like(chosen), "others": ~chosen}[count]
    logits, labels = model(ids.masked_fill(hidden, mask_id)), ids.roll(-shift, 1)
    loss = F.cross_entropy(logits[counted], labels[counted])
    if reset:
        optimizer.zero_grad()
    loss.backward()
    if move:
        optimizer.step()
    return loss.item()


def _weak(**how: Any) -> Any:
    return lambda **inputs: _step(**inputs, **how)


NOT_LEARNED = (
    "It cannot guess a hidden word from its neighbours: hide the chosen words from the model, compare what it says *there* with "
    "the words that stood there, and take one step of the optimizer."
)
RATE_MISSED = "About `rate` of the words are to be hidden: each chosen at random, by itself, anew in every step."
OTHER_LOSS = "Return the mean loss of the hidden words, and of no others: what is visible is easily copied."

# Over 30 seeds, what is left to learn is .06 to .15 for the model answer; of those that do not learn the least is .96 (all
# hidden). The loss returned, by the entropy, is at least 1.24 for the answer, at most .65 for the next word, .24 where all count.
masked_step = Exercise(
    id="pretraining.masked_step",
    answer=answers.masked_step,
    probe=probes.masked_training,
    cases=masked_step_cases,
    expected=_form,
    parts=[
        Part("what is left to learn", 3, measure=measures.surprise_left, at_most=0.4, says=NOT_LEARNED),
        Part("how many are hidden", 1, measure=measures.off_the_rate, at_most=0.04, says=RATE_MISSED),
        Part("the loss that is returned", 1, measure=measures.loss_to_entropy, at_least=0.85, says=OTHER_LOSS),
    ],
    misconceptions=[
        Misconception("nothing_hidden", _weak(hide="nothing"), says=NOT_LEARNED),
        Misconception("everything_hidden", _weak(hide="everything"), earns=1, says=NOT_LEARNED),
        Misconception("others_counted", _weak(count="others"), earns=1, says=NOT_LEARNED),
        Misconception("the_next_word", _weak(shift=1), earns=1, says=NOT_LEARNED),
        Misconception("never_zeroed", _weak(reset=False), earns=2, says=NOT_LEARNED),
        Misconception("no_step", _weak(move=False), earns=2, says=NOT_LEARNED),
        Misconception("most_hidden", _weak(share=1 - RATE), earns=4, says=RATE_MISSED),
        Misconception("all_counted", _weak(count="all"), earns=4, says=OTHER_LOSS),
    ],
    seconds=20.0,
)
