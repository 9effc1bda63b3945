"""What a step of adaptation is measured by: exact shares, whose ends are known."""

import numpy as np
import pytest

from autograder.exercises.domain.adapting import NEW, OLD, adapt_step_cases, chain
from autograder.judging.measures import domain as measures


@pytest.fixture
def held():
    rng = np.random.default_rng(3)
    return {"general": chain(rng, OLD), "notes": chain(rng, NEW)}


def test_each_end_of_both_scales_is_a_perfect_model_of_one_source(held):
    for name, learned, forgotten in (("notes", 1, 1), ("general", 0, 0)):
        log_p = np.log(held[name])
        assert measures.learned(log_p, held) == pytest.approx(learned, abs=1e-12)
        assert measures.forgotten(log_p, held) == pytest.approx(forgotten, abs=1e-12)


def test_scores_are_brought_to_probabilities_first(held):
    """Otherwise a model whose output were too large everywhere would seem to know everything."""
    mixture = np.log(held["general"] + held["notes"])
    for measure in (measures.learned, measures.forgotten):
        assert measure(mixture + 7, held) == pytest.approx(measure(mixture, held))
    assert 0.5 < measures.learned(mixture, held) < 1 and 0 < measures.forgotten(mixture, held) < 0.5


def test_tokens_count_as_often_as_they_occur():
    """Two tokens, worked by hand: after a comes b nine times in ten, so the chain is at a for 1/10 of the time."""
    notes, general = np.array([[0.1, 0.9], [0.1, 0.9]]), np.array([[0.5, 0.5], [0.1, 0.9]])
    spoilt = np.log(np.array([[0.1, 0.9], [0.5, 0.5]]))  # right after a, wrong after b
    after_a = 0.1 * (0.1 * np.log(0.1 / 0.5) + 0.9 * np.log(0.9 / 0.5))  # KL(notes || general), which differ after a alone
    held = {"notes": notes, "general": general}
    assert measures.learned(spoilt, held) == pytest.approx(1 - 9 * after_a / after_a)


def test_what_is_held_back_does_not_go_in():
    (case,) = adapt_step_cases(np.random.default_rng(0))
    assert set(case.held) == {"general", "notes"} and case.inputs["notes"].dtype.is_floating_point is False
    often = np.bincount(case.inputs["notes"].flatten(), minlength=30)
    assert often[NEW].sum() > 0.9 * often.sum() > often[OLD].sum()
