"""The formulas of preference alignment: invariants, hand-worked numbers, and edges."""

import math

import pytest
import torch

from courselib.preference import direct, groups, ppo
from courselib.preference.bradley_terry import bayes_ceiling, drawn_preferences, pairwise_loss, prefers, ranked_correctly
from courselib.preference.categorical import (
    divergence,
    exact_preferences,
    fitted_by_preferences,
    implied_reward,
    log_partition,
    optimum,
    regularised_reward,
)

REFERENCE = torch.tensor([0.5, 0.3, 0.15, 0.05], dtype=torch.float64)
REWARD = torch.tensor([0.0, 1.0, -0.5, 2.0], dtype=torch.float64)


def test_a_preference_depends_on_the_difference_only_and_is_stable():
    a, b = torch.tensor([1.0, 1000.0, -1000.0]), torch.tensor([0.0, 999.0, -999.0])
    assert prefers(a, b).tolist() == pytest.approx([0.7310586, 0.7310586, 0.2689414])
    assert torch.allclose(prefers(a, b) + prefers(b, a), torch.ones(3))
    assert pairwise_loss(torch.tensor([-1000.0]), torch.tensor([1000.0])).item() == 2000.0


def test_the_ceiling_is_what_one_who_knows_the_rewards_gets():
    first, second = torch.randn(100_000, generator=torch.Generator().manual_seed(0)), torch.zeros(100_000)
    wins = drawn_preferences(first, second, torch.Generator().manual_seed(1))
    knows = ranked_correctly(torch.where(wins, first, second), torch.where(wins, second, first))
    assert knows == pytest.approx(bayes_ceiling(first, second), abs=0.005)
    assert ranked_correctly(torch.zeros(4), torch.zeros(4)) == 0.5


@pytest.mark.parametrize("beta", [0.001, 0.3, 1000.0])
def test_no_policy_is_better_than_the_optimum(beta):
    best = optimum(REFERENCE, REWARD, beta)
    value = regularised_reward(best, REFERENCE, REWARD, beta)
    assert value.item() == pytest.approx((beta * log_partition(REFERENCE, REWARD, beta)).item(), rel=1e-9)
    others = torch.distributions.Dirichlet(torch.ones(4, dtype=torch.float64)).sample((5000,))
    assert (regularised_reward(others, REFERENCE, REWARD, beta) < value).all()
    assert best.sum().item() == pytest.approx(1) and best.isfinite().all()


def test_the_optimum_has_both_limits_and_names_its_reward():
    assert optimum(REFERENCE, REWARD, 1e-3)[3] > 0.999
    assert torch.allclose(optimum(REFERENCE, REWARD, 1e4), REFERENCE, atol=1e-3)
    shift = implied_reward(optimum(REFERENCE, REWARD, 0.7), REFERENCE, 0.7) - REWARD
    assert torch.allclose(shift, shift[:1].expand(4))  # up to one constant
    with pytest.raises(ValueError, match="above 0"):
        optimum(REFERENCE, REWARD, 0.0)


def test_zeros_in_a_policy_add_nothing():
    policy = torch.tensor([0.0, 1.0, 0.0, 0.0])
    assert divergence(policy, REFERENCE).item() == pytest.approx(-math.log(0.3))
    assert divergence(REFERENCE, REFERENCE).item() == 0


def test_dpo_on_all_pairs_is_the_optimum_of_rlhf_and_on_some_it_is_not():
    best = optimum(REFERENCE, REWARD, 0.5)
    assert torch.allclose(fitted_by_preferences(REFERENCE, exact_preferences(REWARD), 0.5), best, atol=1e-5)
    some = exact_preferences(REWARD)
    some[2:], some[:, 2:] = 0, 0
    fitted = fitted_by_preferences(REFERENCE, some, 0.5)
    assert (fitted[0] / fitted[1] / (best[0] / best[1])).item() == pytest.approx(1, abs=1e-4)
    assert (fitted - best).abs().max() > 0.1
    assert (fitted[2] / fitted[3]).item() == pytest.approx(3, abs=1e-6)  # nothing pushed the two that were never compared


def test_dpo_on_means_lands_elsewhere_and_each_log_ratio_is_stretched_by_its_length():
    lengths = torch.tensor([1.0, 3.0, 2.0, 5.0]).double()
    fitted = fitted_by_preferences(REFERENCE, exact_preferences(REWARD), 0.5, lengths=lengths)
    a_token = 0.5 * (fitted / REFERENCE.double()).log() / lengths  # its differences are those of the rewards
    assert torch.allclose(a_token - a_token[0], REWARD.double() - REWARD[0].double(), atol=1e-4)
    assert (fitted - optimum(REFERENCE, REWARD, 0.5)).abs().max() > 0.05


def test_the_clip_has_four_corners():
    slopes = {(rho, a): slope for rho, a, _, slope in ppo.clip_corners()}
    assert slopes == {(0.5, 1): -1, (0.5, -1): 0, (1.0, 1): -1, (1.0, -1): 1, (1.5, 1): 0, (1.5, -1): 1}


def test_the_whole_loss_falls_with_entropy_and_rises_with_the_value_loss():
    one = torch.tensor(1.0)
    assert ppo.total_loss(2 * one, 3 * one, 4 * one, 0.5, 0.1).item() == pytest.approx(2 + 1.5 - 0.4)


def test_gae_is_td_and_monte_carlo_at_its_ends_and_by_hand_between():
    rewards, values = torch.tensor([1.0, 0.0, 2.0]), torch.tensor([0.5, 1.0, -1.0, 3.0])
    delta = rewards + 0.9 * values[1:] - values[:-1]
    assert torch.allclose(ppo.generalised_advantages(rewards, values, 0.9, 0.0), delta)
    returns = torch.tensor([1 + 0.81 * 2 + 0.729 * 3, 0.9 * 2 + 0.81 * 3, 2 + 0.9 * 3])
    assert torch.allclose(ppo.generalised_advantages(rewards, values, 0.9, 1.0), returns - values[:-1])
    f = 0.9 * 0.8
    by_hand = [delta[0] + f * delta[1] + f * f * delta[2], delta[1] + f * delta[2], delta[2]]
    assert torch.allclose(ppo.generalised_advantages(rewards, values, 0.9, 0.8), torch.stack(by_hand))
    with pytest.raises(ValueError, match="3 rewards need 4 values"):
        ppo.generalised_advantages(rewards, values[:-1])


def test_the_reward_of_a_response_stands_on_its_last_token_and_the_kl_on_each():
    log_p = torch.tensor([[-1.0, -2.0, -9.0], [-1.0, -1.0, -1.0], [-4.0, -1.0, -1.0]])
    log_ref = torch.tensor([[-2.0, -2.0, -1.0], [-1.0, -3.0, -1.0], [-1.0, -2.0, -1.0]])
    mask = torch.tensor([[1, 1, 0], [1, 1, 1], [0, 1, 1]])  # padded on the right; whole; after a token of the prompt
    rewards = ppo.shaped_rewards(torch.tensor([5.0, 7.0, 9.0]), log_p, log_ref, mask, beta=0.5)
    assert rewards.tolist() == [[-0.5, 5.0, 0.0], [0.0, -1.0, 7.0], [0.0, -0.5, 9.0]]


def test_estimates_of_the_kl():
    p, q = torch.tensor([0.7, 0.2, 0.1]).double(), torch.tensor([0.3, 0.3, 0.4]).double()
    exact = divergence(p, q).item()
    assert (p * ppo.k1(p.log(), q.log())).sum().item() == pytest.approx(exact)
    assert (p * ppo.k3(p.log(), q.log())).sum().item() == pytest.approx(exact)
    assert (ppo.k3(p.log(), q.log()) >= 0).all() and (ppo.k1(p.log(), q.log()) < 0).any()
    tiny = ppo.k3(torch.tensor(0.0), torch.tensor(1e-4)).item()
    assert tiny == pytest.approx(5e-9, rel=0.1)


def test_whitening_ignores_padding():
    values, mask = torch.tensor([[1.0, 2.0, 900.0], [3.0, 6.0, 7.0]]), torch.tensor([[1, 1, 0], [1, 1, 1]])
    white = ppo.whitened(values, mask)
    kept = white[mask.bool()]
    assert white[0, 2] == 0 and kept.mean().abs() < 1e-6 and kept.std().item() == pytest.approx(1, abs=1e-4)


def margins(chosen, rejected, lengths=(4.0, 2.0)):
    return direct.Margins(torch.tensor([chosen]), torch.tensor([rejected]), *(torch.tensor([length]) for length in lengths))


def test_dpo_is_ln_2_at_the_start_and_falls_with_the_margin():
    assert direct.dpo(margins(0.0, 0.0)).item() == pytest.approx(math.log(2))
    assert direct.dpo(margins(3.0, -1.0), 0.5).item() == pytest.approx(math.log1p(math.exp(-2)))
    assert direct.dpo(margins(-5000.0, 5000.0), 1.0).item() == 10_000
    assert direct.dpo_of_means(margins(3.0, -1.0), 1.0).item() == pytest.approx(math.log1p(math.exp(-(3 / 4 + 1 / 2))))


def test_relatives_of_dpo_by_hand():
    m = margins(3.0, -1.0)
    assert direct.ipo(m, 0.1).item() == pytest.approx(1.0) and direct.ipo(m, 0.125).item() == 0
    assert direct.hinge(m, 0.1).item() == pytest.approx(0.6)
    sigma = torch.sigmoid(torch.tensor(1.0)).item()
    assert direct.kto(m, 0.5, zero=1.0).item() == pytest.approx(2 * (1 - sigma))
    chosen, rejected = torch.tensor([-0.5]), torch.tensor([-1.5])
    assert direct.simpo(chosen, rejected, 2.0, 0.5).item() == pytest.approx(math.log1p(math.exp(-1.5)))
    odds = math.exp(-0.5) / (1 - math.exp(-0.5)) / (math.exp(-1.5) / (1 - math.exp(-1.5)))
    assert direct.orpo_ratio(chosen, rejected).item() == pytest.approx(math.log1p(1 / odds), rel=1e-5)


def test_robust_dpo_is_unbiased_for_flipped_labels():
    """A share of the labels exchanged, the loss with that smoothing expects what plain DPO gives on clean labels."""
    clean, flipped = margins(2.0, 0.5), margins(0.5, 2.0)
    expected = 0.7 * direct.dpo(clean, 0.6, 0.3) + 0.3 * direct.dpo(flipped, 0.6, 0.3)
    assert expected.item() == pytest.approx(direct.dpo(clean, 0.6).item(), rel=1e-5)


def test_groups_are_their_own_baseline_and_without_variance_say_nothing():
    rewards = torch.tensor([[1.0, 0.0, 0.0, 0.0], [11.0, 10.0, 10.0, 10.0], [1.0, 1.0, 1.0, 1.0]])
    advantages = groups.within_groups(rewards)
    assert torch.allclose(advantages[0], torch.tensor([0.75, -0.25, -0.25, -0.25]) / (0.5 + 1e-4))
    assert torch.allclose(advantages[0], advantages[1], atol=1e-4) and not advantages[2].any()
    assert groups.within_groups(rewards, scaled=False)[0, 0] == 0.75


def test_the_loss_of_a_group_is_zero_at_first_and_its_gradient_is_not():
    log_p = torch.randn(8, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    advantages = groups.within_groups(torch.arange(8.0).view(2, 4)).flatten()
    loss = groups.group_loss(log_p, log_p.detach(), advantages, torch.ones(8, 3))
    (gradient,) = torch.autograd.grad(loss, log_p)
    assert loss.abs() < 1e-6 and gradient.abs().max() > 0.01


def test_what_a_token_of_a_long_answer_weighs():
    mask = torch.tensor([[1.0, 1, 0, 0], [1.0, 1, 1, 1]])
    loss = torch.tensor([[4.0, 4, 9, 9], [1.0, 1, 1, 1]])
    assert groups.token_mean(loss, mask, "grpo").item() == 2.5
    assert groups.token_mean(loss, mask, "bnpo").item() == 2.0
    assert groups.token_mean(loss, mask, "dr_grpo").item() == 1.5
    with pytest.raises(ValueError, match="no average 'mean'"):
        groups.token_mean(loss, mask, "mean")
    with pytest.raises(ValueError, match="log_ref is needed"):
        groups.group_loss(loss, loss, torch.ones(2), mask, beta=0.1)
