"""The model on a line: its prediction is the exact one, and its drift and fidelity come from weights."""

import torch

from courselib.dreambooth import line
from courselib.dreambooth.noising import add_noise


def test_the_prediction_is_the_mean_of_the_noise_that_is_there():
    """Against a draw: of many examples with x_t near a point, the mean of their noise."""
    generator = torch.Generator().manual_seed(0)
    weights, means = torch.tensor([0.7, 0.3]), torch.tensor([-1.0, 0.8])
    n = 400_000
    x0 = means[torch.multinomial(weights, n, replacement=True, generator=generator)]
    x0 = x0 + 0.3 * torch.randn(n, generator=generator)
    noise, level = torch.randn(n, generator=generator), torch.full((n,), 0.6)
    x_t = add_noise(x0, noise, level)
    for point in (-1.2, -0.1, 0.5):
        near = (x_t - point).abs() < 0.03
        found = line.mixture_noise(torch.tensor([point]), torch.tensor([0.6]), weights, means, 0.3)
        assert near.sum() > 3000 and abs(found.item() - noise[near].mean().item()) < 0.05


def test_the_prior_holds_the_word_and_none_does_not():
    naive, held = line.line_trial(3, 0.0), line.line_trial(3, 1.0)
    assert naive[0] > 2 * held[0] and naive[1] > 0.9 and held[1] > 0.8
    assert line.line_trial(3, 1.0) == held  # the seed decides


def test_before_training_the_rare_word_means_nothing():
    model = line.line_world(1)
    assert torch.equal(model.brings(True), model.brings(False)) and model.brings(True)[line.SUBJECT] < 0.02
