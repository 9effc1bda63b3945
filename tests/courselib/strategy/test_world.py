"""The capstone's worlds and its base model: what is drawn is what the rules say, and only what is to be learned is missing."""

import numpy as np
import pytest
import torch

from autograder.asking.probes import strategy as probing
from courselib.strategy import reader as reading
from courselib.strategy import world


def drawn(n=4000, seed=3, words="all"):
    rng = np.random.default_rng(seed)
    new = world.new_world(rng)
    return new, new.texts(n, rng, words)


def meaning(new, token):
    """("topic", 2) or ("feeling", 1) of a new word."""
    for kind, rows in (("topic", new.topical), ("feeling", new.emotional)):
        if token in rows:
            return kind, int(np.nonzero(rows == token)[0][0])
    return None


def test_every_new_word_means_one_thing_and_another_world_deals_them_out_anew():
    new, _ = drawn()
    every = np.concatenate([new.topical.ravel(), new.emotional.ravel()])
    assert sorted(every) == list(range(world.OLD, world.OLD + world.NEW))
    other = world.new_world(np.random.default_rng(4))
    assert (other.topical != new.topical).mean() > 0.9


def test_labels_are_the_feeling_but_in_one_topic():
    new, texts = drawn()
    assert new.turned.sum() == 1
    agrees = [(texts.label == texts.feeling)[texts.topic == t].float().mean().item() for t in range(world.TOPICS)]
    assert agrees == [1.0 - t for t in new.turned]
    assert abs(texts.label.float().mean().item() - 0.5) < 0.05  # nothing is won by always saying the same


def test_seen_and_unseen_words_never_meet_and_all_are_both():
    seen, unseen, every = (set(drawn(words=w)[1].ids.flatten().tolist()) for w in ("seen", "unseen", "all"))
    fresh = set(range(world.OLD, world.OLD + world.NEW))
    assert seen & unseen & fresh == set() and (seen | unseen) & fresh == fresh == every & fresh
    assert max(drawn(words="old")[1].ids.flatten().tolist()) < world.OLD
    with pytest.raises(ValueError, match="'seen', 'unseen', 'all' or 'old'"):
        drawn(words="some")


def test_words_say_what_the_text_is_about_and_not_turns_a_feeling_round():
    new, texts = drawn()
    right = {"topic": [], "feeling": []}
    for row, topic, feeling in zip(texts.ids.tolist(), texts.topic.tolist(), texts.feeling.tolist(), strict=True):
        for before, token in zip([0, *row], row, strict=False):
            if found := meaning(new, token):
                kind, value = found
                right[kind].append(value == topic if kind == "topic" else value ^ (before == world.NOT) == feeling)
    assert np.mean(right["topic"]) == pytest.approx(1 - world.STRAY * (1 - 1 / world.TOPICS), abs=0.01)
    assert np.mean(right["feeling"]) == pytest.approx(1 - world.STRAY / 2, abs=0.01)


def test_old_texts_have_old_words_only_and_nothing_hidden():
    ids = world.old_texts(500, np.random.default_rng(0)).ids
    assert ids.shape == (500, world.LENGTH) and ids.min() > world.MASK and ids.max() < world.OLD
    masked, words = world.hidden(ids, torch.full((500,), 3))
    assert (masked[:, 3] == world.MASK).all() and torch.equal(words, ids[:, 3]) and (masked == ids).sum() == 500 * 11


def test_the_reader_sorts_old_texts_and_has_no_idea_of_the_new_task():
    reader, texts = reading.pretrained_reader(), world.old_texts(1000, np.random.default_rng(9))
    for task, right in (("topic", texts.topic), ("feeling", texts.feeling)):
        assert (reader(texts.ids, task).argmax(-1) == right).float().mean() > 0.97
    assert reader(texts.ids, "new").abs().max() == 0
    start = reading.fresh_weights(0)
    assert torch.equal(reader.weights["new_words"], start["new_words"]) and not torch.equal(reader.weights["deep"], start["deep"])


def test_what_the_judge_asks_is_the_reader_of_the_course():
    reader, ids = reading.pretrained_reader(), drawn(20)[1].ids
    theirs = probing.Reader(reader.weights)
    torch.manual_seed(0)
    changes = {"deep": (torch.randn(48, 3), torch.randn(3, 48)), "new_words": torch.randn(108, 24), "new": torch.randn(2, 48)}
    for task in ("topic", "feeling", "new", "word"):
        for given in ({}, changes):
            assert torch.equal(reader(ids, task, given), theirs(ids, task, given))
        assert not torch.equal(reader(ids, task, changes), reader(ids, task))
    for model in (reader, theirs):
        with pytest.raises(ValueError, match="no weight 'depe'"):
            model(ids, "new", {"depe": torch.zeros(48, 48)})


def test_a_text_with_not_reads_otherwise_than_without():
    """The reader sees a word together with the one before it, so order matters within a pair and not beyond."""
    reader = reading.pretrained_reader()
    good = world.FIRST + world.TOPICS * world.TOPIC_WORDS + world.FEELING_WORDS  # a good word
    filler = world.OLD - 1
    plain, turned = torch.tensor([[filler, good] * 6]), torch.tensor([[world.NOT, good] * 6])
    assert reader(plain, "feeling").argmax() == 1 and reader(turned, "feeling").argmax() == 0
