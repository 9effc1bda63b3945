"""AdaLoRA's sharing out of ranks, step by step beside peft's, and its parts by hand."""

import copy

import pytest
import torch
from peft import AdaLoraConfig, get_peft_model
from torch import nn
from torch.nn import functional as F

from courselib.lab.training import fit
from courselib.peft_family import adalora, allocation

STEPS, WARMUP, FINAL, EVERY = 24, 4, 6, 3


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 7), nn.Tanh(), nn.Linear(7, 5))


def data():
    torch.manual_seed(1)
    return torch.randn(64, 6), torch.randn(64, 5)


def trained_by_us():
    torch.manual_seed(2)
    model = adalora.add_adalora(network(), ("0", "2"), rank=4, alpha=3)
    x, y = data()
    allocator = allocation.Allocator(model, 1.5, STEPS, WARMUP, FINAL, EVERY)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.05)

    def loss(model, rows):
        return F.mse_loss(model(x[rows]), y[rows]) + 0.5 * adalora.orthogonality_penalty(model)

    fit(model, list(torch.arange(64).split(16)), loss, optimizer, steps=STEPS, callbacks=[allocator], progress=False)
    return model, allocator


class WithLoss(nn.Module):
    """peft adds its penalty to `outputs.loss`, so there has to be one."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x, y):
        from types import SimpleNamespace

        return SimpleNamespace(loss=F.mse_loss(self.network(x), y))


def test_a_whole_training_is_pefts():
    ours, allocator = trained_by_us()
    config = AdaLoraConfig(init_r=4, target_r=1.5, lora_alpha=3, tinit=WARMUP, tfinal=FINAL, deltaT=EVERY, total_step=STEPS,
                           target_modules=["0", "2"], orth_reg_weight=0.5)
    theirs = get_peft_model(WithLoss(network()), config)
    layers = [theirs.base_model.model.network[i] for i in (0, 2)]
    torch.manual_seed(2)
    start = adalora.add_adalora(network(), ("0", "2"), rank=4, alpha=3)
    for mine, other in zip((start[0], start[2]), layers, strict=True):
        other.lora_A["default"].data.copy_(mine.Q.data)
        other.lora_B["default"].data.copy_(mine.P.data)
    optimizer = torch.optim.AdamW([p for p in theirs.parameters() if p.requires_grad], lr=0.05)
    x, y = data()
    ranks = []
    for step in range(1, STEPS + 1):
        rows = torch.arange(64).split(16)[(step - 1) % 4]
        optimizer.zero_grad()
        theirs.base_model(x[rows], y[rows]).loss.backward()  # not theirs(...), see below
        optimizer.step()
        theirs.base_model.update_and_allocate(step)
        ranks.append([int((layer.lora_E["default"] != 0).sum()) for layer in layers])
    for mine, other in zip((ours[0], ours[2]), layers, strict=True):
        assert torch.allclose(mine.lam, other.lora_E["default"][:, 0], atol=1e-5)
        assert torch.allclose(mine.P, other.lora_B["default"], atol=1e-5)
        assert torch.allclose(mine.Q, other.lora_A["default"], atol=1e-5)
    assert [ours[0].rank, ours[2].rank] == ranks[-1] and sum(ranks[-1]) == 3
    assert [list(found.values()) for _, found in allocator.history] == [ranks[number - 1] for number, _ in allocator.history]


def test_without_a_task_type_pefts_penalty_is_never_added():
    """Called as a PeftModel without a task type, the model goes past the place where AdaLoRA adds it. Worth knowing."""
    config = AdaLoraConfig(init_r=4, target_r=2, total_step=STEPS, target_modules=["0", "2"], orth_reg_weight=0.5)
    theirs = get_peft_model(WithLoss(network()), config)
    with_it, without = theirs.base_model(*data()).loss.item(), theirs(*data()).loss.item()
    assert with_it - without > 0.5
    model = adalora.add_adalora(network(), ("0", "2"), rank=4)
    for mine, name in ((model[0], 0), (model[2], 2)):
        other = theirs.base_model.model.network[name]
        mine.P.data.copy_(other.lora_B["default"].data)
        mine.Q.data.copy_(other.lora_A["default"].data)
    assert 0.5 * adalora.orthogonality_penalty(model).item() == pytest.approx(with_it - without, rel=1e-4)


def test_pefts_ranks_stay_where_they_began_unless_its_schedule_is_called():
    config = AdaLoraConfig(init_r=4, target_r=1, total_step=8, tfinal=2, target_modules=["0", "2"])
    theirs = get_peft_model(WithLoss(network()), config)
    optimizer = torch.optim.AdamW([p for p in theirs.parameters() if p.requires_grad], lr=0.05)
    for _ in range(8):
        theirs.base_model(*data()).loss.backward()
        optimizer.step()
    assert all((layer.lora_E["default"] != 0).all() for layer in (theirs.base_model.model.network[i] for i in (0, 2)))


def test_the_budget_falls_along_a_cubic():
    budgets = [allocation.budget_at(step, 100, 80, 16, warmup=20, final=30) for step in range(101)]
    assert budgets[:21] == [80] * 21 and budgets[70:] == [16] * 31
    assert budgets[45] == int(64 * 0.5**3 + 16) == 24  # half-way an eighth of the way is left
    assert budgets == sorted(budgets, reverse=True)
    with pytest.raises(ValueError, match="none is left"):
        allocation.budget_at(0, 50, 8, 4, 20, 30)


def test_what_was_masked_can_return_and_no_layer_grows_beyond_its_start():
    model, allocator = trained_by_us()
    assert all(max(ranks.values()) <= 4 for _, ranks in allocator.history)
    # by hand: a masked lambda has a gradient, for P and Q are still there
    layer = model[0]
    layer.lam.data[0], layer.P.data[:, 0], layer.Q.data[0] = 0.0, 1.0, 1.0
    x, y = data()
    model.zero_grad()
    F.mse_loss(model(x), y).backward()
    assert layer.lam.grad[0] != 0
    with torch.no_grad():
        layer.lam -= 0.1 * layer.lam.grad
    assert layer.lam[0] != 0


def test_a_target_at_the_start_is_refused_with_a_sentence():
    model = adalora.add_adalora(network(), ("0", "2"), rank=4)
    with pytest.raises(ValueError, match="begin with 8 ranks in all and shall end with 8"):
        allocation.Allocator(model, 4, 24, 4, 6)
    with pytest.raises(ValueError, match="'paper' or 'simple'"):
        allocation.Allocator(model, 2, 24, 4, 6, importance="both")


def test_orthogonality_by_hand():
    assert float(adalora.orthogonality(torch.eye(5)[:, :3])) == 0
    assert float(adalora.orthogonality(torch.tensor([[2.0, 1.0], [0.0, 1.0]]))) == 9 + 1 + 2 * 4  # P'P = [[4, 2], [2, 2]]
    model = adalora.add_adalora(network(), ("0",), rank=2)
    model[0].P.data.zero_()
    model[0].Q.data.copy_(torch.eye(2, 6))
    assert adalora.orthogonality_penalty(model).item() == pytest.approx(2**0.5 / 2)  # |0 - I| = sqrt 2, and 0
    with pytest.raises(ValueError, match="no AdaLoRA layers"):
        adalora.orthogonality_penalty(network())


def test_the_update_is_the_product():
    P, lam = torch.tensor([[1.0, 2.0], [0.0, 1.0], [3.0, 0.0]]), torch.tensor([2.0, -1.0])
    Q = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    assert adalora.adalora_update(P, lam, Q).tolist() == [[0.0, -2.0], [-1.0, -1.0], [6.0, 0.0]]


def test_simple_importance_knows_lambda_alone():
    model, allocator = trained_by_us()
    other = copy.deepcopy(model)
    simple = allocation.Allocator(other, 1.5, STEPS, WARMUP, FINAL, importance="simple")
    x, y = data()
    F.mse_loss(other(x), y).backward()
    simple._watch()
    assert simple.scores()["0"].equal((other[0].lam * other[0].lam.grad).abs())
