"""Will it fit: the formula against what torch keeps and what it holds at the peak, and against figures that are known."""

import json

import pytest
import torch

from courselib import lora
from courselib.lab import runtime
from courselib.lora.spending import kept_bytes
from courselib.qlora import memory
from courselib.qlora.finetuning import QUANTISED
from courselib.qlora.layer import quantize_model
from courselib.qlora.memory import GB, SHAPES, LlamaShape, kept_by_layers, peak_memory, plan_for, shape_of


def llama(layers=2, width=64, inner=176, heads=4, kv=2, vocabulary=100):
    from transformers import LlamaConfig

    runtime.quiet()
    return LlamaConfig(vocab_size=vocabulary, hidden_size=width, intermediate_size=inner, num_hidden_layers=layers,
                       num_attention_heads=heads, num_key_value_heads=kv, tie_word_embeddings=False)  # fmt: skip


def made(config, method, dtype=torch.float32, rank=4):
    from transformers import LlamaForCausalLM

    model = LlamaForCausalLM(config).to(dtype).train()
    if method == "qlora":
        quantize_model(model, QUANTISED)
    return model if method == "full" else lora.add_lora(model, QUANTISED, rank, rank)


@pytest.mark.parametrize("method", ["full", "lora", "qlora"])
@pytest.mark.parametrize("dtype, size", [(torch.float32, 4), (torch.bfloat16, 2)])
@pytest.mark.parametrize("kv", [4, 2])
def test_what_a_layer_keeps_is_exactly_what_torch_keeps(method, dtype, size, kv):
    """Of the last of two layers, to the byte: rows of everything that a layer of a Llama keeps for its backward pass."""
    ids = torch.randint(0, 100, (2, 24))

    def kept(layers):
        torch.manual_seed(0)
        return kept_bytes(made(llama(layers, kv=kv), method, dtype), lambda m: m(input_ids=ids, labels=ids).loss)

    def ours(layers):
        return kept_by_layers(shape_of(llama(layers, kv=kv).to_dict()), method, 2, 24, 4, size)

    assert kept(2) - kept(1) == ours(2) - ours(1)


@pytest.mark.parametrize("name, billions, gb", [("llama-7b", 6.738, 3.87), ("llama-13b", 13.016, 7.20), ("llama-65b", 65.286,
34.46)])
def test_counts_of_public_models_and_their_four_bit_weights(name, billions,
gb):
    shape = SHAPES[name]
    assert (shape.linear + shape.other) / 1e9 == pytest.approx(billions, abs=0.001)
    assert peak_memory(shape, "qlora").weights / GB == pytest.approx(gb, abs=0.01)


def test_the_courses_own_model_is_the_one_that_is_there():
    from courselib.lab.models.causal import FOLDER

    assert shape_of(FOLDER) == SHAPES["course"] and SHAPES["course"].linear + SHAPES["course"].other == 1_803_904


def test_what_grows_with_what():
    shape = SHAPES["llama-7b"]
    one, two = (peak_memory(shape, "qlora", batch, 512) for batch in (1, 2))
    assert two.activations / one.activations == pytest.approx(2, rel=0.01) and two.weights == one.weights
    assert peak_memory(shape, "qlora").activations == peak_memory(shape, "lora").activations
    assert peak_memory(shape, rank=32).optimiser == 2 * peak_memory(shape, rank=16).optimiser
    assert peak_memory(shape, checkpointing=True).activations < 0.15 * peak_memory(shape).activations
    assert peak_memory(shape, moments=2).optimiser == peak_memory(shape).optimiser / 4


def test_the_items_add_up_to_the_peak():
    for method in memory.METHODS:
        for accumulated in (True, False):
            for length in (16, 2048):
                peak = peak_memory(SHAPES["tinyllama-1.1b"], method, 2, length, accumulated=accumulated)
                assert sum(peak.items().values()) == pytest.approx(peak.total / GB)


def test_a_plan_ends_at_the_first_way_that_fits():
    steps = plan_for(SHAPES["llama-7b"], 24, 4, 1024)
    assert [fits for *_, fits in steps] == [False] * (len(steps) - 1) + [True] and steps[-1][1] <= 24
    assert not plan_for(SHAPES["llama-65b"], 24, 1, 512)[-1][2]
    assert len(plan_for(SHAPES["course"], 24, 1, 128)) == 1


def test_configs(tmp_path):
    config = {"vocab_size": 10, "hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
              "tie_word_embeddings": True}  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert shape_of(tmp_path) == shape_of(tmp_path / "config.json") == LlamaShape(10, 8, 16, 1, 2, 2, untied=False)
    with pytest.raises(ValueError, match="none of course"):
        shape_of("no-such-model")
    with pytest.raises(ValueError, match="no 'hidden_size'"):
        shape_of({"num_attention_heads": 2, "vocab_size": 3})
    with pytest.raises(ValueError, match="expected a method"):
        peak_memory(SHAPES["course"], "adapters")
