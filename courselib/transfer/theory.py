"""Why a good start saves data, what such a statement needs, and where it ends.

    descent           where there is one optimum, it does not know where you started; a descent that stops does
    decomposition     Bayes, approximation, estimation and optimisation error, simulated and exact
                      (Bottou and Bousquet 2008, "The Tradeoffs of Large Scale Learning")
    from scratch      N grows like d / eps^2 when nothing is assumed (Shalev-Shwartz and Ben-David 2014, chapter 6 and 28)
    from a prior      ridge towards theta_s: what a start at distance delta is worth, in examples
    norm bound        N grows like (B delta / eps)^2 (same book, chapter 26): a length only counts together with B

NumPy throughout, float64. theta_s is where pretraining ended, theta* the best parameters of the target task.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Array = np.ndarray

# --- descent ----------------------------------------------------------------------------------------------------------


def descend(gradient: Callable[[Array], Array], start: Array, eta: float, steps: int) -> Array:
    """Gradient descent, theta <- theta - eta * gradient(theta), `steps` times. Returns the path, `(steps + 1, d)`.

    Row 0 is `start`. Raises FloatingPointError when the path leaves the finite numbers: eta was too large.
    """
    path = [np.asarray(start, float)]
    for _ in range(steps):
        path.append(path[-1] - eta * gradient(path[-1]))
        if not np.isfinite(path[-1]).all():
            raise FloatingPointError(f"The descent left the finite numbers at step {len(path) - 1}. Try an eta below {eta}.")
    return np.array(path)


def steps_until(path: Array, optimum: Array, tolerance: float) -> int:
    """The first step of `path` after which it stays within `tolerance` of `optimum`. Raises ValueError if it never does."""
    outside = np.linalg.norm(path - optimum, axis=1) > tolerance
    if outside[-1]:
        raise ValueError(f"After {len(path) - 1} steps the path is still further than {tolerance} away. Try more steps.")
    return int(np.flatnonzero(outside)[-1]) + 1 if outside.any() else 0


def logistic(X: Array, y: Array) -> tuple[Callable[[Array], float], Callable[[Array], Array]]:
    """Loss and gradient of logistic regression, X `(n, d)`, y `(n,)` of 0 and 1: convex, with a minimum if classes overlap."""

    def loss(theta: Array) -> float:
        return float(np.mean(np.logaddexp(0, X @ theta) - y * (X @ theta)))

    def gradient(theta: Array) -> Array:
        return X.T @ (1 / (1 + np.exp(-X @ theta)) - y) / len(y)

    return loss, gradient


# --- decomposition ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Decomposition:
    """E L(theta_hat) = bayes + approximation + estimation + optimisation. All four are squared errors."""

    bayes: float
    approximation: float
    estimation: float
    optimisation: float

    @property
    def total(self) -> float:
        return self.bayes + self.approximation + self.estimation + self.optimisation


TERMS, DECAY, NOISE = 60, 1.5, 0.5  # the truth has 60 cosines with coefficients 1 / j^1.5; labels carry noise of this size


def truth() -> Array:
    """The coefficients of f(x) = sum_j theta*_j phi_j(x), with phi_0 = 1, phi_j = sqrt(2) cos(pi j x): orthonormal on [0, 1]."""
    return np.arange(1, TERMS + 1) ** -DECAY


def cosines(x: Array, d: int) -> Array:
    """The first `d` features of every x in [0, 1]: `(n, d)`."""
    return np.where(np.arange(d) == 0, 1.0, np.sqrt(2) * np.cos(np.pi * np.arange(d) * x[:, None]))


def error_decomposition(
    d: int, n: int, steps: int, eta: float = 0.3, start: Array | None = None, draws: int = 200, seed: int = 0,
) -> Decomposition:
    """The four errors of a learner that fits the first `d` cosines to `n` examples by `steps` of gradient descent.

    bayes: the noise, which no function can predict. approximation: what the best of the class still misses. estimation:
    what least squares loses because it sees n examples. optimisation: what the descent from `start` (zeros if None) has not
    reached yet; below zero where stopping early does better than least squares. The first two are exact, the others means
    over `draws` data sets: the features are orthonormal, so L(theta) needs no test set. Raises ValueError for n <= d + 1.
    """
    if n <= d + 1:
        raise ValueError(f"Least squares with {d} features needs more than {d + 1} examples here; {n} came.")
    rng, best = np.random.default_rng(seed), truth()
    begin = np.zeros(d) if start is None else np.asarray(start, float)
    fitted, stopped = [], []
    for _ in range(draws):
        x = (np.arange(n) + rng.random(n)) / n  # one in each of n equal pieces, so that no data set leaves a gap
        X, y = cosines(x, d), cosines(x, TERMS) @ best + NOISE * rng.standard_normal(n)
        fitted.append(np.linalg.lstsq(X, y, rcond=None)[0])
        H, b = X.T @ X / n, X.T @ y / n
        stopped.append(descend(lambda theta, H=H, b=b: H @ theta - b, begin, eta, steps)[-1])  # noqa: B023

    def excess(thetas: list[Array]) -> float:
        return float(np.mean(np.sum((np.array(thetas) - best[:d]) ** 2, axis=1)))

    return Decomposition(NOISE**2, float(np.sum(best[d:] ** 2)), excess(fitted), excess(stopped) - excess(fitted))


# --- from scratch: nothing is assumed ---------------------------------------------------------------------------------


def coins_excess(d: int, n: int, gamma: float, draws: int, rng: np.random.Generator) -> float:
    """d coins, n tosses of coins drawn at random: how much worse than the best guesser is the one who guesses by majority?

    Each coin lands on its better side with probability (1 + gamma) / 2. All 2^d ways to guess are allowed, so the class has
    VC dimension d. The excess error is gamma for every coin guessed wrong, averaged over coins.
    """
    tosses = rng.multinomial(n, np.full(d, 1 / d), size=draws)  # (draws, d)
    better = rng.binomial(tosses, (1 + gamma) / 2)
    wrong = (2 * better < tosses) + 0.5 * (2 * better == tosses)  # a tie is decided by a coin
    return float(gamma * wrong.mean())


def samples_from_scratch(d: int, eps: float, rng: np.random.Generator, draws: int = 200) -> float:
    """How many tosses make the excess error at most eps, for the worst gamma? By simulation; a bisection on log n."""
    gammas = eps * np.array([2, 3, 4, 5, 6, 8])

    def worst(n: int) -> float:
        return max(coins_excess(d, n, min(gamma, 1.0), draws, rng) for gamma in gammas)

    low, high = 0.005 * d / eps**2, 0.2 * d / eps**2
    for _ in range(8):
        middle = np.sqrt(low * high)
        low, high = (middle, high) if worst(round(middle)) > eps else (low, middle)
    return float(np.sqrt(low * high))


# --- from a prior -----------------------------------------------------------------------------------------------------


def ridge_to_prior(X: Array, y: Array, theta_s: Array, lam: float) -> Array:
    """The minimiser of |X theta - y|^2 / n + lam |theta - theta_s|^2, in closed form. X `(n, d)`; lam > 0, or n >= d."""
    n, d = X.shape
    return theta_s + np.linalg.solve(X.T @ X / n + lam * np.eye(d), X.T @ (y - X @ theta_s) / n)


def chosen_lambda(X: Array, y: Array, theta_s: Array, tried: Array) -> float:
    """The lam of `tried` with the least error when each example is predicted by a fit to all the others.

    What one can do who does not know delta. Leaving one out needs no second fit: with H = X (X^T X / n + lam I)^-1 X^T / n the
    error is (residual)_i / (1 - H_ii) (Golub, Heath and Wahba 1979, for ridge regression).
    """
    n, d = X.shape
    errors = []
    for lam in tried:
        H = X @ np.linalg.solve(X.T @ X / n + lam * np.eye(d), X.T) / n  # (n, n)
        residual = y - X @ ridge_to_prior(X, y, theta_s, lam)
        errors.append(np.mean((residual / (1 - np.diag(H))) ** 2))
    return float(tried[int(np.argmin(errors))])


def prior_risk(d: int, n: float, sigma: float, delta: float, lam: float | None = None) -> float:
    """The excess risk of ridge towards a theta_s at distance delta, for features with X^T X = n I. lam=None: the best one.

    With v = sigma^2 d / n, the risk of least squares: (v + lam^2 delta^2) / (1 + lam)^2, least at lam = v / delta^2, where it
    is v delta^2 / (v + delta^2).
    """
    v = sigma**2 * d / n
    if lam is None:
        return v * delta**2 / (v + delta**2)
    return (v + lam**2 * delta**2) / (1 + lam) ** 2


def samples_needed(d: int, sigma: float, delta: float | None, eps: float) -> float:
    """Examples until the excess risk is eps: sigma^2 d (1 / eps - 1 / delta^2), and never below 0. delta=None: from scratch."""
    saved = 0.0 if delta is None else 1 / delta**2 if delta else np.inf
    return max(0.0, sigma**2 * d * (1 / eps - saved))


def simulated_risk(
    d: int, n: int, sigma: float, delta: float | None, rng: np.random.Generator, draws: int = 20, scale: float = 1.0,
) -> float:
    """The same by experiment, with random features x ~ scale * N(0, I): mean excess risk of ridge to theta_s, best lam.

    delta is the distance in units of scale = 1; the parameters are in units of 1 / scale, so it is delta / scale then.
    delta=None: least squares, which has no start.
    """
    risks = []
    for _ in range(draws):
        X = scale * rng.standard_normal((n, d))
        theta = rng.standard_normal(d) / scale
        y = X @ theta + sigma * rng.standard_normal(n)
        if delta is None:
            estimate = ridge_to_prior(X, y, np.zeros(d), 0.0)
        else:
            away = rng.standard_normal(d)
            theta_s = theta + delta / scale * away / np.linalg.norm(away)
            estimate = ridge_to_prior(X, y, theta_s, scale**2 * sigma**2 * d / (n * delta**2))
        risks.append(scale**2 * np.sum((estimate - theta) ** 2))
    return float(np.mean(risks))


def simulated_samples(d: int, sigma: float, delta: float | None, eps: float, seed: int, scale: float = 1.0) -> int:
    """The least n (to about 2 %) whose `simulated_risk` is at most eps."""
    low, high = (d + 2 if delta is None else 1), int(4 * d * (sigma**2 / eps + 1)) + 10
    while high - low > max(1, 0.02 * low):
        middle = (low + high) // 2
        risk = simulated_risk(d, middle, sigma, delta, np.random.default_rng(seed), scale=scale)
        low, high = (middle, high) if risk > eps else (low, middle)
    return high


# --- norm bound -------------------------------------------------------------------------------------------------------


def rademacher(X: Array, radius: float, draws: int, rng: np.random.Generator) -> float:
    """How well linear functions with |u| <= radius can follow random signs on X: E sup_u (1/n) sum s_i u.x_i, by simulation.

    The supremum is reached by u along sum s_i x_i, so it is radius * |sum s_i x_i| / n.
    """
    signs = rng.choice([-1.0, 1.0], size=(draws, len(X)))
    return float(radius * np.linalg.norm(signs @ X, axis=1).mean() / len(X))


def norm_bound(B: float, delta: float, n: int) -> float:
    """2 B delta / sqrt(n), for |x| <= B, |theta* - theta_s| <= delta and a loss of slope at most 1: no excess risk is larger."""
    return 2 * B * delta / np.sqrt(n)
