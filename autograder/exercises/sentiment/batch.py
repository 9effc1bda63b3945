"""Exercises of chapter 02b on what goes into a batch: padding and its mask, and mixed examples."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

import solutions.sentiment as answers
from autograder.exercises.draws import integer, normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

# --- pad_batch --------------------------------------------------------------------------------------------------------

START, END = 2, 3


def pad_batch_cases(rng: np.random.Generator) -> list[Case]:
    def sequence(words: int) -> list[int]:
        return [START, *rng.integers(4, 60, words).tolist(), END]

    lengths = [integer(rng, 3, 4), 6, integer(rng, 1, 2)]
    with_pad_inside = [sequence(3), sequence(5)]
    with_pad_inside[1][2] = 0
    return [
        Case(label, {"sequences": sequences, "max_length": max_length, "pad_id": pad_id}, group)
        for label, sequences, max_length, pad_id, group in [
            ("unequal lengths, nothing to cut", [sequence(n) for n in lengths], 20, 0, "pad"),
            ("another padding id", [sequence(n) for n in lengths[::-1]], 12, 99, "pad"),
            ("one sequence too long", [sequence(2), sequence(integer(rng, 9, 12)), sequence(4)], 7, 0, "cut"),
            ("a real token that equals the padding id", with_pad_inside, 16, 0, "inside"),
        ]
    ]


def _padded(sequences: list[list[int]], pad_id: int, width: int | None = None, left: bool = False) -> tuple[Tensor, Tensor]:
    width = width or max(map(len, sequences))
    fill = [[pad_id] * (width - len(s)) for s in sequences]
    ids = [f + s if left else s + f for s, f in zip(sequences, fill, strict=True)]
    mask = [[0] * len(f) + [1] * len(s) if left else [1] * len(s) + [0] * len(f) for s, f in zip(sequences, fill, strict=True)]
    return torch.tensor(ids), torch.tensor(mask)


def _cut(sequences: list[list[int]], max_length: int) -> list[list[int]]:
    return [s if len(s) <= max_length else s[: max_length - 1] + s[-1:] for s in sequences]


def mask_from_ids(sequences: list[list[int]], max_length: int, pad_id: int) -> tuple[Tensor, Tensor]:
    ids, _ = _padded(_cut(sequences, max_length), pad_id)
    return ids, (ids != pad_id).long()


def all_ones(sequences: list[list[int]], max_length: int, pad_id: int) -> tuple[Tensor, Tensor]:
    ids, mask = _padded(_cut(sequences, max_length), pad_id)
    return ids, torch.ones_like(mask)


def inverted_mask(sequences: list[list[int]], max_length: int, pad_id: int) -> tuple[Tensor, Tensor]:
    ids, mask = _padded(_cut(sequences, max_length), pad_id)
    return ids, 1 - mask


def zero_padding(sequences: list[list[int]], max_length: int, pad_id: int) -> tuple[Tensor, Tensor]:
    return _padded(_cut(sequences, max_length), 0)


pad_batch = Exercise(
    id="sentiment.pad_batch",
    answer=answers.transfer_pad_batch,
    cases=pad_batch_cases,
    parts=[
        Part("padding: input_ids", 1, of=0, on="pad"), Part("padding: attention_mask", 1, of=1, on="pad"),
        Part("truncation", 1, on="cut"), Part("a token equal to pad_id", 1, on="inside"),
    ],
    misconceptions=[
        Misconception(
            "end_mark_cut", lambda sequences, max_length, pad_id: _padded([s[:max_length] for s in sequences], pad_id), earns=3,
            says="When a sequence is too long you cut off its end mark. The model has never seen a text without one. Keep "
            "the last id, and leave out the words before it.",
        ),
        Misconception(
            "tail_kept",
            lambda sequences, max_length, pad_id: _padded(
                [s if len(s) <= max_length else s[:1] + s[len(s) - max_length + 1 :] for s in sequences], pad_id),
            earns=3,
            says="When a sequence is too long you kept its end and cut words at the beginning. Here the first words stay.",
        ),
        Misconception(
            "width_before_cutting",
            lambda sequences, max_length, pad_id: _padded(_cut(sequences, max_length), pad_id, max(map(len, sequences))), earns=3,
            says="You took the width before you cut. The longest row after cutting decides; what is beyond it is all padding.",
        ),
        Misconception(
            "mask_from_ids", mask_from_ids, earns=3,
            says="You made the mask by comparing ids with pad_id. A real token may have that value. The mask says where the "
            "sequence ended, so make it from the lengths.",
        ),
        Misconception(
            "to_max_length",
            lambda sequences, max_length, pad_id: _padded(_cut(sequences, max_length), pad_id, max_length), earns=1,
            says="You padded to max_length. It is a limit, not a width: the batch needs to be only as wide as its longest "
            "row, and every column more is computed for nothing.",
        ),
        Misconception(
            "left", lambda sequences, max_length, pad_id: _padded(_cut(sequences, max_length), pad_id, left=True),
            "You padded on the left. That is for models which go on writing at the right end; an encoder counts positions "
            "from the left, so here padding goes to the right.",
        ),
        Misconception(
            "all_ones", all_ones, earns=1,
            says="Your mask is 1 everywhere, so the model reads the padding as words. Then a text's prediction depends on "
            "who stands beside it.",
        ),
        Misconception(
            "inverted_mask", inverted_mask, earns=1,
            says="Your mask is turned round: 1 stands at real tokens, 0 at padding.",
        ),
        Misconception(
            "zero_padding", zero_padding, earns=3,
            says="You padded with 0. The padding id is the tokenizer's to choose; here it came as pad_id.",
        ),
    ],
)

# --- mixup ------------------------------------------------------------------------------------------------------------


def mixup_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for n, d in ((6, 4), (5, 3)):
        order = np.roll(np.arange(n), integer(rng, 1, n - 2))  # a permutation without fixed points
        labels = [1, 0, 0, 1, 1, 0][:n]
        weight = float(rng.uniform(0.6, 0.85))
        inputs = {"vectors": normal(rng, n, d), "labels": labels, "weight": weight, "order": order.tolist()}
        cases.append(Case(f"{n} rows of {d}", inputs))
    return cases


def _mix(vectors: Tensor, labels: list[int], weight: float, order: list[int]) -> tuple[Tensor, Tensor]:
    return answers.transfer_mixup(vectors, labels, weight, order)


def hard_labels(vectors: Tensor, labels: list[int], weight: float, order: list[int]) -> tuple[Tensor, Tensor]:
    return _mix(vectors, labels, weight, order)[0], torch.eye(2)[torch.tensor(labels)]


def one_number_a_row(vectors: Tensor, labels: list[int], weight: float, order: list[int]) -> tuple[Tensor, Tensor]:
    mixed, targets = _mix(vectors, labels, weight, order)
    return mixed, targets[:, 1]


def scattered(vectors: Tensor, labels: list[int], weight: float, order: list[int]) -> tuple[Tensor, Tensor]:
    inverse = torch.tensor(order).argsort().tolist()
    return _mix(vectors, labels, weight, inverse)


def unmixed_vectors(vectors: Tensor, labels: list[int], weight: float, order: list[int]) -> tuple[Tensor, Tensor]:
    return vectors, _mix(vectors, labels, weight, order)[1]


def column_one_first(vectors: Tensor, labels: list[int], weight: float, order: list[int]) -> tuple[Tensor, Tensor]:
    mixed, targets = _mix(vectors, labels, weight, order)
    return mixed, targets.flip(1)


mixup = Exercise(
    id="sentiment.mixup",
    answer=answers.transfer_mixup,
    cases=mixup_cases,
    parts=[Part("vectors", 1, of=0), Part("targets", 1, of=1)],
    misconceptions=[
        Misconception(
            "hard_labels", hard_labels, earns=1,
            says="The vectors are mixed and the labels are not. A vector that is 70 % praise and 30 % blame has the target "
            "0.7 and 0.3.",
        ),
        Misconception(
            "weights_exchanged", lambda vectors, labels, weight, order: _mix(vectors, labels, 1 - weight, order),
            "Your weights are exchanged: `weight` belongs to the row itself, 1 − weight to its partner.",
        ),
        Misconception(
            "scattered", scattered,
            "Row i takes row order[i] as its partner. You gave row order[i] the partner i: that is the inverse permutation.",
        ),
        Misconception(
            "unmixed_vectors", unmixed_vectors, earns=1,
            says="The targets are mixed and the vectors are not: that trains on wrong labels.",
        ),
        Misconception(
            "one_number_a_row", one_number_a_row, earns=1,
            says="Your targets have one number a row, the share of class 1. Asked is a distribution: a column for each class.",
        ),
        Misconception(
            "columns", column_one_first, earns=1,
            says="The columns of your targets are exchanged: column 0 is for class 0.",
        ),
    ],
)
