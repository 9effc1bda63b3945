"""What is asked of a sampler, a step and a loss: the probes and the measures, against counting by hand."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import solutions.continual as answers
from autograder.asking.probes import continual as probing
from autograder.asking.probes import forgetting as learning
from autograder.exercises import exercises
from autograder.judging.measures import continual as measures
from autograder.judging.measures import forgetting as kept


def asked(answer, length=24, capacity=3, runs=1):
    inputs = {"length": length, "capacity": capacity, "runs": runs, "seed": 1}
    return probing.sample_many_times(answer, inputs).numpy()


def test_a_stream_has_no_length_and_nobody_may_collect_it():
    for hoard in (lambda stream, capacity, rng: rng.choice(list(stream), capacity, replace=False),
                  lambda stream, capacity, rng: sorted(stream, key=lambda item: rng.random())[:capacity]):  # fmt: skip
        with pytest.raises(ValueError, match="holds 7 items of the stream at once, and the sample has room for 3"):
            asked(hoard)
    with pytest.raises(TypeError):
        asked(lambda stream, capacity, rng: [stream[i] for i in range(len(stream))])
    with pytest.raises(ValueError, match="no item of the stream"):
        asked(lambda stream, capacity, rng: [1, 2, 3])


def test_other_fair_samplers_are_let_through():
    def by_keys(stream, capacity, rng):
        """Keep the items with the largest random keys."""
        kept = []
        for item in stream:
            kept = sorted([*kept, (rng.random(), item)], key=lambda pair: pair[0])[-capacity:]
        return [item for _, item in kept]

    held = {"length": 24, "capacity": 3}
    for sampler in (answers.continual_reservoir, by_keys):
        samples = asked(sampler, runs=1500)
        assert measures.whole_samples(samples, held) == 1 and measures.unevenness(samples, held) < 6
        assert 0.75 < measures.early(samples, held) < 1.25 and 0.75 < measures.late(samples, held) < 1.25


def test_samples_are_padded_and_one_too_many_is_seen():
    short = asked(answers.continual_reservoir, length=2)
    assert sorted(short[0].tolist()) == [-1, -1, 0, 1]
    first_four = asked(lambda stream, capacity, rng: [next(stream) for _ in range(4)])
    assert first_four.tolist() == [[0, 1, 2, 3]]
    assert measures.whole_samples(first_four, {"length": 24}) == 0
    assert measures.whole_samples(np.array([[0, 1, 1, -1], [0, 1, 2, -1]]), {"length": 24}) == 0.5  # one has an item twice
    assert measures.whole_samples(short, {"length": 2}) == 1


def test_counts_by_hand():
    samples, held = np.array([[0, 1, -1], [0, 3, -1], [0, 2, -1], [0, 1, -1]]), {"length": 4, "capacity": 2}  # fair: 2 of each
    assert measures.early(samples, held) == 2 and measures.late(samples, held) == 0.5
    chi = 3 / (4 * 0.5) * (2**2 + 0 + 1 + 1) / 2
    assert measures.unevenness(samples, held) == pytest.approx((chi - 3) / 6**0.5)


def test_a_memory_is_measured_by_what_is_in_it():
    case = exercises["continual.rehearse"].cases(np.random.default_rng(0))[0]
    few = case.inputs | {"order": case.inputs["order"][:5]}

    def keeps_all(model, optimizer, x, y, memory, capacity, seen, rng):
        memory += list(zip(x, y, strict=True))

    def keeps_batches(model, optimizer, x, y, memory, capacity, seen, rng):
        memory.append((torch.cat([x] * 5), y))  # few entries, many pictures

    for hoard in (keeps_all, keeps_batches):
        with pytest.raises(ValueError, match="the memory holds more than 60 pictures"):
            probing.through_a_stream(hoard, few)
    seen_so_far = []

    def looks(model, optimizer, x, y, memory, capacity, seen, rng):
        seen_so_far.append((seen, len(x)))

    answered = probing.through_a_stream(looks, few)
    assert seen_so_far == [(16 * i, 16) for i in range(5)] and [len(a) for a in answered] == [len(y) for y in case.held["y"]]
    assert not any("y" in name and torch.is_tensor(v) and len(v) != len(case.inputs["x"]) for name, v in case.inputs.items())


def test_the_worst_old_task_and_the_newest():
    held = {"y": (np.array([0, 1]), np.array([2, 3, 2, 3]), np.array([4, 5]))}
    found = [np.array([0, 1]), np.array([2, 3, 4, 4]), np.array([4, 4])]
    assert measures.worst_old(found, held) == 0.5 and measures.newest(found, held) == 0.5


def test_what_is_kept_is_a_share_of_what_is_lost():
    held = {"y_a": np.array([0, 1, 2, 3]), "y_b": np.array([1, 1]), "before": 1.0, "naive": 0.25}
    assert kept.kept_of_a(np.array([0, 1, 2, 3]), held) == 1 and kept.kept_of_a(np.array([0, 9, 9, 9]), held) == 0
    assert kept.kept_of_a(np.array([0, 1, 9, 9]), held) == pytest.approx(1 / 3)
    assert kept.right_about_b(np.array([1, 0]), held) == 0.5


@pytest.mark.parametrize(("wrong", "sentence"), [
    (lambda model, x_a, lam: 0.5, "expected a function of"),
    (lambda model, x_a, lam: lambda model, x, y: 1.0, "scalar tensor that depends on"),
    (lambda model, x_a, lam: lambda model, x, y: F.cross_entropy(model(x), y).detach(), "no detach"),
    (lambda model, x_a, lam: lambda model, x, y: F.cross_entropy(model(x), y, reduction="none"), "scalar tensor"),
])
def test_a_loss_that_is_none_is_refused_with_a_sentence(wrong, sentence):
    torch.manual_seed(0)
    inputs = {"weights": [torch.randn(10, 4), torch.randn(10)], "x_a": torch.randn(3, 4), "x_b": torch.randn(6, 4)}
    inputs |= {"y_b": torch.arange(6), "order": torch.tensor([[0, 1, 2]]), "lam": 1.0, "lr": 0.1, "seed": 0}
    with pytest.raises(TypeError, match=sentence):
        learning.learn_b(wrong, inputs | {"ask_a": torch.randn(2, 4), "ask_b": torch.randn(5, 4)})
