"""Splits: copies are found however they are written, groups stay whole, and blocks of copies bound the accuracy."""

from itertools import combinations

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from courselib.lab.data import sentiment
from courselib.sentiment import splits


def test_what_makes_no_other_text_is_normalised_away():
    assert splits.normalise("  Great   FILM!! ") == splits.normalise("great film.") == "great film"
    assert splits.normalise("It's a 3.5") != splits.normalise("It's a 35")


def test_an_overlap_is_found_by_position():
    assert splits.overlap(["A great film.", "dull"], ["new", "a  great film", "DULL!"]) == [1, 2]
    assert splits.overlap([], ["a"]) == []


def test_the_first_of_each_text_is_kept():
    assert splits.deduplicate(["B.", "a", "b", "A "], [1, 0, 1, 0]) == (["B.", "a"], [1, 0])


def test_texts_and_labels_have_to_be_as_many():
    with pytest.raises(ValueError, match="shorter|longer"):
        splits.deduplicate(["a", "b"], [1])


def test_copies_with_two_labels_are_refused():
    with pytest.raises(ValueError, match="labelled 1 and 0"):
        splits.deduplicate(["Fine.", "fine"], [1, 0])


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_every_sentence_has_the_template_it_was_made_from(split):
    frames = sentiment.vocabulary(split)["frames"]
    texts, _ = sentiment.sentences(40 * len(frames), split, seed=3)
    found = [splits.template_of(text, frames) for text in texts]
    assert {found.count(frame) for frame in frames} == {40}  # the corpus uses its frames equally often


def test_of_two_templates_that_fit_the_more_fixed_one_is_meant():
    assert splits.template_of("What a film!", ["{x}!", "What a {thing}!"]) == "What a {thing}!"
    with pytest.raises(ValueError, match="No template fits"):
        splits.template_of("Nothing like it", ["What a {thing}!"])


@pytest.mark.parametrize("seed", range(5))
def test_groups_stay_whole_and_labels_stay_mixed(seed):
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 40, 400).tolist()
    labels = (rng.random(400) < 0.3).astype(int).tolist()
    split = splits.group_split(groups, labels, share=0.25, seed=seed)
    assert sorted(split.train + split.test) == list(range(400))
    assert not {groups[i] for i in split.train} & {groups[i] for i in split.test}
    assert abs(len(split.test) - 100) <= 12
    assert abs(np.mean([labels[i] for i in split.test]) - np.mean(labels)) < 0.07
    assert split == splits.group_split(groups, labels, share=0.25, seed=seed)
    assert split != splits.group_split(groups, labels, share=0.25, seed=seed + 1)


@pytest.mark.parametrize(
    ("groups", "share", "sentence"),
    [([1, 1, 1], 0.5, "at least two"), ([1, 2, 3], 1.0, "between 0 and 1"), ([1] * 4 + [2] * 4, 0.1, "No group is small enough")],
)
def test_an_impossible_split_is_told(groups, share, sentence):
    with pytest.raises(ValueError, match=sentence):
        splits.group_split(groups, [0] * len(groups), share)


def test_the_accuracies_of_eight_copied_texts():
    """The counts of the chapter: 1,000 rows of eight texts, 200 drawn with the usual seed."""
    _, test = train_test_split(np.arange(1000), test_size=200, random_state=42)
    copies = np.bincount(test % 8).tolist()
    by_brute_force = {sum(c) / 200 for k in range(9) for c in combinations(copies, k)}
    found = splits.possible_accuracies(copies)
    assert found == sorted(by_brute_force, reverse=True)
    assert found[:3] == [1.0, 0.895, 0.885] and not {0.94, 0.96, 0.965} & set(found)
