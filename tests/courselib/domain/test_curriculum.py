"""Curricula: the weights, the direction of beta, and what the sampler draws."""

import itertools

import numpy as np
import pytest
import torch

from courselib.domain import curriculum
from courselib.lab import models


def test_expected_difficulty_falls_as_beta_grows():
    difficulty = [0, 0.25, 0.5, 0.75, 1]
    found = [curriculum.expected_difficulty(difficulty, beta) for beta in (0, 1, 5, 20)]
    assert found == pytest.approx([0.5, 0.378, 0.098, 0.0017], abs=6e-4)
    assert curriculum.expected_difficulty(difficulty, -5) == pytest.approx(1 - found[2])


def test_the_slope_is_minus_the_variance():
    d, beta, h = np.array([0.3, 1.7, 2.0, 5.5]), 0.4, 1e-5
    w = curriculum.weights(d, beta)
    variance = w @ d**2 - (w @ d) ** 2
    slope = (curriculum.expected_difficulty(d, beta + h) - curriculum.expected_difficulty(d, beta - h)) / (2 * h)
    assert slope == pytest.approx(-variance, rel=1e-6)


@pytest.mark.parametrize(("beta", "chosen"), [(1000.0, 1), (-1000.0, 2)])
def test_no_beta_overflows(beta, chosen):
    w = curriculum.weights([12.0, 3.0, 40.0], beta)
    assert w.tolist() == [float(i == chosen) for i in range(3)]
    with pytest.raises(ValueError, match="finite"):
        curriculum.weights([1.0, float("nan")], 1.0)
    with pytest.raises(ValueError, match="at least one document"):
        curriculum.weights([], 1.0)


def test_betas_fall_to_zero_and_stay():
    betas = curriculum.falling(4.0, 8, share=0.5)
    assert betas.tolist() == [4, 3, 2, 1, 0, 0, 0, 0]


def test_ranks_from_zero_to_one():
    assert curriculum.scaled([7.0, 100.0, 1.0]).tolist() == [0.5, 1.0, 0.0]
    assert curriculum.scaled([3.0]).tolist() == [0.0]


def test_measures_of_difficulty():
    causal = models.load("causal")
    plain, strange = "Everyone went home happy.", "Auscultation reveals bibasal crackles over the left base."
    assert curriculum.surprise([strange], causal)[0] > curriculum.surprise([plain], causal)[0]
    longer = " ".join([plain] * 3)
    lengths = curriculum.length([plain, longer], causal.tokenizer)
    assert lengths[1] > 2 * lengths[0]


def test_the_sampler_draws_easy_documents_first_and_repeats_itself():
    documents = [[i] * 5 for i in range(10)]  # document i holds nothing but i, and its difficulty is i
    betas = [5.0, 0.0]
    windows = curriculum.CurriculumWindows(documents, range(10), betas, 8, 20, seed=0)
    first, second, third = itertools.islice(windows, 3)
    assert first.shape == (8, 20) and first.max() <= 2 < second.max()
    assert not torch.equal(second, third)
    assert third.double().mean() == pytest.approx(4.5, abs=1.5)  # after the last beta it goes on with it
    again = list(itertools.islice(windows, 2))
    assert torch.equal(again[0], first) and torch.equal(again[1], second)
    with pytest.raises(ValueError, match="each document needs a difficulty"):
        curriculum.CurriculumWindows(documents, [1.0], betas, 8, 20, seed=0)
