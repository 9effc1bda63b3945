"""Telling what is better: intervals in pairs, several comparisons at once, and test texts that training has seen.

In pairs: two methods that ran with the same seeds (or answered the same texts) are compared seed by seed, for what is hard about
a seed is hard for both and falls out of the difference: var(a - b) = var(a) + var(b) - 2 cov(a, b).

Several at once: of twenty comparisons of things that are equal, one comes out below 0.05 on average. Holm (1979) multiplies the
smallest p-value by their number, the next by one less, and so on: the chance of any false difference stays below 0.05.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from courselib.lab.plots import Interval, interval


def paired(a: Sequence[float], b: Sequence[float]) -> Interval:
    """Mean of a - b and the half-width of its 95 % interval (Student's t), pair by pair. ValueError for unequal lengths."""
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if a.shape != b.shape:
        raise ValueError(f"{len(a)} scores cannot be paired with {len(b)}: run both methods with the same seeds.")
    return interval(a - b)


def unpaired(a: Sequence[float], b: Sequence[float]) -> Interval:
    """The same as if the two had nothing in common: the variances add up (Welch 1947)."""
    from scipy.special import stdtrit

    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    parts = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    if not sum(parts):
        return Interval(float(a.mean() - b.mean()), 0.0)
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (len(a) - 1) + parts[1] ** 2 / (len(b) - 1))
    return Interval(float(a.mean() - b.mean()), float(stdtrit(freedom, 0.975) * sum(parts) ** 0.5))


def paired_p(a: Sequence[float], b: Sequence[float]) -> float:
    """Two-sided p-value of the paired t test: how often a difference this large comes of chance where there is none."""
    from scipy.special import stdtr

    d = np.asarray(a, dtype=float) - np.asarray(b, dtype=float)
    spread = d.std(ddof=1)
    if spread == 0:
        return 1.0 if d.mean() == 0 else 0.0
    return float(2 * stdtr(len(d) - 1, -abs(d.mean()) / spread * len(d) ** 0.5))


def holm(p_values: Sequence[float]) -> np.ndarray:
    """P-values corrected for their number (Holm 1979), in the order in which they came: (m,) -> (m,)."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p)
    out = np.empty_like(p)
    out[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return out


def runs_of_words(text: str, n: int) -> list[tuple[str, ...]]:
    """All runs of n words that follow one another, in small letters and without the marks at their ends."""
    words = [word.strip(".,;:!?()\"'") for word in text.lower().split()]
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


def shared_with(train: Sequence[str], test: Sequence[str], n: int) -> np.ndarray:
    """Of each test text the share of its runs of n words that some training text has too: (len(test),), 0 for short texts."""
    known = {run for text in train for run in runs_of_words(text, n)}
    found = [[run in known for run in runs_of_words(text, n)] for text in test]
    return np.array([np.mean(each) if each else 0.0 for each in found])
