"""An exercise of chapter 10: paging, for the student a cache that lets go of what was used longest ago."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

import solutions.qlora as answers
from autograder.asking.probes import qlora as probes
from autograder.exercises.exercise import Case, Exercise, Misconception, Part


def pager_cases(rng: np.random.Generator) -> list[Case]:
    def some(pages: int, count: int) -> list[int]:
        return rng.integers(0, pages, count).tolist()

    around = list(range(5))
    return [
        Case("three pages again and again, a card of 4", {"capacity": 4, "calls": [[0, 1, 2], [2, 1, 0], [0, 2]]}, "fits"),
        Case("five pages in turn, a card of 4", {"capacity": 4, "calls": [around, around, around]}, "too many"),
        Case("a page touched again in between", {"capacity": 3, "calls": [[0, 1, 2, 0, 3, 0, 4, 0], [0, 4, 3]]}, "too many"),
        Case("pages at random, a card of 3", {"capacity": 3, "calls": [some(6, 14), some(6, 9), some(6, 12)]}, "too many"),
    ]


def _pager(capacity: int, *, oldest: bool = False, forgets: bool = False, hits: bool = False, unbounded: bool = False,
           more: int = 0, newest: bool = False) -> Any:
    """The answer with one thing wrong, chosen by a keyword."""
    held: list[int] = []

    def touch(pages: list[int]) -> int:
        fetched = 0
        if forgets:
            held.clear()
        for page in pages:
            if page in held:
                if not oldest:
                    held.remove(page)
                    held.append(page)
                continue
            fetched += 1
            if len(held) >= capacity + more and not unbounded:
                held.pop(-1 if newest else 0)
            held.append(page)
        return len(pages) - fetched if hits else fetched

    return touch


def _wrong_pager(**how: Any) -> Any:
    return lambda capacity: _pager(capacity, **how)


pager = Exercise(
    id="qlora.pager",
    answer=answers.qlora_pager,
    probe=probes.page,
    cases=pager_cases,
    expected=lambda capacity, calls: torch.tensor([float(n) for n in map(answers.qlora_pager(capacity), calls)]),
    parts=[Part("everything fits", 1, on="fits"), Part("more than fits", 2, on="too many")],
    misconceptions=[
        Misconception(
            "first_come_first_gone", _wrong_pager(oldest=True), earns=1,
            says="You sent away the page that came first. A page that was touched in the meantime is in use: the one to go was "
            "touched "
            "longest ago.",
        ),
        Misconception(
            "forgets", _wrong_pager(forgets=True),
            "Your card is empty at every call. It keeps its pages from one call to the next: that is what makes it worth having.",
        ),
        Misconception(
            "counts_hits", _wrong_pager(hits=True),
            "You counted the pages that were there. The others have to be fetched, and fetching is what takes time.",
        ),
        Misconception(
            "no_end", _wrong_pager(unbounded=True), earns=1,
            says="Your card never sends a page away, so it holds more than its capacity.",
        ),
        Misconception(
            "one_too_many", _wrong_pager(more=1), earns=1,
            says="Your card holds one page more than its capacity: make room before the new page comes in.",
        ),
        Misconception(
            "newest_goes", _wrong_pager(newest=True), earns=1,
            says="You sent away the page that was touched last. That one is the likeliest to be needed again.",
        ),
    ],
)
