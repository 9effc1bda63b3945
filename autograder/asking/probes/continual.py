"""Probes of the topic `continual`: answers that are asked many times, because chance is part of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograder.asking.probes.calling import arguments


def sample_many_times(answer: Callable, inputs: dict[str, Any]) -> tuple[list[float], list[float], str]:
    """Asks a sampler `answer(stream, capacity, rng)` for many samples of one stream, and counts what it kept.

    `inputs` are length (4 or more), capacity, runs and seed. Returns the odds of being kept against being let go, for the
    first item of the stream, for those in the middle, for the last but one and the last; the same odds turned over; and
    what the samples look like. Half a run is added on each side, so that what never happens has odds too.
    """
    length, capacity, runs = inputs["length"], inputs["capacity"], inputs["runs"]
    asked = {"stream": [], "capacity": capacity, "rng": np.random.default_rng(inputs["seed"])}
    by_order, by_name = arguments(answer, asked)
    counts, sizes, repeated = [0] * length, set(), False
    for _ in range(runs):
        asked["stream"] = list(range(100, 100 + length))
        kept = [int(item) for item in answer(*[asked[name] for name in by_order], **{name: asked[name] for name in by_name})]
        sizes.add(len(kept))
        repeated = repeated or len(set(kept)) < len(kept)
        for item in set(kept):
            if not 100 <= item < 100 + length:
                raise ValueError(f"the sample holds {item}, which is not in the stream")
            counts[item - 100] += 1
    found = [counts[0], sum(counts[1:-2]) / (length - 3), counts[-2], counts[-1]]
    odds = [(kept + 0.5) / (runs - kept + 0.5) for kept in found]
    size = " to ".join(str(s) for s in sorted({min(sizes), max(sizes)}))
    return odds, [1 / o for o in odds], f"{size} items, {'some' if repeated else 'none'} twice"
