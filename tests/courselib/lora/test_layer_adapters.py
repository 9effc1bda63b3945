"""One LoRA layer: merging, and several adapters on it."""

import copy

import pytest
import torch
from peft import LoraConfig
from torch import nn
from torch.nn import functional as F

from courselib.lora import LinearLoRA
from one_layer import ALPHA, D_IN, D_OUT, RANK, batch, close, fill_B, pair

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
