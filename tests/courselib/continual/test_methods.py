"""Replay, distillation, isolation and the scores, each against what it has to be by counting or by hand."""

import pytest
import torch
from scipy.stats import chisquare
from torch import nn
from torch.nn import functional as F

from courselib.continual import entropy
from courselib.continual.distillation import distillation_gradient, distillation_loss, softened
from courselib.continual.isolation import TaskNetwork
from courselib.continual.replay import Reservoir, replay_counts, replay_loss
from courselib.continual.scores import average_accuracy, backward_transfer, forward_transfer, losses_and_gains, target_and_general


def test_reservoir_keeps_every_example_with_the_same_probability():
    capacity, length, runs = 4, 20, 3000
    kept = torch.zeros(length)
    for seed in range(runs):
        reservoir = Reservoir(capacity, seed)
        reservoir.add_all(torch.arange(length))
        assert len({int(item[0]) for item in reservoir.items}) == capacity
        for item in reservoir.items:
            kept[item[0]] += 1
    # each count is binomial with p = capacity / length; without replacement the statistic is smaller by 1 - p
    statistic, _ = chisquare(kept.numpy())
    assert kept.sum() == runs * capacity
    assert statistic / (1 - capacity / length) < 43.8  # the 99.9 % point of chi-square with 19 degrees of freedom
    assert kept[-1] / runs == pytest.approx(0.2, abs=0.03)


def test_reservoir_keeps_pairs_together_and_samples_without_repeats():
    reservoir = Reservoir(10, seed=1)
    x = torch.arange(60.0).reshape(30, 2)
    reservoir.add_all(x, torch.arange(30))
    assert reservoir.seen == 30
    xs, ys = reservoir.sample(6)
    assert xs.shape == (6, 2) and ys.shape == (6,) and len(set(ys.tolist())) == 6
    assert torch.equal(xs, x[ys])
    assert len(reservoir.sample(50)[1]) == 10
    with pytest.raises(ValueError, match="strict|shorter|longer"):
        reservoir.add_all(x, torch.arange(29))


def test_replay_loss_is_two_means():
    torch.manual_seed(0)
    model = nn.Linear(3, 4)
    new, old = (torch.randn(6, 3), torch.randint(4, (6,))), (torch.randn(2, 3), torch.randint(4, (2,)))
    expected = F.cross_entropy(model(new[0]), new[1]) + 0.5 * F.cross_entropy(model(old[0]), old[1])
    assert replay_loss(model, new, old, alpha=0.5).item() == pytest.approx(expected.item(), rel=1e-5)
    assert replay_counts(32, 0.1) == (29, 3)
    with pytest.raises(ValueError, match="some of both kinds"):
        replay_counts(4, 0.1)


def test_distillation_is_the_divergence_from_teacher_to_student_times_t_squared():
    teacher, student = torch.tensor([[2.0, 0.0, -1.0], [0.0, 1.0, 0.0]]), torch.tensor([[0.0, 1.0, 0.5], [1.0, 1.0, -2.0]])
    p, q = softened(teacher, 3.0).double(), softened(student, 3.0).double()
    expected = 9 * (p * (p / q).log()).sum() / 2  # the sum over classes, the mean over the two rows
    assert distillation_loss(student, teacher, 3.0).item() == pytest.approx(expected.item(), rel=1e-5)
    assert expected != pytest.approx((9 * (q * (q / p).log()).sum() / 2).item(), rel=0.01)  # the other way round
    assert distillation_loss(teacher, teacher, 3.0).item() == pytest.approx(0, abs=1e-6)


def test_gradients_vanish_with_temperature_but_for_t_squared():
    torch.manual_seed(0)
    teacher = 2 * torch.randn(64, 10)
    norms = {}
    for T in (1, 2, 4, 8, 16):
        student = (2 * torch.randn(64, 10, generator=torch.Generator().manual_seed(1))).requires_grad_()
        distillation_loss(student, teacher.requires_grad_(), T).backward()
        norms[T] = student.grad.norm().item()
        assert teacher.grad is None
    assert all(0.4 < norms[T] / norms[1] < 2.5 for T in norms)
    assert norms[16] / 16**2 < norms[1] / 100
    assert norms[16] / norms[8] == pytest.approx(1, abs=0.1)  # it settles: (z_student - z_teacher) / classes, centred


def test_what_is_usual_is_t_2_and_equal_weights():
    torch.manual_seed(0)
    student, teacher = torch.randn(4, 3), torch.randn(4, 3)
    assert torch.equal(distillation_loss(student, teacher), distillation_loss(student, teacher, 2.0))
    assert torch.equal(distillation_gradient(student, teacher), distillation_gradient(student, teacher, 2.0))
    model, new, old = nn.Linear(3, 2), (torch.randn(5, 3), torch.ones(5).long()), (torch.randn(2, 3), torch.zeros(2).long())
    assert torch.equal(replay_loss(model, new, old), replay_loss(model, new, old, 1.0))


@pytest.mark.parametrize("T", [0.5, 1, 3, 16])
def test_the_gradient_by_hand_is_autograds_and_each_row_sums_to_zero(T):
    torch.manual_seed(1)
    teacher, student = 3 * torch.randn(7, 5, dtype=torch.float64), (3 * torch.randn(7, 5, dtype=torch.float64)).requires_grad_()
    distillation_loss(student, teacher, T).backward()
    by_hand = distillation_gradient(student.detach(), teacher, T)
    assert torch.allclose(student.grad, by_hand, atol=1e-12)
    assert torch.allclose(by_hand.sum(1), torch.zeros(7, dtype=torch.float64), atol=1e-12)


def test_entropy_by_hand_and_that_it_grows_with_temperature():
    assert entropy(torch.tensor([[1.0, 0.0], [0.5, 0.5]])).tolist() == pytest.approx([0.0, 0.6931472])
    logits = torch.tensor([2.0, 1.0, 0.0, -3.0], dtype=torch.float64)
    found = [entropy(softened(logits, T)).item() for T in (0.1, 0.5, 1, 2, 4, 100)]
    assert found == sorted(found) and found[0] < 0.01 and found[-1] == pytest.approx(torch.tensor(4.0).log().item(), abs=1e-3)


def network(bottleneck=3):
    torch.manual_seed(0)
    blocks = [nn.Sequential(nn.Linear(6, 8), nn.ReLU()), nn.Sequential(nn.Linear(8, 7), nn.ReLU())]
    return TaskNetwork(blocks, (6, 8, 7), bottleneck)


def step(model, x, task):
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.02)
    model(x, task).square().sum().backward()
    optimizer.step()


def test_isolated_tasks_keep_their_answers_to_the_last_bit():
    model, x = network(), torch.linspace(-1, 2, 30).reshape(5, 6)
    model.add_task("a", 2)
    step(model, x, "a")
    step(model, x, "a")  # so that up, which starts at 0, moves, and then down
    model.freeze_trunk()
    before = model(x, "a")
    model.add_task("b", 4)
    start = model(x, "b")
    for _ in range(3):
        step(model, x, "b")
    assert torch.equal(model(x, "a"), before)
    assert not torch.allclose(model(x, "b"), start)
    assert model.adapters["b"][0].up.weight.abs().sum() > 0
    assert model(x, "b").shape == (5, 4)


def test_heads_alone_isolate_nothing():
    model, x = network(bottleneck=0), torch.linspace(-1, 2, 30).reshape(5, 6)
    model.add_task("a", 2)
    before = model(x, "a")
    model.add_task("b", 2)
    step(model, x, "b")  # the trunk is not frozen
    assert not torch.allclose(model(x, "a"), before)


def test_new_adapters_change_nothing_at_first():
    model, x = network(), torch.linspace(-1, 2, 30).reshape(5, 6)
    model.add_task("plain", 2, adapters=False)
    model.add_task("adapted", 2)
    model.heads["adapted"].load_state_dict(model.heads["plain"].state_dict())
    assert torch.equal(model(x, "adapted"), model(x, "plain"))


R = [[0.9, 0.3, 0.2], [0.6, 0.8, 0.4], [0.5, 0.7, 1.0]]


def test_scores_of_a_matrix_by_hand():
    assert average_accuracy(R) == pytest.approx((0.5 + 0.7 + 1.0) / 3)
    assert backward_transfer(R) == pytest.approx(((0.5 - 0.9) + (0.7 - 0.8)) / 2)
    assert forward_transfer(R, [0.1, 0.25, 0.15]) == pytest.approx(((0.3 - 0.25) + (0.4 - 0.15)) / 2)


def test_losses_and_gains_are_the_two_sides_of_bwt():
    assert losses_and_gains(R) == pytest.approx((0.25, 0))
    mixed = [[0.9, 0.3, 0.2], [0.9, 0.5, 0.4], [0.6, 0.8, 1.0]]  # one loses 0.3, the other gains 0.3
    assert backward_transfer(mixed) == pytest.approx(0)
    assert losses_and_gains(mixed) == pytest.approx((0.15, 0.15))


def test_the_check_after_each_stage():
    stages = target_and_general(R)
    assert [target for target, _ in stages] == [0.9, 0.8, 1.0]
    assert stages[0][1] is None and [general for _, general in stages[1:]] == pytest.approx([0.6, (0.5 + 0.7) / 2])


@pytest.mark.parametrize(
    "ask, sentence",
    [
        (lambda: Reservoir(0), "at least 1 example"),
        (lambda: Reservoir(3).sample(1), "reservoir is empty"),
        (lambda: softened(torch.zeros(1, 2), 0), "above 0"),
        (lambda: distillation_loss(torch.zeros(2, 3), torch.zeros(2, 4)), "Has the student a new head"),
        (lambda: backward_transfer([[1.0]]), "at least 2"),
        (lambda: average_accuracy([[1.0], [0.5, 0.5]]), "has to be square"),
        (lambda: forward_transfer(R, [0.1]), "3 tasks but start has 1"),
        (lambda: network()(torch.zeros(1, 6), "a"), "none yet"),
        (lambda: TaskNetwork([nn.Linear(2, 2)], (2,)), "so 2 widths"),
    ],
)
def test_the_impossible_is_refused_with_a_sentence(ask, sentence):
    with pytest.raises(ValueError, match=sentence):
        ask()


def test_a_task_is_added_once():
    model = network()
    model.add_task("a", 2)
    with pytest.raises(ValueError, match="a task 'a' already"):
        model.add_task("a", 2)
