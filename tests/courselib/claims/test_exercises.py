"""The exercises of chapter A that measure: what strategies earn on many seeds, and what a probe refuses."""

import numpy as np
import pytest
import torch

import solutions.claims as answers
from autograder import exercises
from autograder.asking.ask import ask_all
from autograder.asking.probes import claims as probing
from autograder.exercises.drawing import draw
from autograder.exercises.exercise import Case
from autograder.judging.judge import judge
from autograder.judging.measures import claims as measures


def report(exercise_id, answer, seed):
    trial = draw(exercises[exercise_id], seed)
    return judge(trial, ask_all(answer, trial.ask_with, trial.inputs, seed=seed))


def by_a_fixed_number(sample, claimed, margin):
    return bool(abs(sample(1800).mean() - claimed) < margin / 2)


def by_numpy(sample, claimed, margin):
    """Another right way: whole blocks until the standard error is a fifth of the margin."""
    seen = np.asarray(sample(60), float)
    while seen.std(ddof=1) / np.sqrt(len(seen)) > margin / 5:
        seen = np.concatenate([seen, np.asarray(sample(60), float)])
    return bool(abs(seen.mean() - claimed) <= margin / 2)


@pytest.mark.parametrize(("answer", "points"), [(answers.claims_holds_up, 4), (by_numpy, 4), (by_a_fixed_number, 3)])
def test_who_decides_well_earns_it_on_every_seed(answer, points):
    assert {report("claims.holds_up", answer, seed).score for seed in range(12)} == {points}


def test_more_draws_than_there_are_is_an_error_and_names_how_many():
    case = Case("one", {"pools": torch.zeros(1, 50), "claimed": torch.zeros(1), "margins": torch.ones(1)})
    with pytest.raises(ValueError, match="40 of 50 draws are used, and 11 more"):
        probing.decisions(lambda sample, claimed, margin: bool(sample(40).sum() + sample(11).sum()), case.inputs)


def test_draws_are_fresh_and_a_copy():
    def answer(sample, claimed, margin):
        first = sample(3)
        first += 100
        assert sample(2).tolist() == [3.0, 4.0]
        return True

    pools = torch.arange(10.0)[None]
    out = probing.decisions(answer, {"pools": pools, "claimed": torch.zeros(1), "margins": torch.ones(1)})
    assert out.tolist() == [[1.0, 0.5]] and pools[0, 0] == 0


@pytest.mark.parametrize("given", [["a"], {"a": 1.0}, {"a": 0.5, "b": 1.2}, {"a": 0.5, "b": float("nan")}, None])
def test_opinions_are_a_dict_of_probabilities(given):
    with pytest.raises((TypeError, ValueError)):
        probing.opinions(lambda: given, {"letters": ["a", "b"]})


def test_measures_by_hand():
    truth = {"truth": torch.tensor([1.0, 0.0, 1.0, 0.0])}
    assert measures.sided(np.array([0.9, 0.5, 0.4, 0.1]), truth) == 0.5  # one half takes no side
    assert measures.brier(np.array([1.0, 0.5, 0.5, 0.0]), truth) == pytest.approx(0.125)
    decided = np.array([[1, 0.1], [0, 0.3], [0, 0.2], [1, 0.2]])
    assert (measures.kept(decided, truth), measures.caught(decided, truth), measures.used(decided, truth)) == (0.5, 0.5, 1.0)
    assert measures.used(np.array([[1, 0.1], [0, 0.3], [1, 0.2], [0, 0.2]]), truth) == pytest.approx(0.2)


def test_who_is_sure_of_everything_loses_a_point_for_being_wrong_twice():
    right = answers.claims_judge()
    assert report("claims.judge", lambda: right, 0).score == 4
    twice = right | {"a": 1.0, "l": 0.0}
    assert report("claims.judge", lambda: twice, 0).score == 2


def test_the_statements_of_the_first_exercise_are_as_true_as_it_says():
    """By arithmetic that shares no line with the ledger."""
    n = 12_288
    model = torch.manual_seed(0)
    B, A = torch.randn(6, 3, generator=model, dtype=torch.float64), torch.randn(3, 5, generator=model, dtype=torch.float64)
    W, x = torch.randn(6, 5, generator=model, dtype=torch.float64), torch.randn(5, generator=model, dtype=torch.float64)
    squares = []
    for r in (2, 32):
        shapes = (4000, 8, r), (4000, r, 8), (4000, 8, 1)
        left, right, vectors = (torch.randn(*shape, generator=model) for shape in shapes)
        squares.append(float(((left @ right @ vectors) ** 2).mean() / r))
    found = {
        "a": 65e9 / 2 <= 16e9,
        "b": (128 - 1, round(0.15 * 128)) == (127, 19),
        "c": 2 + 2 + 4 + 8 <= (4 + 4 + 8) / 2,
        "d": 12 * 2 * 8 * (768 + 768) == 294_912,
        "e": bool((torch.zeros(6, 3).T @ torch.randn(6, 5)).abs().max() == 0),  # the gradient of A is Bᵀ (…)
        "f": 1 + 3 < 3,
        "g": n * n / (4 * 2 * n) == 6144,
        "h": (97 + 96) / 200 == 0.965,
        "i": abs(0.9 * 1.0) > 1.0,  # a weight that stands at its start moves away from it
        "j": abs(squares[0] / squares[1] - 1) < 0.1,
        "k": any(abs(25 * k / 200 - 0.965) < 5e-4 for k in range(9)),
        "l": torch.allclose((W + B @ A) @ x, W @ x + B @ (A @ x)),
    }
    said = answers.claims_judge()
    assert {letter: value > 0.5 for letter, value in said.items()} == found
