"""Length: what a weight for long examples does to what the model says.

    w(l) = exp(-gamma max(0, l - l_max))

multiplies the loss of an example of l tokens. It is no penalty on what the model says; no gradient flows through it. It makes
the data count as if long examples were rarer: those of length l, a share p(l) of the data, count like a share p(l) w(l) / Z. So
one can say beforehand how long the answers will be, `expected_length`, and then look.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from courselib.instruction.errands import (
    ERRAND_WORDS,
    KINDS_OF_ERRAND,
    Errand,
    as_pair,
    errands,
    right_response,
)
from courselib.instruction.small import Words, continue_with, fresh_llama, teach

WELL = "well"
CHATTY = Words((*ERRAND_WORDS.words, WELL))
LONGEST_TALK, MAX_LENGTH = 9, 4  # words of talk before the answer, at most; tokens that count in full
STEPS, LR, N = 150, 5e-3, 1000


def length_weight(length: float, max_length: float, gamma: float) -> float:
    """exp(-gamma max(0, length - max_length)): 1 up to the limit. Raises ValueError for a negative gamma."""
    if gamma < 0:
        raise ValueError(f"gamma is {gamma}; below 0 long examples would count for more.")
    return math.exp(-gamma * max(0.0, length - max_length))


def expected_length(lengths: Sequence[int], max_length: float, gamma: float) -> float:
    """The mean length once each example counts with its weight. Raises ValueError for no lengths."""
    if not lengths:
        raise ValueError("There are no lengths to take a mean of.")
    weights = [length_weight(length, max_length, gamma) for length in lengths]
    return sum(w * length for w, length in zip(weights, lengths, strict=True)) / sum(weights)


def chatty(errand: Errand, talk: int) -> tuple[list[int], list[int]]:
    """The errand, answered after `talk` words of talk."""
    prompt, _ = as_pair(errand)
    return prompt, CHATTY.ids([WELL] * talk + right_response(errand))


def learn_length(seed: int, gamma: float) -> dict[str, float]:
    """Trains on answers that begin with 0 to `LONGEST_TALK` words of talk, and samples: mean length said and expected, and
    accuracy."""
    rng = random.Random(seed)
    train, test = errands(N, KINDS_OF_ERRAND, rng), errands(192, KINDS_OF_ERRAND, rng)
    pairs = [chatty(errand, rng.randint(0, LONGEST_TALK)) for errand in train]
    lengths = [len(response) + 1 for _, response in pairs]  # the end counts
    model = fresh_llama(CHATTY.size, seed)
    teach(model, pairs, steps=STEPS, seed=seed, lr=LR, size=64, weights=[length_weight(n, MAX_LENGTH, gamma) for n in lengths])
    said = continue_with(model, [as_pair(errand)[0] for errand in test], LONGEST_TALK + 4, sample=seed)
    answers = [[word for word in CHATTY.tokens(ids) if word != WELL] for ids in said]
    right = sum(answer == right_response(errand) for answer, errand in zip(answers, test, strict=True)) / len(test)
    return {"length": sum(len(ids) + 1 for ids in said) / len(said), "expected": expected_length(lengths, MAX_LENGTH, gamma),
            "data": sum(lengths) / len(lengths), "accuracy": right}
