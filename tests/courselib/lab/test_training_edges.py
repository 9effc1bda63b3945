"""The training loop where something goes wrong, accumulates, or runs on a device whose losses are not read at every step."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from courselib.lab import training
from courselib.lab.training import fit


def data(sizes=(2, 2, 2, 2), seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [(torch.randn(n, 3, generator=generator), torch.randn(n, 2, generator=generator)) for n in sizes]


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))


def mse(model, batch):
    return F.mse_loss(model(batch[0]), batch[1])


def sgd(model):
    return torch.optim.SGD(model.parameters(), lr=0.1)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def spoiling(at):
    """A loss that is not a number in its call number `at`."""
    calls = []

    def loss(model, batch):
        calls.append(1)
        return mse(model, batch) * (math.nan if len(calls) == at else 1)

    return loss


@pytest.mark.parametrize("culprit", ["loss", "callback"])
def test_a_failing_step_leaves_the_model_in_eval_mode_and_closes_the_bar(culprit, monkeypatch):
    closed = []

    class Bar(training.tqdm):
        def close(self):
            closed.append(True)
            super().close()

    def breaks(*_):
        raise KeyError("broken")

    monkeypatch.setattr(training, "tqdm", Bar)
    model, loss, callbacks = network(), breaks if culprit == "loss" else mse, [breaks] if culprit == "callback" else []
    with pytest.raises(KeyError, match="broken"):
        fit(model, data(), loss, sgd(model), steps=3, callbacks=callbacks)
    assert not model.training and closed


def test_a_group_that_a_callback_adds_is_clipped_with_the_others():
    model, added = network(), nn.Parameter(torch.zeros(5))
    optimizer = sgd(model)

    def add(state):
        if state.number == 1:
            optimizer.add_param_group({"params": [added], "lr": 1.0})

    def loss(model, batch):
        return 100 * added.sum() + 0 * mse(model, batch)

    fit(model, data(), loss, optimizer, steps=2, max_grad_norm=1.0, callbacks=[add], progress=False)
    assert added.norm().item() == pytest.approx(1.0, rel=1e-4)  # one step of rate 1 along a gradient of norm 1


def test_accumulating_equal_batches_is_one_large_batch():
    model = network()
    whole, batches = copy.deepcopy(model), data()
    large = [tuple(torch.cat(part) for part in zip(*batches[i : i + 2], strict=True)) for i in (0, 2)]
    small = fit(model, batches, mse, sgd(model), steps=4, accumulate=2, max_grad_norm=0.3, progress=False)
    assert small == pytest.approx(fit(whole, large, mse, sgd(whole), steps=4, max_grad_norm=0.3, progress=False))
    assert torch.allclose(weights(model), weights(whole), atol=1e-6)


def test_accumulating_unequal_batches_is_not_and_a_fixed_divisor_mends_it():
    model, batches = network(), data(sizes=(6, 2))
    large = [tuple(torch.cat(part) for part in zip(*batches, strict=True))]
    found = {}
    for name, loss, some, count in (
        ("large", mse, large, 1), ("means", mse, batches, 2),
        ("sums", lambda m, b: (m(b[0]) - b[1]).square().sum() / (8 * 2 / 2), batches, 2),  # 8 rows of 2; fit halves it again
    ):
        trained = copy.deepcopy(model)
        fit(trained, some, loss, sgd(trained), steps=1, accumulate=count, progress=False)
        found[name] = weights(trained)
    assert torch.allclose(found["sums"], found["large"], atol=1e-6)
    assert not torch.allclose(found["means"], found["large"], atol=1e-3)


def test_accumulated_steps_are_counted_as_steps():
    seen, rates = [], []
    model = network()
    optimizer = sgd(model)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step))

    def look(state):
        seen.append((state.number, state.steps))
        rates.append(optimizer.param_groups[0]["lr"])

    how = {"steps": 2, "accumulate": 2, "scheduler": scheduler, "callbacks": [look], "progress": False}
    assert len(fit(model, iter(data()), mse, optimizer, **how)) == 2
    assert seen == [(1, 2), (2, 2)] and rates == pytest.approx([0.05, 0.1 / 3])
    with pytest.raises(ValueError, match="after 4 of the 6"):
        fit(model, iter(data()), mse, sgd(model), steps=3, accumulate=2, progress=False)
    with pytest.raises(ValueError, match="3 steps of 0 batches"):
        fit(model, data(), mse, sgd(model), steps=3, accumulate=0, progress=False)


def test_where_reading_waits_losses_are_read_many_at_a_time(monkeypatch):
    monkeypatch.setattr(training, "look_every", lambda device: 4)
    reads = []
    for name in ("item", "tolist", "__float__", "__bool__"):
        real = getattr(torch.Tensor, name)
        monkeypatch.setattr(torch.Tensor, name, lambda self, real=real: reads.append(self.numel()) or real(self))
    model, again = network(), network()
    losses = fit(model, data(), mse, torch.optim.SGD(model.parameters(), lr=0.1), steps=10, max_grad_norm=1.0)
    assert reads == [4, 4, 2]  # and nothing else asks for a number
    monkeypatch.undo()
    assert losses == fit(again, data(), mse, sgd(again), steps=10, max_grad_norm=1.0, progress=False)


@pytest.mark.parametrize(("at", "stops", "state"), [
    (4, 4, "as they were before this step"),  # the step at which it is looked
    (2, 4, "spoilt"), (10, 10, "spoilt"), (9, 10, "spoilt"),  # the last two are read at the end
])
def test_a_loss_that_is_not_finite_is_found_at_the_next_look(monkeypatch, at, stops, state):
    monkeypatch.setattr(training, "look_every", lambda device: 4)
    model, calls = network(), []
    loss = spoiling(at)
    with pytest.raises(FloatingPointError, match=f"nan at step {at}. The weights are {state}"):
        fit(model, data(), lambda m, b: calls.append(1) or loss(m, b), sgd(model), steps=10, progress=False)
    assert len(calls) == stops and not model.training


def test_on_the_cpu_every_loss_is_read_at_once_and_elsewhere_not():
    assert training.look_every(torch.device("cpu")) == 1
    assert training.look_every(torch.device("cuda")) > 10
