"""Exercises of chapter 06 that train: a step of instruction tuning, and a choice of examples."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

import solutions.instruction as answers
from autograder.asking.probes import instruction as probing
from autograder.exercises.draws import integer
from autograder.exercises.exercise import Case, Exercise, Misconception, Part
from autograder.judging.measures import instruction as measures

# --- sft_step ---------------------------------------------------------------------------------------------------------

USER, ASSISTANT, END, FIRST = 0, 1, 2, 3
CONTENT, ASKED, STEPS, BATCH, LR = 20, 48, 40, 16, 0.3


def sft_cases(rng: np.random.Generator) -> list[Case]:
    """The user says many words of which the last is the question; the assistant says the word that goes with it, and ends."""
    partner = FIRST + rng.permutation(CONTENT)

    def chats(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        said = FIRST + rng.integers(0, CONTENT, (*shape, ASKED))
        answer = partner[said[..., -1] - FIRST]
        mark = np.ones((*shape, 1), dtype=int)
        ids = np.concatenate([USER * mark, said, ASSISTANT * mark, answer[..., None], END * mark], axis=-1)
        mask = np.zeros_like(ids)
        mask[..., -2:] = 1
        return ids, mask

    ids, masks = chats((STEPS, BATCH))
    asked, _ = chats((96,))
    inputs = {
        "input_ids": torch.from_numpy(ids), "assistant_masks": torch.from_numpy(masks),
        "prompts": torch.from_numpy(asked[:, :-2]), "vocab": FIRST + CONTENT, "seed": integer(rng, 0, 10_000), "lr": LR,
    }
    return [Case(f"{STEPS} steps of {BATCH} conversations", inputs, held={"answers": asked[:, -2].tolist(), "end": END})]


def _step(model: torch.nn.Module, optimizer: Any, input_ids: Tensor, labels: Tensor, shift: int = 1) -> None:
    logits = model(input_ids)
    logits, labels = (logits[:, :-1], labels[:, 1:]) if shift else (logits, labels)
    optimizer.zero_grad()
    F.cross_entropy(logits.flatten(0, 1), labels.flatten()).backward()
    optimizer.step()


def _labels(input_ids: Tensor, mask: Tensor, other: int = -100) -> Tensor:
    return torch.where(mask == 1, input_ids, other)


def whole_text(model: Any, optimizer: Any, input_ids: Tensor, assistant_mask: Tensor) -> None:
    _step(model, optimizer, input_ids, input_ids)


def end_not_learned(model: Any, optimizer: Any, input_ids: Tensor, assistant_mask: Tensor) -> None:
    _step(model, optimizer, input_ids, _labels(input_ids, assistant_mask * (input_ids != END)))


def not_shifted(model: Any, optimizer: Any, input_ids: Tensor, assistant_mask: Tensor) -> None:
    _step(model, optimizer, input_ids, _labels(input_ids, assistant_mask), shift=0)


def user_learned(model: Any, optimizer: Any, input_ids: Tensor, assistant_mask: Tensor) -> None:
    _step(model, optimizer, input_ids, _labels(input_ids, 1 - assistant_mask))


def no_update(model: Any, optimizer: Any, input_ids: Tensor, assistant_mask: Tensor) -> None:
    F.cross_entropy(model(input_ids)[:, :-1].flatten(0, 1), _labels(input_ids, assistant_mask)[:, 1:].flatten()).backward()


def zero_for_ignored(model: Any, optimizer: Any, input_ids: Tensor, assistant_mask: Tensor) -> None:
    _step(model, optimizer, input_ids, _labels(input_ids, assistant_mask, other=0))


NOT_ANSWERED = (
    "It did not learn to answer. In a step only what the assistant says is to be learned; what else is in the loss (the user's "
    "words, labels "
    "of 0, tokens not shifted by one) takes the step away from it."
)
NOT_ENDED = "It answers, but does not stop. The end of the turn is the assistant's too, and needs its label."

# where the thresholds come from stands in tests/courselib/instruction/test_training_exercises.py
sft_step = Exercise(
    id="instruction.sft_step",
    answer=answers.instruction_sft_step,
    probe=probing.fine_tune,
    cases=sft_cases,
    expected=lambda prompts, **_: torch.zeros(len(prompts), 3, dtype=torch.long),
    parts=[
        Part("answers", 2, measure=measures.answered, at_least=0.9, says=NOT_ANSWERED),
        Part("stops", 1, measure=measures.stopped, at_least=0.9, says=NOT_ENDED),
    ],
    misconceptions=[
        Misconception("whole_text", whole_text, says=NOT_ANSWERED, earns=1),
        Misconception("end_not_learned", end_not_learned, says=NOT_ENDED, earns=2),
        Misconception("user_learned", user_learned, says=NOT_ANSWERED),
        Misconception("no_update", no_update, says=NOT_ANSWERED),
    ],
)

# --- select_examples --------------------------------------------------------------------------------------------------

FEATURES, KINDS, POOL, BUDGET, ASKED_OF_A_KIND = 4, 5, 1000, 240, 200


def selection_cases(rng: np.random.Generator) -> list[Case]:
    """Five kinds of instruction. Two of them make up most of the pool, and have most of the responses of high quality."""
    weights = rng.standard_normal((KINDS, FEATURES))
    share = np.array([0.4, 0.3, 0.1, 0.1, 0.1])[rng.permutation(KINDS)]
    kinds = rng.permutation(np.repeat(np.arange(KINDS), np.round(share * POOL).astype(int)))
    common = share[kinds] > 0.2
    x, test_x = rng.standard_normal((len(kinds), FEATURES)), rng.standard_normal((KINDS * ASKED_OF_A_KIND, FEATURES))
    test_kinds = np.repeat(np.arange(KINDS), ASKED_OF_A_KIND)
    truth, labels = (np.sign((f * weights[k]).sum(1)) for f, k in ((x, kinds), (test_x, test_kinds)))
    good = np.zeros(len(kinds), dtype=bool)
    for kind in range(KINDS):  # half of each kind, so that a good choice is there
        mine = rng.permutation(np.flatnonzero(kinds == kind))
        good[mine[: len(mine) // 2]] = True
    quality = np.where(good, rng.uniform(0.55, 0.75, len(kinds)), rng.uniform(0.1, 0.5, len(kinds))) + 0.2 * (common & good)
    y = np.where(good, truth, -truth)
    inputs = {
        "kinds": kinds.tolist(), "quality": quality.round(3).tolist(), "budget": BUDGET, "x": torch.from_numpy(x).float(),
        "y": torch.from_numpy(y).float(), "test_x": torch.from_numpy(test_x).float(), "test_kinds": torch.from_numpy(test_kinds),
    }
    return [Case(f"{len(kinds)} examples of {KINDS} kinds, {BUDGET} to be chosen", inputs,
                 held={"labels": labels.tolist(), "kinds": test_kinds.tolist()})]


def first_come(kinds: list[int], quality: list[float], budget: int) -> list[int]:
    return list(range(budget))


def best_of_all(kinds: list[int], quality: list[float], budget: int) -> list[int]:
    return sorted(range(len(kinds)), key=lambda i: -quality[i])[:budget]


def even_but_unread(kinds: list[int], quality: list[float], budget: int) -> list[int]:
    """As many of each kind, the first that come."""
    each = budget // len(set(kinds))
    return [i for kind in sorted(set(kinds)) for i in [i for i, k in enumerate(kinds) if k == kind][:each]]


def worst_of_each(kinds: list[int], quality: list[float], budget: int) -> list[int]:
    each = budget // len(set(kinds))
    order = sorted(range(len(kinds)), key=lambda i: quality[i])
    return [i for kind in sorted(set(kinds)) for i in [i for i in order if kinds[i] == kind][:each]]


NOT_RIGHT = (
    "What was learned from your choice is wrong too often. Responses of low quality teach the wrong thing, and every kind of "
    "instruction is "
    "asked."
)
A_KIND_IS_LOST = "One kind of instruction was hardly learned. The best examples of all are nearly all of the same kinds."
select_examples = Exercise(
    id="instruction.select_examples",
    answer=answers.instruction_select_examples,
    probe=probing.fine_tune_on_choice,
    cases=selection_cases,
    expected=lambda test_x, **_: torch.zeros(len(test_x)),
    parts=[
        Part("right on the whole", 2, measure=measures.right_on_the_whole, at_least=0.82, says=NOT_RIGHT),
        Part("no kind is lost", 1, measure=measures.right_on_the_worst_kind, at_least=0.7, says=A_KIND_IS_LOST),
    ],
    misconceptions=[
        Misconception("first_come", first_come, says=NOT_RIGHT),
        Misconception("best_of_all", best_of_all, says=NOT_RIGHT),
        Misconception("even_but_unread", even_but_unread, says=NOT_RIGHT),
        Misconception("worst_of_each", worst_of_each, says=NOT_RIGHT),
    ],
)
