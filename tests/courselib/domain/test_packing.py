"""Packing: the mask by hand, and that it separates documents while positions alone do not."""

import copy

import pytest
import torch

from courselib.domain import packing
from courselib.lab import models
from courselib.lab.data import worlds


def test_segments_positions_and_mask_by_hand():
    assert packing.segments([2, 3]).tolist() == [0, 0, 1, 1, 1]
    assert packing.positions([2, 3]).tolist() == [0, 1, 0, 1, 2]
    assert packing.packed_mask([1, 2]).int().tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 1]]
    assert torch.equal(packing.packed_mask([4]), torch.ones(4, 4, dtype=torch.bool).tril())  # one document: plainly causal
    with pytest.raises(ValueError, match="at least one token"):
        packing.segments([2, 0])


@pytest.fixture(scope="module")
def packed():
    torch.set_num_threads(1)
    model, tokenizer = models.load("causal")
    return model, [torch.tensor(tokenizer(text)["input_ids"]) for text in worlds.world("general").texts(3, "test", 1)]


@torch.no_grad()
def test_the_mask_separates_and_positions_alone_do_not(packed):
    model, documents = packed
    alone = torch.cat([packing.token_losses(model, [document]) for document in documents])
    assert len(alone) == sum(map(len, documents)) - len(documents)
    for restart in (False, True):
        assert torch.allclose(packing.token_losses(model, documents, restart=restart), alone, atol=1e-4)  # rotary: distances only
        assert (packing.token_losses(model, documents, mask=False, restart=restart) - alone).abs().max() > 0.1


@torch.no_grad()
def test_learned_positions_need_both(packed):
    """GPT-2's positions are vectors of their own, so the place in the window shows even behind the mask."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=50, n_positions=64, n_embd=16, n_layer=2, n_head=2)).eval()
    torch.nn.init.normal_(model.transformer.wpe.weight, std=1.0)
    documents = [torch.randint(0, 50, (n,)) for n in (5, 7)]
    alone = torch.cat([packing.token_losses(copy.deepcopy(model), [document]) for document in documents])
    assert torch.allclose(packing.token_losses(model, documents), alone, atol=1e-4)
    assert (packing.token_losses(model, documents, restart=False) - alone).abs().max() > 0.01
