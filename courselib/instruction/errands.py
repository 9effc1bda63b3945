"""Errands: a world of instructions small enough to ask what data are worth.

An errand says what to do with each of two digits and in which order to bring them: ("plus two", "reversed") of 3 1 is 3 5.
Six changes and four orders make 24 kinds of errand. A wrong response is another response, drawn at random.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from torch import nn

from courselib.instruction.small import Pair, Words, continue_with, fresh_llama, teach

CHANGES: dict[str, Callable[[int], int]] = {
    "as they are": lambda d: d, "plus one": lambda d: (d + 1) % 10, "plus two": lambda d: (d + 2) % 10,
    "minus one": lambda d: (d - 1) % 10, "from nine": lambda d: 9 - d, "halved": lambda d: d // 2,
}
ORDERS: dict[str, tuple[int, int]] = {
    "in order": (0, 1), "reversed": (1, 0), "the first twice": (0, 0), "the second twice": (1, 1),
}
KINDS_OF_ERRAND = tuple((change, order) for change in CHANGES for order in ORDERS)
REFUSAL = "no"
ERRAND_WORDS = Words((*CHANGES, *ORDERS, *map(str, range(10)), REFUSAL))
Errand = tuple[str, str, tuple[int, int]]


def right_response(errand: Errand) -> list[str]:
    """What is to be brought: two digits, changed and in order."""
    change, order, digits = errand
    return [str(CHANGES[change](digits[place])) for place in ORDERS[order]]


def errands(n: int, kinds: Sequence[tuple[str, str]], rng: random.Random) -> list[Errand]:
    """`n` errands, the kinds in turn, with random digits."""
    return [(*kinds[i % len(kinds)], tuple(rng.randrange(10) for _ in range(2))) for i in range(n)]


def as_pair(errand: Errand, response: Sequence[str] | None = None) -> Pair:
    """The errand as a prompt of four tokens, and the response to it, as ids."""
    change, order, digits = errand
    said = right_response(errand) if response is None else response
    return ERRAND_WORDS.ids([change, order, *map(str, digits)]), ERRAND_WORDS.ids(said)


def pairs_with_errors(errands_: Sequence[Errand], wrong: float, rng: random.Random) -> list[Pair]:
    """Each with its right response, except for a share of `wrong`, which get two random digits."""
    spoilt = set(rng.sample(range(len(errands_)), round(wrong * len(errands_))))
    said = [[str(rng.randrange(10)) for _ in range(2)] if i in spoilt else None for i in range(len(errands_))]
    return [as_pair(errand, response) for errand, response in zip(errands_, said, strict=True)]


def share_right(model: nn.Module, asked: Sequence[Errand]) -> float:
    """The share of errands that are answered right, all two digits and the end."""
    said = continue_with(model, [as_pair(errand)[0] for errand in asked], 3)
    return sum(ERRAND_WORDS.tokens(ids) == right_response(errand) for ids, errand in zip(said, asked, strict=True)) / len(asked)


def learn_errands(pairs: Sequence[Pair], seed: int, steps: int, lr: float) -> nn.Module:
    """A fresh model, trained on the pairs."""
    model = fresh_llama(ERRAND_WORDS.size, seed)
    teach(model, pairs, steps=steps, seed=seed, lr=lr, size=64)
    return model
