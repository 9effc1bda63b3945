"""Noise levels and steps, held against diffusers' schedulers and against what follows by hand."""

import math

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler

from courselib.dreambooth import noising, sampling

SCHEDULES = {"linear": (1e-4, 0.02), "scaled_linear": (0.00085, 0.012)}


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def scheduler(kind, schedule="scaled_linear", **more):
    start, end = SCHEDULES[schedule]
    return kind(num_train_timesteps=1000, beta_start=start, beta_end=end, beta_schedule=schedule, clip_sample=False, **more)


def test_three_levels_by_hand():
    assert torch.allclose(noising.alpha_bar(torch.tensor([0.1, 0.2, 0.5])), torch.tensor([0.9, 0.72, 0.36]))


@pytest.mark.parametrize("beta", [0.0, 1.0, -0.1, 2.0])
def test_a_beta_that_is_no_share_is_refused(beta):
    with pytest.raises(ValueError, match="between 0 and 1"):
        noising.alpha_bar(torch.tensor([0.1, beta]))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_levels_noised_pictures_and_velocities_are_diffusers_own(schedule):
    theirs = scheduler(DDPMScheduler, schedule)
    assert torch.allclose(noising.alpha_bar(theirs.betas), theirs.alphas_cumprod, rtol=1e-6)
    x0, noise, times = drawn(5, 3, 4, 4), drawn(5, 3, 4, 4, seed=1), torch.tensor([0, 17, 400, 800, 999])
    level = theirs.alphas_cumprod[times]
    x_t = noising.add_noise(x0, noise, level)
    assert torch.allclose(x_t, theirs.add_noise(x0, noise, times), atol=1e-6)
    assert torch.allclose(noising.velocity(x0, noise, level), theirs.get_velocity(x0, noise, times), atol=1e-6)
    assert torch.allclose(noising.predict_x0(x_t, noise, level), x0, atol=2e-4)  # divided by 0.006 at the last level


def test_small_steps_and_one_leap_have_the_same_mean_and_variance():
    betas = torch.linspace(0.01, 0.2, 20)
    x = noising.forward_chain(torch.full((20_000,), 2.0), betas, torch.Generator().manual_seed(0))
    left = float(noising.alpha_bar(betas)[-1])
    assert abs(x.mean() - 2 * math.sqrt(left)) < 0.03
    assert abs(x.var() - (1 - left)) < 0.04


def test_as_much_signal_as_noise():
    assert noising.signal_to_noise(torch.tensor([0.5, 0.8])).tolist() == pytest.approx([1, 4])


@pytest.mark.parametrize("t", [980, 500, 20])
def test_a_ddim_step_is_diffusers_own(t):
    theirs = scheduler(DDIMScheduler, set_alpha_to_one=True)
    theirs.set_timesteps(50)
    x_t, noise = drawn(2, 3, 4, 4), drawn(2, 3, 4, 4, seed=1)
    levels = theirs.alphas_cumprod
    ours = sampling.ddim_step(x_t, noise, float(levels[t]), float(levels[t - 20]))
    assert torch.allclose(ours, theirs.step(noise, t, x_t).prev_sample, atol=1e-5)


@pytest.mark.parametrize("t", [980, 500, 20])
def test_a_ddpm_step_is_diffusers_own(t):
    theirs = scheduler(DDPMScheduler)
    theirs.set_timesteps(50)
    x_t, noise = drawn(2, 3, 4, 4), drawn(2, 3, 4, 4, seed=1)
    levels = theirs.alphas_cumprod
    found = theirs.step(noise, t, x_t, generator=torch.Generator().manual_seed(3)).prev_sample
    fresh = drawn(2, 3, 4, 4, seed=3)
    assert torch.allclose(
        sampling.ddpm_step(x_t, noise, float(levels[t]), float(levels[t - 20]), fresh), found, rtol=1e-4, atol=1e-5
    )


def test_the_last_ddpm_step_draws_nothing_and_ends_at_the_predicted_picture():
    x_t, noise = drawn(3, 2), drawn(3, 2, seed=1)
    ends = [sampling.ddpm_step(x_t, noise, 0.9, 1.0, drawn(3, 2, seed=seed)) for seed in (2, 3)]
    x0 = noising.predict_x0(x_t, noise, torch.full((3,), 0.9))
    assert torch.equal(*ends) and torch.allclose(ends[0], x0, atol=1e-6)
    assert torch.allclose(sampling.ddim_step(x_t, noise, 0.9, 1.0), x0, atol=1e-6)


def test_a_step_with_the_true_noise_stays_on_the_path():
    """DDIM with the noise that is really there leads to `add_noise` at the lower level."""
    x0, noise = drawn(4, 3), drawn(4, 3, seed=1)
    x_t = noising.add_noise(x0, noise, torch.full((4,), 0.2))
    there = sampling.ddim_step(x_t, noise, 0.2, 0.7)
    assert torch.allclose(there, noising.add_noise(x0, noise, torch.full((4,), 0.7)), atol=1e-5)


def test_guidance_of_nothing_one_and_more():
    with_it, without = drawn(2, 3), drawn(2, 3, seed=1)
    assert torch.equal(sampling.guided(with_it, without, 0), without)
    assert torch.allclose(sampling.guided(with_it, without, 1), with_it)
    assert torch.allclose(sampling.guided(with_it, without, 3), 3 * with_it - 2 * without, atol=1e-6)


def test_a_clipped_prediction_lies_within_and_one_that_did_stays():
    x_t, noise, level = drawn(6, 3), drawn(6, 3, seed=1), 0.3
    found = noising.predict_x0(x_t, sampling.clipped(x_t, noise, level), torch.full((6,), level))
    before = noising.predict_x0(x_t, noise, torch.full((6,), level))
    assert before.abs().max() > 1.5
    assert torch.allclose(found, before.clamp(-1, 1), atol=1e-5)


@pytest.mark.parametrize("steps", [2, 20, 1000])
def test_levels_go_from_the_last_to_the_first(steps):
    times = sampling.levels(1000, steps)
    assert len(times) == len(set(times)) == steps and times[0] == 999 and times[-1] == 0
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize("steps", [0, 1, 1001])
def test_steps_that_there_are_not(steps):
    with pytest.raises(ValueError, match="2 to 1000"):
        sampling.levels(1000, steps)
