"""Intervals over texts, and the temperature: held against hand-worked numbers, simulation and a search."""

import numpy as np
import pytest
import torch

from courselib.sentiment import uncertainty as u


def test_wilson_by_hand():
    assert u.wilson(56, 60) == pytest.approx((0.8407, 0.9738), abs=1e-3)
    low, high = u.wilson(60, 60)
    assert low == pytest.approx(60 / (60 + 1.959964**2), abs=1e-6) and high == pytest.approx(1)
    assert u.wilson(0, 60) == pytest.approx((1 - high, 1 - low), abs=1e-9)  # mirror images
    for right, n in [(-1, 5), (6, 5), (0, 0)]:
        with pytest.raises(ValueError, match="cannot be right"):
            u.wilson(right, n)


def test_wilson_covers_as_often_as_it_says():
    rng = np.random.default_rng(0)
    for p in (0.5, 0.95):
        ranges = [u.wilson(int(k), 60) for k in rng.binomial(60, p, 2000)]
        assert 0.92 < np.mean([low <= p <= high for low, high in ranges]) < 0.98


def test_the_bootstrap_of_a_mean_is_the_usual_interval_and_pairs_are_narrower():
    rng = np.random.default_rng(1)
    hard = rng.standard_normal(300)
    one, other = hard + 0.3 * rng.standard_normal(300), hard + 0.3 * rng.standard_normal(300)
    low, high = u.bootstrap(lambda rows: one[rows].mean(), 300, draws=800)
    half = 1.96 * one.std() / 300**0.5
    assert (low, high) == pytest.approx((one.mean() - half, one.mean() + half), abs=0.03)
    paired = u.bootstrap(lambda rows: (one - other)[rows].mean(), 300, draws=400)
    assert paired.high - paired.low < 0.6 * (high - low)


@pytest.mark.parametrize("scale", [0.3, 1.0, 4.0])
def test_the_temperature_undoes_a_scale_that_was_put_in(scale):
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(3000, 3, generator=generator, dtype=torch.float64)
    labels = torch.multinomial(logits.softmax(1), 1, generator=generator).squeeze(1)  # calibrated by construction
    T = u.temperature(scale * logits, labels)
    assert pytest.approx(scale, rel=0.08) == T
    near = [u.mean_loss(scale * logits, labels, at) for at in (0.9 * T, T, 1.1 * T)]
    assert near[1] == min(near)
    assert u.calibration_error(scale * logits / T, labels) < 0.03
    if scale != 1:
        assert u.calibration_error(scale * logits, labels) > 0.08


def test_no_temperature_is_best_where_nothing_is_wrong_or_nothing_is_known():
    with pytest.raises(ValueError, match="is 0"):
        u.temperature(torch.tensor([[2.0, 0.0], [0.0, 1.0]]), [0, 1])
    with pytest.raises(ValueError, match="nothing about"):
        u.temperature(torch.tensor([[2.0, 0.0], [0.0, 1.0]]), [1, 0])
