"""One value of an output that is made of the right ones of others: the smaller of two, their difference, another one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from autograder.judging.symptoms.seen import Seen


def of_others(several: list[Seen], wrong: int) -> tuple[str, str] | None:
    """The symptom's name and what this value is, in words with `{0}`, `{1}` for the places of the others."""
    seen = several[wrong]
    if not seen.numeric or seen.evidence < 2 or not any(np.any(c) for c in seen.came):
        return None
    for one, other in enumerate(several):
        if one != wrong and all(other.same(c, r) for c, r in zip(seen.came, other.right, strict=True)):
            return "value_of_another", f"what value {one + 1} should be"
    if not any(np.any(v % 1) for s in several for v in (*s.came, *s.right) if s.numeric):
        return None  # small counts are soon the sum or the difference of two others
    for i, one in enumerate(several):
        for j, other in enumerate(several):
            if i == j or not one.numeric or not other.numeric:
                continue
            made = [dict(_made(a, b)) for a, b in zip(one.right, other.right, strict=True)]
            for words in made[0]:
                if all(words in m and seen.same(c, m[words]) for c, m in zip(seen.came, made, strict=True)):
                    return "made_of_other_values", words.format(f"value {i + 1}", f"value {j + 1}")
    return None


def _made(a: np.ndarray, b: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    if a.shape != b.shape:
        return
    with np.errstate(all="ignore"):
        yield "{0} minus {1}", a - b
        yield "{0} plus {1}", a + b
        yield "{0} times {1}", a * b
        yield "{0} divided by {1}", a / b
        yield "the mean of {0} and {1}", (a + b) / 2
        yield "the root of {0} times {1}", np.sqrt(a * b)
        yield "the smaller of {0} and {1}", np.minimum(a, b)
        yield "the larger of {0} and {1}", np.maximum(a, b)
