"""Springs as methods: EWC over several tasks, with the whole Fisher matrix, synaptic intelligence, and the way half-way back."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from courselib.forgetting.fisher import add, true_fisher, whole_fisher_form
from courselib.forgetting.interpolation import interpolated
from courselib.forgetting.penalties import EWC, L2SP, Spring, WholeEWC, anchor
from courselib.forgetting.synaptic import SynapticIntelligence
from courselib.lab.data.digits import Task
from courselib.lab.in_turn import learn_next, train_on


def task(seed: int, n: int = 40) -> Task:
    generator = torch.Generator().manual_seed(seed)
    x, y = torch.randn(n, 4, generator=generator), torch.randint(3, (n,), generator=generator)
    return Task(f"task {seed}", x, y, x[:0], y[:0])


def network() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(4, 3)


def learned(method: Spring, *tasks: Task) -> tuple[nn.Module, list[dict], list[dict]]:
    """A network that has learned the tasks in turn: it, and after each task the weights and the true Fisher."""
    model, ends, fishers = network(), [], []
    method.begin(0)
    for number, t in enumerate(tasks):
        learn_next(model, t, method, steps=5, seed=number, lr=0.1)
        ends.append(anchor(model))
        fishers.append(true_fisher(model, t.x_train))
    return model, ends, fishers


def gradient(value: torch.Tensor, model: nn.Module) -> torch.Tensor:
    return torch.cat([g.flatten() for g in torch.autograd.grad(value, list(model.parameters()))])


def test_springs_to_each_task_are_one_spring_and_the_latest_anchor_is_another():
    tasks = [task(1), task(2), task(3)]
    for anchors in ("each", "latest"):
        method = EWC(7.0, anchors=anchors)
        model, ends, fishers = learned(method, *tasks)
        with torch.no_grad():
            model.weight += 0.3
        each = (
            7
            / 2
            * sum((f[n] * (p - e[n]) ** 2).sum() for f, e in zip(fishers, ends, strict=True) for n, p in model.named_parameters())
        )
        summed = sum(torch.cat([f[n].flatten() for n in f]) for f in fishers)
        latest = 7 * summed * torch.cat([(p.detach() - ends[-1][n]).flatten() for n, p in model.named_parameters()])
        to_each = gradient(each, model)
        found = gradient(method.penalty(model), model)
        assert torch.allclose(found, to_each if anchors == "each" else latest, atol=1e-5)
        assert not torch.allclose(to_each, latest, atol=1e-2)  # the two are not the same


def test_a_weight_that_no_task_needs_keeps_its_latest_place():
    method = EWC(1.0, importance=lambda m, x, y: {n: torch.zeros_like(p) for n, p in m.named_parameters()}, anchors="each")
    model, ends, _ = learned(method, task(1), task(2))
    assert all(torch.equal(method.start[n], ends[-1][n]) for n in method.start)
    with pytest.raises(ValueError, match="'first'; choose 'latest' or 'each'"):
        EWC(1.0, anchors="first")


def test_ewc_looks_at_so_many_examples():
    method = EWC(1.0, examples=7)
    model, _, _ = learned(method, task(1))
    assert torch.equal(method.fisher["weight"], true_fisher(model, task(1).x_train[:7])["weight"])


def test_the_whole_fisher_pulls_with_the_whole_matrix():
    method = WholeEWC(3.0, examples=9)
    model, ends, _ = learned(method, task(1))
    x = task(1).x_train[:9]
    whole = 0.0
    for x_i in x:
        p = model(x_i).softmax(-1).detach()
        for label in range(3):
            g = gradient(model(x_i).log_softmax(-1)[label], model)
            whole = whole + p[label] * torch.outer(g, g) / len(x)
    with torch.no_grad():
        model.weight += torch.linspace(-0.5, 0.7, 12).view(3, 4)
        model.bias += 0.2
    d = torch.cat([(p.detach() - ends[0][n]).flatten() for n, p in model.named_parameters()])
    value = method.penalty(model)
    assert value.item() == pytest.approx((3 / 2 * d @ whole @ d).item(), rel=1e-4)
    assert torch.allclose(gradient(value, model), 3 * whole @ d, atol=1e-5)
    assert not torch.allclose(gradient(method.penalty(model), model), 3 * whole.diag() * d, atol=1e-2)
    assert torch.equal(method.old.weight, ends[0]["weight"])  # F is taken where A was learned, not where the weights are now
    with pytest.raises(ValueError, match="they have to agree"):
        whole_fisher_form(model, x, {"bias": torch.zeros(3)})


def test_importances_of_different_weights_are_joined():
    found = add({"trunk": torch.ones(2), "head 1": torch.ones(1)}, {"trunk": torch.ones(2), "head 2": 2 * torch.ones(1)})
    assert found["trunk"].tolist() == [2, 2] and found["head 1"].tolist() == [1] and found["head 2"].tolist() == [2]


def test_l2sp_and_ewc_share_one_loss():
    assert "loss" not in vars(L2SP) and "loss" not in vars(EWC) and L2SP.loss is EWC.loss is Spring.loss
    with pytest.raises(NotImplementedError):
        Spring(1.0).pull(network())
    for spring in (L2SP, EWC, WholeEWC, SynapticIntelligence):
        with pytest.raises(ValueError, match="negative spring"):
            spring(-1.0)


def test_contributions_add_up_to_what_the_loss_has_fallen():
    """The path integral: with small steps the sum of all omegas is the fall of the loss."""
    model, t = network(), task(1, 32)  # one batch is the whole task
    before = F.cross_entropy(model(t.x_train), t.y_train).item()
    method = SynapticIntelligence(5.0)
    learn_next(model, t, method, steps=80, seed=0, lr=0.002)
    fall = before - F.cross_entropy(model(t.x_train), t.y_train).item()
    assert fall > 0.02
    assert sum(w.sum().item() for w in method.omega.values()) == pytest.approx(fall, rel=0.03)
    moved = (anchor(model)["weight"] - network().weight.detach()) ** 2
    assert torch.allclose(method.importance["weight"], method.omega["weight"].clamp_min(0) / (moved + 1e-3), rtol=1e-3, atol=1e-6)


def test_the_spring_itself_is_no_contribution():
    """In the second task the gradient that counts is the task's, without the penalty's."""
    strong, model = SynapticIntelligence(500.0), network()
    learn_next(model, task(1), strong, steps=4, seed=0, lr=0.1)
    strong.before_task(model, task(2))
    with torch.no_grad():
        model.weight += 0.4
    x, y = task(2).x_train, task(2).y_train
    value = strong.loss(model, x, y)
    (plain,) = torch.autograd.grad(F.cross_entropy(model(x), y), [model.weight])
    assert torch.allclose(strong.gradient["weight"], plain, atol=1e-6)
    assert value.item() > F.cross_entropy(model(x), y).item() + 1e-3
    with pytest.raises(ValueError, match="damping is 0"):
        SynapticIntelligence(1.0, damping=0)


def test_half_way_back():
    start, model = network(), network()
    train_on(model, task(1), steps=3, seed=0, lr=0.5)
    ends = anchor(start), anchor(copy.deepcopy(model))
    half = interpolated(ends[0], model, 0.5)
    assert torch.allclose(half.weight, (ends[0]["weight"] + ends[1]["weight"]) / 2, atol=1e-6)
    quarter = interpolated({"weight": ends[0]["weight"]}, model, 0.25)
    assert torch.allclose(quarter.weight, 0.75 * ends[0]["weight"] + 0.25 * ends[1]["weight"], atol=1e-6)
    assert torch.equal(quarter.bias, model.bias)  # what the start does not name is the model's
    for share, end in ((0, ends[0]), (1, ends[1])):
        assert torch.equal(interpolated(ends[0], model, share).weight, end["weight"])
    assert torch.equal(model.weight, ends[1]["weight"])  # it is a copy
    with pytest.raises(ValueError, match="0 to 1"):
        interpolated(ends[0], model, 1.5)
