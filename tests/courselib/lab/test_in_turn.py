"""One task after another: the order of the hooks, the batches, and what each method remembers, against formulas by hand."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from courselib.continual.distillation import Distillation, distillation_loss
from courselib.continual.isolation import Answering, Isolation, OwnHeads, TaskNetwork
from courselib.continual.replay import Replay
from courselib.forgetting.fisher import empirical_fisher, true_fisher
from courselib.forgetting.penalties import EWC, L2SP, anchor, ewc_penalty, l2sp_penalty
from courselib.lab.data.digits import Task
from courselib.lab.in_turn import BATCH, Method, learn_next, rounds, train_on


def task(seed: int, n: int = 70) -> Task:
    generator = torch.Generator().manual_seed(seed)
    x, y = torch.randn(n, 5, generator=generator), torch.randint(3, (n,), generator=generator)
    return Task(f"task {seed}", x, y, x[:0], y[:0])


def network(seed: int = 0) -> nn.Linear:
    torch.manual_seed(seed)
    return nn.Linear(5, 3)


OLD, NEW = task(1), task(2)


def after_old(method: Method) -> nn.Module:
    """A network that has learned OLD with the method, and has moved on since."""
    model = network()
    method.begin(7)
    learn_next(model, OLD, method, steps=4, seed=0)
    method.before_task(model, NEW)
    with torch.no_grad():
        model.weight.add_(0.3)
    return model


def test_the_hooks_come_in_their_order_and_see_the_training():
    told = []

    class Telling(Method):
        def before_task(self, model, task):
            told.append(("before", task.name, anchor(model)["weight"]))

        def loss(self, model, x, y):
            told.append(("loss", x.shape, y.shape))
            return super().loss(model, x, y)

        def after_step(self, model):
            told.append(("step", anchor(model)["weight"]))

        def after_task(self, model, task):
            told.append(("after", task.name, anchor(model)["weight"]))

    losses = learn_next(network(), OLD, Telling(), steps=3, seed=0)
    assert [name for name, *_ in told] == ["before", *["loss", "step"] * 3, "after"] and len(losses) == 3
    assert not torch.equal(told[0][2], told[2][1]) and torch.equal(told[-2][1], told[-1][2])  # after the step, not before it
    assert told[1][1:] == ((BATCH, 5), (BATCH,)) and told[0][1] == told[-1][1] == "task 1"
    assert torch.equal(told[0][2], anchor(network())["weight"]) and not torch.equal(told[0][2], told[-1][2])


def test_batches_go_round_the_whole_task_before_they_repeat():
    found = rounds(task(3, 100), 8, seed=1)  # three whole batches a round, four examples left out
    assert len(found) == 8 and {len(i) for i in found} == {BATCH}
    first = torch.cat(found[:3])
    assert len(set(first.tolist())) == len(first)
    assert not torch.equal(found[0], found[3])
    assert all(torch.equal(a, b) for a, b in zip(found, rounds(task(3, 100), 8, seed=1), strict=True))
    assert not torch.equal(found[0], rounds(task(3, 100), 8, seed=2)[0])


def test_a_batch_is_pictures_with_their_own_labels_and_a_strong_gradient_is_clipped():
    seen, model = [], network()
    before = torch.cat([p.detach().flatten() for p in model.parameters()])

    def loss(model, x, y):
        seen.append((x, y))
        return 1e6 * F.cross_entropy(model(x), y)

    train_on(model, OLD, loss, steps=1, seed=0, lr=0.5)
    i = rounds(OLD, 1, seed=0)[0]
    assert torch.equal(seen[0][0], OLD.x_train[i]) and torch.equal(seen[0][1], OLD.y_train[i])
    moved = torch.cat([p.detach().flatten() for p in model.parameters()]) - before
    assert moved.norm().item() == pytest.approx(0.5, rel=1e-3)  # the rate times norm 1
    with pytest.raises(ValueError, match="'task 9' has 31 training examples; a batch takes 32"):
        train_on(model, task(9, 31), steps=1, seed=0)


def test_before_the_first_task_is_learned_every_method_is_the_naive_one():
    x, y = NEW.x_train[:BATCH], NEW.y_train[:BATCH]
    for method in (Method(), L2SP(9.0), EWC(9.0), Replay(5), Distillation(9.0)):
        assert torch.equal(method.loss(network(), x, y), F.cross_entropy(network()(x), y))


def test_each_loss_after_the_first_task_is_its_formula():
    x, y = NEW.x_train[:6], NEW.y_train[:6]
    learned = network()
    train_on(learned, OLD, steps=4, seed=0)  # what every method has learned of OLD
    start, fisher = anchor(learned), true_fisher(learned, OLD.x_train)

    method = L2SP(3.0)
    model = after_old(method)
    plain = F.cross_entropy(model(x), y)
    assert torch.allclose(method.loss(model, x, y), plain + l2sp_penalty(model, start, 3.0))
    method = EWC(3.0)
    assert torch.allclose(method.loss(after_old(method), x, y), plain + ewc_penalty(model, start, fisher, 3.0))
    method = EWC(3.0, importance=empirical_fisher)
    expected = ewc_penalty(model, start, empirical_fisher(learned, OLD.x_train, OLD.y_train), 3.0)
    assert torch.allclose(method.loss(after_old(method), x, y), plain + expected)
    method = Distillation(2.0, 3.0)
    expected = plain + 2.0 * distillation_loss(model(x), learned(x), 3.0)
    assert torch.allclose(method.loss(after_old(method), x, y), expected)
    assert Distillation().temperature == 2.0 and Replay(1).share == 0.5  # Hinton's T, and half of a batch
    method = Replay(20, share=1 / 3)
    after_old(method)
    old_x, old_y = copy.deepcopy(method.buffer).sample(2)  # 2 of 6; and they take the place of the last two new ones
    mixed = F.cross_entropy(model(torch.cat([x[:4], old_x])), torch.cat([y[:4], old_y]))
    assert torch.allclose(method.loss(model, x, y), mixed)
    assert method.buffer.seen == len(OLD.x_train)


def test_ewc_adds_the_fishers_of_all_tasks_at_the_latest_weights():
    method, model = EWC(1.0), network()
    learn_next(model, OLD, method, steps=4, seed=0)
    first = true_fisher(model, OLD.x_train)
    learn_next(model, NEW, method, steps=4, seed=1)
    second = true_fisher(model, NEW.x_train)
    assert torch.allclose(method.fisher["weight"], first["weight"] + second["weight"])
    assert torch.equal(method.start["weight"], model.weight)


def test_a_teacher_does_not_move_and_the_seed_is_the_reservoir_s():
    method = Distillation()
    model = after_old(method)
    teacher, before = method.teacher, method.teacher.weight.clone()
    assert not torch.equal(before, model.weight) and not teacher.weight.requires_grad
    learn_next(model, NEW, method, steps=3, seed=0)
    assert torch.equal(before, teacher.weight) and method.teacher is not teacher
    samples = []
    for seed in (1, 1, 2):
        method = Replay(4)
        method.begin(seed)
        method.after_task(model, OLD)
        samples.append(torch.stack([x for x, _ in method.buffer.items]))
    assert torch.equal(samples[0], samples[1]) and not torch.equal(samples[0], samples[2])


@pytest.mark.parametrize(("method", "old_answers_stay"), [(OwnHeads, False), (Isolation, True)])
def test_a_head_for_each_task_and_who_may_train_the_trunk(method, old_answers_stay):
    torch.manual_seed(0)
    shared, method = TaskNetwork([nn.Sequential(nn.Linear(5, 8), nn.ReLU())], (5, 8), bottleneck=2), method()
    views = [Answering(shared, t.name) for t in (OLD, NEW)]
    learn_next(views[0], OLD, method, steps=4, seed=0)
    before = views[0](OLD.x_train)
    learn_next(views[1], NEW, method, steps=4, seed=1)
    assert torch.equal(views[0](OLD.x_train), before) is old_answers_stay
    assert before.shape == (70, 3)
    assert isinstance(shared.adapters["task 1"][0], nn.Identity) and not isinstance(shared.adapters["task 2"][0], nn.Identity)
