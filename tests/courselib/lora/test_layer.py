"""One LoRA layer beside peft's: what it computes, in which precision, and how much work that is.

Speed is measured by benchmarks/lora.py; here its causes are tested (what is computed, and how large), which no busy machine can
upset.
"""


import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from courselib.lora import LinearLoRA
from one_layer import ALPHA, D_IN, D_OUT, RANK, base_layer, batch, close, fill_B, pair, peft_layer


@pytest.mark.parametrize("rslora", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shape", [(2, 4), (8,), (), (2, 3, 2)])
def test_forward_and_gradients_are_pefts(rslora, bias, shape):
    ours, theirs = pair(rslora, bias=bias)
    assert ours.scaling == theirs.scaling == {"default": 7 / 3**0.5 if rslora else 7 / 3}
    x, x_theirs = batch(*shape).requires_grad_(), batch(*shape).requires_grad_()
    h, expected = ours(x), theirs(x_theirs)
    assert close(h, expected) and not torch.allclose(h, ours.base_layer(x))
    grad = torch.randn_like(expected)
    h.backward(grad)
    expected.backward(grad)
    assert close(x.grad, x_theirs.grad)
    for factor in ("lora_A", "lora_B"):
        assert close(getattr(ours, factor)["default"].weight.grad, getattr(theirs, factor)["default"].weight.grad)
    assert all(parameter.grad is None for parameter in ours.base_layer.parameters())


def test_one_dimension_is_enough_and_no_rows_are_fine():
    ours, _ = pair()
    x = batch()[0, 0]
    assert close(ours(x), ours(x[None])[0])
    assert ours(batch(0)).shape == (0, D_OUT)


def test_the_same_seed_draws_the_same_bits_as_peft_and_no_more():
    base = base_layer()
    torch.manual_seed(5)
    ours = LinearLoRA(base, RANK, ALPHA)
    after_ours = torch.rand(3)
    torch.manual_seed(5)
    theirs = peft_layer(base)
    assert ours.lora_A["default"].weight.equal(theirs.lora_A["default"].weight)
    assert (ours.lora_B["default"].weight == 0).all()
    assert after_ours.equal(torch.rand(3))  # so the next layer's bits agree as well


def test_A_has_the_stated_spread_and_the_start_is_the_base_model():
    torch.manual_seed(0)
    layer = LinearLoRA(nn.Linear(300, 20), rank=64)
    A = layer.lora_A["default"].weight.detach()
    assert float(A.std()) == pytest.approx(1 / (3 * 300) ** 0.5, rel=0.03)
    assert float(A.abs().max()) <= 1 / 300**0.5  # uniform, not Gaussian
    x = torch.randn(4, 300)
    assert layer(x).equal(layer.base_layer(x))


def test_dropout_is_pefts_with_the_same_seed_and_gone_in_eval_mode():
    ours, theirs = pair(dropout=0.5)
    without, _ = pair()
    x = batch()
    torch.manual_seed(9)
    h = ours(x)
    torch.manual_seed(9)
    assert close(h, theirs(x))
    assert not torch.allclose(h, without(x))
    assert ours.eval()(x).equal(without(x))


def test_state_dict_has_pefts_names():
    ours, theirs = pair()
    ours.add_adapter("second", rank=2)
    expected = {key.replace("default", name) for key in theirs.state_dict() for name in ("default", "second")}
    assert set(ours.state_dict()) == expected
    assert "lora_A.default.weight" in expected


def test_training_moves_the_adapter_and_nothing_else():
    torch.manual_seed(4)
    layer = LinearLoRA(nn.Linear(D_IN, D_OUT), RANK, ALPHA)
    before = {key: value.clone() for key, value in layer.state_dict().items()}
    x = torch.randn(64, D_IN)
    target = x @ torch.randn(D_IN, D_OUT)
    optimizer = torch.optim.AdamW([p for p in layer.parameters() if p.requires_grad], lr=0.02)
    losses = []
    for _ in range(200):
        loss = F.mse_loss(layer(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]
    changed = {key for key, value in layer.state_dict().items() if not value.equal(before[key])}
    assert changed == {"lora_A.default.weight", "lora_B.default.weight"}


# precision and modes


def test_a_half_precision_base_keeps_a_float32_adapter():
    exact, _ = pair()
    ours = LinearLoRA(base_layer().bfloat16(), RANK, ALPHA)
    ours.lora_A.load_state_dict(exact.lora_A.state_dict())
    fill_B(ours)
    assert ours.lora_A["default"].weight.dtype == ours.lora_B["default"].weight.dtype == torch.float32
    h = ours(batch().bfloat16())
    assert h.dtype == torch.bfloat16
    assert (h - exact(batch())).abs().max() < 0.02 * exact(batch()).abs().max()
    h.float().sum().backward()
    assert ours.lora_A["default"].weight.grad.dtype == torch.float32
    ours.merge()
    assert ours.base_layer.weight.dtype == torch.bfloat16


def test_autocast_works():
    ours, _ = pair()
    expected = ours(batch())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        h = ours(batch())
    assert h.dtype == torch.bfloat16
    assert (h - expected).abs().max() < 0.03 * expected.abs().max()
    h.float().sum().backward()
    assert ours.lora_B["default"].weight.grad.dtype == torch.float32


def test_a_float64_base_gets_a_float64_adapter():
    ours = LinearLoRA(base_layer().double(), RANK, ALPHA)
    assert ours(batch().double()).dtype == ours.lora_A["default"].weight.dtype == torch.float64


def test_a_layer_made_in_eval_mode_stays_there():
    layer = LinearLoRA(base_layer().eval(), RANK, ALPHA, dropout=0.9)
    fill_B(layer)
    assert not any(module.training for module in layer.modules())
    assert layer(batch()).equal(layer(batch()))


# what makes it fast


class Work(TorchDispatchMode):
    """Records every operation: its name, the shapes it reads, and whether it writes `size` new numbers or more."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size, self.large, self.products = size, [], []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        tensors = [a for a in args if isinstance(a, torch.Tensor)]
        known = {t.untyped_storage().data_ptr() for t in tensors}
        new = isinstance(out, torch.Tensor) and out.untyped_storage().data_ptr() not in known
        if new and out.numel() >= self.size:
            self.large.append(func.overloadpacket.__name__)
        if func.overloadpacket.__name__ == "mm":
            self.products.append(tuple(tuple(t.shape) for t in tensors))
        return out


def work_of(layer: nn.Module, n: int) -> tuple[Work, Work]:
    """What the forward and the backward pass of a batch of n rows do."""
    x = torch.randn(n, D_IN, requires_grad=True)
    with Work(size=n * D_OUT) as forward:
        h = layer(x)
    grad = torch.randn(n, D_OUT)
    with Work(size=n * D_OUT) as backward:
        h.backward(grad)
    return forward, backward


def test_one_extra_tensor_of_full_size_and_the_gradient_of_B_along_the_grain():
    n = 50
    ours, theirs = pair()
    forward, backward = work_of(ours, n)
    assert len(forward.large) == 2, forward.large  # the base layer's output, and ours
    assert len(work_of(theirs, n)[0].large) > 2  # peft makes more: if not, its speed is worth another look
    assert len(backward.large) <= 3, backward.large  # dL/dx of both branches, and their sum
    # z^T G is (rank, n) times (n, d_out); the same numbers as G^T z, (d_out, n) times (n, rank), are slow
    assert ((RANK, n), (n, D_OUT)) in backward.products
    assert ((D_OUT, n), (n, RANK)) not in backward.products


def test_the_base_layers_own_output_is_not_written_over():
    ours, _ = pair()
    seen = []
    ours.base_layer.register_forward_hook(lambda module, args, output: seen.append(output))
    h = ours(batch())
    assert seen[0].equal(F.linear(batch(), ours.base_layer.weight, ours.base_layer.bias)) and not seen[0].equal(h)
