"""Attention: torch's numbers, the triangle, and that nothing leaks through it."""

import pytest
import torch
from torch.nn import functional as F
from transformers import BertConfig, BertForMaskedLM, BertLMHeadModel

from courselib import pretraining

SMALL = dict(vocab_size=40, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)


@pytest.fixture
def ids():
    torch.manual_seed(0)
    return torch.randint(5, 40, (3, 9))


@pytest.mark.parametrize("causal", [False, True])
def test_attention_is_that_of_torch(causal):
    q, k, v = torch.randn(3, 2, 6, 8, generator=torch.Generator().manual_seed(1))
    allowed = pretraining.causal_mask(torch.ones(2, 6)) if causal else None
    weights = pretraining.attention_weights(pretraining.attention_scores(q, k), allowed)
    assert torch.allclose(weights @ v, F.scaled_dot_product_attention(q, k, v, is_causal=causal), atol=1e-6)
    assert torch.allclose(weights.sum(-1), torch.ones(2, 6))
    assert (weights.triu(1) == 0).all() == causal


def test_without_the_root_the_variance_of_a_score_grows_with_the_width():
    draw = torch.Generator().manual_seed(2)
    for width in (16, 256):
        q, k = torch.randn(2, 300, width, generator=draw)
        assert (q @ k.T).var().item() == pytest.approx(width, rel=0.1)
        assert pretraining.attention_scores(q, k).var().item() == pytest.approx(1, rel=0.1)


def test_a_row_that_may_look_at_nothing_is_refused():
    with pytest.raises(ValueError, match="look at nothing"):
        pretraining.attention_weights(torch.zeros(3, 3), torch.ones(3, 3).tril(-1).bool())


def test_the_causal_mask_by_hand():
    made = pretraining.causal_mask(torch.tensor([[1, 1, 1], [1, 1, 0]]))
    assert made.int().tolist() == [[[1, 0, 0], [1, 1, 0], [1, 1, 1]], [[1, 0, 0], [1, 1, 0], [1, 1, 0]]]


def test_the_future_leaks_in_a_masked_model_and_not_in_a_causal_one(ids):
    torch.manual_seed(1)
    causal = BertLMHeadModel(BertConfig(**SMALL, is_decoder=True)).eval()
    masked = BertForMaskedLM(BertConfig(**SMALL)).eval()
    for model, leaks in [(causal, False), (masked, True)]:
        changes = pretraining.influence(lambda tokens, model=model: model(input_ids=tokens).logits, ids[:1], other=3)
        assert (changes.triu(1).max() > 0) == leaks
        assert (changes.tril() + torch.ones(9, 9).triu(1) > 0).all()  # what may be seen is seen
        assert changes.shape == (9, 9)
