"""Sampling: the warpers and the greedy text of transformers, and the edges."""

import inspect
import math

import pytest
import torch
from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper, pipeline

import solutions.pretraining as answers
from autograder import exercises
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


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9, 0.99, 1.0])
def test_top_p_is_that_of_transformers(p):
    logits = 3 * torch.randn(6, 40, generator=torch.Generator().manual_seed(int(100 * p)))
    kept = pretraining.top_p(logits, p)
    assert torch.equal(kept, TopPLogitsWarper(p)(None, logits))
    assert torch.equal(pretraining.next_distribution(logits, 0.7, p=p) > 0, TopPLogitsWarper(p)(None, logits / 0.7).isfinite())


def test_top_p_by_hand():
    logits = torch.tensor([0.1, 0.5, 0.15, 0.25]).log()
    assert pretraining.top_p(logits, 0.6).isfinite().tolist() == [False, True, False, True]  # 0.5 is not enough, 0.75 is
    assert pretraining.top_p(logits, 0.01).isfinite().tolist() == [False, True, False, False]  # never nothing


def test_the_code_to_be_repaired_does_what_its_statement_says():
    lines = inspect.getdoc(answers.top_p).split("\n")
    body = "\n".join(line for line in lines if line.startswith("    "))
    space = {"math": math}
    exec("def broken(logits, p):\n" + body, space)
    broken, mistake = space["broken"], next(m for m in exercises["pretraining.top_p"].misconceptions if m.name == "as_given")
    certain = torch.tensor([0.02, 0.95, 0.03]).log()
    assert broken(certain, 0.9).isnan().all() and not answers.top_p(certain, 0.9).isnan().any()
    logits = torch.tensor([0.1, 0.4, 0.15, 0.35]).log()
    assert torch.equal(broken(logits, 0.6), mistake.wrong(logits, 0.6))
    assert broken(logits, 0.6).argmax() != logits.argmax() == answers.top_p(logits, 0.6).argmax()  # the likeliest token is gone


@pytest.mark.parametrize("beams", [1, 3])
def test_beam_search_is_that_of_transformers(causal, beams):
    model, tokenizer = causal
    text, log_p = pretraining.beam_search(model, tokenizer, "Last week", beams=beams, new_tokens=12)
    ids = torch.tensor([[tokenizer.eos_token_id, *tokenizer("Last week")["input_ids"]]])
    theirs = model.generate(
        ids, attention_mask=torch.ones_like(ids), num_beams=beams, do_sample=False, min_new_tokens=12, max_new_tokens=12,
        pad_token_id=tokenizer.pad_token_id,
    )
    assert tokenizer.decode(theirs[0, 1:]) == text
    assert pretraining.log_probability(model, tokenizer, text, "Last week") == pytest.approx(log_p, abs=1e-3)


def test_more_beams_find_a_likelier_text_than_greedy(causal):
    greedy, wide = (pretraining.beam_search(*causal, "Last week Anna", beams=b, new_tokens=20) for b in (1, 8))
    assert greedy[0] == pretraining.generate(*causal, "Last week Anna", new_tokens=20)
    assert wide[1] > greedy[1] + 1


def test_a_cache_changes_what_is_read_and_not_what_is_written(causal):
    model, read = causal.model, []
    hook = model.register_forward_pre_hook(lambda m, args, kwargs: read.append(kwargs["input_ids"].shape[1]), with_kwargs=True)
    try:
        texts = [pretraining.generate(*causal, "Add some", new_tokens=10, seed=3, cached=cached) for cached in (False, True)]
    finally:
        hook.remove()
    assert texts[0] == texts[1]
    assert read == [*range(3, 13), 3, *[1] * 9]
    with torch.no_grad():
        kept = model(input_ids=torch.tensor([[1, 2, 3, 4]]), use_cache=True).past_key_values
    assert sum(layer.keys.numel() + layer.values.numel() for layer in kept.layers) == 4 * pretraining.cache_numbers(model.config)


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
    with pytest.raises(ValueError, match="at least 1"):
        pretraining.beam_search(None, None, "", beams=0)
    for p in (0.0, 1.1):
        with pytest.raises(ValueError, match="a share p"):
            pretraining.top_p(torch.zeros(3), p)
