"""Sampling: the warpers and the greedy text of transformers, and the edges."""

import pytest
import torch
from transformers import TemperatureLogitsWarper, TopKLogitsWarper, pipeline

from courselib import pretraining
from courselib.lab import models


@pytest.fixture(scope="module")
def causal():
    return models.load("causal")


@pytest.mark.parametrize("k", [1, 3, 20, 50])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_the_distribution_is_that_of_transformers_warpers(k, temperature):
    logits = torch.randn(4, 20, generator=torch.Generator().manual_seed(k))
    theirs = TopKLogitsWarper(k)(None, TemperatureLogitsWarper(temperature)(None, logits)).softmax(-1)
    ours = pretraining.next_distribution(logits, temperature, k)
    assert torch.equal(ours, theirs)
    assert (ours > 0).sum(-1).tolist() == [min(k, 20)] * 4


def test_top_k_by_hand():
    kept = pretraining.top_k(torch.tensor([1.0, 4.0, -9.0, 2.0]), 2)
    assert kept.tolist() == [-torch.inf, 4.0, -torch.inf, 2.0]
    p = pretraining.next_distribution(torch.tensor([0.0, 1.0]), temperature=0.5)
    assert p[1].item() == pytest.approx(1 / (1 + torch.e**-2), rel=1e-5)


def test_greedy_text_is_that_of_the_pipeline(causal):
    writer = pipeline("text-generation", model=causal.model, tokenizer=causal.tokenizer)
    for prompt in ("Last week Anna", "Add some"):
        begun = causal.tokenizer.eos_token + prompt
        theirs = writer(begun, max_new_tokens=20, do_sample=False, return_full_text=False)[0]["generated_text"]
        assert pretraining.generate(causal.model, causal.tokenizer, prompt, new_tokens=20) == prompt + theirs


def test_sampling_follows_the_seed_and_k_1_is_greedy(causal):
    def write(**how):
        return pretraining.generate(causal.model, causal.tokenizer, "Last week", new_tokens=12, **how)

    assert write(seed=1) == write(seed=1) != write(seed=2)
    assert write(seed=1, k=1) == write()


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        pretraining.top_k(torch.zeros(3), 0)
    with pytest.raises(ValueError, match="above 0"):
        pretraining.next_distribution(torch.zeros(3), 0.0)
