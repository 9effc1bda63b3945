"""Prompts and prefixes beside peft's on a tiny Llama with grouped-query attention, and what they do to attention."""

import copy
import math

import pytest
import torch
from peft import PrefixTuningConfig, PromptEncoderConfig, PromptTuningConfig, get_peft_model

from courselib.peft_family import prefix, prompts, putting
from tiny_models import bert, llama

TOKENS = torch.tensor([[2, 5, 9, 3, 7], [2, 7, 3, 11, 1]])
PADDED = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])


def near(a, b):
    return bool((a.detach() - b.detach()).abs().max() <= 2e-6 * max(1, float(b.detach().abs().max())))


def of_peft(config, **weights):
    model = get_peft_model(llama(), config)
    encoder = model.prompt_encoder["default"]
    for name, value in weights.items():
        encoder.get_parameter(name.replace("__", ".")).data.copy_(value)
    return model, encoder


@pytest.mark.parametrize("mask", [None, PADDED])
def test_prompt_tuning_is_pefts_without_the_prompts_own_positions(mask):
    torch.manual_seed(1)
    ours = prompts.SoftPrompt(llama(), 4)
    theirs, encoder = of_peft(PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4), embedding__weight=ours.prompt)
    expected = theirs(input_ids=TOKENS, attention_mask=mask).logits
    h = ours(TOKENS, mask).logits
    real = slice(None) if mask is None else mask.bool()
    assert expected.shape[1] == 9 and h.shape[1] == 5
    assert near(h[real], expected[:, 4:][real])
    grad = torch.randn(h.shape) * (1.0 if mask is None else mask[..., None])
    h.backward(grad)
    expected[:, 4:].backward(grad)
    assert near(ours.prompt.grad, encoder.embedding.weight.grad)
    assert putting.trained_count(ours) == prompts.prompt_parameters(4, 16) == 64


def test_a_prompt_starts_as_words_and_no_word_moves():
    torch.manual_seed(0)
    ours = prompts.SoftPrompt(llama(), 3)
    words = ours.model.get_input_embeddings().weight
    assert all((row == words).all(1).any() for row in ours.prompt)
    assert not words.requires_grad
    noise = prompts.SoftPrompt(llama(), 200, start="noise").prompt
    assert abs(float(noise.std()) - 1) < 0.05
    with pytest.raises(ValueError, match="'words' or from 'noise'"):
        prompts.SoftPrompt(llama(), 3, start="zeros")


def test_p_tuning_is_pefts():
    torch.manual_seed(1)
    ours = prompts.SoftPrompt(llama(), 4, hidden=6)
    config = PromptEncoderConfig(task_type="CAUSAL_LM", num_virtual_tokens=4, encoder_hidden_size=6)
    weights = {name.replace(".", "__"): p for name, p in ours.network.named_parameters()}
    theirs, _ = of_peft(config, **weights)
    assert near(ours(TOKENS).logits, theirs(input_ids=TOKENS).logits[:, 4:])
    assert putting.trained_count(ours) == prompts.p_tuning_parameters(4, 16, 6)


@pytest.mark.parametrize("mask", [None, PADDED])
@pytest.mark.parametrize("hidden", [0, 6])
def test_prefix_tuning_is_pefts(mask, hidden):
    torch.manual_seed(1)
    ours = prefix.Prefixed(llama(), 3, std=0.7, hidden=hidden)
    extra = {"prefix_projection": True, "encoder_hidden_size": hidden} if hidden else {}
    weights = {"embedding__weight": ours.start if hidden else ours.prefix}
    if hidden:
        weights |= {f"transform__{name.replace('.', '__')}": p for name, p in ours.network.named_parameters()}
    theirs, encoder = of_peft(PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3, **extra), **weights)
    given = torch.ones_like(TOKENS) if mask is None else mask
    h, expected = ours(TOKENS, mask).logits, theirs(input_ids=TOKENS, attention_mask=given).logits
    real = given.bool()
    assert h.shape == expected.shape == (2, 5, 20) and near(h[real], expected[real])  # the length stays
    assert not torch.allclose(h[real], llama()(TOKENS, attention_mask=given).logits[real], atol=1e-2)
    grad = torch.randn(h.shape) * given[..., None]
    h.backward(grad)
    expected.backward(grad)
    mine = ours.start if hidden else ours.prefix
    assert near(mine.grad, encoder.embedding.weight.grad)


@pytest.mark.parametrize("mask", [None, PADDED])
def test_a_prompt_of_words_before_an_encoders_text_is_those_words_before_it(mask):
    encoder = bert().bert
    ours = prompts.SoftPrompt(copy.deepcopy(encoder), 3)
    first = torch.tensor([4, 8, 6])
    ours.prompt.data.copy_(encoder.get_input_embeddings().weight[first])
    h = ours(TOKENS, mask).last_hidden_state
    real = slice(None) if mask is None else mask.bool()
    assert h.shape == (2, 5, 12) and near(h[real], encoder(*behind(first, mask)).last_hidden_state[:, 3:][real])


@pytest.mark.parametrize("mask", [None, PADDED])
def test_a_prefix_that_holds_an_encoders_own_keys_and_values_is_the_words_they_came_from(mask):
    """In a model of one layer, where the words' keys do not depend on the text: so their effect on the text is all there is."""
    encoder = bert().bert
    del encoder.encoder.layer[1:]
    encoder.config.num_hidden_layers = 1
    ours = prefix.Prefixed(copy.deepcopy(encoder), 3)
    assert putting.trained_count(ours) == prefix.prefix_parameters(1, 3, 12)
    first, attention = torch.tensor([4, 8, 6]), encoder.encoder.layer[0].attention.self
    words = encoder.embeddings(first[None])[0]  # (3, 12)
    ours.prefix.data.copy_(torch.cat([attention.key(words), attention.value(words)], 1))
    h = ours(TOKENS, mask).last_hidden_state
    real = slice(None) if mask is None else mask.bool()
    whole = encoder(*behind(first, mask)).last_hidden_state
    assert h.shape == (2, 5, 12) and near(h[real], whole[:, 3:][real])
    assert not torch.allclose(h[real], encoder(TOKENS, mask).last_hidden_state[real], atol=1e-2)


def behind(first, mask):
    """(ids, attention mask) of the tokens with the words `first` before them."""
    given = torch.ones_like(TOKENS) if mask is None else mask
    return torch.cat([first.expand(2, -1), TOKENS], 1), torch.cat([torch.ones(2, len(first), dtype=torch.long), given], 1)


def test_the_count_is_twice_what_is_often_written_and_follows_the_key_value_heads():
    assert prefix.prefix_parameters(12, 10, 768) == 184_320 == 2 * 92_160
    ours = prefix.Prefixed(llama(), 3)
    assert putting.trained_count(ours) == prefix.prefix_parameters(2, 3, 8)  # 2 of 4 heads, 4 wide: not the model's 16


def test_prefix_attention_is_a_mixture_of_two_attentions():
    torch.manual_seed(0)
    q, k, v, pk, pv = (torch.randn(n, 4) for n in (5, 7, 7, 3, 3))

    def attention(keys, values):
        return (q @ keys.T / math.sqrt(4)).softmax(-1) @ values

    share = prefix.prefix_share(q, k, pk)
    assert share.shape == (5, 1) and 0 < float(share.min()) < float(share.max()) < 1
    mixed = (1 - share) * attention(k, v) + share * attention(pk, pv)
    assert near(prefix.prefix_attention(q, k, v, pk, pv), mixed)


def test_a_zero_prefix_is_no_identity_and_one_far_below_is():
    torch.manual_seed(0)
    q, k, v = (torch.randn(n, 4) for n in (5, 7, 7))
    none = (q @ k.T / 2).softmax(-1) @ v
    zeros = torch.zeros(3, 4)
    assert not torch.allclose(prefix.prefix_attention(q, k, v, zeros, zeros), none, atol=1e-2)
    assert prefix.prefix_attention(q, k, v, zeros[:0], zeros[:0]).allclose(none)  # no prefix


def test_no_prompt_and_no_prefix_of_length_zero():
    for build in (prompts.SoftPrompt, prefix.Prefixed):
        with pytest.raises(ValueError, match="needs at least one"):
            build(llama(), 0)
