"""Reviews in company: balance, what is shared between training and test, and what a reader could do without reading."""

import os
import subprocess
import sys

import pytest

from courselib.lab.data.sentiment import FRAMES, vocabulary
from courselib.transfer.remarks import remarks, word_set


def judging(splits, label=None):
    labels = [label] if label else ["positive", "negative"]
    return set().union(*(vocabulary(split)[name] for split in splits for name in labels))


@pytest.mark.parametrize("kind", ["seen", "unseen"])
def test_no_text_is_in_both_and_the_classes_take_turns(kind):
    (train, train_labels), (test, test_labels) = remarks(200, 100, kind, seed=3)
    assert (len(train), len(test)) == (200, 100)
    assert not set(train) & set(test) and len(set(test)) == 100
    assert train_labels == [1, 0] * 100 and test_labels == [1, 0] * 50


def test_seen_means_that_every_word_of_a_test_text_was_read():
    for seed in range(5):
        (train, _), (test, _) = remarks(64, 100, "seen", seed)
        known = set().union(*map(word_set, train))
        assert all(word_set(text) <= known for text in test)


def test_unseen_means_that_no_word_of_praise_or_blame_was_read():
    (train, _), (test, _) = remarks(500, 200, "unseen", seed=0)
    assert not set().union(*map(word_set, train)) & judging(["test"])
    assert all(len(word_set(text) & judging(["test"])) == 1 for text in test)


def test_one_word_decides_and_the_other_sentence_has_none():
    for texts, labels in remarks(300, 100, "seen", seed=1):
        for text, label in zip(texts, labels, strict=True):
            (word,) = word_set(text) & judging(FRAMES)
            assert word in judging(FRAMES, ("negative", "positive")[label])
            assert text.count(".") + text.count("!") + text.count("?") == 2


def test_more_labels_are_those_one_had_and_some_more():
    few, more = (remarks(n, 10, "seen", seed=2)[0] for n in (32, 128))
    assert few[0] == more[0][:32] and few[1] == more[1][:32]
    assert remarks(32, 10, "seen", seed=3)[0] != few


def test_the_place_of_the_review_tells_nothing():
    texts, labels = remarks(2000, 2, "seen", seed=0)[0]
    first = [bool(word_set(text.split(". ")[0] + ".") & judging(FRAMES)) for text in texts]
    for label in (0, 1):
        share = sum(f for f, y in zip(first, labels, strict=True) if y == label) / 1000
        assert 0.45 < share < 0.55


def test_another_process_draws_the_same():
    code = "from courselib.transfer.remarks import remarks; print(remarks(16, 4, 'seen', 5)[1][0])"
    environment = os.environ | {"PYTHONHASHSEED": "9", "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == str(remarks(16, 4, "seen", 5)[1][0])


@pytest.mark.parametrize("arguments, said", [((64, 10, "half"), "no kind of test 'half'"), ((8, 10), "at least 16"),
                                             ((64, 1), "at least 16 and 2"), ((1, 10, "unseen"), "at least 2")])
def test_what_cannot_be_is_said(arguments, said):
    with pytest.raises(ValueError, match=said):
        remarks(*arguments)
