"""One LoRA layer beside peft's.

The fixture tells mistakes apart: d_in 6 is not d_out 5, rank 3, alpha 7 (so alpha / rank is neither 1 nor a power of
two), B is not zero, there is a bias, and a batch of two sequences. Speed is measured by benchmarks/lora.py; here its
causes are tested (what is computed, and how large), which no busy machine can upset.
"""

import copy

import pytest
import torch
from peft import LoraConfig
from peft.tuners.lora.layer import Linear as PeftLinear
from torch import nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from courselib.lora import LinearLoRA

D_IN, D_OUT, RANK, ALPHA = 6, 5, 3, 7


def base_layer(bias: bool = True) -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(D_IN, D_OUT, bias=bias)


def peft_layer(base: nn.Linear, rank: int = RANK, alpha: float = ALPHA, **settings) -> nn.Module:
    config = LoraConfig(r=rank, lora_alpha=alpha, **settings)
    return PeftLinear(copy.deepcopy(base).requires_grad_(False), "default", config, r=rank, lora_alpha=alpha)


def fill_B(*layers: nn.Module, name: str = "default", seed: int = 2) -> None:
    """The same B != 0 for all of them."""
    for layer in layers:
        generator = torch.Generator().manual_seed(seed)
        weight = layer.lora_B[name].weight
        weight.data.copy_(torch.randn(weight.shape, generator=generator))


def pair(rslora: bool = False, dropout: float = 0.0, bias: bool = True) -> tuple[LinearLoRA, nn.Module]:
    """(ours, peft's), from the same seed."""
    base = base_layer(bias)
    torch.manual_seed(1)
    ours = LinearLoRA(copy.deepcopy(base), RANK, ALPHA, dropout, rslora)
    torch.manual_seed(1)
    theirs = peft_layer(base, lora_dropout=dropout, use_rslora=rslora)
    fill_B(ours, theirs)
    return ours, theirs


def batch(*shape: int) -> torch.Tensor:
    return torch.randn(*(shape or (2, 4)), D_IN, generator=torch.Generator().manual_seed(3))


def close(a: torch.Tensor, b: torch.Tensor) -> bool:
    a, b = a.detach(), b.detach()
    return a.shape == b.shape and bool((a - b).abs().max() <= 1e-6 * max(1, float(b.abs().max())))


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


# merging


@pytest.mark.parametrize("rslora", [False, True])
def test_merge_is_pefts_and_changes_no_output(rslora):
    ours, theirs = pair(rslora)
    x = batch()
    before = ours(x)
    ours.merge()
    theirs.merge()
    assert close(ours.base_layer.weight, theirs.base_layer.weight)
    assert close(ours(x), before)
    assert ours(x).equal(F.linear(x, ours.base_layer.weight, ours.base_layer.bias))  # a plain linear, no more
    assert not ours.base_layer.weight.requires_grad


def test_unmerge_restores_every_bit_and_the_gradients():
    ours, _ = pair()
    weight, bits, x = ours.base_layer.weight, ours.base_layer.weight.clone(), batch()
    before = ours(x)
    for _ in range(3):
        ours.merge()
        assert not ours.base_layer.weight.equal(bits)
        ours.unmerge()
    assert ours.base_layer.weight is weight and weight.equal(bits)
    assert ours(x).equal(before)
    ours(x).sum().backward()
    assert ours.lora_A["default"].weight.grad is not None


def test_merging_leaves_a_tied_weight_alone():
    embedding, head = nn.Embedding(D_OUT, D_IN), nn.Linear(D_IN, D_OUT, bias=False)
    head.weight = embedding.weight
    bits = embedding.weight.detach().clone()
    layer = LinearLoRA(head, RANK, ALPHA)
    fill_B(layer)
    layer.merge()
    assert embedding.weight.equal(bits)
    layer.unmerge()
    assert layer.base_layer.weight is embedding.weight


def test_a_model_may_be_copied_or_moved_while_merged():
    ours, _ = pair()
    bits = ours.base_layer.weight.clone()
    ours.merge()
    twin = copy.deepcopy(ours)
    twin.double()
    twin.unmerge()
    assert twin.base_layer.weight.dtype == torch.float64 and twin.base_layer.weight.equal(bits.double())
    assert ours.merged == "default" and not ours.base_layer.weight.equal(bits)


# several adapters


def test_switching_is_pefts():
    ours, theirs = pair()
    theirs.update_layer("second", 2, lora_alpha=9, config=LoraConfig(r=2, lora_alpha=9, use_rslora=True))
    ours.add_adapter("second", rank=2, alpha=9, rslora=True)
    ours.lora_A["second"].load_state_dict(theirs.lora_A["second"].state_dict())
    fill_B(ours, theirs, name="second", seed=8)
    assert ours.scaling == theirs.scaling
    x, outputs = batch(), {}
    for name in ("second", "default", "second"):
        ours.set_adapter(name)
        theirs.set_adapter(name)
        outputs[name] = ours(x)
        assert close(outputs[name], theirs(x))
        trainable = {key for key, p in ours.named_parameters() if p.requires_grad}
        assert trainable == {f"lora_A.{name}.weight", f"lora_B.{name}.weight"}
        assert trainable == {key for key, p in theirs.named_parameters() if p.requires_grad}
    assert not torch.allclose(outputs["default"], outputs["second"])


def test_a_new_adapter_is_active_and_the_only_one_that_trains():
    ours, _ = pair()
    ours.add_adapter("second", rank=2)
    assert ours.active == "second"
    trainable = {key for key, p in ours.named_parameters() if p.requires_grad}
    assert trainable == {"lora_A.second.weight", "lora_B.second.weight"}
    assert ours(batch()).equal(ours.base_layer(batch()))  # it starts at zero, whatever the first one learned


def test_no_adapter_is_the_base_layer_exactly():
    ours, _ = pair()
    x = batch()
    with_adapter = ours(x)
    ours.set_adapter(None)
    assert ours(x).equal(ours.base_layer(x))
    assert not any(p.requires_grad for p in ours.parameters())
    ours.set_adapter("default")
    assert ours(x).equal(with_adapter)


def test_merge_takes_the_active_adapter():
    ours, _ = pair()
    ours.add_adapter("second", rank=2, alpha=9)
    fill_B(ours, name="second", seed=8)
    W0 = ours.base_layer.weight.clone()
    ours.merge()
    assert close(ours.base_layer.weight, W0 + ours.delta_weight("second"))
    assert ours.merged == "second"


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


# sentences


def refuses(match: str):
    return pytest.raises(ValueError, match=match)


@pytest.mark.parametrize("rank", [0, -1, 2.0, True, "8"])
def test_refuses_ranks(rank):
    with refuses(f"rank should be a whole number of at least 1, but {rank!r} came"):
        LinearLoRA(base_layer(), rank=rank)


@pytest.mark.parametrize("alpha", [0, -1.0, float("nan"), float("inf"), "16"])
def test_refuses_alphas(alpha):
    with refuses("alpha should be a positive number"):
        LinearLoRA(base_layer(), alpha=alpha)


@pytest.mark.parametrize("dropout", [-0.1, 1, 1.5, float("nan"), None])
def test_refuses_dropouts(dropout):
    with refuses("dropout is a probability, at least 0 and below 1"):
        LinearLoRA(base_layer(), dropout=dropout)


@pytest.mark.parametrize("name", ["", "a.b", "items", "train", "training", 3, None, "a b", "a\n"])
def test_refuses_names(name):
    with refuses("an adapter's name should be made of letters"):
        LinearLoRA(base_layer(), name=name)


def test_refuses_other_layers():
    with refuses("LinearLoRA wraps an nn.Linear, and Embedding is none"):
        LinearLoRA(nn.Embedding(3, 4))


@pytest.mark.parametrize("shape", [(2, D_OUT), (D_IN, 2), (2, 4, D_IN + 1)])
def test_refuses_wrong_shapes(shape):
    ours, _ = pair()
    with refuses(r"expected an input of shape \(..., 6\), but"):
        ours(torch.zeros(shape))


def test_refuses_unknown_and_repeated_names():
    ours, _ = pair()
    with refuses("there is no adapter 'other' in this layer; it has default"):
        ours.set_adapter("other")
    with refuses("there is an adapter 'default' already"):
        ours.add_adapter("default")
    with refuses("expected an adapter's name, one of default; 'other' came"):
        ours.delta_weight("other")
    ours.set_adapter(None)
    with refuses("one of default; None came"):
        ours.delta_weight()


def test_refuses_merging_in_the_wrong_order():
    ours, _ = pair()
    with refuses("no adapter is merged into this weight"):
        ours.unmerge()
    ours.merge()
    with refuses("merging again would add it twice"):
        ours.merge()
    with refuses("unmerge before switching"):
        ours.set_adapter(None)
    with refuses("unmerge before adding one"):
        ours.add_adapter("second")
    assert list(ours.lora_A) == ["default"]
    ours.unmerge()
    ours.set_adapter(None)
    with refuses("no adapter is active, so there is nothing to merge. Activate one of default"):
        ours.merge()


def test_refuses_to_merge_into_codes():
    ours, _ = pair()
    ours.base_layer.weight = nn.Parameter(torch.zeros(15, 1, dtype=torch.uint8), requires_grad=False)
    with refuses("a weight of type torch.uint8 is quantised"):
        ours.merge()
