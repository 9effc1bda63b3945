"""A reader with a taste that is known exactly, for what the course's causal model says of people.

The prompt is a name, the response the rest of the sentence: "Anna" -> "made lentil stew two days ago." The course's model learned
the general world, where a sentence that begins with a name is about cooking, a journey, a garden, a club or a gadget. The reader
likes some of these better than others, and wants sentences that the world could say at all:

    truth r(y)         2 cooking, 1 journey, 0 garden, -1 club, -2 gadget; -3 for what is no sentence of the world
    annotator u(y)     truth + bias * (words beyond five): whoever clicks is taken in by length

Preferences are drawn from Bradley and Terry's model on u, so the Bayes ceiling of a reward model is exact, and what is learned
beside the taste is known too: length.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product

import torch
from torch import Tensor

from courselib.lab.data import worlds
from courselib.lab.data.spelling import spell
from courselib.preference.bradley_terry import drawn_preferences

TRAIN_PROMPTS = ("Anna", "Omar", "Lucia", "Peter", "Mei", "Ivan")
TEST_PROMPTS = ("Nora", "Samuel")
TASTE = {"kitchen": 2.0, "journey": 1.0, "garden": 0.0, "club": -1.0, "gadget": -2.0}
IMPROPER = -3.0
BIAS = 0.5  # of the annotator, a word


@cache
def proper_sentences() -> dict[str, str]:
    """Every sentence of the general world that can open a text and begins with a name, and its subject."""
    rules = worlds.world("general").grammar().rules

    def expand(piece: str) -> list[list[str]]:
        name = piece[1:-1] if piece.startswith("{") else ""
        if not name:
            return [[piece]]
        return [sum(parts, []) for option in rules[name] for parts in product(*map(expand, option))]

    found = {}
    for subject in TASTE:
        for option in rules[f"{subject}_open"]:
            if option[0] == "{person}":
                for parts in product(*map(expand, option)):
                    found[spell(sum(parts, []))] = subject
    return found


def subject_of(sentence: str) -> str:
    """"kitchen", "journey", "garden", "club" or "gadget"; "improper" for what is no sentence of the world."""
    return proper_sentences().get(sentence, "improper")


def true_rewards(sentences: list[str]) -> Tensor:
    """The truth, one a sentence: (n,)."""
    return torch.tensor([TASTE.get(subject_of(sentence), IMPROPER) for sentence in sentences])


def word_counts(sentences: list[str]) -> Tensor:
    """Words a sentence: (n,)."""
    return torch.tensor([float(len(sentence.split())) for sentence in sentences])


def annotated(sentences: list[str], bias: float = BIAS) -> Tensor:
    """What the annotator goes by, truth and length: (n,)."""
    return true_rewards(sentences) + bias * (word_counts(sentences) - 5)


@dataclass(frozen=True)
class Comparisons:
    """Pairs of sentences for one prompt each, the preferred one first, and what the annotator went by."""

    chosen: list[str]
    rejected: list[str]
    chosen_score: Tensor
    rejected_score: Tensor


def compared(first: list[str], second: list[str], seed: int = 0, bias: float = BIAS) -> Comparisons:
    """Asks the annotator about each pair of sentences, once. Raises ValueError for lists of unequal length."""
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} sentences cannot be paired: give as many of each.")
    u, v = annotated(first, bias), annotated(second, bias)
    wins = drawn_preferences(u, v, torch.Generator().manual_seed(seed)).tolist()
    order = [(a, b, x, y) if won else (b, a, y, x)
             for a, b, x, y, won in zip(first, second, u.tolist(), v.tolist(), wins, strict=True)]
    chosen, rejected, x, y = zip(*order, strict=True)
    return Comparisons(list(chosen), list(rejected), torch.tensor(x), torch.tensor(y))


def win_rate(sentences: list[str], against: list[str]) -> float:
    """How often the truth likes the first better than the second, pair by pair; a tie counts one half. 0.5 for equals."""
    ours, theirs = true_rewards(sentences), true_rewards(against)
    return ((ours > theirs).double() + 0.5 * (ours == theirs).double()).mean().item()
