"""Descents, the four errors, and what a start is worth: against exact results, hand-worked numbers and other libraries."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from courselib.transfer import theory


def bowl(theta):
    return np.array([1.0, 4.0]) * (theta - np.array([1.0, -2.0]))


def test_descent_worked_by_hand():
    path = theory.descend(lambda theta: 2 * theta, np.array([8.0]), eta=0.25, steps=3)
    assert path.ravel().tolist() == [8.0, 4.0, 2.0, 1.0]
    assert theory.descend(lambda theta: 2 * theta, np.array([8.0]), eta=0.25, steps=0).ravel().tolist() == [8.0]


def test_a_convex_optimum_does_not_know_the_start():
    ends = [theory.descend(bowl, np.array(start), eta=0.2, steps=300)[-1] for start in ([9.0, 9.0], [1.1, -2.1])]
    assert np.allclose(ends, [[1, -2], [1, -2]])


def test_a_step_size_beyond_two_over_the_curvature_leaves_the_finite_numbers():
    with pytest.raises(FloatingPointError, match="an eta below 5"), np.errstate(over="ignore", invalid="ignore"):
        theory.descend(bowl, np.array([5.0, 5.0]), eta=5.0, steps=2000)


def test_steps_are_counted_until_the_path_stays_close():
    path = np.array([[4.0], [0.1], [3.0], [0.4], [0.2]])
    assert theory.steps_until(path, np.zeros(1), 0.5) == 3  # step 1 was close by chance
    assert theory.steps_until(path[3:], np.zeros(1), 0.5) == 0
    assert theory.steps_until(np.array([[4.0], [0.5], [0.25]]), np.zeros(1), 0.5) == 1  # exactly so far is within
    with pytest.raises(ValueError, match="more steps"):
        theory.steps_until(path[:3], np.zeros(1), 0.5)


def test_logistic_regression_is_scikit_learns():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 3))
    y = (X[:, 0] + rng.logistic(size=80) > 0).astype(float)
    loss, gradient = theory.logistic(X, y)
    theirs = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10).fit(X, y).coef_[0]
    ours = theory.descend(gradient, np.zeros(3), eta=2.0, steps=2000)[-1]
    assert np.allclose(ours, theirs, atol=1e-5)
    step = 1e-6 * np.eye(3)
    numeric = [(loss(theirs + s + 0.1) - loss(theirs - s + 0.1)) / 2e-6 for s in step]
    assert np.allclose(gradient(theirs + 0.1), numeric, atol=1e-7)


def test_cosines_are_orthonormal():
    X = theory.cosines((np.arange(1000) + 0.5) / 1000, 8)
    assert np.allclose(X.T @ X / 1000, np.eye(8), atol=1e-10)


def test_the_four_errors():
    small, large = (theory.error_decomposition(d, n=40, steps=200, draws=40) for d in (2, 16))
    assert small.bayes == large.bayes == theory.NOISE**2
    assert small.approximation == pytest.approx(sum(j**-3.0 for j in range(3, 61)))
    assert small.approximation > large.approximation and small.estimation < large.estimation
    assert abs(large.optimisation) < 1e-3
    assert large.total == pytest.approx(large.bayes + large.approximation + large.estimation + large.optimisation)
    assert large.estimation == pytest.approx(theory.NOISE**2 * 16 / 40, rel=0.2)  # sigma^2 d / n, nearly
    hurried = theory.error_decomposition(2, n=40, steps=1, draws=40)
    assert hurried.optimisation > 0.1 and hurried.estimation == small.estimation


def test_only_a_learner_that_stops_profits_from_a_start():
    near = theory.truth()[:16] + 0.05
    early = [theory.error_decomposition(16, 40, 2, start=start, draws=40).total for start in (None, near)]
    late = [theory.error_decomposition(16, 40, 2000, start=start, draws=10).total for start in (None, near)]
    assert early[1] < early[0] - 0.1
    assert late[0] == pytest.approx(late[1], abs=1e-6)
    with pytest.raises(ValueError, match="more than 17"):
        theory.error_decomposition(16, 17, 2)


def test_coins():
    rng = np.random.default_rng(0)
    assert theory.coins_excess(5, 5000, 0.5, 20, rng) < 0.001  # a strong bias is seen
    assert theory.coins_excess(5, 0, 0.4, 20, rng) == pytest.approx(0.2)  # nothing seen: half of the coins are guessed wrong
    wrong = theory.coins_excess(1, 1, 0.6, 40_000, rng) / 0.6  # one toss: wrong when it shows the worse side
    assert wrong == pytest.approx(0.2, abs=0.01)


def test_from_scratch_grows_with_d_and_with_the_square_of_the_accuracy():
    n = theory.samples_from_scratch(10, 0.1, np.random.default_rng(0))
    assert theory.samples_from_scratch(20, 0.1, np.random.default_rng(0)) / n == pytest.approx(2, rel=0.2)
    assert theory.samples_from_scratch(10, 0.05, np.random.default_rng(0)) / n == pytest.approx(4, rel=0.2)


@pytest.mark.parametrize("n", [3, 30])
def test_ridge_to_prior_is_scikit_learns_ridge_after_a_shift(n):
    rng = np.random.default_rng(1)
    X, y, theta_s = rng.standard_normal((n, 4)), rng.standard_normal(n), rng.standard_normal(4)
    theirs = theta_s + Ridge(alpha=0.3 * n, fit_intercept=False).fit(X, y - X @ theta_s).coef_
    assert np.allclose(theory.ridge_to_prior(X, y, theta_s, 0.3), theirs)


def test_ridge_to_prior_at_its_ends():
    rng = np.random.default_rng(2)
    X, y, theta_s = rng.standard_normal((20, 4)), rng.standard_normal(20), rng.standard_normal(4)
    assert np.allclose(theory.ridge_to_prior(X, y, theta_s, 0.0), np.linalg.lstsq(X, y, rcond=None)[0])
    assert np.allclose(theory.ridge_to_prior(X, y, theta_s, 1e9), theta_s, atol=1e-6)


def test_prior_risk_is_least_at_the_lambda_of_the_derivation():
    d, n, sigma, delta = 30, 200, 1.3, 0.7
    v = sigma**2 * d / n
    risks = [theory.prior_risk(d, n, sigma, delta, lam) for lam in np.linspace(0, 3, 3001)]
    assert np.linspace(0, 3, 3001)[np.argmin(risks)] == pytest.approx(v / delta**2, abs=1e-3)
    assert min(risks) == pytest.approx(theory.prior_risk(d, n, sigma, delta), rel=1e-5)
    assert theory.prior_risk(d, n, sigma, delta, 0.0) == pytest.approx(v)


def test_samples_needed_by_hand():
    assert theory.samples_needed(100, 1.0, None, 0.05) == pytest.approx(2000)
    assert theory.samples_needed(100, 1.0, 0.5, 0.05) == pytest.approx(2000 - 400)
    assert theory.samples_needed(100, 1.0, 0.2, 0.05) == 0.0  # 0.04 is less than 0.05 already
    assert theory.samples_needed(100, 1.0, 0.0, 0.05) == 0.0
    for n in (50, 500):  # the inverse of prior_risk
        assert theory.samples_needed(100, 1.0, 0.5, theory.prior_risk(100, n, 1.0, 0.5)) == pytest.approx(n)


def test_a_change_of_units_changes_delta_and_not_the_need():
    needs = {theory.simulated_samples(15, 1.0, 0.3, 0.05, seed=0, scale=scale) for scale in (0.01, 1.0, 100.0)}
    assert len(needs) == 1
    assert needs.pop() == pytest.approx(theory.samples_needed(15, 1.0, 0.3, 0.05), rel=0.3)


def test_least_squares_with_random_features_has_its_known_risk():
    risk = theory.simulated_risk(10, 60, 2.0, None, np.random.default_rng(0), draws=2000)
    assert risk == pytest.approx(4 * 10 / (60 - 10 - 1), rel=0.05)


def test_rademacher_is_below_its_bound_and_exact_for_one_example():
    X = np.array([[3.0, 4.0]])
    assert theory.rademacher(X, 0.5, 10, np.random.default_rng(0)) == pytest.approx(2.5)  # radius * |x|
    X = np.random.default_rng(0).standard_normal((50, 6))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    found = theory.rademacher(X, 0.5, 4000, np.random.default_rng(1))
    assert 0.8 * 0.5 / 50**0.5 < found < 0.5 / 50**0.5
    assert theory.norm_bound(1.0, 0.5, 100) == pytest.approx(0.1)


@pytest.mark.parametrize(("n", "d", "lam", "share"), [(10, 40, 0.0, 0.75), (60, 20, 0.0, 0.0), (10, 40, 0.1, 0.0)])
def test_a_start_survives_where_no_example_speaks(n, d, lam, share):
    """A convex loss and a descent that has ended: with fewer examples than parameters the start still shows."""
    left = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        X, y, starts = rng.standard_normal((n, d)), rng.standard_normal(n), rng.standard_normal((2, d))
        ends = [theory.descend(lambda t, X=X, y=y: X.T @ (X @ t - y) / n + lam * t, start, 0.05, 1500)[-1] for start in starts]
        left.append(np.sum((ends[0] - ends[1]) ** 2) / np.sum((starts[0] - starts[1]) ** 2))
    assert np.mean(left) == pytest.approx(share, abs=0.08)


def test_leaving_one_out_without_a_second_fit():
    rng = np.random.default_rng(0)
    X, y, theta_s, tried = rng.standard_normal((9, 4)), rng.standard_normal(9), rng.standard_normal(4), (0.01, 0.1, 0.5, 3.0)
    errors = []
    for lam in tried:
        found = []
        for i in range(9):
            rest = np.arange(9) != i
            # the mean over eight in place of nine: the same lam in front of the sum
            theta = theory.ridge_to_prior(X[rest], y[rest], theta_s, lam * 9 / 8)
            found.append((y[i] - X[i] @ theta) ** 2)
        errors.append(np.mean(found))
    assert theory.chosen_lambda(X, y, theta_s, tried) == tried[int(np.argmin(errors))]


def test_a_chosen_penalty_hardly_ever_costs_and_a_fixed_one_does():
    tried, risks = np.geomspace(1e-4, 1e2, 25), []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        X, theta, away = rng.standard_normal((40, 10)), rng.standard_normal(10), rng.standard_normal(10)
        y, theta_s = X @ theta + rng.standard_normal(40), theta + 10 * away / np.linalg.norm(away)
        fits = [np.linalg.lstsq(X, y, rcond=None)[0], theory.ridge_to_prior(X, y, theta_s, 0.5)]
        fits.append(theory.ridge_to_prior(X, y, theta_s, theory.chosen_lambda(X, y, theta_s, tried)))
        risks.append([np.sum((fit - theta) ** 2) for fit in fits])
    scratch, fixed, chosen = np.mean(risks, axis=0)
    assert chosen < 1.05 * scratch and fixed > 10 * scratch
