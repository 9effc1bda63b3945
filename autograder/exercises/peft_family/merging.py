"""Exercises of chapter 09 on the weight that comes out: DoRA's, and several updates merged by TIES."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

import solutions.peft_family as answers
from autograder.exercises.draws import normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

# --- dora_weight ------------------------------------------------------------------------------------------------------


def dora_weight_cases(rng: np.random.Generator) -> list[Case]:
    def drawn(d_out: int, d_in: int, rank: int, scaling: float) -> dict[str, Any]:
        return {"W0": normal(rng, d_out, d_in), "lora_A": normal(rng, rank, d_in), "lora_B": normal(rng, d_out, rank),
                "scaling": scaling, "magnitude": normal(rng, d_out).abs() + 0.5}

    start = drawn(4, 6, 2, 2.0)
    start |= {"lora_B": torch.zeros(4, 2), "magnitude": start["W0"].norm(dim=1)}
    return [
        Case("5 → 4, rank 2", drawn(4, 5, 2, 0.5), "trained"),
        Case("4 → 4, rank 3", drawn(4, 4, 3, 2.0), "trained"),
        Case("the start: B = 0, m the rows' lengths", start, "start"),
    ]


def _dora(W0: Tensor, lora_A: Tensor, lora_B: Tensor, scaling: float, magnitude: Tensor, *, dim: int | None = 1,
          of_base: bool = False, scaled: bool = True, sized: bool = True, update_alone: bool = False) -> Tensor:  # fmt: skip
    """The weight with one thing wrong, chosen by a keyword."""
    whole = (0 if update_alone else W0) + (scaling if scaled else 1) * lora_B @ lora_A
    length = (W0 if of_base else whole).norm(dim=dim, keepdim=dim is not None)
    turned = whole / length.clamp(min=1e-12)
    return turned * magnitude[:, None] if sized else turned


def _wrong(**how: Any) -> Any:
    return lambda **inputs: _dora(**inputs, **how)


dora_weight = Exercise(
    id="peft_family.dora_weight",
    answer=answers.peft_family_dora_weight,
    cases=dora_weight_cases,
    parts=[Part("trained", 2, on="trained"), Part("the start", 1, on="start")],
    misconceptions=[
        Misconception("by_column", _wrong(dim=0),
                      "You divided by the lengths of the columns. In torch's layout (d_out, d_in) it is the rows that have a "
                      "magnitude each; the paper writes the weight the other way round."),
        Misconception("one_norm", _wrong(dim=None),
                      "You divided by one length, that of the whole matrix. Each row has its own."),
        Misconception("of_the_base", _wrong(of_base=True), earns=1,
                      says="You divided by the lengths of W0's rows. The rows that are to have length one are those of the "
                           "sum, W0 plus the scaled update."),
        Misconception("no_scaling", _wrong(scaled=False), earns=1,
                      says="The scaling is missing: the update is scaling · B A, as in LoRA."),
        Misconception("unit_rows", _wrong(sized=False),
                      "Your rows have length one. They are to have the lengths in `magnitude`."),
        Misconception("update_alone", _wrong(update_alone=True),
                      "You turned the update alone. What is split into length and direction is the whole weight, W0 included."),
    ],
)

# --- ties -------------------------------------------------------------------------------------------------------------


def ties_cases(rng: np.random.Generator) -> list[Case]:
    def loud(sign: float, entries: int) -> Tensor:  # few large, the rest small: (entries,)
        return sign * torch.where(normal(rng, entries).abs() > 1, 4.0, 1.0) * (normal(rng, entries).abs() + 0.1)

    agreeing = torch.stack([loud(1.0, 20) for _ in range(3)])
    against = torch.stack([loud(1.0, 20), loud(1.0, 20), -4 * loud(1.0, 20)])  # one outweighs two
    return [
        Case("3 updates of one sign, half kept", {"vectors": agreeing, "density": 0.5}, "agree"),
        Case("3 updates, 30 % kept", {"vectors": normal(rng, 3, 20), "density": 0.3}, "quarrel"),
        Case("2 small ones against a large one, 75 % kept", {"vectors": against, "density": 0.75}, "quarrel"),
    ]


def _ties(vectors: Tensor, density: float, *, trim: str = "each", elect: str = "mass", divide: str = "agreeing") -> Tensor:
    """TIES with one thing wrong, chosen by a keyword."""
    keep = int(density * vectors.shape[1])
    if trim == "each":
        places = vectors.abs().topk(keep, dim=1).indices
    elif trim == "first":
        places = torch.arange(keep).expand(len(vectors), -1)
    elif trim == "smallest":
        places = vectors.abs().topk(keep, dim=1, largest=False).indices
    else:
        places = None
    kept = vectors if places is None else torch.zeros_like(vectors).scatter(1, places, vectors.gather(1, places))
    votes = kept.sum(0) if elect == "mass" else kept.sign().sum(0)
    chosen = torch.where(votes >= 0, 1.0, -1.0)
    agree = (kept != 0) if elect == "nobody" else (kept.sign() == chosen)
    total = (kept * agree).sum(0)
    counts = {"agreeing": agree.sum(0).clamp(min=1), "all": len(vectors), "nobody": 1}
    return total / counts[divide]


def _mistaken(**how: str) -> Any:
    return lambda **inputs: _ties(**inputs, **how)


ties = Exercise(
    id="peft_family.ties",
    answer=answers.peft_family_ties,
    cases=ties_cases,
    parts=[Part("where all agree", 1, on="agree"), Part("where they quarrel", 2, on="quarrel")],
    misconceptions=[
        Misconception("no_trim", _mistaken(trim="none"),
                      "You trimmed nothing. Each update first keeps its largest entries only, a share `density` of them."),
        Misconception("smallest_kept", _mistaken(trim="smallest"),
                      "You kept the smallest entries. It is the largest, by absolute value, that stay."),
        Misconception("no_election", _mistaken(elect="nobody"), earns=1,
                      says="You averaged all entries that were kept, of both signs. Elect a sign for each place first, and "
                           "average only those that have it: that is what keeps them from cancelling."),
        Misconception("by_heads", _mistaken(elect="count"), earns=1,
                      says="You elected the sign by counting updates. They vote with their size: the sign is that of the sum of "
                           "the trimmed updates."),
        Misconception("divided_by_all", _mistaken(divide="all"),
                      "You divided by the number of updates. Divide by the number of those that agree at this place."),
        Misconception("summed", _mistaken(divide="nobody"),
                      "You summed. What agrees is averaged, over those that agree."),
    ],
)
