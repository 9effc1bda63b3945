"""The capstone's worlds: texts of twelve tokens, drawn from rules that are known, in words that nobody has seen before.

A text has a topic, one of five, and a feeling, good or bad. Of its tokens five or six name the topic, three carry the feeling
("not" in front of a word turns it round), and the others say nothing. Old texts use old words. A new world brings 108 words of
its own, each of which means what some old words mean; which one means what is drawn anew for every world. In one topic of the
new world, again drawn, people say it the other way round: there a text that sounds good is labelled bad.

The labels of a new world come with half of its words. The other half only its unlabelled text shows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

TOPICS, LENGTH = 5, 12
TOPIC_WORDS, FEELING_WORDS, FILLERS = 8, 16, 8  # old ones: of each topic, of each feeling, and those that say nothing
MASK, NOT, FIRST = 0, 1, 2  # a hidden word, "not", and the first of the others
OLD = FIRST + TOPICS * TOPIC_WORDS + 2 * FEELING_WORDS + FILLERS  # 82 old tokens
NEW_TOPIC, NEW_FEELING = 12, 24  # new ones: of each topic, of each feeling
NEW = TOPICS * NEW_TOPIC + 2 * NEW_FEELING  # 108 new words
STRAY, TURNED, IS_NEW = 0.1, 0.25, 0.75  # a word of another meaning; "not" in front; a new word instead of an old one


@dataclass(frozen=True)
class Texts:
    """Texts `ids` (n, 12), and of each its `topic` (n,), 0 to 4, its `feeling` (n,), 0 or 1, and its `label` in a new world."""

    ids: Tensor
    topic: Tensor
    feeling: Tensor
    label: Tensor | None = None


@dataclass(frozen=True)
class NewWorld:
    """What is drawn for a new world: which words mean what, and in which topics people say it the other way round.

    `topical` (5, 12) and `emotional` (2, 24) are token numbers; of each row the first half is seen with labels. `turned` (5,).
    """

    topical: np.ndarray
    emotional: np.ndarray
    turned: np.ndarray

    def texts(self, n: int, rng: np.random.Generator, words: str = "all") -> Texts:
        """`n` texts of this world with their labels.

        `words`: of its own words those "seen" with labels, those "unseen", or "all"; "old" for none. ValueError otherwise.
        """
        halves = {"seen": (0.0, 0.5), "unseen": (0.5, 1.0), "all": (0.0, 1.0), "old": None}
        if words not in halves:
            raise ValueError(f"words is {words!r}; it may be 'seen', 'unseen', 'all' or 'old'.")
        if words == "old":
            drawn = _texts(n, rng, None, None)
        else:
            low, high = halves[words]
            own = (rows[:, int(low * rows.shape[1]) : int(high * rows.shape[1])] for rows in (self.topical, self.emotional))
            drawn = _texts(n, rng, *own)
        return replace(drawn, label=drawn.feeling ^ torch.from_numpy(self.turned)[drawn.topic])


def new_world(rng: np.random.Generator) -> NewWorld:
    """A new world: its 108 words dealt out to meanings, and one of the five topics turned round."""
    dealt = OLD + rng.permutation(NEW)
    cut = TOPICS * NEW_TOPIC
    turned = rng.permutation([0] * (TOPICS - 1) + [1])
    return NewWorld(dealt[:cut].reshape(TOPICS, -1), dealt[cut:].reshape(2, -1), turned)


def old_texts(n: int, rng: np.random.Generator) -> Texts:
    """`n` texts in old words."""
    return _texts(n, rng, None, None)


def hidden(ids: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
    """Each text (n, 12) with the word at its `place` (n,) hidden, and those words (n,)."""
    rows = torch.arange(len(ids))
    masked = ids.clone()
    masked[rows, place] = MASK
    return masked, ids[rows, place]


def _texts(n: int, rng: np.random.Generator, topical: np.ndarray | None, emotional: np.ndarray | None) -> Texts:
    topic, feeling = rng.integers(TOPICS, size=n), rng.integers(2, size=n)
    start = FIRST + TOPICS * TOPIC_WORDS
    rows = np.arange(n)[:, None]

    def strays(right: np.ndarray, kinds: int, count: int) -> np.ndarray:
        """(n, count): the meaning of each word, right except for a few."""
        return np.where(rng.random((n, count)) < STRAY, rng.integers(kinds, size=(n, count)), right[:, None])

    def worded(meaning: np.ndarray, first: int, each: int, new: np.ndarray | None) -> np.ndarray:
        words = first + meaning * each + rng.integers(each, size=meaning.shape)
        if new is None:
            return words
        fresh = new[meaning, rng.integers(new.shape[1], size=meaning.shape)]
        return np.where(rng.random(meaning.shape) < IS_NEW, fresh, words)

    about = worded(strays(topic, TOPICS, 5), FIRST, TOPIC_WORDS, topical)  # (n, 5)
    turned = rng.random((n, 3)) < TURNED
    felt = worded(strays(feeling, 2, 3) ^ turned, start, FEELING_WORDS, emotional)  # (n, 3)
    fillers = start + 2 * FEELING_WORDS + rng.integers(FILLERS, size=(n, 4))
    before = np.where(turned, NOT, fillers[:, :3])  # what stands in front of a word that feels
    pairs = np.stack([before, felt], 2)  # (n, 3, 2)
    units = np.concatenate([pairs, np.stack([about[:, :3], about[:, [3, 4, 4]]], 2)], 1)  # (n, 6, 2), two tokens each
    units[:, 5, 1] = fillers[:, 3]
    units = units[rows, rng.permuted(np.tile(np.arange(6), (n, 1)), axis=1)]
    return Texts(torch.from_numpy(units.reshape(n, LENGTH)), torch.from_numpy(topic), torch.from_numpy(feeling))
