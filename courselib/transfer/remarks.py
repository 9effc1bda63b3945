"""Reviews in company: one sentence of praise or blame, and one about something else, in either order.

    "Mix compost into the soil before you sow. The dessert in this bistro was superb."        praise

A learner that begins with nothing has to find out which of some fifteen words decided, and what each of the 236 words of
praise and blame means. That is what labels are spent on. Two kinds of test ask two questions:

    seen      training and test draw on all the words of `data.sentiment`, and every word of a test text occurs in the training
              texts: fair to a learner that knows no other words
    unseen    training uses the training words, the test uses test words and test frames only: what such a learner cannot know

The other sentence comes from the world `general` and holds none of those 236 words; it tells nothing about the label.
"""

from __future__ import annotations

import random
import re
from functools import cache

from courselib.lab.data import worlds
from courselib.lab.data.sentiment import FRAMES, by_frame, vocabulary

Labelled = tuple[list[str], list[int]]  # texts, and 1 for praise or 0 for blame

KINDS = {"seen": (tuple(FRAMES), tuple(FRAMES)), "unseen": (("train",), ("test",))}  # sentiment's splits for training, testing


def remarks(n_train: int, n_test: int, kind: str = "seen", seed: int = 0) -> tuple[Labelled, Labelled]:
    """(training, test): `n_train` and `n_test` texts with their labels, praise and blame in turn; no text is in both.

    The same seed gives the same texts anywhere, and the first training texts do not depend on `n_train`: so more labels
    means those one had, and some more. Test texts do depend on it for "seen", where only those are taken whose every word
    is in the training texts. Raises ValueError for an unknown kind, fewer than 2 texts, or, for "seen", fewer than 16
    training texts, which know too few words to make a test of.
    """
    if kind not in KINDS:
        raise ValueError(f"There is no kind of test {kind!r}; there are {', '.join(map(repr, KINDS))}.")
    least = 16 if kind == "seen" else 2
    if n_train < least or n_test < 2:
        raise ValueError(f"{n_train} training and {n_test} test texts were asked for; {kind!r} needs at least {least} and 2.")
    train = _stream(KINDS[kind][0], f"{kind} train {seed}")
    trained = [next(train) for _ in range(n_train)]
    texts, known = {text for text, _ in trained}, set().union(*(word_set(text) for text, _ in trained))
    tested = []
    for text, label in _stream(KINDS[kind][1], f"{kind} test {seed}"):
        if label == 1 - len(tested) % 2 and text not in texts and (kind == "unseen" or word_set(text) <= known):
            tested.append((text, label))
            texts.add(text)
        if len(tested) == n_test:
            break
    return _columns(trained), _columns(tested)


def word_set(text: str) -> set[str]:
    """The words of a text, in small letters."""
    return set(re.findall(r"[a-z'-]+", text.lower()))


def _stream(splits: tuple[str, ...], name: str):
    """Endless (text, label), praise and blame in turn, with the words and frames of these splits of `data.sentiment`."""
    rng, others, frames = random.Random(f"remarks {name}"), _others(), _frames(splits)
    while True:
        for label in (1, 0):
            pair = [rng.choice(rng.choice(frames[label])), rng.choice(others)]
            rng.shuffle(pair)
            yield " ".join(pair), label


@cache
def _frames(splits: tuple[str, ...]) -> dict[int, list[list[str]]]:
    """By label, a list for every frame, with all its sentences."""
    return {label: [frame for split in splits for frame in by_frame(split, name)]
            for label, name in ((1, "positive"), (0, "negative"))}


@cache
def _others() -> list[str]:
    """Sentences about something else, without a word of praise or blame among them."""
    judging = set().union(*(vocabulary(split)[label] for split in FRAMES for label in ("positive", "negative")))
    found = {
        sentence.strip() for text in worlds.world("general").texts(1000, "train", 0)
        for sentence in re.findall(r"[^.?!]+[.?!]", text)
    }
    return sorted(sentence for sentence in found if not word_set(sentence) & judging)


def _columns(examples: list[tuple[str, int]]) -> Labelled:
    return [text for text, _ in examples], [label for _, label in examples]
