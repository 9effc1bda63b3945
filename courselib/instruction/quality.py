"""Quality against quantity: what N pairs are worth of which a share q is right.

You may meet the law  performance = c (N q)^beta  with the remark that, as beta < 1, quality counts for more than quantity. It
cannot say that: N and q stand in it side by side, and doubling either does the same for every beta. Whether that is so can be
measured. Fit

    log odds of a right answer = a + b_N log2 N + b_q log2 q

and look whether the two slopes agree: `two_slopes`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np

from courselib.instruction.errands import (
    KINDS_OF_ERRAND,
    as_pair,
    errands,
    learn_errands,
    pairs_with_errors,
    share_right,
)

STEPS, LR, TESTED = 300, 5e-3, 192  # the rate: of 5e-3 and 1e-2, on seed 100
UNSEEN = (("plus one", "reversed"), ("minus one", "the first twice"), ("from nine", "the second twice"), ("halved", "in order"))


def break_even_quality(samples: float, quality: float, other_samples: float) -> float:
    """The quality at which `other_samples` draw level under the law N q; above 1: never. Raises ValueError below 1 sample."""
    if min(samples, other_samples) < 1:
        raise ValueError(f"The sets have {samples} and {other_samples} samples; each needs at least one.")
    return samples * quality / other_samples


def learn_from(seed: int, n: int, right: float) -> dict[str, float]:
    """Accuracy on fresh errands after `n` pairs, a share `right` of which are right; always the same number of steps."""
    rng = random.Random(seed)
    train, test = errands(n, KINDS_OF_ERRAND, rng), errands(TESTED, KINDS_OF_ERRAND, rng)
    model = learn_errands(pairs_with_errors(train, 1 - right, rng), seed, STEPS, LR)
    return {"accuracy": share_right(model, test)}


def learn_kinds(seed: int, n: int, kinds: int) -> dict[str, float]:
    """Accuracy on kinds of errand that were never trained, and on those that were, after `n` right pairs of `kinds` kinds.

    Every change and every order is trained: what is new in an unseen kind is only that the two come together.
    """
    rng = random.Random(seed)
    seen = [kind for kind in KINDS_OF_ERRAND if kind not in UNSEEN]
    rng.shuffle(seen)
    chosen = covering(seen, kinds)
    model = learn_errands([as_pair(errand) for errand in errands(n, chosen, rng)], seed, STEPS, LR)
    return {"unseen kinds": share_right(model, errands(TESTED, UNSEEN, rng)),
            "seen kinds": share_right(model, errands(TESTED, chosen, rng))}


def covering(kinds: Sequence[tuple[str, str]], n: int) -> list[tuple[str, str]]:
    """`n` of the kinds, those first that bring a change or an order which is not there yet. ValueError if `n` cannot cover
    all."""
    chosen: list[tuple[str, str]] = []
    for new in (2, 1, 0):  # how many of its two parts are new
        for kind in kinds:
            parts = [{other[i] for other in chosen} for i in (0, 1)]
            if kind not in chosen and len(chosen) < n and (kind[0] not in parts[0]) + (kind[1] not in parts[1]) >= new:
                chosen.append(kind)
    if any({kind[i] for kind in chosen} != {kind[i] for kind in kinds} for i in (0, 1)):
        raise ValueError(f"{n} kinds cannot have every change and every order; take more.")
    return chosen


def log_odds(accuracy: float, tested: int = TESTED) -> float:
    """log p / (1 - p), with half an errand added on either side, so that 0 and 1 stay finite."""
    right = accuracy * tested
    return float(np.log((right + 0.5) / (tested - right + 0.5)))


def two_slopes(n: Sequence[float], quality: Sequence[float], accuracy: Sequence[float]) -> tuple[float, float, float]:
    """Least squares of the log odds on log2 N and log2 q: the constant, the slope of N and that of q, each per doubling.

    Raises ValueError for fewer than three measurements.
    """
    if len(n) < 3:
        raise ValueError(f"{len(n)} measurements cannot determine three numbers; give at least 3.")
    design = np.column_stack([np.ones(len(n)), np.log2(n), np.log2(quality)])
    found, *_ = np.linalg.lstsq(design, np.array([log_odds(a) for a in accuracy]), rcond=None)
    return tuple(float(number) for number in found)
