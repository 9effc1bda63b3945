"""What a computation of a claim gives: is the claim true as it was said, and the figures that decide it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Computed(NamedTuple):
    """The outcome of one computation."""

    holds: bool  # is the claim, as it is said, true (within what its row says)?
    figures: dict[str, float]  # name -> value, as the page shows them


REGISTERED: dict[str, Callable[[], Computed]] = {}  # id of a claim -> the function that computes it


def computes(identity: str) -> Callable[[Callable[[], Computed]], Callable[[], Computed]]:
    """A decorator: this function computes the claim `identity`. Raises ValueError if another one already does."""

    def register(function: Callable[[], Computed]) -> Callable[[], Computed]:
        if identity in REGISTERED:
            raise ValueError(f"Two functions compute {identity!r}: {REGISTERED[identity].__name__} and {function.__name__}.")
        REGISTERED[identity] = function
        return function

    return register
