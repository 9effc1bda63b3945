"""Medical words in a general vocabulary: how they are cut, and what adding them does."""

import pytest
import torch

from courselib.domain import vocabulary

SENTENCES = ["The patient has hypertension and diabetes.", "History of myocardial infarction."]


def test_how_clinical_words_are_cut(pretrained):
    found = {word: len(pieces) for word, pieces in vocabulary.pieces(pretrained.tokenizer, vocabulary.CLINICAL).items()}
    assert (found["diabetes"], found["hypertension"], found["myocardial infarction"]) == (1, 2, 6)


def test_tokens_a_word(pretrained):
    assert vocabulary.fertility(pretrained.tokenizer, ["myocardial infarction"]) == 3
    with pytest.raises(ValueError, match="no words"):
        vocabulary.fertility(pretrained.tokenizer, [""])


def test_an_added_word_is_one_token_and_starts_where_it_is_told(pretrained):
    model, tokenizer = pretrained
    before = model.get_input_embeddings().weight.detach().clone()
    known = len(tokenizer)
    for start in vocabulary.STARTS:
        larger = vocabulary.extend(pretrained, ("diabetes", "hypertension", "myocardial infarction"), start)
        assert len(larger.tokenizer) == known + 2  # diabetes was whole already
        assert larger.tokenizer.tokenize("Hypertension, then myocardial infarction.") == [
            "hypertension", ",", "then", "myocardial infarction", ".",
        ]
        assert larger.tokenizer.tokenize("hypertensions") == tokenizer.tokenize("hypertensions")  # whole words only
        rows = larger.model.get_input_embeddings().weight.detach()
        assert torch.equal(rows[:known], before)
        new = rows[larger.tokenizer.convert_tokens_to_ids("hypertension")]
        pieces = before[tokenizer.convert_tokens_to_ids(["hyper", "##tension"])].mean(0)
        assert torch.allclose(new, pieces) == (start == "mean")
    assert torch.equal(model.get_input_embeddings().weight, before) and len(tokenizer) == known  # a copy was changed
    with pytest.raises(ValueError, match="'mean' or 'random', not as 'zero'"):
        vocabulary.extend(pretrained, ("hypertension",), "zero")


def test_the_mean_of_the_pieces_keeps_more_of_the_sense(pretrained):
    likeness = {
        start: vocabulary.agreement(pretrained, vocabulary.extend(pretrained, vocabulary.CLINICAL, start), SENTENCES)
        for start in vocabulary.STARTS
    }
    assert likeness["random"] + 0.1 < likeness["mean"] < 0.999
    assert vocabulary.agreement(pretrained, pretrained, SENTENCES) == pytest.approx(1)


def test_words_in_pieces_are_understood_and_new_rows_are_not(pretrained):
    words = list(vocabulary.MEANINGS)
    as_it_is = vocabulary.description_ranks(pretrained)
    mean, random = (vocabulary.description_ranks(vocabulary.extend(pretrained, words, start)) for start in vocabulary.STARTS)
    assert sum(as_it_is) < sum(mean) < sum(random)
    assert sum(as_it_is) / len(words) < 1.5 and sum(random) / len(words) > 4  # a blind guess has 6.5
    shuffled = dict(zip(words, reversed(vocabulary.MEANINGS.values()), strict=True))
    assert sum(vocabulary.description_ranks(pretrained, shuffled)) / len(words) > 4  # the null: somebody else's descriptions
