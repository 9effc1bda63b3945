"""Will it fit: the formula against what torch keeps for the backward pass, to the byte, and against figures that are known."""

import dataclasses

import pytest
import torch
from torch.nn import functional as F

from courselib.lora.spending import kept_bytes
from courselib.qlora import memory
from courselib.qlora.bert_shape import BertShape
from courselib.qlora.llama_shape import LlamaShape
from courselib.qlora.memory import GB, kept_by_layers, peak_memory, plan_for
from courselib.qlora.shapes import SHAPES
from tests.helpers import shaped_models

LLAMA = LlamaShape(100, 64, 176, 2, 4, 2)
BERT = BertShape(100, 64, 192, 2, 4, positions=33)
METHODS = pytest.mark.parametrize("method", ["full", "lora", "qlora"])
DTYPES = pytest.mark.parametrize("dtype, size", [(torch.float32, 4), (torch.bfloat16, 2)])


def kept(shape, method, dtype, batch, length):
    torch.manual_seed(0)
    texts = shaped_models.texts(shape, batch, length)
    return kept_bytes(shaped_models.made(shaped_models.plain(shape), method, dtype), lambda model: model(**texts).loss)


def of_one_layer(shape, count):
    """What the second of two layers adds."""
    return count(shape) - count(dataclasses.replace(shape, layers=1))


@METHODS
@DTYPES
@pytest.mark.parametrize("kv", [4, 2])
def test_what_a_layer_of_a_llama_keeps_is_exactly_what_torch_keeps(method, dtype, size, kv):
    shape = dataclasses.replace(LLAMA, kv_heads=kv)
    torch_says = of_one_layer(shape, lambda s: kept(s, method, dtype, 2, 24))
    assert torch_says == of_one_layer(shape, lambda s: kept_by_layers(s, method, 2, 24, 4, size))


@METHODS
@DTYPES
@pytest.mark.parametrize("how", [{"dropout": False}, {"fused": True}, {"fused": False}])
def test_what_a_layer_of_a_bert_keeps_is_exactly_what_torch_keeps(method, dtype, size, how, monkeypatch):
    """Without dropout, with a GPU's kernels for it, and with a CPU's, which keep tables of scores."""
    shape = dataclasses.replace(BERT, **how)
    if shape.fused:
        monkeypatch.setattr(F, "dropout", shaped_models.dropout_of_a_gpu)
    torch_says = of_one_layer(shape, lambda s: kept(s, method, dtype, 3, 20))
    if shape.fused:  # a GPU's LayerNorm has its two statistics in float32; this is a CPU, and has them in 16 bits where all is
        torch_says += 2 * 2 * (3 * 20) * (4 - size)
    assert torch_says == of_one_layer(shape, lambda s: kept_by_layers(s, method, 3, 20, 4, size))


@METHODS
@pytest.mark.parametrize("classes", [None, 3])
def test_and_what_is_kept_below_and_above_the_blocks(method, classes):
    """But for tokens, their places and what a classifier sees of each text."""
    shape = dataclasses.replace(BERT, classes=classes, dropout=False, layers=1)
    outside = kept(shape, method, torch.float32, 3, 20) - kept_by_layers(shape, method, 3, 20, 4, 4)
    assert outside == pytest.approx(shape.kept_outside(method == "full", 3, 20, 4), abs=40 * 3 * 20)


@pytest.mark.parametrize("name, billions, gb", [
    ("llama-7b", 6.738, 3.87), ("llama-13b", 13.016, 7.20), ("llama-65b", 65.286, 34.46),
])  # fmt: skip
def test_counts_of_public_models_and_their_four_bit_weights(name, billions, gb):
    shape = SHAPES[name]
    assert (shape.linear + shape.other) / 1e9 == pytest.approx(billions, abs=0.001)
    assert peak_memory(shape, "qlora").weights / GB == pytest.approx(gb, abs=0.01)


@pytest.mark.parametrize("name", ["bert-base", "bert-large"])
@pytest.mark.parametrize("classes", [None, 2, 5])
def test_counts_of_berts(name, classes):
    shape = dataclasses.replace(SHAPES[name], classes=classes)
    with torch.device("meta"):
        assert shape.linear + shape.other == shaped_models.plain(shape).num_parameters()


def test_what_grows_with_what():
    shape = SHAPES["llama-7b"]
    one, two = (peak_memory(shape, "qlora", batch, 512) for batch in (2, 4))
    assert two.activations / one.activations == pytest.approx(2, rel=0.01) and two.weights == one.weights
    assert peak_memory(shape, "qlora", 2).activations == peak_memory(shape, "lora", 2).activations
    assert peak_memory(shape, rank=32).optimiser == 2 * peak_memory(shape, rank=16).optimiser
    assert peak_memory(shape, checkpointing=True).activations < 0.2 * peak_memory(shape).activations
    assert peak_memory(shape, moments=2).optimiser == peak_memory(shape).optimiser / 4


def test_a_table_of_scores_grows_with_the_square_of_the_length():
    bert = SHAPES["bert-base"]
    tables = [kept_by_layers(dataclasses.replace(bert, fused=False), "full", 1, length, 16, 4)
              - kept_by_layers(bert, "full", 1, length, 16, 4) for length in (256, 512)]  # fmt: skip
    assert tables[1] / tables[0] == pytest.approx(4, rel=0.1)


def test_four_bits_save_little_of_a_small_encoder_and_most_of_a_large_model():
    def saved(name, **run):
        lora, qlora = (peak_memory(SHAPES[name], method, **run).total for method in ("lora", "qlora"))
        return 1 - qlora / lora

    assert saved("bert-base", batch=32, length=256) < 0.05 < 0.5 < saved("llama-7b", batch=1, length=256)


def test_the_items_add_up_to_the_peak_and_none_is_there_that_is_not():
    for shape in (SHAPES["tinyllama-1.1b"], SHAPES["bert-base"]):
        for method in memory.METHODS:
            for accumulated in (True, False):
                for length in (16, 512):
                    peak = peak_memory(shape, method, 2, length, accumulated=accumulated)
                    assert sum(peak.items().values()) == pytest.approx(peak.total / GB) and 0 not in peak.items().values()
                    assert ("adapters" in peak.items()) == (method != "full") and ("gradients" in peak.items()) >= accumulated


def test_a_plan_ends_at_the_first_way_that_fits():
    steps = plan_for(SHAPES["llama-7b"], 24, 4, 1024)
    assert [fits for *_, fits in steps] == [False] * (len(steps) - 1) + [True] and steps[-1][1] <= 24
    assert not plan_for(SHAPES["llama-65b"], 24, 1, 512)[-1][2]
    assert len(plan_for(SHAPES["course"], 24, 1, 128)) == len(plan_for(SHAPES["bert-base"], 24, 8, 128)) == 1


def test_another_method_is_refused():
    with pytest.raises(ValueError, match="expected a method"):
        peak_memory(SHAPES["course"], "adapters")


def test_a_bert_reads_no_longer_texts_than_it_has_positions():
    with pytest.raises(ValueError, match="at most 512 tokens, .* 513 came"):
        peak_memory(SHAPES["bert-base"], "lora", 1, 513)
