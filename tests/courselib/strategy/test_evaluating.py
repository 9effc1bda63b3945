"""Intervals in pairs, Holm's correction and shared runs of words, against scipy, by hand, and on what is known."""

import numpy as np
import pytest
from scipy import stats

from courselib.strategy.evaluating import holm, paired, paired_p, runs_of_words, shared_with, unpaired

RNG = np.random.default_rng(0)
HARD = RNG.standard_normal(7)
A, B = HARD + 0.3 * RNG.standard_normal(7) + 0.2, HARD + 0.5 * RNG.standard_normal(7)


def test_in_pairs_is_scipys():
    theirs = stats.ttest_rel(A, B)
    low, high = theirs.confidence_interval(0.95)
    ours = paired(A, B)
    assert (ours.mean - ours.half_width, ours.mean + ours.half_width) == pytest.approx((low, high))
    assert paired_p(A, B) == pytest.approx(theirs.pvalue)


def test_unpaired_is_welchs():
    low, high = stats.ttest_ind(A, B, equal_var=False).confidence_interval(0.95)
    ours = unpaired(A, B)
    assert (ours.mean - ours.half_width, ours.mean + ours.half_width) == pytest.approx((low, high))
    assert ours.half_width > 1.2 * paired(A, B).half_width  # what is shared falls out


def test_scores_that_do_not_vary():
    assert unpaired([1, 1], [0, 0]) == (1.0, 0.0) and paired_p([1, 1], [1, 1]) == 1.0 and paired_p([2, 2], [1, 1]) == 0.0
    with pytest.raises(ValueError, match="3 scores cannot be paired with 2"):
        paired([1, 2, 3], [1, 2])


def test_holm_by_hand():
    # sorted: 0.01 x 4, 0.02 x 3, 0.03 x 2 = 0.06, 0.5 x 1; and in their places
    assert holm([0.03, 0.01, 0.5, 0.02]) == pytest.approx([0.06, 0.04, 0.5, 0.06])
    assert holm([0.02, 0.021]) == pytest.approx([0.04, 0.04])  # the second may not come out below the first
    assert holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])


def test_holm_keeps_its_promise_where_some_differences_are_real():
    rng = np.random.default_rng(2)
    false = 0
    for _ in range(400):
        p = [paired_p(rng.standard_normal(6), rng.standard_normal(6)) for _ in range(8)] + [1e-6] * 4
        false += holm(p)[:8].min() < 0.05
    assert false / 400 < 0.08


def test_runs_of_words_are_found_whatever_the_capitals_and_marks():
    assert runs_of_words("A cat, a cat.", 3) == [("a", "cat", "a"), ("cat", "a", "cat")]
    train = ["The cat sat here.", "And there it stayed"]
    shares = shared_with(train, ["THE CAT sat, here!", "cat sat here and there it", "it stayed", "here. And there"], 3)
    assert shares == pytest.approx([1.0, 2 / 4, 0.0, 0.0])  # none across two texts, and none in a text of two words
