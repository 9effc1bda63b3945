"""The digits and their tasks: nothing leaks, nothing is lost, and the same seed gives the same."""

import pytest
import torch

from courselib.lab.data import digits as module
from courselib.lab.data.digits import PAIRS, class_tasks, digits, permuted_tasks


def rows(x):
    return {tuple(row) for row in x.tolist()}


def test_split_keeps_every_picture_once_and_shares_out_every_digit():
    whole, x = digits(3), module._pictures()[0]
    assert whole.x_train.dtype == torch.float32 and whole.y_train.dtype == torch.int64
    assert whole.x_train.min() == 0 and whole.x_train.max() == 1
    assert len(rows(x)) == len(x) == 1797  # no two pictures are equal, so a set of rows tells them apart
    assert rows(whole.x_train) | rows(whole.x_test) == rows(x)
    assert not rows(whole.x_train) & rows(whole.x_test)
    for digit in range(10):
        test, train = (whole.y_test == digit).sum().item(), (whole.y_train == digit).sum().item()
        assert abs(test / (test + train) - 0.25) < 0.01


def test_labels_go_with_their_pictures():
    x, y = module._pictures()
    known = {tuple(row): label for row, label in zip(x.tolist(), y.tolist(), strict=True)}
    whole = digits(1)
    for images, labels in ((whole.x_train, whole.y_train), (whole.x_test, whole.y_test)):
        assert [known[tuple(row)] for row in images.tolist()] == labels.tolist()
    assert len(set(whole.y_test[:40].tolist())) > 5  # in random order, not digit by digit


def test_seed_decides_the_split():
    assert torch.equal(digits(0).x_test, digits(0).x_test)
    assert not torch.equal(digits(0).x_test, digits(1).x_test)


def test_permuted_tasks_shuffle_pixels_the_same_way_in_both_halves():
    first, second, third = permuted_tasks(3, seed=2)
    whole = digits(2)
    assert torch.equal(first.x_train, whole.x_train)  # task 0 is the identity
    assert torch.equal(second.y_test, whole.y_test)
    for task in (second, third):
        assert not torch.equal(task.x_train, whole.x_train)
        # one shuffling of the columns for both halves: each column of the task is one of the original's, whole
        both = torch.cat([whole.x_train, whole.x_test]).T
        mine = torch.cat([task.x_train, task.x_test]).T
        assert sorted(mine.tolist()) == sorted(both.tolist())
    assert not torch.equal(second.x_train, third.x_train)
    assert torch.equal(permuted_tasks(2, seed=2)[1].x_train, second.x_train)  # whatever comes after
    assert not torch.equal(permuted_tasks(2, seed=3)[1].x_train[:10], second.x_train[:10])


def test_class_tasks_take_the_split_apart_by_digit():
    tasks, whole = class_tasks(4), digits(4)
    assert [task.classes for task in tasks] == list(PAIRS)
    for task in tasks:
        assert set(task.y_train.tolist()) == set(task.y_test.tolist()) == set(task.classes)
        assert rows(task.x_test) <= rows(whole.x_test)
    assert sum(len(task.x_train) for task in tasks) == len(whole.x_train)
    halves = class_tasks(4, ((0, 1, 2, 3, 4), (5, 6, 7, 8, 9)))
    assert [task.name for task in halves] == ["0 and 1 and 2 and 3 and 4", "5 and 6 and 7 and 8 and 9"]


@pytest.mark.parametrize(
    "ask, sentence",
    [
        (lambda: digits(-1), "has to be 0 or more"),
        (lambda: digits(0, test_share=1.0), "between 0.05 and 0.95"),
        (lambda: permuted_tasks(0), "at least 1"),
        (lambda: class_tasks(0, ((0, 1), (1, 2))), r"digits \[1\] are in more than one task"),
        (lambda: class_tasks(0, ((0, 10),)), r"\[10\] were asked for"),
        (lambda: class_tasks(0, ((0,), ())), "at least one digit"),
        (lambda: class_tasks(0, ()), "at least one digit"),
    ],
)
def test_the_impossible_is_refused_with_a_sentence(ask, sentence):
    with pytest.raises(ValueError, match=sentence):
        ask()
