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
