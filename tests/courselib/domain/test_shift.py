"""Distances between sources of text: hand-worked numbers, parity with scipy and torch, exact worlds against sampled ones."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from scipy.special import rel_entr
from scipy.stats import entropy

from courselib.domain import shift
from courselib.lab.data import worlds
from courselib.lab.data.grammar import grammar, kl, reweighted


def test_kl_by_hand_in_nats_and_in_one_direction():
    p, q = [0.7, 0.2, 0.1], [0.6, 0.3, 0.1]
    assert shift.kl_divergence(p, q) == pytest.approx(0.7 * 0.15415068 - 0.2 * 0.40546511, abs=1e-8)
    assert shift.kl_divergence(p, q) == pytest.approx(0.0268124539)
    assert shift.kl_divergence(q, p) == pytest.approx(0.0291491, abs=1e-7)
    assert shift.kl_divergence([1, 0], [0.5, 0.5]) == pytest.approx(math.log(2))  # 0 ln 0 = 0
    assert shift.kl_divergence([0.5, 0.5], [1, 0]) == math.inf
    assert shift.kl_divergence([0.5, 0.5, 0], [0.25, 0.75, 0]) == pytest.approx(0.5 * math.log(4 / 3))


@pytest.mark.parametrize("seed", range(3))
def test_kl_and_js_agree_with_the_libraries(seed):
    rng = np.random.default_rng(seed)
    p, q = rng.dirichlet(np.ones(30)), rng.dirichlet(np.ones(30))
    assert shift.kl_divergence(p, q) == pytest.approx(rel_entr(p, q).sum()) == pytest.approx(entropy(p, q))
    log_q = torch.tensor(q).log()
    assert shift.kl_divergence(p, q) == pytest.approx(torch.nn.functional.kl_div(log_q, torch.tensor(p), reduction="sum").item())
    m = (p + q) / 2
    assert shift.js_divergence(p, q) == pytest.approx((entropy(p, m) + entropy(q, m)) / 2)
    assert shift.js_divergence(p, q) == pytest.approx(shift.js_divergence(q, p))


def test_js_is_bounded_and_zero_for_the_same():
    assert shift.js_divergence([0.2, 0.8], [0.2, 0.8]) == 0
    assert shift.js_divergence([1, 0], [0, 1]) == pytest.approx(math.log(2))


@pytest.mark.parametrize(
    ("p", "q", "says"),
    [
        ([0.7, 0.5, -0.2], [0.3, 0.3, 0.4], "p holds -0.2"),
        ([0.5, 0.5], [0.5, 0.6], "q sums to 1.1"),
        ([0.5, 0.5], [0.2, 0.3, 0.5], "p has 2 probabilities and q has 3"),
        ([0.5, math.nan], [0.5, 0.5], "p holds nan"),
        ([math.inf, 0.0], [0.5, 0.5], "p holds inf"),
        ([], [], "has to be a list of probabilities"),
    ],
)
def test_what_is_no_distribution_is_refused(p, q, says):
    with pytest.raises(ValueError, match=says):
        shift.kl_divergence(p, q)


def test_vocabulary_measures_by_hand():
    source, target = ["The cat, the dog."], ["The cow."]
    assert shift.unigrams(source) == {"the": 2, "cat": 1, ",": 1, "dog": 1, ".": 1}
    found = shift.shift_metrics(source, target)
    assert (found.source_types, found.target_types) == (5, 3)
    assert found.oov_rate == pytest.approx(1 / 3)  # cow, of the, cow, full stop
    p, q = np.array([2, 1, 1, 1, 1, 0]) / 6, np.array([1, 0, 0, 0, 1, 1]) / 3
    assert found.js_divergence == pytest.approx(shift.js_divergence(p, q))
    assert shift.oov_rate({"a"}, Counter({"a": 3, "b": 1})) == 0.25
    with pytest.raises(ValueError, match="no words"):
        shift.oov_rate({"a"}, Counter())


def test_aligned_counts_and_smoothing():
    p, q = shift.aligned({"a": 3, "b": 1}, {"b": 2})
    assert p.tolist() == [0.75, 0.25] and q.tolist() == [0, 1]
    p, q = shift.aligned({"a": 3, "b": 1}, {"b": 2}, smoothing=1)
    assert p.tolist() == pytest.approx([4 / 6, 2 / 6]) and q.tolist() == pytest.approx([0.25, 0.75])


def test_exact_word_frequencies_of_a_small_grammar():
    g = reweighted(grammar({"text": ["the {animal} sleeps.", "{animal}."], "animal": ["cat", "dog"]}), {"animal": [3, 1]})
    found = shift.exact_unigrams(g)  # 4 or 2 words, 3 on average; the animal once a text
    assert found == pytest.approx({"the": 0.5 / 3, "sleeps": 0.5 / 3, ".": 1 / 3, "cat": 0.75 / 3, "dog": 0.25 / 3})


def test_exact_word_frequencies_of_a_world_are_what_samples_approach():
    g = worlds.world("legal").grammar()
    exact = shift.exact_unigrams(g)
    assert sum(exact.values()) == pytest.approx(1)
    counted = Counter(token for text in worlds.world("legal").texts(800) for token in g.tokens(text))
    total = sum(counted.values())
    for word, n in counted.most_common(15):
        assert n / total == pytest.approx(exact[word], rel=0.1)


def test_sampling_finds_the_exact_divergence():
    p, q = (worlds.world(name).grammar() for name in ("clinical", "general"))
    found = shift.kl_by_sampling(p, q, worlds.world("clinical").texts(400))
    assert found.exact == kl(p, q) > 0
    assert abs(found.mean - found.exact) < 4 * found.error
    assert shift.kl_by_sampling(p, p, worlds.world("clinical").texts(5)).mean == 0
    with pytest.raises(ValueError, match="at least 2 texts"):
        shift.kl_by_sampling(p, q, ["one"])


SOURCE = np.array([[0.42, 0.18], [0.08, 0.32]])


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        (SOURCE, "none"),
        ([[0.14, 0.06], [0.16, 0.64]], "covariate"),
        ([[0.168, 0.288], [0.032, 0.512]], "label"),
        ([[0.24, 0.36], [0.2, 0.2]], "concept"),
    ],
)
def test_kinds_of_shift(target, kind):
    assert shift.tables_moved(SOURCE, target).kind() == kind


def test_how_far_each_part_has_moved():
    m = shift.tables_moved(SOURCE, [[0.14, 0.06], [0.16, 0.64]])  # P(x) from (.6, .4) to (.2, .8), P(y) from (.5, .5) to (.3, .7)
    assert m.x == pytest.approx(0.4) and m.y == pytest.approx(0.2) and m.y_given_x == pytest.approx(0, abs=1e-12)
    m = shift.tables_moved(SOURCE, [[0.24, 0.36], [0.2, 0.2]])  # P(y|x): (.7, .3) to (.4, .6), (.2, .8) to (.5, .5)
    assert m.x == pytest.approx(0, abs=1e-12) and m.y_given_x == pytest.approx(0.3)
    assert shift.tables_moved([[1, 0], [0, 0]], [[0, 0], [0, 1]]).kind() == "covariate"  # no x in common
    with pytest.raises(ValueError, match="one shape"):
        shift.tables_moved(SOURCE, [[0.5, 0.5]])
    with pytest.raises(ValueError, match="target sums to 2"):
        shift.tables_moved(SOURCE, 2 * SOURCE)


def test_halves_of_a_corpus_look_farther_apart_than_two_samples_of_its_size():
    clinical = worlds.world("clinical")
    whole, other = clinical.texts(80, "test", 1), clinical.texts(80, "test", 2)
    halves = shift.shift_metrics(whole[:40], whole[40:]).js_divergence
    assert halves > 1.3 * shift.shift_metrics(whole, other).js_divergence  # of one source all the same
