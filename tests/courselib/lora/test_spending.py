"""Activations and operations counted, against numbers worked out by hand."""

import pytest
import torch
from torch import nn

from courselib.lora import add_lora, spending


def stack() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(32, 64, bias=False), nn.Tanh(), nn.Linear(64, 16, bias=False))


X = torch.randn(10, 32)


def loss(model: nn.Module) -> torch.Tensor:
    return model(X).sum()


def test_full_fine_tuning_keeps_inputs_and_what_the_non_linear_function_needs():
    # X (10 x 32), and tanh's output (10 x 64), which is the next layer's input as well: counted once
    assert spending.kept_bytes(stack(), loss) == 4 * (10 * 32 + 10 * 64)


def test_a_frozen_layer_keeps_no_input_but_what_lies_on_the_way_down_stays():
    model = stack()
    model[2].requires_grad_(False)
    assert spending.kept_bytes(model, loss) == 4 * (10 * 32 + 10 * 64)  # tanh keeps its output for itself
    model = stack()
    model[0].requires_grad_(False)
    assert spending.kept_bytes(model, loss) == 4 * 10 * 64  # nothing below asks for a gradient
    with pytest.raises(ValueError, match="no backward pass"):
        spending.kept_bytes(stack().requires_grad_(False), loss)


def test_operations_of_a_step_and_the_third_that_freezing_leaves_out():
    first, second = 2 * 10 * 32 * 64, 2 * 10 * 64 * 16
    assert spending.step_flops(stack(), loss) == 3 * (first + second) - first  # the input itself needs no gradient
    model = stack()
    model[2].requires_grad_(False)
    assert spending.step_flops(model, loss) == 2 * (first + second)  # W2 passes its gradient on, and W1 gets its own
    assert all(p.grad is None for p in model.parameters())


def test_lora_saves_about_a_third_of_a_deep_model():
    def deep() -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(*[layer for _ in range(8) for layer in (nn.Linear(256, 256, bias=False), nn.Tanh())])

    def out(model: nn.Module) -> torch.Tensor:
        return model(torch.ones(64, 256)).sum()

    adapted = add_lora(deep(), [str(i) for i in range(0, 16, 2)], rank=2)
    ratio = spending.step_flops(adapted, out) / spending.step_flops(deep(), out)
    assert 0.62 < ratio < 0.75
