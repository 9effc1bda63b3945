"""Importances and penalties: against formulas worked out without them, and each estimate told from the others."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from courselib.forgetting.fisher import (
    add,
    batch_mean_square,
    empirical_fisher,
    fisher_memory,
    quadratic_form,
    trace,
    true_fisher,
)
from courselib.forgetting.penalties import anchor, distance, ewc_penalty, l2sp_penalty

N, D, CLASSES = 70, 5, 3  # more than one chunk of 64, and a last one that is not full


@pytest.fixture
def problem():
    torch.manual_seed(0)
    x = torch.randn(N, D)
    return nn.Linear(D, CLASSES), x, torch.randint(CLASSES, (N,))


def network():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(D, 4), nn.Tanh(), nn.Dropout(0.5), nn.Linear(4, CLASSES))


def test_true_fisher_of_softmax_regression_is_its_closed_form(problem):
    model, x, _ = problem
    # log p(y) has the gradient (1[k = y] - p_k) x_d; its square's mean over y ~ p is p_k (1 - p_k) x_d^2
    p = model(x).softmax(-1).detach()
    expected = (p * (1 - p)).T @ x**2 / N
    fisher = true_fisher(model, x)
    assert torch.allclose(fisher["weight"], expected, atol=1e-6)
    assert torch.allclose(fisher["bias"], (p * (1 - p)).mean(0), atol=1e-6)


def test_empirical_fisher_is_the_mean_of_squares_example_by_example():
    model, x, y = network().eval(), torch.randn(N, D), torch.randint(CLASSES, (N,))
    expected = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    for x_i, y_i in zip(x, y, strict=True):
        model.zero_grad()
        F.cross_entropy(model(x_i[None]), y_i[None]).backward()
        for name, p in model.named_parameters():
            expected[name] += p.grad**2 / N
    model.train()  # dropout has to be off while importances are measured, and on again after
    for found in (empirical_fisher(model, x, y), batch_mean_square(model, x, y, batch=1)):
        assert all(torch.allclose(found[name], expected[name], rtol=1e-4, atol=1e-7) for name in expected)
    assert model.training


def test_sampled_labels_estimate_the_true_fisher_and_the_data_s_labels_do_not(problem):
    model, x, _ = problem
    exact = true_fisher(model, x)["weight"]
    generator = torch.Generator().manual_seed(0)
    draws = [true_fisher(model, x, sampled=True, generator=generator)["weight"] for _ in range(60)]
    error = (torch.stack(draws).mean(0) - exact).norm() / exact.norm()
    wrong = 1 - F.one_hot(model(x).argmin(-1), CLASSES)  # labels the model finds unlikely
    empirical = empirical_fisher(model, x, wrong.argmin(-1))["weight"]
    assert error < 0.1
    assert (empirical - exact).norm() / exact.norm() > 0.5


def test_the_square_of_a_batch_s_mean_gradient_is_far_below_the_mean_square():
    torch.manual_seed(0)
    x = torch.randn(400, D)
    y = (x @ torch.randn(D, CLASSES)).add(torch.randn(400, CLASSES)).argmax(-1)
    model = nn.Linear(D, CLASSES)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=100)

    def closure():
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        return loss

    optimizer.step(closure)  # at the minimum, where the examples' gradients cancel
    per_sample, exact = trace(empirical_fisher(model, x, y)), trace(true_fisher(model, x))
    batches = [trace(batch_mean_square(model, x, y, batch)) for batch in (1, 10, 100)]
    assert batches[0] == pytest.approx(per_sample, rel=1e-4)
    assert 0.03 < batches[1] / per_sample < 0.3  # about 1 / 10
    assert batches[2] / per_sample < 0.03
    assert exact == pytest.approx(per_sample, rel=0.25)  # labels drawn by (nearly) this model: the two agree


def test_last_smaller_batch_counts_by_its_size(problem):
    model, x, y = problem
    found = batch_mean_square(model, x[:5], y[:5], batch=3)["bias"]
    residual = model(x[:5]).softmax(-1).detach() - F.one_hot(y[:5], CLASSES)  # the gradient by the logits
    expected = residual[:3].mean(0) ** 2 * 3 / 5 + residual[3:].mean(0) ** 2 * 2 / 5
    assert torch.allclose(found, expected, atol=1e-6)


def test_penalties_by_hand():
    model = nn.Linear(2, 1)
    start = {"weight": torch.tensor([[1.0, 2.0]]), "bias": torch.tensor([0.5])}
    fisher = {"weight": torch.tensor([[10.0, 0.0]]), "bias": torch.tensor([4.0])}
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[1.5, 5.0]]))
        model.bias.copy_(torch.tensor([0.0]))
    assert l2sp_penalty(model, start, 6.0).item() == pytest.approx(3 * (0.25 + 9 + 0.25))
    penalty = ewc_penalty(model, start, fisher, 6.0)
    assert penalty.item() == pytest.approx(3 * (10 * 0.25 + 0 + 4 * 0.25))
    penalty.backward()
    assert torch.allclose(model.weight.grad, torch.tensor([[6 * 10 * 0.5, 0.0]]))  # lambda F (theta - theta*)
    assert distance(model, start) == pytest.approx(9.5**0.5)
    assert distance(model, start, fisher) == pytest.approx(3.5**0.5)
    assert add(fisher, fisher)["bias"].item() == 8


def test_anchor_is_a_copy_of_what_trains():
    model = network()
    model[0].requires_grad_(False)
    held = anchor(model)
    assert set(held) == {"3.weight", "3.bias"} == set(true_fisher(model, torch.randn(4, D)))
    with torch.no_grad():
        model[3].weight += 1
    assert distance(model, held) == pytest.approx(12**0.5)  # it did not move along


def test_what_cannot_be_held_is_refused_with_a_sentence(problem):
    model, x, y = problem
    held = anchor(model)
    with pytest.raises(ValueError, match="no weight called 'weight'"):
        l2sp_penalty(network(), held, 1.0)
    with pytest.raises(ValueError, match=r"has shape \(4, 5\) but was anchored with shape \(3, 5\)"):
        l2sp_penalty(nn.Linear(D, 4), held, 1.0)
    with pytest.raises(ValueError, match="no trainable weight"):
        true_fisher(nn.Linear(D, 2).requires_grad_(False), x)
    with pytest.raises(ValueError, match="no examples"):
        true_fisher(model, x[:0])
    with pytest.raises(ValueError, match="70 inputs but 60 labels"):
        empirical_fisher(model, x, y[:60])
    with pytest.raises(ValueError, match="at least 1 example"):
        batch_mean_square(model, x, y, 0)


def test_quadratic_form_is_that_of_the_whole_matrix():
    torch.manual_seed(2)
    model, x = nn.Sequential(nn.Linear(D, 3), nn.Tanh(), nn.Dropout(0.5), nn.Linear(3, CLASSES)), torch.randn(9, D)
    names = [name for name, _ in model.named_parameters()]
    direction = {name: torch.randn_like(p) for name, p in model.named_parameters()}
    model.eval()
    whole, d = 0.0, torch.cat([direction[name].flatten() for name in names])
    for x_i in x:
        for label in range(CLASSES):
            log_p = model(x_i[None]).log_softmax(-1)[0, label]
            g = torch.cat([part.flatten() for part in torch.autograd.grad(log_p, list(model.parameters()))])
            whole = whole + log_p.exp().item() * torch.outer(g, g) / len(x)
    model.train()
    assert quadratic_form(model, x, direction) == pytest.approx((d @ whole @ d).item(), rel=1e-4)
    assert model.training
    one = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    one["0.bias"][1] = 1.0  # along an axis the diagonal says it all
    assert quadratic_form(model, x, one) == pytest.approx(true_fisher(model, x)["0.bias"][1].item(), rel=1e-4)
    with pytest.raises(ValueError, match="they have to agree"):
        quadratic_form(model, x, {"0.bias": torch.zeros(3)})


def test_memory_of_the_fisher_information():
    assert fisher_memory(3) == {"diagonal": 12, "blocks": 12, "full": 36}
    assert fisher_memory(10, blocks=(4, 3))["blocks"] == 4 * (16 + 9 + 3)
    assert fisher_memory(10, blocks=(10,))["blocks"] == fisher_memory(10)["full"]
    bert = fisher_memory(109_482_240)
    assert round(bert["diagonal"] / 1e6) == 438 and round(bert["full"] / 1e15, 1) == 47.9
    with pytest.raises(ValueError, match="cannot be split"):
        fisher_memory(5, blocks=(3, 3))
