"""The experiment itself: the four pairs of tasks, and runs that can be compared."""

import pytest
import torch

from courselib import lora
from courselib.forgetting import penalties
from courselib.forgetting.two_tasks import first_task, other_second, pair, second_task


@pytest.fixture(scope="module")
def start():
    return first_task(0)


def test_the_pairs_are_what_they_are_called():
    A, B = pair("permuted", 0)
    assert torch.equal(A.y_train, B.y_train) and not torch.equal(A.x_train, B.x_train)
    assert torch.equal(A.x_train.sort(1).values, B.x_train.sort(1).values)  # the same pixels in another order
    A, B = pair("by class", 0)
    assert set(A.y_train.tolist()) == {0, 1, 2, 3, 4} and set(B.y_test.tolist()) == {5, 6, 7, 8, 9}
    A, B = pair("aligned", 0)
    assert torch.equal(A.y_test, B.y_test) and 0.15 < (A.x_test - B.x_test).std() < 0.25
    A, B = pair("contradictory", 0)
    assert torch.equal(A.x_test, B.x_test) and torch.equal((A.y_test + 1) % 10, B.y_test)
    with pytest.raises(ValueError, match="no pair of tasks called 'other'"):
        pair("other", 0)


def test_the_naive_copy_forgets_and_the_original_does_not_change(start):
    weights = penalties.anchor(start.model)
    run = second_task(start, watch=(1, 100))
    assert start.before[0] > 0.9 and run.new > 0.9 and run.old < start.before[0] - 0.2
    assert all(torch.equal(p, weights[name]) for name, p in start.model.named_parameters())
    assert [step for step, _, _ in run.history] == [1, 100] and run.history[0][1] > run.old
    again = second_task(start)
    assert (again.old, again.new) == (run.old, run.new)  # the same seed, the same run
    assert all(torch.equal(p, q) for p, q in zip(run.model.parameters(), again.model.parameters(), strict=True))


def test_the_method_and_the_preparation_are_the_caller_s(start):
    held = penalties.anchor(start.model)
    stiff = second_task(start, penalties.L2SP(3.0), steps=50)
    assert penalties.distance(stiff.model, held) < penalties.distance(second_task(start, steps=50).model, held)
    adapted = second_task(start, steps=5, prepare=lambda m: lora.add_lora(m, targets=("4",), rank=2))
    with lora.disabled(adapted.model), torch.no_grad():
        assert torch.equal(adapted.model(start.A.x_test), start.model(start.A.x_test))


def test_another_second_task_after_the_same_first(start):
    other = other_second(start, "contradictory")
    assert other.model is start.model and other.kind == "contradictory"
    assert torch.equal(other.A.x_train, pair("contradictory", 0)[0].x_train)
    with pytest.raises(ValueError, match="task A of its own"):
        other_second(start, "by class")
