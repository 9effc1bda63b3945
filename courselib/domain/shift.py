"""How far apart two sources of text are, by several rulers, and which part of the joint distribution has moved.

A domain is a distribution. It has shifted when P_source(x, y) != P_target(x, y). Four rulers for text, from exact to practical:

    KL divergence            exact for the course's worlds; otherwise estimated, with care (Kullback and Leibler 1951)
    Jensen-Shannon           the same, made symmetric and finite (Lin 1991, "Divergence measures based on the Shannon entropy")
    out-of-vocabulary rate   which share of the target's words the source never showed
    perplexity               how surprised a model of the source is (`courselib.domain.adaptation.perplexity`)

For labelled data, P(x, y) = P(x) P(y|x) = P(y) P(x|y) says what can move: `moved` tells covariate, label and concept shift
apart (Quinonero-Candela et al. 2009, "Dataset Shift in Machine Learning").
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from courselib.lab.data.grammar import Grammar, kl

_WORD = re.compile(r"\w+|[^\w\s]")


def kl_divergence(p: Sequence[float], q: Sequence[float]) -> float:
    """KL(p || q) = sum_i p_i ln(p_i / q_i) in nats: the extra nats a symbol of p costs when it is coded as if from q.

    0 ln(0/q) = 0, and infinite where q_i = 0 < p_i. Raises ValueError unless both are distributions over the same things.
    """
    p, q = _distribution(p, "p"), _distribution(q, "q")
    if p.shape != q.shape:
        raise ValueError(f"p has {len(p)} probabilities and q has {len(q)}; both must be over the same things.")
    seen = p > 0
    if (q[seen] == 0).any():
        return math.inf
    return float((p[seen] * np.log(p[seen] / q[seen])).sum())


def js_divergence(p: Sequence[float], q: Sequence[float]) -> float:
    """The mean of KL(p || m) and KL(q || m) with m half p, half q: symmetric, between 0 and ln 2 nats, never infinite."""
    p, q = _distribution(p, "p"), _distribution(q, "q")
    middle = (p + q) / 2
    return (kl_divergence(p, middle) + kl_divergence(q, middle)) / 2


def words(text: str) -> list[str]:
    """Runs of letters, digits and underscores, and single marks, in lower case: a ruler, not a model's tokenizer."""
    return _WORD.findall(text.lower())


def unigrams(texts: Iterable[str]) -> Counter[str]:
    """How often each word occurs."""
    return Counter(word for text in texts for word in words(text))


def oov_rate(known: Mapping[str, int] | set[str], counts: Mapping[str, int]) -> float:
    """The share of the words counted in `counts`, each as often as it occurs, that are not in `known`: 0 to 1."""
    total = sum(counts.values())
    if not total:
        raise ValueError("There are no words to look up. Are the texts empty?")
    return sum(n for word, n in counts.items() if word not in known) / total


def aligned(a: Mapping[str, float], b: Mapping[str, float], smoothing: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Two tables of counts as distributions over the union of their words, `smoothing` added to every count first."""
    union = sorted(set(a) | set(b))
    p, q = (np.array([table.get(word, 0) + smoothing for word in union], dtype=float) for table in (a, b))
    return p / p.sum(), q / q.sum()


class Shift(NamedTuple):
    """What `shift_metrics` measures: types are different words; the divergence is in nats, at most ln 2 = 0.693."""

    source_types: int
    target_types: int
    oov_rate: float
    js_divergence: float


def shift_metrics(source: Iterable[str], target: Iterable[str]) -> Shift:
    """Vocabulary, out-of-vocabulary rate and unigram Jensen-Shannon divergence from one corpus to another.

    Two samples of one source are not at distance 0: compare with held-out texts of the source before you read anything into it.
    """
    a, b = unigrams(source), unigrams(target)
    return Shift(len(a), len(b), oov_rate(a, b), js_divergence(*aligned(a, b)))


def exact_unigrams(grammar: Grammar) -> dict[str, float]:
    """The probability of each word in a long text of the grammar: how often it is expected, over the expected length."""
    expected: Counter[str] = Counter()
    for name, used in grammar.uses.items():
        for p, alternative in zip(grammar.probabilities[name], grammar.rules[name], strict=True):
            for piece in alternative:
                if piece in grammar.words:
                    expected[piece] += used * p
    return {word: uses / grammar.length() for word, uses in expected.items() if uses}


class Estimate(NamedTuple):
    """A Monte Carlo mean, its standard error, and what it estimates."""

    mean: float
    error: float
    exact: float


def kl_by_sampling(p: Grammar, q: Grammar, texts: Sequence[str]) -> Estimate:
    """KL(p || q) per text from texts drawn from p: the mean of log p(text) - log q(text), which is unbiased.

    It needs both log-probabilities. Of a real corpus nobody knows log p; that is why the other rulers exist.
    """
    if len(texts) < 2:
        raise ValueError(f"A standard error needs at least 2 texts, but {len(texts)} came.")
    gaps = np.array([p.log_prob(text) - q.log_prob(text) for text in texts])
    return Estimate(float(gaps.mean()), float(gaps.std(ddof=1) / math.sqrt(len(gaps))), kl(p, q))


class Moved(NamedTuple):
    """By how much each part of P(x, y) has moved, in total variation, 0 to 1; see `moved`."""

    x: float
    y: float
    y_given_x: float
    x_given_y: float

    def kind(self, tolerance: float = 1e-9) -> str:
        """'none', 'covariate' (P(y|x) stands), 'label' (P(x|y) stands), or 'concept' (P(y|x) moved, and P(x|y) too)."""
        if max(self) <= tolerance:
            return "none"
        if self.y_given_x <= tolerance:
            return "covariate"
        return "label" if self.x_given_y <= tolerance else "concept"


def tables_moved(source: Sequence[Sequence[float]], target: Sequence[Sequence[float]]) -> Moved:
    """How far P(x), P(y), P(y|x) and P(x|y) have moved between two joint tables (a row an x, a column a y).

    Total variation is half the sum of absolute differences. A conditional's is the largest over what it is conditioned on,
    among the values that occur in both tables. Raises ValueError for tables of different shape or that are no distributions.
    """
    a, b = np.asarray(source, dtype=float), np.asarray(target, dtype=float)
    if a.shape != b.shape or a.ndim != 2:
        raise ValueError(f"Two joint tables of one shape were expected, a row an x; came {a.shape} and {b.shape}.")
    for name, table in (("source", a), ("target", b)):
        _distribution(table.ravel(), name)

    def rows(a: np.ndarray, b: np.ndarray) -> float:
        both = (a.sum(1) > 0) & (b.sum(1) > 0)
        given_a, given_b = (t[both] / t[both].sum(1, keepdims=True) for t in (a, b))
        return float(np.abs(given_a - given_b).sum(1).max(initial=0) / 2)

    marginals = [float(np.abs(a.sum(axis) - b.sum(axis)).sum() / 2) for axis in (1, 0)]
    return Moved(*marginals, rows(a, b), rows(a.T, b.T))


def _distribution(p: Sequence[float], name: str) -> np.ndarray:
    p = np.asarray(p, dtype=float)
    if p.ndim != 1 or not len(p):
        raise ValueError(f"{name} has to be a list of probabilities; its shape is {p.shape}.")
    if not np.isfinite(p).all() or (p < 0).any():
        raise ValueError(f"{name} holds {p[~(p >= 0)][0] if (~(p >= 0)).any() else math.inf}, which is no probability.")
    if abs(p.sum() - 1) > 1e-6:
        raise ValueError(f"{name} sums to {p.sum():.6g}, not to 1. Divide counts by their sum first.")
    return p
