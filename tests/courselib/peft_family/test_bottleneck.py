"""Adapters: by hand, their count, their places, their start, and that they cannot be merged."""

import pytest
import torch
from torch import nn

from courselib.peft_family import bottleneck, putting
from tiny_models import IDS, MASK, bert, llama


def test_a_hand_worked_adapter():
    h = torch.tensor([[1.0, 2.0]])
    W_down, b_down = torch.tensor([[1.0, -1.0], [0.0, 1.0], [2.0, 0.0]]), torch.tensor([0.5, -1.0, 0.0])
    W_up, b_up = torch.tensor([[1.0, 2.0, 0.0], [0.0, 1.0, -1.0]]), torch.tensor([10.0, 20.0])
    # down: -0.5, 1, 2; relu: 0, 1, 2; up: 2, -1; with bias 12, 19; with h 13, 21
    assert bottleneck.bottleneck_forward(h, W_down, b_down, W_up, b_up).tolist() == [[13.0, 21.0]]


def test_the_count_of_bert_base():
    made = bottleneck.Bottleneck(768, 64)
    assert bottleneck.bottleneck_parameters(768, 64) == 99_136 == sum(p.numel() for p in made.parameters())
    assert 24 * bottleneck.bottleneck_parameters(768, 64) == 2_379_264  # two in each of twelve layers


@pytest.mark.parametrize(("build", "places"), [
    (bert, ("attention.output.dense", "output.dense")), (llama, ("o_proj", "down_proj")),
])
def test_two_places_in_each_block_and_the_model_starts_as_it_was(build, places):
    before, model = build(), bottleneck.add_bottlenecks(build(), places, 3)
    found = [module for module in model.modules() if isinstance(module, bottleneck.Behind)]
    assert len(found) == 4
    width = before.config.hidden_size
    assert putting.trained_count(model) == 4 * bottleneck.bottleneck_parameters(width, 3)
    tokens = {"input_ids": IDS, "attention_mask": MASK}
    assert model(**tokens).logits.equal(before(**tokens).logits)
    for module in found:
        nn.init.normal_(module.adapter.up.weight)
    assert (model(**tokens).logits - before(**tokens).logits).abs().max() > 1e-3


def test_near_the_identity_is_near_and_not_it():
    torch.manual_seed(0)
    adapter, h = bottleneck.Bottleneck(64, 8, std=0.01), torch.randn(100, 64)
    moved = (adapter(h) - h).norm() / h.norm()
    assert 0 < moved < 0.05
    with pytest.raises(ValueError, match="at least one number has to pass"):
        bottleneck.Bottleneck(64, 0)


def test_no_matrix_does_what_an_adapter_does_and_one_does_what_a_linear_detour_does():
    torch.manual_seed(0)
    base, adapter, x = nn.Linear(6, 5), bottleneck.Bottleneck(5, 3, std=1.0), torch.randn(200, 6)
    matrix, wrong = bottleneck.as_matrix(adapter, base, x)
    assert matrix.shape == (5, 6) and wrong > 0.02
    nn.init.constant_(adapter.down.bias, 100.0)  # every unit is on: the detour is linear
    _, wrong = bottleneck.as_matrix(adapter.double(), base.double(), x.double())
    assert wrong < 1e-10
