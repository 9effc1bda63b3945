"""The mini models: what they are asked, how the answer is measured, and that both objectives learn."""

import math

import pytest
import torch

from courselib import pretraining
from courselib.pretraining import mat
from courselib.pretraining.mini import PLACES


def test_both_kinds_have_the_same_size_and_only_one_looks_ahead():
    masked, causal = pretraining.mini_model("mlm").eval(), pretraining.mini_model("clm").eval()
    assert sum(p.numel() for p in masked.parameters()) == sum(p.numel() for p in causal.parameters()) < 100_000
    ids = mat.mat_ids(mat.mat_texts(1))
    for model, leaks in [(masked, True), (causal, False)]:
        changes = pretraining.influence(lambda tokens, model=model: model(input_ids=tokens).logits, ids, other=9)
        assert (changes.triu(1).max() > 0) == leaks


def test_the_same_seed_gives_the_same_model_and_the_same_training():
    runs = [pretraining.train_mini("mlm", 3, seed) for seed in (1, 1, 2)]
    assert runs[0].losses == runs[1].losses != runs[2].losses


def test_blanks_hide_one_word_with_a_choice_and_know_the_answer():
    asked = pretraining.blanks(12, seed=1)
    assert asked.places.tolist() == [*PLACES, *PLACES]
    assert torch.allclose(asked.answers.sum(-1), torch.ones(12, dtype=torch.float64))
    assert (asked.answers.max(-1).values < 1).all()
    assert (asked.answers[torch.arange(12), asked.ids[torch.arange(12), asked.places]] > 0).all()


def test_surprise_is_zero_for_the_exact_answer_and_ln_for_a_guess():
    exact = pretraining.blanks(6).answers
    assert pretraining.kl_to_exact(exact, exact) == pytest.approx(0, abs=1e-12)
    certain = torch.eye(4, dtype=torch.float64)[:2]
    assert pretraining.kl_to_exact(torch.full((2, 4), 0.25, dtype=torch.float64), certain) == pytest.approx(math.log(4))


class Knows(torch.nn.Module):
    """A causal model that knows the language: its logits are the exact next-word log-probabilities."""

    device = torch.device("cpu")

    def forward(self, input_ids):
        sentences, odds = mat.every_sentence()
        logits = torch.full((*input_ids.shape, len(mat.mat_tokenizer())), -1e4)
        for row, ids in enumerate(input_ids):
            for place in range(input_ids.shape[1] - 1):
                fits = (sentences[:, : place + 1] == ids[: place + 1]).all(1)
                p = torch.zeros(logits.shape[-1], dtype=torch.float64).scatter_add_(0, sentences[fits, place + 1], odds[fits])
                if p.sum():
                    logits[row, place] = (p / p.sum()).log().clamp_min(-1e4).float()
        return type("Output", (), {"logits": logits})


def test_bayes_rule_makes_a_perfect_causal_model_answer_blanks_perfectly():
    asked = pretraining.blanks(6)
    answers = pretraining.answer(Knows(), "clm", asked)
    assert torch.allclose(answers, asked.answers, atol=1e-5)


def test_both_objectives_learn_and_the_causal_one_sooner():
    asked = pretraining.blanks(12)
    reached = {}
    for kind in ("mlm", "clm"):
        run = pretraining.train_mini(kind, 60, asked=asked, ask_at=(60,))
        assert sum(run.losses[-10:]) / 10 < 0.6 * run.losses[0]
        reached[kind] = run.asked[0][1]
        assert run.asked[0][0] == 60 * 32
    assert reached["clm"] < reached["mlm"] - 0.5


def test_few_labels_is_the_causal_model_with_less_to_learn_from():
    full, few = (pretraining.train_mini(kind, 40) for kind in ("clm", "clm, few labels"))
    assert few.model.config.is_decoder
    assert sum(few.losses[-10:]) > sum(full.losses[-10:])


def test_training_ends_when_the_answers_are_near_enough():
    asked = pretraining.blanks(12)
    run = pretraining.train_mini("clm", 200, asked=asked, ask_at=range(10, 201, 10), until=1.0)
    assert run.asked[-1][1] <= 1.0 < run.asked[-2][1]
    assert len(run.losses) * 32 == run.asked[-1][0] < 200 * 32


def test_shares_and_rate_reach_the_corruption(monkeypatch):
    from courselib.pretraining import mini

    seen = []

    def spy(*args, **how):
        seen.append((how["rate"], how["mask_share"], how["random_share"]))
        return pretraining.mlm_corrupt(*args, **how)

    monkeypatch.setattr(mini, "mlm_corrupt", spy)
    pretraining.train_mini("mlm", 1)
    pretraining.train_mini("mlm", 1, rate=0.4, shares=(1.0, 0.0))
    assert seen == [(0.15, 0.8, 0.1), (0.4, 1.0, 0.0)]


def test_a_factor_is_a_geometric_mean_of_pairs_and_widens_with_the_comparisons():
    one = pretraining.times_as_many([2, 8, 4], [1, 2, 2])
    assert one.mean == pytest.approx(16 ** (1 / 3) * 1.0)
    spread = math.log(2) / math.sqrt(3)  # of log 2, log 4, log 2
    assert math.log(one.high / one.mean) == pytest.approx(4.302653 * spread / math.sqrt(3), rel=1e-5)
    assert one.low * one.high == pytest.approx(one.mean**2)
    assert pretraining.times_as_many([2, 8, 4], [1, 2, 2], comparisons=5).high > 2 * one.high
    same = pretraining.times_as_many([3, 5, 4], [3, 5, 4])
    assert same == (1, 1, 1) and not same.high < 1  # no effect is not below 1
    for bad in ([1], [1, math.inf], [0, 1]):
        with pytest.raises(ValueError, match="two pairs or more"):
            pretraining.times_as_many(bad, [1] * len(bad))


def test_the_least_loss_is_the_entropy_for_clm_and_rises_with_the_rate_for_mlm():
    assert pretraining.least_loss("clm") == pytest.approx(mat.mat_grammar().entropy("text") / 13)
    few, many = (pretraining.least_loss("mlm", rate, n=200) for rate in (0.1, 0.6))
    assert 0 < few < many


def test_sentences_to_reach_lies_between_the_points():
    points = [(100, 4.0), (400, 1.0), (800, 0.5)]
    assert pretraining.sentences_to_reach(points, 2.0) == pytest.approx(200)
    assert pretraining.sentences_to_reach(points, 1.0) == pytest.approx(400)
    assert pretraining.sentences_to_reach(points, 0.1) == math.inf
    with pytest.raises(ValueError, match="ask earlier"):
        pretraining.sentences_to_reach(points, 5.0)


def test_an_unknown_objective_is_refused():
    with pytest.raises(ValueError, match="no objective"):
        pretraining.mini_model("nsp")
