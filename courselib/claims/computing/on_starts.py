"""Chapter 02: what a start is worth, and what it is not."""

import numpy as np
import torch

from courselib.claims.computed import Computed, computes
from courselib.forgetting import plane
from courselib.transfer import theory, two_stages


def _regression(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d))
    return X, X @ rng.standard_normal(d) + rng.standard_normal(n)


@computes("tl-objective-init")
def _two_starts_of_a_convex_problem() -> Computed:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 3))
    y = (X[:, 0] + rng.standard_normal(60) > 0).astype(float)
    _, gradient = theory.logistic(X, y)
    ends = [theory.descend(gradient, np.full(3, start), 1.0, 2000)[-1] for start in (0.0, 3.0)]
    apart = float(np.linalg.norm(ends[0] - ends[1]))
    return Computed(apart > 1e-6, {"distance of the ends": apart})


@computes("tl-guarantee")
def _a_start_that_harms() -> Computed:
    d, n, sigma = 20, 100, 1.0
    scratch = sigma**2 * d / n
    pull = scratch / 0.5**2  # right for a start at distance 0.5
    near, far = (theory.prior_risk(d, n, sigma, delta, lam=pull) for delta in (0.5, 5.0))
    return Computed(near < scratch and far < scratch, {
        "risk from scratch": scratch, "risk from a start at distance 0.5": near, "risk from a start at distance 5": far})


@computes("tl-gen-decomp")
def _four_errors() -> Computed:
    found = theory.error_decomposition(5, 60, 3, draws=20)
    return Computed(abs(found.total - found.bayes - found.estimation) < 1e-9, {
        "Bayes error": found.bayes, "approximation": found.approximation, "estimation": found.estimation,
        "optimisation": found.optimisation})


@computes("tl-closeness")
def _the_minimum_forgets_its_start() -> Computed:
    X, y = _regression(60, 5)
    best = np.linalg.lstsq(X, y, rcond=None)[0]
    ends = [theory.descend(lambda t: X.T @ (X @ t - y) / 60, start, 0.5, 2000)[-1] for start in (best + 0.01, best + 100)]
    near, far = (float(np.linalg.norm(end - best)) for end in ends)
    return Computed(near < far - 1e-9, {"error from a start nearby": near, "error from a start far off": far})


@computes("tl-fig-path")
def _steps_of_a_long_and_a_short_way() -> Computed:
    curvature = np.array([1.0, 0.2])
    paths = [theory.descend(lambda t: curvature * t, np.array(start), 0.5, 400) for start in ([3.0, 3.0], [0.3, 0.3])]
    long, short = (theory.steps_until(path, np.zeros(2), 0.01) for path in paths)
    return Computed(short < long, {"steps from far": long, "steps from near": short})


@computes("tl-sample-scratch")
def _tosses_of_coins() -> Computed:
    base, wide, fine = (theory.samples_from_scratch(d, eps, np.random.default_rng(0), draws=200)
                        for d, eps in ((20, 0.1), (40, 0.1), (20, 0.05)))
    return Computed(abs(wide / base / 2 - 1) < 0.15 and abs(fine / base / 4 - 1) < 0.15, {
        "factor for twice d": wide / base, "factor for half ε": fine / base})


@computes("tl-sample-ft")
def _twice_the_distance() -> Computed:
    n = [(theory.norm_bound(1.0, delta, 1) / 0.1) ** 2 for delta in (1.0, 2.0)]  # the n at which the bound is 0.1
    d = [theory.samples_needed(d, 1.0, 0.6, 0.1) for d in (200, 400)]
    return Computed(abs(n[1] / n[0] - 2) < 0.01, {
        "examples at twice the distance": n[1] / n[0], "examples at twice the dimensions": d[1] / d[0]})


@computes("tl-sample-cond")
def _other_units() -> Computed:
    risks = [theory.simulated_risk(20, 100, 1.0, 0.6, np.random.default_rng(0), scale=scale) for scale in (1.0, 10.0)]
    deltas = [0.6 / scale for scale in (1.0, 10.0)]
    decides = abs(risks[0] / risks[1] - 1) > 0.01  # would Δ against d set the risk, it had to change
    return Computed(decides, {"risk divided by risk in other units": risks[0] / risks[1],
                              "Δ divided by Δ in other units": deltas[0] / deltas[1]})


@computes("ex000-1")
def _a_quotient_without_its_square() -> Computed:
    d, delta = 1e6, 1e3
    squared = d / delta**2  # (d / ε²) / (B² Δ² / ε²), with B = 1
    return Computed(abs(d / delta / squared - 1) < 0.01, {"as divided": d / delta, "with the square": squared})


@computes("p0-paradigm2")
def _one_step_is_not_the_optimum() -> Computed:
    X, y = _regression(60, 5)
    best = np.linalg.lstsq(X, y, rcond=None)[0]
    path = theory.descend(lambda t: X.T @ (X @ t - y) / 60, np.zeros(5), 0.1, 400)
    above = [float(np.mean((X @ t - y) ** 2) - np.mean((X @ best - y) ** 2)) for t in path]
    return Computed(above[1] < 1e-6, {"above the minimum after 1 step": above[1], "after 400": above[-1]})


@computes("tl-why")
def _ahead_with_forty_labels() -> Computed:
    new, known, harmed = (two_stages.learning_curve(source, 40, 0, 16, 16)[-1]
                          for source in ("nothing", "same digits, noisy", "wrong names, kept"))
    return Computed(known > new, {"nothing before": new, "the same digits before": known, "wrong names before": harmed})


@computes("z2-init-faster")
def _steps_to_seventy_percent() -> Computed:
    steps = []
    for source in ("nothing", "same digits, noisy"):
        curve = two_stages.learning_curve(source, 40, 0, 40, 4)
        steps.append(4 * next((i for i, share in enumerate(curve) if share >= 0.7), len(curve)))
    return Computed(steps[1] < steps[0], {"steps from random weights": steps[0], "steps from pretrained ones": steps[1]})


@computes("m-unseen")
def _the_other_task_afterwards() -> Computed:
    a, b = plane.tasks()
    start = plane.minimum(a)
    end = plane.walk(b, start, steps=100)[-1]
    before, after = float(a.loss(start)), float(a.loss(end))
    return Computed(after <= before, {"loss on the other task before": before, "after": after})


@computes("z2-kl-mle")
def _nearest_is_likeliest() -> Computed:
    generator = torch.Generator().manual_seed(0)
    q = torch.rand(6, generator=generator).double()
    q /= q.sum()
    models = torch.rand(50, 6, generator=generator).double().log_softmax(-1)
    divergence = (q * (q.log() - models)).sum(-1)
    likelihood = (q * models).sum(-1)
    spread = float((divergence + likelihood + (-(q * q.log()).sum())).abs().max())
    return Computed(int(divergence.argmin()) == int(likelihood.argmax()) and spread < 1e-9, {
        "largest deviation of the difference": spread})
