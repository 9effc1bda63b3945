"""The exercise of chapter 01 on tokens: the merges of byte-pair encoding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np

import solutions.pretraining as answers
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

Merges = tuple[tuple[str, str], ...]
Words = dict[str, int]


def merged(pieces: list[str], pair: tuple[str, str], most: int = 1_000) -> list[str]:
    """The pieces with the first `most` occurrences of a pair joined."""
    out, i, done = [], 0, 0
    while i < len(pieces):
        found = tuple(pieces[i : i + 2]) == pair and done < most
        out.append("".join(pair) if found else pieces[i])
        i, done = i + 1 + found, done + found
    return out


def learn(
    texts: list[tuple[list[str], int]], merges: int, pairs: Callable[[list[str]], Iterable] | None = None, most: int = 1_000
) -> Merges:
    """Merges from words that are cut already, with a way of its own to see the pairs of a word, and to join them."""
    learned = []
    for _ in range(merges):
        counts: Counter = Counter()
        for pieces, often in texts:
            for pair in (pairs or neighbours)(pieces):
                counts[pair] += often
        if not counts:
            break
        learned.append(max(counts, key=counts.get))
        texts = [(merged(pieces, learned[-1], most), often) for pieces, often in texts]
    return tuple(learned)


def neighbours(pieces: list[str]) -> Iterable[tuple[str, str]]:
    return zip(pieces, pieces[1:])  # noqa: B905 (neighbours)


def cut(words: Words) -> list[tuple[list[str], int]]:
    return [(list(word), often) for word, often in words.items()]


def counts_ignored(words: Words, merges: int) -> Merges:
    return learn(cut(dict.fromkeys(words, 1)), merges)


def once_a_word(words: Words, merges: int) -> Merges:
    return learn(cut(words), merges, lambda pieces: dict.fromkeys(neighbours(pieces)))


def first_only(words: Words, merges: int) -> Merges:
    return learn(cut(words), merges, most=1)


def never_recounted(words: Words, merges: int) -> Merges:
    counts: Counter = Counter()
    for pieces, often in cut(words):
        for pair in neighbours(pieces):
            counts[pair] += often
    return tuple(pair for pair, _ in counts.most_common(merges))


def across_words(words: Words, merges: int) -> Merges:
    return learn([(list("".join(word * often for word, often in words.items())), 1)], merges)


def rarest(words: Words, merges: int) -> Merges:
    """The least frequent pair each time."""
    texts, learned = cut(words), []
    for _ in range(merges):
        counts: Counter = Counter()
        for pieces, often in texts:
            for pair in neighbours(pieces):
                counts[pair] += often
        learned.append(min(counts, key=counts.get))
        texts = [(merged(pieces, learned[-1]), often) for pieces, often in texts]
    return tuple(learned)


def no_ties(words: Words, merges: int) -> bool:
    """Whether at every step one pair alone is the most frequent."""
    texts = cut(words)
    for pair in answers.train_bpe(words, merges):
        counts: Counter = Counter()
        for pieces, often in texts:
            for seen in neighbours(pieces):
                counts[seen] += often
        if sorted(counts.values())[-2:].count(counts[pair]) > 1:
            return False
        texts = [(merged(pieces, pair), often) for pieces, often in texts]
    return True


WRONG = (counts_ignored, once_a_word, first_only, never_recounted, across_words, rarest)


def drawn(rng: np.random.Generator, shapes: list[str], ranges: list[tuple[int, int]], merges: int, right: tuple) -> Words:
    """Words of given shapes in fresh letters, with counts such that no ties occur and only the mistakes in `right` are "
    "right."""
    for _ in range(2_000):
        letters = dict(zip("abcdefgh", rng.permutation(list("aeinorstlmdu"))[:8].tolist(), strict=True))
        words = {
            "".join(letters[s] for s in shape): int(rng.integers(low, high + 1))
            for shape, (low, high) in zip(shapes, ranges, strict=True)
        }
        if not no_ties(words, merges):
            continue
        answer = answers.train_bpe(words, merges)
        if all((wrong(words, merges) == answer) == (wrong in right) for wrong in WRONG):
            return words
    raise AssertionError("no words were found that tell the mistakes apart")


def train_bpe_cases(rng: np.random.Generator) -> list[Case]:
    every = [(1, 1)] * 5
    once = drawn(rng, ["abcf", "abcdf", "abef", "agf", "ahf"], every, 2, (counts_ignored, once_a_word, first_only))
    often = drawn(
        rng, ["abcg", "abd", "cde", "cd", "gh"], [(2, 7), (3, 9), (3, 9), (2, 7), (8, 16)], 3, (once_a_word, first_only)
    )
    twice = drawn(rng, ["ababc", "abdcabd", "cdec", "ecg", "gh"], [(3, 9), (2, 8), (5, 15), (4, 12), (2, 18)], 4, ())
    return [
        Case("five words, each of them once; 2 merges", {"words": once, "merges": 2}, "once"),
        Case("words that occur more than once; 3 merges", {"words": often, "merges": 3}, "often"),
        Case("a pair that occurs twice in a word; 4 merges", {"words": twice, "merges": 4}, "twice"),
    ]


train_bpe = Exercise(
    id="pretraining.train_bpe",
    answer=answers.train_bpe,
    cases=train_bpe_cases,
    parts=[
        Part("each word once", 1, on="once"),
        Part("frequent words", 1, on="often"),
        Part("a pair twice in a word", 1, on="twice"),
    ],
    misconceptions=[
        Misconception(
            "counts_ignored", counts_ignored, earns=1,
            says="You counted every word once. A word that occurs a hundred times in the text brings its pairs a hundred "
            "times.",
        ),
        Misconception(
            "once_a_word", once_a_word, earns=2,
            says="A pair that stands twice in a word was counted once. Count every place, times how often the word occurs.",
        ),
        Misconception(
            "first_only", first_only, earns=2,
            says="You merged a pair where it stands first in a word, and not where it stands again. Merge it everywhere.",
        ),
        Misconception(
            "never_recounted", never_recounted,
            "You counted once and took the most frequent pairs of single characters. Every merge makes new pairs and takes "
            "some away, so cut, count and choose again after each.",
        ),
        Misconception(
            "across_words", across_words,
            "Your pairs cross from one word into the next. Each word is a sequence of its own.",
        ),
        Misconception(
            "rarest", rarest,
            "You merged the rarest pair. What occurs often is worth a number of its own.",
        ),
    ],
)
