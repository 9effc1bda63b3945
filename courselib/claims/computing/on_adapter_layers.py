"""One layer with LoRA: what it computes, how it starts, its gradients, what it costs, merging and switching."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from courselib.claims.computed import Computed, computes
from courselib.lora.by_hand import lora_forward, lora_gradients
from courselib.lora.layer import LinearLoRA
from courselib.lora.spending import step_flops


def filled_layer(d_in: int = 12, d_out: int = 9, rank: int = 4, alpha: float = 8) -> LinearLoRA:
    """A layer in double precision whose B is not zero."""
    torch.manual_seed(0)
    layer = LinearLoRA(nn.Linear(d_in, d_out).double(), rank, alpha)
    nn.init.normal_(layer.lora_B["default"].weight)
    return layer


def peft_layer(d_in: int = 768, d_out: int = 768, **options: object) -> nn.Module:
    """peft's LoRA layer around a linear one."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    model = get_peft_model(nn.Sequential(nn.Linear(d_in, d_out)), LoraConfig(target_modules=["0"], **options))
    return model.base_model.model[0]


def forward_flops(module: nn.Module, x: torch.Tensor) -> int:
    """Floating-point operations of the matrix products of one forward pass."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(x)
    return counter.get_total_flops()


@computes("cf-lora-form")
@computes("m-lora-form")
def _update_beside_a_frozen_weight() -> Computed:
    layer, x = filled_layer(alpha=4), torch.randn(5, 12, dtype=torch.float64)
    W0, A, B = layer.base_layer.weight, layer.lora_A["default"].weight, layer.lora_B["default"].weight
    apart = (layer(x) - F.linear(x, W0 + B @ A, layer.base_layer.bias)).abs().max().item()
    layer(x).square().sum().backward()
    frozen = W0.grad is None and not W0.requires_grad and A.grad is not None and B.grad is not None
    return Computed(bool(frozen and apart < 1e-12 and tuple(B.shape) == (9, 4) and tuple(A.shape) == (4, 12)), {"apart": apart})


@computes("q-lora-abt")
def _product_in_the_wrong_order() -> Computed:
    A, B = torch.randn(8, 12), torch.randn(9, 8)
    try:
        fits = (A @ B.T).shape == (9, 12)
    except RuntimeError:
        fits = False
    scale = peft_layer(r=8, lora_alpha=16).scaling["default"]
    return Computed(fits and scale == 16, {"scale at alpha 16, rank 8": scale})


@computes("ov-lora-parallel")
def _branch_beside_the_weight() -> Computed:
    layer, x = filled_layer(), torch.randn(5, 12, dtype=torch.float64)
    A, B = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    apart = (layer(x) - (layer.base_layer(x) + 2.0 * x @ A.T @ B.T)).abs().max().item()
    return Computed(apart < 1e-12, {"apart": apart})


@computes("z0-init")
def _which_factor_is_zero() -> Computed:
    layer = peft_layer(r=8)
    A, B = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    figures = {"largest of A": A.abs().max().item(), "largest of B": B.abs().max().item()}
    return Computed(bool((A == 0).all() and (B != 0).any()), figures)


@computes("z0-identical")
def _test_that_cannot_fail() -> Computed:
    layer, x = filled_layer(), torch.randn(5, 12, dtype=torch.float64)
    A, B = torch.zeros_like(layer.lora_A["default"].weight), layer.lora_B["default"].weight
    W0, right = layer.base_layer.weight, layer.base_layer.weight + B @ A
    wrong = x @ W0.T - 1000 * x @ A.T @ B.T  # the sign and the size of the update are nonsense
    return Computed(not torch.equal(wrong, x @ right.T), {"a wrong layer is apart by": (wrong - x @ right.T).abs().max().item()})


@computes("z0-forward")
def _two_thin_products() -> Computed:
    torch.manual_seed(0)
    x, W0, A, B = (torch.randn(n, m, dtype=torch.float64) for n, m in ((6, 64), (48, 64), (4, 64), (48, 4)))
    apart = (lora_forward(x, W0, A, B, 4) - x @ (W0 + B @ A).T).abs().max().item()
    with FlopCounterMode(display=False) as thin:
        lora_forward(x, W0, A, B, 4)
    with FlopCounterMode(display=False) as whole:
        _ = x @ (W0 + B @ A).T
    less = thin.get_total_flops() < whole.get_total_flops()
    figures = {"operations": thin.get_total_flops(), "with B A built": whole.get_total_flops()}
    return Computed(bool(less and apart < 1e-10), figures)


@computes("z1-switch")
def _adapters_in_turn() -> Computed:
    layer, x = filled_layer(), torch.randn(5, 12, dtype=torch.float64)
    first = layer(x)
    layer.add_adapter("second", rank=2, alpha=4)
    nn.init.normal_(layer.lora_B["second"].weight)
    second = layer(x)
    layer.set_adapter("default")
    return Computed(torch.equal(layer(x), first) and not torch.allclose(first, second), {"adapters": len(layer.lora_A)})


@computes("p0-lora-scale")
def _scale_of_the_update() -> Computed:
    layer = peft_layer(32, 24, r=8, lora_alpha=16)
    A, B = layer.lora_A["default"].weight, nn.init.normal_(layer.lora_B["default"].weight)
    apart = (layer.get_delta_weight("default") - 16 / 8 * B @ A).abs().max().item()
    return Computed(apart < 1e-5, {"scale": layer.scaling["default"]})


@computes("lora-start")
def _starts_where_it_was() -> Computed:
    torch.manual_seed(0)
    base, x = nn.Linear(12, 9), torch.randn(5, 12)
    before = base(x)
    same = torch.equal(LinearLoRA(base)(x), before)
    return Computed(same, {"largest of peft's B": peft_layer().lora_B["default"].weight.abs().max().item()})


def _gradients() -> tuple[list[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
    layer, x = filled_layer(), torch.randn(7, 12, dtype=torch.float64)
    A, B, g = layer.lora_A["default"].weight, layer.lora_B["default"].weight, torch.randn(7, 9, dtype=torch.float64)
    by_autograd = torch.autograd.grad((layer(x) * g).sum(), [A, B])
    return list(by_autograd), lora_gradients(x, g, A.detach(), B.detach(), 8)


@computes("lora-gradA")
def _gradient_of_a() -> Computed:
    by_autograd, by_hand = _gradients()
    at_start, _ = lora_gradients(torch.randn(7, 12), torch.randn(7, 9), torch.randn(4, 12), torch.zeros(9, 4), 8)
    apart = (by_autograd[0] - by_hand[0]).abs().max().item()
    return Computed(apart < 1e-10, {"apart from autograd": apart, "while B is zero": at_start.abs().max().item()})


@computes("lora-gradB")
def _gradient_of_b() -> Computed:
    by_autograd, by_hand = _gradients()
    apart = (by_autograd[1] - by_hand[1]).abs().max().item()
    return Computed(apart < 1e-10, {"apart from autograd": apart})


@computes("lp-grad0")
def _gradients_at_the_start() -> Computed:
    torch.manual_seed(0)
    layer, x = LinearLoRA(nn.Linear(12, 9), 4, 8), torch.randn(7, 12)
    layer(x).square().sum().backward()
    a, b = (factor["default"].weight.grad.norm().item() for factor in (layer.lora_A, layer.lora_B))
    return Computed(a == 0 and b > 0, {"gradient of A": a, "gradient of B": b})


@computes("lora-merge")
def _merged_into_the_weight() -> Computed:
    layer, x = filled_layer(), torch.randn(5, 12, dtype=torch.float64)
    beside = layer(x)
    layer.merge()
    apart = (layer(x) - beside).abs().max().item()
    more = forward_flops(layer, x) - forward_flops(nn.Linear(12, 9).double(), x)
    return Computed(apart < 1e-10 and more == 0, {"apart": apart, "operations more": more})


@computes("m-bert-moderate")
def _operations_in_use() -> Computed:
    layer, x = filled_layer(768, 768, 8), torch.randn(16, 768, dtype=torch.float64)
    plain, beside = forward_flops(layer.base_layer, x), forward_flops(layer, x)
    layer.merge()
    merged = forward_flops(layer, x)
    figures = {"merged, % more": 100 * (merged / plain - 1), "beside, % more": 100 * (beside / plain - 1)}
    return Computed(merged == plain < beside < 1.05 * plain, figures)


@computes("m-speed")
def _operations_of_a_step() -> Computed:
    from courselib.lora.inject import add_lora

    x = torch.randn(32, 256)
    model = nn.Sequential(*(nn.Linear(256, 256) for _ in range(6)))

    def loss(model: nn.Module) -> torch.Tensor:
        return model(x).square().mean()

    full = step_flops(model, loss)
    ratio = full / step_flops(add_lora(model, [str(i) for i in range(6)], rank=8), loss)
    return Computed(ratio >= 1.5, {"operations, full over LoRA": ratio})
