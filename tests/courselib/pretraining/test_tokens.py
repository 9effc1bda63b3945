"""WordPiece and byte-pair encoding as the libraries do them, and a model's size from its configuration."""

import json
from collections import Counter

import pytest
import torch
from tokenizers import Tokenizer, pre_tokenizers, trainers
from tokenizers.models import BPE
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


PAPER = {"low": 5, "lower": 2, "newest": 6, "widest": 3}  # Sennrich et al. 2015


def test_merges_are_learned_as_by_hand():
    assert pretraining.train_bpe(PAPER, 4) == [("e", "s"), ("es", "t"), ("l", "o"), ("lo", "w")]
    assert pretraining.train_bpe({"abab": 3, "bb": 4}, 2) == [("a", "b"), ("b", "b")]
    assert pretraining.pair_counts({("ab", "ab"): 3, ("b", "b"): 4}) == {("ab", "ab"): 3, ("b", "b"): 4}
    assert pretraining.merge_pair("aaa", ("a", "a")) == ("aa", "a")
    assert pretraining.merge_pair("abcab", ("a", "b")) == ("ab", "c", "ab")


def test_learning_ends_when_every_word_is_one_piece_and_cutting_undoes_nothing():
    learned = pretraining.train_bpe(PAPER, 1000)
    assert len(learned) < 30
    assert all(pretraining.bpe(word, learned) == [word] for word in PAPER)
    assert pretraining.train_bpe({"a": 3}, 5) == pretraining.train_bpe({}, 5) == []


def test_the_library_learns_the_same_merges_in_the_same_order():
    """On text in which many pairs are equally frequent, so that the rule for ties is tested too."""
    text = " ".join(prose.english("test", 8_000))
    words = Counter(word for word, _ in pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str(text))
    library = Tokenizer(BPE())
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    size = len(set("".join(words))) + 300
    library.train_from_iterator([text], trainers.BpeTrainer(vocab_size=size, show_progress=False))
    assert pretraining.train_bpe(words, 300) == pretraining.merges_of(library)
    assert len(json.loads(library.to_str())["model"]["merges"]) == 300


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
