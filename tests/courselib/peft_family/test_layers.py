"""DoRA, AdaLoRA, VeRA, (IA)^3 and PiSSA beside peft's own layers: the same outputs, gradients and counts.

What is trained is filled with other numbers first, for at their start all of them compute what the frozen layer computes. d_in 6
is not d_out 5, rank 3, alpha 7, a bias, a batch of two sequences.
"""

import copy

import pytest
import torch
from peft import AdaLoraConfig, IA3Config, LoraConfig, VeraConfig, get_peft_model
from peft.tuners.adalora.layer import SVDLinear
from torch import nn

from courselib.lora import LinearLoRA
from courselib.peft_family import adalora, dora, ia3, putting, starts, vera
from one_layer import ALPHA, D_IN, D_OUT, RANK, base_layer, batch, close, peft_layer


def filled(*parameters: torch.Tensor, seed: int = 3) -> None:
    generator = torch.Generator().manual_seed(seed)
    for p in parameters:
        p.data.copy_(torch.randn(p.shape, generator=generator))


def same(ours: nn.Module, theirs: nn.Module, pairs: list[tuple[torch.Tensor, torch.Tensor]], base: nn.Module) -> None:
    """Outputs and the gradients of x and of each pair, of which the second of each may have another shape."""
    for mine, other in pairs:
        other.data.copy_(mine.detach().reshape(other.shape))
    x, y = batch().requires_grad_(), batch().requires_grad_()
    h, expected = ours(x), theirs(y)
    assert close(h, expected) and not torch.allclose(h, base(x))
    grad = torch.randn(expected.shape, generator=torch.Generator().manual_seed(5))
    h.backward(grad)
    expected.backward(grad)
    assert close(x.grad, y.grad)
    for mine, other in pairs:
        assert close(mine.grad, other.grad.reshape(mine.shape)), tuple(mine.shape)


def test_dora_is_pefts_and_detaching_the_norm_matters():
    base = base_layer()
    ours = dora.LinearDoRA(copy.deepcopy(base), RANK, ALPHA)
    assert ours(batch()).allclose(base(batch()), atol=1e-6)  # at the start
    theirs = peft_layer(base, use_dora=True)
    filled(ours.lora_A, ours.lora_B, ours.magnitude)
    magnitude = theirs.lora_magnitude_vector["default"].weight
    same(ours, theirs, [(ours.lora_A, theirs.lora_A["default"].weight), (ours.lora_B, theirs.lora_B["default"].weight),
                        (ours.magnitude, magnitude)], base)
    assert putting.trained_count(ours) == RANK * (D_IN + D_OUT) + D_OUT
    attached = dora.LinearDoRA(copy.deepcopy(base), RANK, ALPHA, detach=False)
    attached.load_state_dict(ours.state_dict())
    attached(batch()).square().sum().backward()
    ours.zero_grad()
    ours(batch()).square().sum().backward()
    assert (attached.lora_A.grad - ours.lora_A.grad).norm() > 0.1 * ours.lora_A.grad.norm()
    assert close(attached.magnitude.grad, ours.magnitude.grad)
    assert close(batch() @ ours.adapted_weight().T + ours.base_layer.bias, ours(batch()))
    assert close(ours.adapted_weight().norm(dim=1), ours.magnitude.abs())  # the length of each row is what it is said to be


def test_adalora_is_pefts():
    base = base_layer()
    ours = adalora.LinearAdaLoRA(copy.deepcopy(base), RANK, ALPHA)
    assert ours(batch()).equal(base(batch()))
    config = AdaLoraConfig(init_r=RANK, target_r=2, lora_alpha=ALPHA, total_step=10)
    theirs = SVDLinear(copy.deepcopy(base).requires_grad_(False), "default", config, r=RANK, lora_alpha=ALPHA)
    filled(ours.P, ours.lam, ours.Q)
    same(ours, theirs, [(ours.P, theirs.lora_B["default"]), (ours.lam, theirs.lora_E["default"]),
                        (ours.Q, theirs.lora_A["default"])], base)
    assert close(ours.delta_weight(), theirs.get_delta_weight("default"))
    assert putting.trained_count(ours) == RANK * (D_IN + D_OUT + 1)


def model_of_two() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(D_IN, D_OUT), nn.ReLU(), nn.Linear(D_OUT, 8))


def test_vera_is_pefts_with_layers_of_two_shapes():
    base = model_of_two()
    ours = vera.add_vera(copy.deepcopy(base), ("0", "2"), rank=7)
    theirs = get_peft_model(copy.deepcopy(base), VeraConfig(r=7, target_modules=["0", "2"])).base_model.model
    assert ours(batch()).equal(base(batch()))  # b = 0
    A, B = ours[2].shared
    assert A.equal(theirs[2].vera_A["default"]) and B.equal(theirs[2].vera_B["default"])
    assert ours[0].shared[0] is ours[2].shared[0]  # one pair for the whole model
    pairs = []
    for mine, other in ((ours[0], theirs[0]), (ours[2], theirs[2])):
        assert close(mine.vera_d, other.vera_lambda_d["default"]) and mine.vera_d.eq(0.1).all()
        pairs += [(mine.vera_d, other.vera_lambda_d["default"]), (mine.vera_b, other.vera_lambda_b["default"])]
    filled(*(mine for mine, _ in pairs))
    same(ours, theirs, pairs, base)
    assert close(ours[0].delta_weight(), theirs[0].get_delta_weight("default"))
    assert putting.trained_count(ours) == vera.vera_parameters(D_OUT, D_IN, 7) + vera.vera_parameters(8, D_OUT, 7) == 27


def test_vera_gradients_by_hand_are_autograds():
    torch.manual_seed(0)
    x, W0, A, B = torch.randn(4, 6), torch.randn(5, 6), torch.randn(3, 6), torch.randn(5, 3)
    d, b = torch.randn(3, requires_grad=True), torch.randn(5, requires_grad=True)
    h = vera.vera_forward(x, W0, A, B, d, b)
    grad = torch.randn(4, 5)
    h.backward(grad)
    grad_d, grad_b = vera.vera_gradients(x, grad, A, B, d.detach(), b.detach())
    assert close(grad_d, d.grad) and close(grad_b, b.grad)


def test_vera_refuses_projections_that_are_too_small():
    with pytest.raises(ValueError, match="do not fit a layer 6 -> 5"):
        vera.LinearVeRA(base_layer(), *vera.shared_projections(3, 6, 4))


@pytest.mark.parametrize("feedforward", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_ia3_is_pefts_and_merges(feedforward, bias):
    base = nn.Sequential(base_layer(bias))
    ours = ia3.LinearIA3(copy.deepcopy(base[0]), feedforward)
    config = IA3Config(target_modules=["0"], feedforward_modules=["0"] if feedforward else [])
    theirs = get_peft_model(copy.deepcopy(base), config).base_model.model
    assert ours(batch()).equal(base(batch()))
    filled(ours.scales)
    same(ours, theirs, [(ours.scales, theirs[0].ia3_l["default"])], base)
    assert close(ours.merged_linear()(batch()), ours(batch()))
    assert close(ia3.ia3_forward(batch(), base[0].weight, base[0].bias, ours.scales, feedforward), ours(batch()))
    assert putting.trained_count(ours) == (D_IN if feedforward else D_OUT)


def test_pissa_is_pefts_and_its_change_is_a_lora_of_twice_the_rank():
    base = base_layer()
    ours = LinearLoRA(copy.deepcopy(base), RANK, ALPHA)
    starts.start_pissa(ours)
    theirs = peft_layer(base, init_lora_weights="pissa")
    assert close(ours.base_layer.weight, theirs.base_layer.weight)  # singular vectors have no sign of their own, products have
    assert close(ours.delta_weight(), theirs.get_delta_weight("default"))
    assert close(ours(batch()), base(batch())) and close(theirs(batch()), base(batch()))
    kept = torch.linalg.svdvals(base.weight)
    assert close(torch.linalg.svdvals(ours.base_layer.weight)[: D_OUT - RANK], kept[RANK:])
    before = ours.lora_A["default"].weight.detach().clone(), ours.lora_B["default"].weight.detach().clone()
    filled(ours.lora_A["default"].weight, ours.lora_B["default"].weight)
    after = ours.lora_A["default"].weight, ours.lora_B["default"].weight
    A, B = starts.as_lora(before, after)
    assert A.shape == (2 * RANK, D_IN) and B.shape == (D_OUT, 2 * RANK)
    assert close(base.weight + ours.scaling["default"] * B @ A, ours.base_layer.weight + ours.delta_weight())


def test_a_layer_is_found_by_the_end_of_its_name_and_a_misspelt_one_is_refused():
    model = model_of_two()
    assert list(putting.linear_named(model, "2")) == ["2"]
    with pytest.raises(ValueError, match="No linear layer's name ends in 'query'. They end in 0, 2"):
        putting.wrap_linear(model, ("0", "query"), dora.LinearDoRA)
    assert all(p.requires_grad for p in model.parameters())  # nothing was changed
    wrapped = putting.wrap_linear(model.double(), ("0",), dora.LinearDoRA)
    assert {p.dtype for p in wrapped.parameters()} == {torch.float64}
    assert [name for name, p in wrapped.named_parameters() if p.requires_grad] == ["0.lora_A", "0.lora_B", "0.magnitude"]


def test_lora_config_of_peft_has_no_bottleneck():
    """The reason why adapters are tested by hand and not beside peft."""
    from peft import PeftType

    assert not [kind for kind in PeftType if kind.value in ("BOTTLENECK", "HOULSBY", "PFEIFFER", "ADAPTER")]
    assert LoraConfig().lora_alpha == LoraConfig().r == 8
