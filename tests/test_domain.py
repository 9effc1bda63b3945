"""Domain adaptation: hand-worked numbers, the batches, and the trade between the new domain and the old."""

import itertools

import pytest
import torch

from courselib import domain, models
from courselib.data.windows import Windows, token_stream


def test_perplexity_and_forgetting_by_hand():
    assert domain.perplexity(0.0) == 1.0
    assert domain.perplexity(2.0) == pytest.approx(7.389056)
    assert domain.forgetting_percent(4.0, 5.0) == 25.0
    assert domain.forgetting_percent(5.0, 4.0) == -20.0  # the old domain may get better
    with pytest.raises(ValueError, match="sign turned round"):
        domain.perplexity(-1.0)


def test_windows_come_in_their_shares_and_begin_where_they_are_told():
    low, high = torch.arange(0, 100), torch.arange(1000, 1050)
    batches = list(itertools.islice(Windows([low, high], [3, 1], 7, seed=4), 5))
    for batch in batches:
        assert batch.shape == (4, 7)
        assert (batch[:3] < 100).all() and (batch[3] >= 1000).all()
        assert (batch.diff(dim=1) == 1).all()  # each row is one piece of its stream
    later = next(iter(Windows([low, high], [3, 1], 7, seed=4, first=3)))
    assert torch.equal(later, batches[3]) and not torch.equal(batches[0], batches[1])
    with pytest.raises(ValueError, match="stream 1 has 50 tokens, and a window takes 60"):
        Windows([low, high], [1, 1], 60, seed=0)


def test_documents_end_with_the_end_of_text():
    tokenizer = models.load("causal").tokenizer
    stream = token_stream(tokenizer, ["One.", "Two more."])
    assert (stream == tokenizer.eos_token_id).sum() == 2 and stream[-1] == tokenizer.eos_token_id
    assert tokenizer.decode(stream) == "One.<|endoftext|>Two more.<|endoftext|>"


def test_the_new_domain_is_learned_and_mixing_keeps_the_old():
    start = models.load("causal")
    weights = start.model.state_dict()["model.embed_tokens.weight"].clone()
    only, mixed = (domain.continue_pretraining(start, "clinical", alpha=alpha, steps=60) for alpha in (1.0, 0.5))
    clinical = [domain.nats_per_word(model, "clinical", texts=20) for model in (start, only, mixed)]
    general = [domain.nats_per_word(model, "general", texts=20) for model in (start, only, mixed)]
    assert clinical[1] < clinical[0] - 5 and clinical[2] < clinical[0] - 5
    assert general[1] > general[0] + 0.2  # forgotten
    assert general[2] - general[0] < 0.5 * (general[1] - general[0])
    assert torch.equal(start.model.state_dict()["model.embed_tokens.weight"], weights)  # a copy was trained
    with pytest.raises(ValueError, match="0.5 mixes evenly"):
        domain.continue_pretraining(start, "clinical", alpha=0.0)
