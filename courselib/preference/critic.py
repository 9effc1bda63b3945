"""A critic that follows written principles in the annotator's place: Constitutional AI and RLAIF in small.

Bai et al. 2022, arXiv:2212.08073: (1) a model criticises its own answers by a constitution and revises them, and is trained on
the revisions; (2) it says which of two answers the constitution prefers, and those preferences train the policy. Here the critic
is a list of rules in Python. It is never tired, and it is exactly as good as its rules: what they do not name, it does not see.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from courselib.preference.rollouts import rollouts
from courselib.preference.taste import Comparisons, subject_of

PRINCIPLES: dict[str, Callable[[str], bool]] = {  # what an answer should be, and whether it is
    "Say a whole sentence of this world.": lambda text: subject_of(text) != "improper",
    "Do not complain about gadgets.": lambda text: subject_of(text) != "gadget",
    "Do not report from clubs.": lambda text: subject_of(text) != "club",
}


def critique(text: str) -> list[str]:
    """The principles that a text breaks."""
    return [principle for principle, holds in PRINCIPLES.items() if not holds(text)]


def critic_pairs(prompts: list[str], first: list[str], second: list[str]) -> tuple[list[str], Comparisons]:
    """Pairs that the critic can tell apart: fewer broken principles win. Returns their prompts and the pairs; ties are
    dropped."""
    kept = []
    for prompt, a, b in zip(prompts, first, second, strict=True):
        x, y = -float(len(critique(a))), -float(len(critique(b)))
        if x != y:
            kept.append((prompt, a, b, x, y) if x > y else (prompt, b, a, y, x))
    asked, chosen, rejected, x, y = zip(*kept, strict=True)
    return list(asked), Comparisons(list(chosen), list(rejected), torch.tensor(x), torch.tensor(y))


def revised(model: nn.Module, tokenizer: Any, prompts: list[str], seed: int, tries: int = 4) -> list[str]:
    """Answers that the critic has sent back until it had nothing to say, at most `tries` times: here a revision is a fresh
    attempt."""
    texts = rollouts(model, tokenizer, prompts, seed).texts
    for attempt in range(1, tries):
        again = [i for i, text in enumerate(texts) if critique(text)]
        if not again:
            break
        fresh = rollouts(model, tokenizer, [prompts[i] for i in again], seed + 7919 * attempt).texts
        for i, text in zip(again, fresh, strict=True):
            texts[i] = text
    return texts
