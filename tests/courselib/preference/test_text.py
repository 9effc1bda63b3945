"""The causal model's side: a taste that is exact, rollouts and their masks, and a short run of each method."""

from dataclasses import replace

import pytest
import torch

from courselib.lab import models
from courselib.preference import critic, taste
from courselib.preference.aligning import ActorCritic, PPOSettings, align_ppo, divergence_of, frozen_log_probs
from courselib.preference.direct import response_log_probs
from courselib.preference.ppo import shaped_rewards
from courselib.preference.reward_model import RewardModel
from courselib.preference.rollouts import encoded, rollouts


@pytest.fixture(scope="module")
def start():
    return models.load("causal")


@pytest.fixture(scope="module")
def said(start):
    return rollouts(start.model, start.tokenizer, ["Anna", "My", "Omar", "Mei"] * 8, seed=0)


def test_the_taste_knows_every_sentence_that_can_begin_with_a_name():
    assert taste.subject_of("Anna made lentil stew two days ago.") == "kitchen"
    assert taste.subject_of("Anna made lentil stew two days ago") == "improper"  # no full stop
    assert taste.subject_of("Anna made lentil.") == "improper"
    found = [taste.proper_sentences()[text] for text in ("Nora has a small garden.", "Ivan went to the coast in spring.")]
    assert found == ["garden", "journey"]
    assert taste.true_rewards(["Nora has a small garden.", "Nora nora."]).tolist() == [0, -3]
    assert taste.annotated(["Nora has a small garden."]).tolist() == [0.0]  # five words


def test_pairs_are_put_in_order_with_their_scores():
    good, bad = "Anna made onion pie last week.", "Anna needs help with the clock."
    pairs = taste.compared([good, bad] * 200, [bad, good] * 200, seed=0)
    assert all(b == bad for a, b in zip(pairs.chosen, pairs.rejected, strict=True) if a == good)
    assert torch.equal(pairs.chosen_score, taste.annotated(pairs.chosen))
    share = sum(text == good for text in pairs.chosen) / 400
    assert share == pytest.approx(torch.sigmoid(taste.annotated([good]) - taste.annotated([bad])).item(), abs=0.05)
    with pytest.raises(ValueError, match="1 and 2 sentences"):
        taste.compared([good], [good, bad])


def test_a_win_is_a_higher_truth_and_a_tie_one_half():
    kitchen, garden = "Anna made onion pie last week.", "Anna has a small garden."
    assert taste.win_rate([kitchen, garden, kitchen], [garden, kitchen, kitchen]) == 0.5
    assert taste.win_rate([kitchen], [garden]) == 1


def test_rollouts_end_at_the_full_stop_and_their_masks_cover_the_response(start, said):
    stop = start.tokenizer.convert_tokens_to_ids(".")
    for ids, mask, response in zip(said.ids, said.mask, said.response, strict=True):
        words = ids[response.bool()].tolist()
        assert stop not in words[:-1] and (words[-1] == stop or len(words) == 16)
        assert ids[0] == start.tokenizer.eos_token_id and response[:2].sum() == 0
        assert mask.sum() == 2 + response.sum() and (ids[~mask.bool()] == start.tokenizer.pad_token_id).all()
    assert len(set(said.response.sum(1).tolist())) > 2
    assert said.texts == rollouts(start.model, start.tokenizer, ["Anna", "My", "Omar", "Mei"] * 8, seed=0).texts
    again = encoded(start.tokenizer, ["Anna", "My", "Omar", "Mei"] * 8, said.texts)
    whole = [i for i, text in enumerate(said.texts) if taste.subject_of(text) != "improper"]
    assert torch.equal(again.ids[whole], said.ids[whole]) and torch.equal(again.response[whole], said.response[whole])


def test_rollouts_follow_the_models_distribution(start):
    """The first token of many responses, against the model's probabilities: dropping finished rows mixes nothing up."""
    many = rollouts(start.model, start.tokenizer, ["Nora"] * 800, seed=3, longest=3)
    with torch.no_grad():
        p = start.model(input_ids=many.ids[:1, :2]).logits[0, -1].softmax(-1)
    first, likeliest = many.ids[:, 2], p.topk(4).indices
    for token in likeliest.tolist():
        share, exact = (first == token).double().mean().item(), p[token].item()
        assert abs(share - exact) < 5 * (exact * (1 - exact) / 800) ** 0.5


def test_log_probs_of_a_response_are_the_models_own_whatever_the_padding(start, said):
    log_p = frozen_log_probs(start.model, said, size=8)
    row = int(said.response.sum(1).argmin())
    end = int(said.mask[row].sum())
    with torch.no_grad():
        alone = start.model(input_ids=said.ids[row : row + 1, :end]).logits[0, :-1].log_softmax(-1)
    by_hand = alone.gather(1, said.ids[row, 1:end, None])[1:, 0].sum()  # the prompt's one token is not counted
    assert log_p[row].sum().item() == pytest.approx(by_hand.item(), abs=1e-3)
    assert not log_p[~said.response[:, 1:].bool()].any()


def test_actor_and_policy_agree_and_the_value_starts_at_nothing(start, said):
    with torch.no_grad():
        log_p, values, entropy = ActorCritic(start.model)(said)
        same = response_log_probs(start.model, said.ids, said.mask, said.response)
    assert torch.allclose(log_p, same, atol=1e-4) and not values.any()
    assert (entropy[said.response[:, 1:].bool()] >= 0).all()
    assert divergence_of(start.model, start.model, said) == pytest.approx(0, abs=1e-5)


def test_a_reward_model_reads_the_last_token_and_starts_at_zero(start, said):
    model = RewardModel(start.model)
    assert not model.score(said).any()
    torch.nn.init.normal_(model.head.weight)
    shorter = replace(said, ids=said.ids[:, :-1], mask=said.mask[:, :-1], response=said.response[:, :-1])
    ends = said.mask.sum(1) < said.ids.shape[1]  # rows that lose only padding
    assert ends.any() and torch.allclose(model.score(said)[ends], model.score(shorter)[ends], atol=1e-4)


def test_what_ends_a_response_is_the_token_that_is_paid(start, said):
    mask = said.response[:, 1:]
    paid = shaped_rewards(torch.ones(len(mask)), torch.zeros(mask.shape), torch.zeros(mask.shape), mask, 0.1)
    ended = torch.tensor([text.endswith(".") for text in said.texts])
    tokens = said.ids[:, 1:][paid.bool()]  # one a row
    assert ended.any() and (tokens[ended] == start.tokenizer.convert_tokens_to_ids(".")).all() and len(tokens) == len(mask)


def test_ppo_does_what_a_simple_score_asks_and_leaves_the_reference_alone(start):
    before = [p.clone() for p in start.model.parameters()]
    seen = []

    def score(responses):
        return torch.tensor([float("made" in text) for text in responses.texts])

    settings = PPOSettings(beta=0.05, lr=5e-4, steps=6, rollouts=32)
    def watch(step, actor, found):
        seen.append(found.scores.mean().item())

    align_ppo(start, taste.TRAIN_PROMPTS, score, settings, seed=0, watch=watch)
    assert sum(seen[-2:]) / 2 > seen[0] + 0.2
    assert all(torch.equal(p, q) for p, q in zip(start.model.parameters(), before, strict=True))


def test_the_critic_names_what_is_broken_and_drops_ties(start):
    router, pie = "Mei needs help with the router.", "Mei made onion pie last week."
    assert critic.critique(pie) == [] and critic.critique(router) == ["Do not complain about gadgets."]
    asked, pairs = critic.critic_pairs(["Mei"] * 3, [router, pie, pie], [pie, router, pie])
    assert asked == ["Mei"] * 2 and pairs.chosen == [pie] * 2 and pairs.rejected == [router] * 2
    texts = critic.revised(start.model, start.tokenizer, ["Mei"] * 40, seed=0)
    once = critic.revised(start.model, start.tokenizer, ["Mei"] * 40, seed=0, tries=1)
    assert sum(not critic.critique(t) for t in texts) > sum(not critic.critique(t) for t in once)
