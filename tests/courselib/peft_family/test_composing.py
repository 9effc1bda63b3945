"""Composition, task arithmetic, TIES, DARE and LoRA+ beside peft's."""

import copy

import pytest
import torch
from peft import LoraConfig, get_peft_model
from peft.optimizers import create_loraplus_optimizer
from peft.utils import merge_utils
from torch import nn

from courselib.lora import add_lora
from courselib.peft_family import arithmetic, composing, loraplus
from tiny_models import llama

WEIGHTS = [0.7, -1.3, 0.4]


def adapters(ranks=(2, 2, 2)):
    generator = torch.Generator().manual_seed(0)
    return [(torch.randn(r, 6, generator=generator), torch.randn(5, r, generator=generator), s)
            for r, s in zip(ranks, (0.5, 2.0, 1.5), strict=True)]


def near(a, b):
    return bool((a - b).abs().max() <= 1e-5 * max(1, float(b.abs().max())))


@pytest.fixture
def in_peft():
    """One linear layer with three adapters, those above."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 5))
    for number, (A, B, scaling) in enumerate(adapters()):
        config = LoraConfig(r=2, lora_alpha=2 * scaling, target_modules=["0"])
        if number == 0:
            wrapped = get_peft_model(model, config, adapter_name="a0")
        else:
            wrapped.add_adapter(f"a{number}", config)
        layer = wrapped.base_model.model[0]
        layer.lora_A[f"a{number}"].weight.data.copy_(A)
        layer.lora_B[f"a{number}"].weight.data.copy_(B)
    return wrapped


@pytest.mark.parametrize("kind", ["cat", "svd", "linear"])
def test_peft_combines_as_is_said(in_peft, kind):
    extra = {"svd_rank": 5} if kind == "svd" else {}
    in_peft.add_weighted_adapter(["a0", "a1", "a2"], WEIGHTS, "new", combination_type=kind, **extra)
    found = in_peft.base_model.model[0].get_delta_weight("new").detach()
    whole = composing.compose(adapters(), WEIGHTS)
    if kind == "linear":
        A, B = composing.added_factors(adapters(), WEIGHTS)
        assert near(found, B @ A) and (found - whole).norm() > 0.3 * whole.norm()
    else:
        assert near(found, whole)


def test_ranks_add_up_and_concatenation_is_the_sum():
    given, weights = adapters((1, 2, 1)), WEIGHTS
    whole = composing.compose(given, weights)
    assert int(torch.linalg.matrix_rank(whole)) == 4
    A, B = composing.concatenated(given, weights)
    assert A.shape == (4, 6) and B.shape == (5, 4) and near(B @ A, whole)
    A2, B2 = composing.nearest_adapter(whole, 2)
    left = torch.linalg.svdvals(whole)[2:].norm()
    assert float((B2 @ A2 - whole).norm()) == pytest.approx(float(left), rel=1e-4)
    with pytest.raises(ValueError, match="3 adapters and 2 weights"):
        composing.compose(given, [1.0, 2.0])


def test_one_adapter_alone_is_added_factors_too():
    one = adapters()[:1]
    for weight in (0.7, -0.7):
        A, B = composing.added_factors(one, [weight])
        assert near(B @ A, composing.compose(one, [weight]))


def test_a_step_on_the_weights_goes_down_the_gradient():
    updates = torch.stack([scaling * B @ A for A, B, scaling in adapters()])
    aim = (torch.tensor([1.0, -0.5, 0.25])[:, None, None] * updates).sum(0)

    def loss(change):
        return (change - aim).square().mean()

    weights = torch.zeros(3)
    for _ in range(4000):
        weights = composing.weights_step(weights, updates, loss, lr=0.05)
    assert torch.allclose(weights, torch.tensor([1.0, -0.5, 0.25]), atol=1e-2)


def vectors():
    return torch.randn(3, 8, 5, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("density", [0.2, 0.5, 1.0])
def test_ties_and_arithmetic_are_pefts(density):
    stacked, weights = vectors(), torch.tensor([0.5, 2.0, 1.0])
    if density < 1:  # peft warns at 1
        assert near(arithmetic.ties_merge(stacked, weights, density), merge_utils.ties(list(stacked), weights, density))
    assert near(arithmetic.weighted_sum(stacked, weights), merge_utils.task_arithmetic(list(stacked), weights))


def test_dare_is_pefts_with_the_same_random_numbers_and_right_on_average():
    stacked, weights = vectors(), torch.tensor([0.5, 2.0, 1.0])
    torch.manual_seed(4)
    ours = arithmetic.dare(stacked, weights, 0.3)
    torch.manual_seed(4)
    assert near(ours, merge_utils.dare_linear(list(stacked), weights, 0.3))
    drawn = torch.stack([arithmetic.dare(stacked, weights, 0.3) for _ in range(4000)]).mean(0)
    assert (drawn - arithmetic.weighted_sum(stacked, weights)).abs().max() < 0.35


def test_ties_by_hand():
    two = torch.tensor([[4.0, -1.0, 2.0, 0.1], [-1.0, -3.0, 0.2, 0.1]])
    # the larger half: [4, ., 2, .] and [-1, -3, ., .]; signs of the sums 3, -3, 2, 0: +, -, +, +
    assert arithmetic.ties_merge(two, torch.ones(2), 0.5).tolist() == [4.0, -3.0, 2.0, 0.0]
    assert arithmetic.trimmed(two[0], 0.25).tolist() == [4.0, 0.0, 0.0, 0.0]
    assert arithmetic.sign_conflicts(two) == 0.25
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        arithmetic.trimmed(two, 0.0)


def test_a_task_vector_moves_there_and_back():
    before, after = llama(), llama()
    with torch.no_grad():
        for p in after.parameters():
            p += torch.randn_like(p)
    change = arithmetic.task_vector(before, after)
    moved = arithmetic.moved_by(copy.deepcopy(before), change)
    for (name, mine), (_, other) in zip(moved.named_parameters(), after.named_parameters(), strict=True):
        assert torch.allclose(mine, other, atol=1e-5), name


def test_tied_weights_are_moved_once():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.other = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
            self.other.weight = self.one.weight

    before, after = Tied(), Tied()
    nn.init.zeros_(before.one.weight)
    nn.init.ones_(after.one.weight)
    assert arithmetic.moved_by(copy.deepcopy(before), arithmetic.task_vector(before, after)).other.weight.eq(1).all()


def test_loraplus_groups_are_pefts():
    assert loraplus.loraplus_rates(3e-4, 16) == (3e-4, pytest.approx(4.8e-3))
    ours = add_lora(llama(), ("q_proj", "v_proj"), rank=2)
    groups = loraplus.loraplus_groups(ours, 1e-3, 16)
    theirs = get_peft_model(llama(), LoraConfig(r=2, target_modules=["q_proj", "v_proj"]))
    optimizer = create_loraplus_optimizer(theirs, torch.optim.AdamW, lr=1e-3, loraplus_lr_ratio=16)

    def shapes(groups):
        return {group["lr"]: sorted(tuple(p.shape) for p in group["params"]) for group in groups if group["params"]}

    assert shapes(groups) == shapes(optimizer.param_groups)
    with pytest.raises(ValueError, match="No lora_B"):
        loraplus.loraplus_groups(llama(), 1e-3, 16)
    with pytest.raises(ValueError, match="positive"):
        loraplus.loraplus_rates(1e-3, 0)
