"""Splitting a corpus so that the test set says something about texts the model has not seen.

A test text that also stands in training measures memory. Exact copies are the crude form; copies that differ in a capital
or a space, and sentences cut from one template, are the usual one. So texts are first made one of a kind, then whole
groups go to one side or the other (Kapoor and Narayanan 2023, "Leakage and the reproducibility crisis in
machine-learning-based science", Patterns 4, collect what happens otherwise).
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple


def normalise(text: str) -> str:
    """The text without what does not make it another text: capitals, punctuation at the end, spaces in a row."""
    return " ".join(text.lower().split()).rstrip(".!? ")


def overlap(train: Iterable[str], test: Iterable[str]) -> list[int]:
    """The positions of the test texts that also stand in training, once both are normalised."""
    known = {normalise(text) for text in train}
    return [i for i, text in enumerate(test) if normalise(text) in known]


def deduplicate(texts: Sequence[str], labels: Sequence[int]) -> tuple[list[str], list[int]]:
    """The first of each text (after `normalise`) with its label, in order.

    Raises ValueError if two copies of a text carry different labels: somebody has to decide which is right.
    """
    first: dict[str, tuple[str, int]] = {}
    for text, label in zip(texts, labels, strict=True):
        kept = first.setdefault(normalise(text), (text, label))
        if kept[1] != label:
            raise ValueError(f"{text!r} is labelled {kept[1]} and {label}. Decide which is right before you split.")
    return [text for text, _ in first.values()], [label for _, label in first.values()]


def template_of(text: str, templates: Iterable[str]) -> str:
    """The one of `templates` that a text was made from; `{slots}` stand for one word or more.

    Of several that fit, the one with most fixed letters is meant. Raises ValueError if none fits.
    """
    fitting = [t for t in templates if _pattern(t).fullmatch(text)]
    if not fitting:
        raise ValueError(f"No template fits {text!r}. Add its template, or make the text a group of its own.")
    return max(fitting, key=lambda t: (len(re.sub(r"\{\w+\}", "", t)), t))


def _pattern(template: str) -> re.Pattern[str]:
    pieces = re.split(r"\{\w+\}", template)
    return re.compile(r"[\w' -]+?".join(map(re.escape, pieces)))


class Split(NamedTuple):
    """Positions of the rows on either side."""

    train: list[int]
    test: list[int]


def group_split(groups: Sequence[Hashable], labels: Sequence[int], share: float = 0.2, seed: int = 0) -> Split:
    """Whole groups to either side: about `share` of the rows to the test, labels there as evenly mixed as elsewhere.

    Groups are drawn in random order. Each goes to the test if that brings the number of test rows of every label nearer to
    its share (the sum of squared distances, over labels), and to training otherwise.

    Raises ValueError for a share outside 0 to 1, fewer than two groups, or groups so large that one side stays empty.
    """
    if not 0 < share < 1:
        raise ValueError(f"The test's share is {share}; it has to lie between 0 and 1, for example 0.2.")
    members: dict[Hashable, list[int]] = {}
    for row, (group, _) in enumerate(zip(groups, labels, strict=True)):
        members.setdefault(group, []).append(row)
    if len(members) < 2:
        raise ValueError(f"There are {len(members)} groups; a split by group needs at least two.")
    target = {label: share * count for label, count in Counter(labels).items()}
    order = list(members)
    random.Random(seed).shuffle(order)
    chosen: set[Hashable] = set()
    have: Counter[int] = Counter()
    for group in order:
        more = have + Counter(labels[row] for row in members[group])
        if _distance(more, target) < _distance(have, target):
            chosen.add(group)
            have = more
    test = [row for row, group in enumerate(groups) if group in chosen]
    train = [row for row, group in enumerate(groups) if group not in chosen]
    if not train or not test:
        raise ValueError(f"No group is small enough for a test share of {share:g}. Ask for a larger share, or split the groups.")
    return Split(train, test)


def _distance(have: Counter[int], target: dict[int, float]) -> float:
    return sum((have[label] - wanted) ** 2 for label, wanted in target.items())


def possible_accuracies(copies: Sequence[int]) -> list[float]:
    """Every accuracy a classifier can reach on a test set with only a few different texts, from the highest down.

    `copies` says how often each text occurs. A classifier in eval mode answers copies of a text alike, so it gets all of
    them right or none: 2 to the power of the number of texts sums, not more.
    """
    sums = {0}
    for count in copies:
        sums |= {so_far + count for so_far in sums}
    return [right / sum(copies) for right in sorted(sums, reverse=True)]
