"""Packing: equal to one at a time, and unequal as soon as the mask is gone."""

import pytest
import torch

from courselib.instruction import packing

CHATS = [[5, 6, 7, 8], [9], [10, 11, 12, 13, 14, 15], [16, 17]]


@pytest.fixture(scope="module")
def alone(causal):
    with torch.no_grad():
        return torch.cat([causal.model(input_ids=torch.tensor([chat])).logits[0] for chat in CHATS])


def test_a_packed_row_is_its_conversations_one_at_a_time(causal, alone):
    found = packing.packed_logits(causal.model, packing.pack(CHATS))
    assert torch.allclose(found, alone, atol=1e-4)


def test_without_the_mask_only_the_first_conversation_is_as_it_was(causal, alone):
    found = packing.packed_logits(causal.model, packing.pack(CHATS), masked=False)
    assert torch.allclose(found[:4], alone[:4], atol=1e-4)
    assert all((found[at] - alone[at]).abs().max() > 0.1 for at in range(4, len(alone)))


def test_a_rotary_model_needs_no_positions_anew_and_one_with_absolute_positions_does(causal, alone):
    assert torch.allclose(packing.packed_logits(causal.model, packing.pack(CHATS), restarted=False), alone, atol=1e-3)
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    gpt2 = GPT2LMHeadModel(GPT2Config(vocab_size=30, n_positions=32, n_embd=32, n_layer=2, n_head=2)).eval()
    with torch.no_grad():
        one = torch.cat([gpt2(input_ids=torch.tensor([chat])).logits[0] for chat in CHATS])
    assert torch.allclose(packing.packed_logits(gpt2, packing.pack(CHATS)), one, atol=1e-4)
    assert (packing.packed_logits(gpt2, packing.pack(CHATS), restarted=False) - one).abs().max() > 1e-2


def test_the_mask_by_hand():
    assert packing.block_mask(torch.tensor([4, 4, 1])).int().tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]


def test_positions_and_segments():
    row = packing.pack(CHATS)
    assert row.positions.tolist() == [0, 1, 2, 3, 0, 0, 1, 2, 3, 4, 5, 0, 1]
    assert row.segments.tolist() == [0] * 4 + [1] + [2] * 6 + [3] * 2


@pytest.mark.parametrize("chats", [[], [[1], []]])
def test_nothing_to_pack(chats):
    with pytest.raises(ValueError, match="nothing to pack"):
        packing.pack(chats)


def test_padding_by_hand():
    assert packing.padding_share([4, 2, 6, 6], 2) == pytest.approx(2 / 20)  # 4 + 2 of 8, 12 of 12
    assert packing.padding_share([3, 3], 2) == 0
