"""WordPiece and byte-pair encoding as the libraries do them, and a model's size from its configuration."""

import pytest
import torch
from transformers import BertConfig, BertModel

from courselib import pretraining
from courselib.lab import models
from courselib.lab.data import prose


@pytest.fixture(scope="module")
def causal_tokenizer():
    return models.load("causal").tokenizer


def words_of(tokenizer, text):
    return {word for word, _ in tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str(text)}


def test_wordpiece_cuts_like_berts_tokenizer(pretrained):
    vocabulary = pretrained.tokenizer.get_vocab()
    words = words_of(pretrained.tokenizer, " ".join(prose.english("test", 30_000)).lower())
    for word in words | {"untokenisable", "x" * 101, "x" * 100}:
        assert pretraining.wordpiece(word, vocabulary) == pretrained.tokenizer.tokenize(word), word


def test_wordpiece_by_hand():
    vocabulary = {"un", "##able", "##a", "##b", "u"}
    assert pretraining.wordpiece("unable", vocabulary) == ["un", "##able"]
    assert pretraining.wordpiece("unab", vocabulary) == ["un", "##a", "##b"]
    assert pretraining.wordpiece("unz", vocabulary) == ["[UNK]"]
    assert pretraining.wordpiece("", vocabulary) == ["[UNK]"]


def test_bpe_cuts_like_the_causal_tokenizer(causal_tokenizer):
    merges = pretraining.merges_of(causal_tokenizer)
    for word in words_of(causal_tokenizer, " ".join(prose.english("test", 30_000))):
        assert pretraining.bpe(word, merges) == [t.value for t in causal_tokenizer.backend_tokenizer.model.tokenize(word)], word


def test_bpe_merges_in_the_order_learned_and_all_of_a_pair():
    assert pretraining.bpe("abab", [("a", "b")]) == ["ab", "ab"]
    assert pretraining.bpe("abc", [("b", "c"), ("a", "b")]) == ["a", "bc"]
    assert pretraining.bpe("aaa", [("a", "a")]) == ["aa", "a"]
    assert pretraining.bpe("x", []) == ["x"] and pretraining.bpe("", []) == []


def test_a_wordpiece_tokenizer_has_no_merges(pretrained):
    with pytest.raises(ValueError, match="no merges"):
        pretraining.merges_of(pretrained.tokenizer)


TINY = {"hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 3, "intermediate_size": 100, "vocab_size": 77}


@pytest.mark.parametrize("settings", [{}, TINY])
def test_the_size_of_bert_from_its_configuration(settings):
    config = BertConfig(**settings)
    with torch.device("meta"):
        counted = sum(p.numel() for p in BertModel(config).parameters())
    assert sum(pretraining.bert_parameters(config).values()) == counted
    assert settings or counted == 109_482_240
