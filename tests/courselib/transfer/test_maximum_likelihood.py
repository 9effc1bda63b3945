"""Likelihood, cross-entropy and divergence: against torch and scipy, and by perturbation."""

import math

import pytest
import torch
from scipy import stats

from courselib.transfer import maximum_likelihood as mle

Q = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64)
P = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64)


def test_divergence_is_scipys_and_has_a_direction():
    assert mle.relative_entropy(Q, P).item() == pytest.approx(stats.entropy(Q, P))
    assert mle.relative_entropy(P, Q).item() == pytest.approx(stats.entropy(P, Q))
    assert mle.relative_entropy(Q, P).item() == pytest.approx(0.026812, abs=1e-6)
    assert mle.relative_entropy(Q, Q).item() == 0


def test_cross_entropy_is_entropy_and_divergence():
    assert (mle.entropy(Q) + mle.relative_entropy(Q, P)).item() == pytest.approx(mle.cross_entropy(Q, P).item(), abs=1e-15)


def test_impossible_events():
    q, p = torch.tensor([1.0, 0.0]), torch.tensor([0.5, 0.5])
    assert mle.relative_entropy(q, p).item() == pytest.approx(math.log(2))
    assert mle.relative_entropy(p, q).item() == math.inf
    assert mle.cross_entropy(p, q).item() == math.inf
    assert mle.entropy(q).item() == 0


def test_frequencies_are_the_maximum():
    x = torch.tensor([0, 0, 0, 1, 2, 2])
    best = mle.mle_marginal(x, 4)
    assert best.tolist() == pytest.approx([0.5, 1 / 6, 1 / 3, 0.0])
    generator = torch.Generator().manual_seed(0)
    for _ in range(50):
        other = torch.softmax(torch.randn(4, generator=generator, dtype=torch.float64), -1)
        assert mle.mean_nll(other, x) > mle.mean_nll(best, x)


def test_conditional_frequencies():
    x, y = torch.tensor([0, 0, 0, 1]), torch.tensor([1, 1, 0, 0])
    table = mle.mle_conditional(x, y, symbols=3, classes=2)
    assert torch.allclose(table, torch.tensor([[1 / 3, 2 / 3], [1.0, 0.0], [0.5, 0.5]], dtype=torch.float64))
    theirs = torch.nn.functional.nll_loss(table[x].log(), y).item()
    assert mle.mean_nll(table, x, y) == pytest.approx(theirs)
