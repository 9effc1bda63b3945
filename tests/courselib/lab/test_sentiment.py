"""The review grammar: what it promises about labels, balance, uniqueness and the gap between its splits."""

import os
import re
import subprocess
import sys
from collections import Counter
from itertools import combinations

import pytest

from courselib.lab.data.sentiment import FRAMES, THINGS, sentences, vocabulary

SPLITS = ("train", "validation", "test")
PAIRS = list(combinations(SPLITS, 2))


def words(text):
    return re.findall(r"[a-z]+", text.lower())


def sentiment_words(split):
    return vocabulary(split)["positive"] | vocabulary(split)["negative"]


def most(split):
    with pytest.raises(ValueError) as refusal:
        sentences(10**9, split)
    return int(re.search(r"1 to (\d+)", str(refusal.value))[1])


@pytest.mark.parametrize("n", [1, 2, 7, 48, 400])
def test_labels_are_balanced_and_sentences_differ(n):
    for split in SPLITS:
        texts, labels = sentences(n, split, seed=5)
        assert len(texts) == len(labels) == len(set(texts)) == n
        assert sum(labels) == n - n // 2


@pytest.mark.parametrize("split", SPLITS)
def test_each_sentence_has_one_word_of_its_label_and_none_of_another_split(split):
    own, all_own = vocabulary(split), sentiment_words(split)
    elsewhere = set.union(*(sentiment_words(other) for other in SPLITS if other != split))
    for text, label in zip(*sentences(most(split), split), strict=True):  # all there are
        loaded = [word for word in words(text) if word in all_own]
        assert len(loaded) == 1, text
        assert loaded[0] in own["positive" if label else "negative"], text
        assert not elsewhere & set(words(text)), text


@pytest.mark.parametrize("one, other", PAIRS)
def test_splits_share_no_sentiment_word_no_relative_of_one_and_no_frame(one, other):
    a, b = vocabulary(one), vocabulary(other)
    assert not a["frames"] & b["frames"]
    related = [(v, w) for v in sentiment_words(one) for w in sentiment_words(other) if v[:5] == w[:5]]
    assert not related
    undone = [(v, w) for v in sentiment_words(one) for w in sentiment_words(other)
              if v.removeprefix("un").removeprefix("dis") == w.removeprefix("un").removeprefix("dis")]
    assert not undone


@pytest.mark.parametrize("split", SPLITS)
def test_a_word_has_one_label_and_there_are_enough(split):
    own = vocabulary(split)
    assert not own["positive"] & own["negative"]
    enough = 25 if split == "validation" else 40
    assert min(len(own["positive"]), len(own["negative"])) >= enough
    assert len(own["frames"]) >= 6


def test_the_subjects_carry_no_sentiment():
    subjects = {word for things, parts in THINGS.items() for word in things + parts}
    assert not subjects & set.union(*map(sentiment_words, SPLITS))


@pytest.mark.parametrize("split", SPLITS)
def test_a_frame_tells_nothing_about_the_label(split):
    n = 20 * len(FRAMES[split])
    texts, labels = sentences(n, split, seed=1)
    patterns = {frame: re.compile(re.sub(r"\\{(\w+)\\}", r"\\w+", re.escape(frame))) for frame in FRAMES[split]}
    used = Counter()
    for text, label in zip(texts, labels, strict=True):
        frames = [frame for frame, pattern in patterns.items() if pattern.fullmatch(text)]
        assert len(frames) == 1, text
        used[frames[0], label] += 1
    assert set(used.values()) == {10}, used


def test_reviews_are_short_english():
    for split in SPLITS:
        texts, _ = sentences(2000, split, seed=3)
        lengths = [len(words(text)) for text in texts]
        assert min(lengths) >= 3 and max(lengths) <= 11
        assert all(text[0].isupper() and text[-1] in ".!" and "{" not in text for text in texts)
        articles = {pair for text in texts for pair in re.findall(r"\b(an?) (\w+)", text.lower())}
        assert ("a", "useless") in articles or split != "train"
        wrong = [(a, w) for a, w in articles if w != "useless" and (a == "an") != (w[0] in "aeiou")]
        assert not wrong


def test_seeds_draw_different_sentences_in_a_different_order():
    texts, labels = sentences(48, "train", seed=0)
    others, other_labels = sentences(48, "train", seed=1)
    assert len(set(texts) & set(others)) < 8
    assert labels != other_labels  # the order is drawn as well
    assert sentences(48, "train", seed=0) == (texts, labels)


def test_the_same_sentences_in_every_process():
    program = "from courselib.lab.data.sentiment import sentences; print(sentences(48, 'test', 2))"
    found = {
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True,
            env=os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)},
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert found == {f"{sentences(48, 'test', 2)}\n"}


@pytest.mark.parametrize("split", SPLITS)
def test_the_grammar_says_how_much_it_can_make(split):
    n = most(split)
    assert len(set(sentences(n, split)[0])) == n > 4000
    with pytest.raises(ValueError, match=f"{n + 1} were asked for"):
        sentences(n + 1, split)
    with pytest.raises(ValueError, match="0 were asked for"):
        sentences(0, split)


def test_unknown_split():
    with pytest.raises(ValueError, match="'dev'.*'train', 'validation' or 'test'"):
        sentences(4, "dev")
    with pytest.raises(ValueError, match="'dev'"):
        vocabulary("dev")
