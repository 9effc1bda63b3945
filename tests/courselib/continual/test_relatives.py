"""Replay as a mix, old answers, projected steps, and what becomes of the remedies with a head for each task: each by its "
"formula."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from courselib.continual.distillation import distillation_loss
from courselib.continual.heads import InHeads, LwF, ReplayHeads
from courselib.continual.isolation import Answering, OwnHeads, TaskNetwork
from courselib.continual.projection import AGEM, conflict, projected
from courselib.continual.replay import DarkReplay, Replay
from courselib.forgetting.penalties import EWC
from courselib.lab.data.digits import Task
from courselib.lab.in_turn import learn_next


def task(seed: int, n: int = 70, classes: int = 3) -> Task:
    generator = torch.Generator().manual_seed(seed)
    x, y = torch.randn(n, 5, generator=generator), torch.arange(n) % classes
    return Task(f"task {seed}", x, y, x[:0], y[:0])


OLD, NEW, NEXT = task(1), task(2), task(3, classes=2)


def after_old(method) -> nn.Module:
    torch.manual_seed(0)
    model = nn.Linear(5, 3)
    method.begin(7)
    learn_next(model, OLD, method, steps=4, seed=0)
    method.before_task(model, NEW)
    return model


def test_a_mix_is_as_large_as_the_batch_was_and_each_old_example_replaces_a_new_one():
    seen = []

    class Looking(nn.Linear):
        def forward(self, x):
            seen.append(x)
            return super().forward(x)

    for share, kept, old in ((0.5, 40, 16), (0.1, 40, 3), (0.8, 40, 26), (0.5, 10, 10)):  # the last reservoir has not enough
        method = Replay(kept, share)
        method.begin(0)
        method.after_task(Looking(5, 3), OLD)
        seen.clear()
        method.loss(Looking(5, 3), NEW.x_train[:32], NEW.y_train[:32])
        (batch,) = seen
        from_new = [any(torch.equal(row, x) for x in NEW.x_train[:32]) for row in batch]
        assert len(batch) == 32 and sum(from_new) == 32 - old
    for share in (0.0, 1.0, -0.1):
        with pytest.raises(ValueError, match="between 0 and 1"):
            Replay(10, share)
        with pytest.raises(ValueError, match="between 0 and 1"):
            ReplayHeads(10, share)


def test_dark_replay_asks_for_the_logits_of_then():
    method = DarkReplay(20, 0.5, strength=0.7)
    model = after_old(method)
    then = copy.deepcopy(model)
    with torch.no_grad():
        model.weight += 0.5
    x, y = NEW.x_train[:8], NEW.y_train[:8]
    old_x, answers = copy.deepcopy(method.buffer).sample(4)
    assert torch.allclose(answers, then(old_x), atol=1e-6) and not torch.allclose(answers, model(old_x), atol=1e-2)
    expected = F.cross_entropy(model(x[:4]), y[:4]) + 0.7 * F.mse_loss(model(old_x), answers)
    assert torch.allclose(method.loss(model, x, y), expected)
    with pytest.raises(ValueError, match="reward forgetting"):
        DarkReplay(5, strength=-1.0)


def test_a_projection_by_hand():
    g, r = [torch.tensor([1.0, 0.0]), torch.tensor([-3.0])], [torch.tensor([1.0, 2.0]), torch.tensor([1.0])]
    assert conflict(g, r) == pytest.approx(2 / 6)  # g . r = 1 - 3, r . r = 6: one angle for all weights together
    found = projected(g, r)
    assert torch.allclose(found[0], torch.tensor([4 / 3, 2 / 3])) and torch.allclose(found[1], torch.tensor([-8 / 3]))
    assert sum((a * b).sum() for a, b in zip(found, r, strict=True)).abs() < 1e-6
    assert all(torch.equal(a, b) for a, b in zip(projected(r, r), r, strict=True))
    assert conflict(g, [0 * part for part in r]) == 0.0


@pytest.mark.parametrize("contradict", [True, False])
def test_the_gradient_of_a_gem_s_loss_is_the_projected_one(contradict):
    method = AGEM(70)
    model = after_old(method)
    x, zeros = OLD.x_train, torch.zeros_like(OLD.y_train)
    method.begin(0)
    method.after_task(model, Task("all of class 0", x, zeros, x[:0], zeros[:0]))  # so a batch of class 1 points against it
    x, y = x[:32], zeros[:32] + contradict
    old = copy.deepcopy(method.buffer).sample(32)
    weights = list(model.parameters())
    new_gradient, reference = (torch.autograd.grad(F.cross_entropy(model(a), b), weights) for a, b in ((x, y), old))
    found = torch.autograd.grad(method.loss(model, x, y), weights)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(found, projected(new_gradient, reference), strict=True))
    assert (conflict(new_gradient, reference) > 0) is contradict
    if not contradict:
        assert all(torch.allclose(a, b, atol=1e-7) for a, b in zip(found, new_gradient, strict=True))


def shared(*done: Task, method=None, steps: int = 5) -> tuple[TaskNetwork, OwnHeads]:
    torch.manual_seed(0)
    network = TaskNetwork([nn.Sequential(nn.Linear(5, 8), nn.Tanh())], (5, 8))
    method = method or OwnHeads()
    method.begin(3)
    for number, t in enumerate(done):
        learn_next(Answering(network, t.name), t, method, steps=steps, seed=number, lr=0.1)
    return network, method


def test_lwf_asks_the_teacher_about_the_old_heads_and_the_label_about_the_new_one():
    method = LwF(0.7, 3.0)
    network, _ = shared(OLD, NEW, method=method)
    before = copy.deepcopy(network)
    view = Answering(network, NEXT.name)
    method.before_task(view, NEXT)
    assert all(p.requires_grad for p in network.parameters())  # the old heads may follow the trunk
    with torch.no_grad():
        network.blocks[0][0].weight += 0.2
    x, y = NEXT.x_train[:9], NEXT.y_train[:9]
    expected = F.cross_entropy(network(x, NEXT.name), y)
    for name in (OLD.name, NEW.name):
        expected = expected + 0.7 * distillation_loss(network(x, name), before(x, name), 3.0)
    assert torch.allclose(method.loss(view, x, y), expected, atol=1e-6)
    assert set(method.teacher.heads) == {OLD.name, NEW.name}
    assert all(torch.equal(a, b) for a, b in zip(method.teacher.parameters(), before.parameters(), strict=True))


def test_lwf_in_its_first_task_is_the_naive_method_and_keeps_more_of_the_old_head_than_none():
    naive, held = shared(OLD)[0], shared(OLD, method=LwF(9.0))[0]
    assert torch.equal(naive(OLD.x_train, OLD.name), held(OLD.x_train, OLD.name))
    before = shared(OLD, steps=60)[0](NEW.x_train, OLD.name)
    moved = [
        (shared(OLD, NEW, method=m, steps=60)[0](NEW.x_train, OLD.name) - before).abs().mean() for m in (OwnHeads(), LwF(3.0))
    ]
    assert moved[1] < 0.5 * moved[0]
    with pytest.raises(ValueError, match="LwF got strength -1"):
        LwF(-1.0)


def test_replay_with_heads_asks_each_old_picture_s_own_head():
    method = ReplayHeads(30, 0.5)
    network, _ = shared(OLD, NEW, method=method)
    view = Answering(network, NEXT.name)
    method.before_task(view, NEXT)
    x, y = NEXT.x_train[:12], NEXT.y_train[:12]
    old_x, old_y, whose = copy.deepcopy(method.buffer).sample(6)
    assert set(whose.tolist()) == {0, 1}  # both tasks are in this sample, or the test would see one head only
    total = F.cross_entropy(network(x[:6], NEXT.name), y[:6], reduction="sum")
    for a, b, number in zip(old_x, old_y, whose.tolist(), strict=True):
        total = total + F.cross_entropy(network(a[None], (OLD, NEW)[number].name), b[None], reduction="sum")
    assert torch.allclose(method.loss(view, x, y), total / 12, atol=1e-6)


def test_a_spring_in_heads_holds_the_trunk_and_the_older_heads():
    remedy = EWC(5.0)
    network, _ = shared(OLD, NEW, method=InHeads(remedy))
    assert {name.split(".")[1] for name in remedy.start} == {"blocks", "heads"}
    heads = {name.split(".")[2] for name in remedy.fisher if ".heads." in name}
    assert heads == {OLD.name, NEW.name}
    assert remedy.penalty(Answering(network, NEW.name)).item() == pytest.approx(0, abs=1e-9)
