"""The training loop: the same numbers as a loop written out, and a sentence for whatever cannot be trained."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from courselib.lab.training import fit


def data(n=6, d_in=3, d_out=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x, y = torch.randn(n, d_in, generator=generator), torch.randn(n, d_out, generator=generator)
    return [(x[i : i + 2], y[i : i + 2]) for i in range(0, n, 2)]  # three batches of two


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))


def mse(model, batch):
    x, y = batch
    return F.mse_loss(model(x), y)


def adamw(model, lr=0.05):
    return torch.optim.AdamW(model.parameters(), lr=lr)


def weights(model):
    return [p.detach().clone() for p in model.parameters()]


def same(first, second):
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_fit_is_the_loop_written_out():
    model = network()
    by_hand = copy.deepcopy(model)
    batches, optimizer = data(), adamw(by_hand)
    expected = []
    for step in range(7):  # more than twice through three batches
        value = mse(by_hand, batches[step % 3])
        expected.append(value.item())
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    for p in model.parameters():
        p.grad = torch.full_like(p, 100.0)  # left over from something else: must not count
    assert fit(model, batches, mse, adamw(model), steps=7, progress=False) == expected
    assert same(weights(model), weights(by_hand))
    assert not model.training


def test_scheduler_moves_after_every_optimizer_step():
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step))
    moved, before = [], weights(model)

    def constant(model, batch):  # a gradient of ones, whatever the weights: the update is minus the learning rate
        return sum(p.sum() for p in model.parameters())

    def watch(state):
        nonlocal before
        moved.append((before[0] - weights(model)[0]).mean().item())
        before = weights(model)

    fit(model, [None], constant, optimizer, steps=3, scheduler=scheduler, callbacks=[watch], progress=False)
    assert moved == pytest.approx([1, 1 / 2, 1 / 3], abs=1e-6)


@pytest.mark.parametrize("max_norm, scaled", [(0.5, True), (1e6, False), (None, False)])
def test_max_grad_norm_bounds_the_gradient_of_all_groups_together(max_norm, scaled):
    model = network()
    groups = [{"params": model[0].parameters()}, {"params": model[2].parameters()}]
    before = torch.cat([p.flatten() for p in weights(model)])

    def loss(model, batch):
        return 100 * mse(model, batch)

    loss(model, data()[0]).backward()
    gradient = torch.cat([p.grad.flatten() for p in model.parameters()])
    assert 5 < gradient.norm() < 1e6
    optimizer = torch.optim.SGD(groups, lr=1.0)
    fit(model, data(), loss, optimizer, steps=1, max_grad_norm=max_norm, progress=False)
    update = before - torch.cat([p.flatten() for p in weights(model)])
    expected = gradient * (max_norm / gradient.norm()) if scaled else gradient
    torch.testing.assert_close(update, expected, rtol=1e-4, atol=1e-5)


def test_callbacks_see_every_step_and_true_ends_the_training():
    model, seen, also = network(), [], []
    optimizer = adamw(model)

    def stop_at_3(state):
        seen.append((state.number, state.steps, state.loss))
        assert state.model is model and state.optimizer is optimizer
        return state.number == 3

    def counts(state):  # comes after the one that stops; what it returns is true-ish, and no request to stop
        also.append(state.number)
        return len(also)

    losses = fit(model, data(), mse, optimizer, steps=9, callbacks=(f for f in (stop_at_3, counts)), progress=False)
    assert seen == [(i + 1, 9, loss) for i, loss in enumerate(losses)] and len(losses) == 3
    assert also == [1, 2, 3]


def test_callback_comes_after_the_update():
    model = network()
    before, after = weights(model), []
    fit(model, data(), mse, adamw(model), steps=1, callbacks=[lambda s: after.extend(weights(s.model))], progress=False)
    assert not same(before, after) and same(after, weights(model))


def test_trains_in_train_mode_whatever_a_callback_does_and_ends_in_eval_mode():
    model, modes = network().eval(), []

    def loss(model, batch):
        modes.append(model.training)
        return mse(model, batch)

    fit(model, data(), loss, adamw(model), steps=3, callbacks=[lambda s: s.model.eval() and None], progress=False)
    assert modes == [True, True, True]
    assert not model.training


def test_progress_goes_to_stdout_only_and_can_be_silenced(capsys):
    fit(network(), data(), mse, adamw(network()), steps=2)
    shown = capsys.readouterr()
    assert "step" in shown.out and shown.err == ""
    fit(network(), data(), mse, adamw(network()), steps=2, progress=False)
    silent = capsys.readouterr()
    assert (silent.out, silent.err) == ("", "")


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_before_it_reaches_the_weights(bad):
    model, snapshots = network(), []

    def loss(model, batch):
        return mse(model, batch) * (bad if len(snapshots) == 2 else 1)

    with pytest.raises(FloatingPointError, match="at step 3"):
        fit(model, data(), loss, adamw(model), steps=9, progress=False,
            callbacks=[lambda s: snapshots.append(weights(s.model))])
    assert len(snapshots) == 2 and same(weights(model), snapshots[-1])


@pytest.mark.parametrize("steps", [0, -3])
def test_no_steps(steps):
    with pytest.raises(ValueError, match="at least 1"):
        fit(network(), data(), mse, adamw(network()), steps=steps, progress=False)


def test_no_batches():
    with pytest.raises(ValueError, match="batches is empty"):
        fit(network(), [], mse, adamw(network()), steps=1, progress=False)


def test_a_generator_serves_while_it_lasts():
    model = network()
    assert len(fit(model, iter(data()), mse, adamw(model), steps=3, progress=False)) == 3
    with pytest.raises(ValueError, match="after 3 of the 4 that are needed"):
        fit(model, iter(data()), mse, adamw(model), steps=4, progress=False)


@pytest.mark.parametrize(
    "loss, message",
    [
        (lambda model, batch: (model(batch[0]) - batch[1]).square(), r"returned shape \(2, 2\)"),
        (lambda model, batch: 0.5, "returned type float"),
        (lambda model, batch: mse(model, batch).detach(), "frozen"),
    ],
)
def test_a_loss_that_cannot_be_minimised(loss, message):
    with pytest.raises(ValueError, match=message):
        fit(network(), data(), loss, adamw(network()), steps=1, progress=False)
