"""The exercise of chapter 01 on what a masked model reads: 15 % and 80/10/10, the whole rule."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

import solutions.pretraining as answers
from autograder.exercises.draws import integer
from autograder.exercises.exercise import Case, Exercise, Misconception, Part
from autograder.exercises.pretraining.masked import tokens

# --- mlm_corrupt ------------------------------------------------------------------------------------------------------

MASK = 4


def mlm_corrupt_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, batch: int, seq: int, special: Tensor, group: str) -> Case:
        chance = torch.from_numpy(rng.uniform(0.2, 1.0, (batch, seq)))
        fate = torch.from_numpy(rng.uniform(0.0, 1.0, (batch, seq)))
        for row, bounds in enumerate([(0.0, 0.78), (0.81, 0.89), (0.91, 1.0)]):  # every fate in its row, of chosen and of others
            places = rng.permutation(np.arange(1, seq - 4))[:5]
            fate[row, places] = torch.from_numpy(rng.uniform(*bounds, 5))
            chance[row, places[:3]] = torch.from_numpy(rng.uniform(0.0, 0.14, 3))
        chance[special] = torch.from_numpy(rng.uniform(0.0, 0.14, int(special.sum())))  # they would be chosen if they could
        inputs = {
            "input_ids": tokens(rng, batch, seq, vocab=500), "special": special, "chance": chance.float(), "fate": fate.float(),
            "words": tokens(rng, batch, seq, vocab=1000) + 500, "mask_id": MASK,
        }
        return Case(label, inputs, group)

    brackets = torch.zeros(3, 14, dtype=torch.bool)
    brackets[:, 0] = brackets[0, -1] = True
    brackets[1, -integer(rng, 2, 3) :] = brackets[2, -3:] = True
    return [
        case("3 texts of 12 tokens, without brackets", 3, 12, torch.zeros(3, 12, dtype=torch.bool), "main"),
        case("3 texts of 14 tokens, with brackets and padding", 3, 14, brackets, "special"),
    ]


def _corrupt(chosen: Tensor, hide: Tensor, swap: Tensor, given: dict) -> tuple[Tensor, Tensor]:
    """Hides and swaps where told, and asks at the chosen positions."""
    read = torch.where(hide, given["mask_id"], given["input_ids"])
    return torch.where(swap, given["words"], read), torch.where(chosen, given["input_ids"], -100)


def _fates(given: dict) -> tuple[Tensor, Tensor, Tensor]:
    """Which tokens are chosen, and where a fate says hide, and swap."""
    fate = given["fate"]
    return (given["chance"] < 0.15) & ~given["special"], fate < 0.8, (fate >= 0.8) & (fate < 0.9)


def special_chosen(**given) -> tuple[Tensor, Tensor]:
    return answers.mlm_corrupt(**given | {"special": torch.zeros_like(given["special"])})


def all_hidden(**given) -> tuple[Tensor, Tensor]:
    chosen, _, swap = _fates(given)
    return _corrupt(chosen, chosen, swap & False, given)


def never_kept(**given) -> tuple[Tensor, Tensor]:
    chosen, hide, _ = _fates(given)
    return _corrupt(chosen, chosen & hide, chosen & ~hide, given)


def swapped_anywhere(**given) -> tuple[Tensor, Tensor]:
    chosen, hide, swap = _fates(given)
    return _corrupt(chosen, chosen & hide, swap & ~given["special"], given)


def kept_not_asked(**given) -> tuple[Tensor, Tensor]:
    chosen, hide, swap = _fates(given)
    return _corrupt(chosen & (hide | swap), chosen & hide, chosen & swap, given)


def hidden_asked(**given) -> tuple[Tensor, Tensor]:
    chosen, hide, swap = _fates(given)
    return _corrupt(chosen & hide, chosen & hide, chosen & swap, given)


def labels_after(**given) -> tuple[Tensor, Tensor]:
    chosen, *_ = _fates(given)
    read, _ = answers.mlm_corrupt(**given)
    return read, torch.where(chosen, read, -100)


mlm_corrupt = Exercise(
    id="pretraining.mlm_corrupt",
    answer=answers.mlm_corrupt,
    cases=mlm_corrupt_cases,
    parts=[
        Part("what is read", 2, of=0, on="main"),
        Part("what is asked", 2, of=1, on="main"),
        Part("brackets and padding", 1, on="special"),
    ],
    misconceptions=[
        Misconception(
            "special_chosen", special_chosen, earns=4,
            says="Brackets or padding were chosen. They carry nothing to be guessed, so they never are.",
        ),
        Misconception(
            "all_hidden", all_hidden, earns=2,
            says="You hid every chosen token. A fifth of them is not hidden: half of that is swapped, half stays as it is.",
        ),
        Misconception(
            "never_kept", never_kept, earns=2,
            says="You swapped a fifth of the chosen tokens. It is a tenth; from 0.9 on a chosen token stays as it is.",
        ),
        Misconception(
            "swapped_anywhere", swapped_anywhere, earns=2,
            says="You swapped tokens that were not chosen. Their fate does not matter: first chosen, then hidden, swapped or "
            "kept.",
        ),
        Misconception(
            "kept_not_asked", kept_not_asked, earns=2,
            says="You do not ask about the chosen tokens that stay as they are. They are asked too: that is what they are for, "
            "as the model then cannot trust what it sees.",
        ),
        Misconception(
            "hidden_asked", hidden_asked, earns=2,
            says="You ask at [MASK] only. All chosen tokens are asked, the swapped and the kept ones too.",
        ),
        Misconception(
            "labels_after", labels_after, earns=2,
            says="Your labels were read from the corrupted text, so they ask for [MASK] and for the random word. The loss "
            "would fall to nearly nothing and the model learn nothing of use. Take them from the original.",
        ),
    ],
    tolerance=1e-6,
)
