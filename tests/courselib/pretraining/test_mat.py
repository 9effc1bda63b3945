"""The language of the cat and the mat: its exact answers, held against its grammar and against plain counting."""

import math

import pytest
import torch

from courselib.pretraining import mat


def hide(text: str) -> tuple[torch.Tensor, torch.Tensor]:
    ids = mat.mat_ids([text])
    return ids, ids != mat.mat_tokenizer().mask_token_id


def said(row: torch.Tensor) -> dict[str, float]:
    return {mat.mat_tokenizer().decode([i]): p for i, p in enumerate(row.tolist()) if p > 0}


def test_every_sentence_is_there_once_with_the_grammars_probability():
    ids, odds = mat.every_sentence()
    assert odds.sum().item() == pytest.approx(1)
    assert len(ids.unique(dim=0)) == len(ids) == 4032
    texts = {tuple(row): p for row, p in zip(ids.tolist(), odds.tolist(), strict=True)}
    for text in mat.mat_texts(50, seed=3):
        assert math.log(texts[tuple(mat.mat_ids([text])[0].tolist())]) == pytest.approx(mat.mat_grammar().log_prob(text))
    assert -(odds * odds.log()).sum().item() == pytest.approx(mat.mat_grammar().entropy("text"))


def test_the_tokenizer_is_lower_case_one_token_a_word_and_brackets():
    ids = mat.mat_ids(["The old cat sat on the mat and dreamed of mice."])
    tokens = mat.mat_tokenizer().convert_ids_to_tokens(ids[0])
    assert tokens == ["[CLS]", *["the", "old", "cat", "sat", "on", "the", "mat", "and", "dreamed", "of", "mice", "."], "[SEP]"]
    assert ids.shape == (1, mat.LENGTH)


def test_exact_answers_by_hand():
    ids, visible = hide("the old cat sat on the mat and dreamed of [MASK].")
    assert said(mat.exact(ids, visible)[0, 11]) == pytest.approx({"mice": 0.5, "rats": 0.5})
    ids, visible = hide("the old cat sat on the [MASK] and dreamed of [MASK].")
    assert said(mat.exact(ids, visible)[0, 7]) == pytest.approx(dict.fromkeys(("mat", "rug", "sofa", "cushion"), 0.25))


def test_exact_is_bayes_rule_over_the_sentences():
    ids = mat.mat_ids(mat.mat_texts(20, seed=5))
    visible = torch.rand(ids.shape, generator=torch.Generator().manual_seed(1)) < 0.6
    answers = mat.exact(ids, visible)
    assert torch.allclose(answers.sum(-1), torch.ones_like(answers.sum(-1)))
    sentences, odds = mat.every_sentence()
    for row in range(20):
        weight = odds * (sentences[:, visible[row]] == ids[row, visible[row]]).all(1)
        word = int(ids[row, 7])
        with_it = weight[sentences[:, 7] == word].sum() / weight.sum()
        assert answers[row, 7, word].item() == pytest.approx(with_it.item())
        assert (answers[row, visible[row], ids[row, visible[row]]] - 1).abs().max() < 1e-12


def test_what_the_language_cannot_say_is_refused():
    with pytest.raises(ValueError, match="No sentence of this language"):
        ids, visible = hide("the old cat sat on the harbour and dreamed of [MASK].")
        mat.exact(ids, visible)
    with pytest.raises(ValueError, match="at least 1"):
        mat.mat_texts(0)


def test_sampled_ids_follow_the_probabilities():
    drawn, (ids, odds) = mat.mat_sample(40_000, seed=1), mat.every_sentence()
    assert torch.equal(mat.mat_sample(5, seed=1), mat.mat_sample(5, seed=1))
    for place in (3, 7, 11):
        share = torch.bincount(drawn[:, place], minlength=len(mat.mat_tokenizer())) / len(drawn)
        right = torch.zeros(len(mat.mat_tokenizer()), dtype=torch.float64).scatter_add_(0, ids[:, place], odds)
        assert (share - right).abs().max() < 0.01
    with pytest.raises(ValueError, match="at least 1"):
        mat.mat_sample(0)


def test_texts_are_reproducible_and_the_first_do_not_depend_on_how_many():
    assert mat.mat_texts(3, seed=1) == mat.mat_texts(9, seed=1)[:3] != mat.mat_texts(3, seed=2)
