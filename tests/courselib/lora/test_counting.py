"""Counting against numbers worked out by hand, and against parameters that really exist in models."""

import math

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from courselib.lora import (
    adamw_memory,
    add_lora,
    attention_budget,
    gpt3_reduction,
    multi_task_ratio,
    parameter_count,
    reduction_factor,
    reduction_share,
    remaining_share,
    tasks_for_ratio,
    trainable_report,
)


def test_parameter_count_by_hand():
    assert parameter_count(5, 3, 2) == 16  # B has 5 * 2, A has 2 * 3
    assert parameter_count(512, 512, 8) == 8_192
    assert isinstance(parameter_count(5, 3, 2), int)


def test_what_remains_and_what_is_removed_are_named_right():
    assert remaining_share(768, 768, 8) == pytest.approx(12_288 / 589_824)
    assert round(100 * remaining_share(768, 768, 8), 2) == 2.08
    assert round(100 * reduction_share(768, 768, 8), 2) == 97.92
    assert remaining_share(10, 4, 2) == 28 / 40  # not square: a formula with 2 * rank * d would differ
    assert reduction_factor(512, 512, 8) == 32
    assert reduction_factor(4096, 4096, 8) == 256


def test_attention_budget_by_hand():
    added, share = attention_budget(hidden=768, layers=12, matrices=4, rank=16)
    assert added == 1_179_648
    assert share == pytest.approx(0.0416667, abs=1e-6)
    assert attention_budget(10, 3, 2, 4) == (3 * 2 * 4 * 20, 0.8)


@pytest.mark.parametrize("targets, rank", [(("query", "value"), 8), (("query", "key", "value"), 3)])
def test_attention_budget_is_what_add_lora_adds(targets, rank):
    model = BertForSequenceClassification(BertConfig(
        vocab_size=20, hidden_size=12, num_hidden_layers=3, num_attention_heads=2, intermediate_size=16))
    before = trainable_report(model).total
    add_lora(model, targets, rank=rank)
    report = trainable_report(model)
    assert report.trainable == report.total - before == attention_budget(12, 3, len(targets), rank)[0]


def test_bert_base_with_lora_has_the_published_counts():
    with torch.device("meta"):  # shapes without memory
        model = BertForSequenceClassification(BertConfig(num_labels=2))
    assert trainable_report(model).total == 109_483_778
    add_lora(model, rank=8, train_also=("classifier",))
    report = trainable_report(model)
    assert report.trainable == 294_912 + 1_538
    assert report.total == 109_483_778 + 294_912
    assert str(report) == "trainable params: 296,450 || all params: 109,778,690 || trainable%: 0.2700"


def test_multi_task_ratio_by_hand():
    assert multi_task_ratio(512, 512, 8, 3) == pytest.approx(2.742857, abs=1e-6)
    assert multi_task_ratio(6, 4, 2, 3) == pytest.approx(72 / (24 + 3 * 20))
    assert multi_task_ratio(512, 512, 8, 1) < 1  # one task: the adapter comes on top of the base
    assert multi_task_ratio(512, 512, 8, 10**9) == pytest.approx(32, rel=1e-6)


def test_tasks_for_ratio_is_the_first_that_reaches_it():
    assert tasks_for_ratio(512, 512, 8, 24) == 96
    for ratio in (0.5, 1, 2.0, 2.75, 7.3):
        tasks = tasks_for_ratio(300, 200, 5, ratio)
        assert multi_task_ratio(300, 200, 5, tasks) >= ratio
        assert tasks == 1 or multi_task_ratio(300, 200, 5, tasks - 1) < ratio


@pytest.mark.parametrize("ratio", [32, 33, 0, -1, math.nan, math.inf])
def test_tasks_for_ratio_refuses_what_cannot_be_reached(ratio):
    with pytest.raises(ValueError, match="above 0 and below 32, its limit"):
        tasks_for_ratio(512, 512, 8, ratio)


def test_adamw_memory_by_hand():
    assert adamw_memory(175e9) == 2_800_000_000_000
    assert adamw_memory(175e9) / 80e9 == 35
    assert adamw_memory(100, 10) == 520
    assert adamw_memory(100, 0) == 400
    full, lora = adamw_memory(109_483_778), adamw_memory(109_778_690, 296_450)
    assert (round(full / 1e9, 3), round(lora / 1e9, 3)) == (1.752, 0.443)
    assert round(100 * (1 - lora / full), 1) == 74.7  # and not 99.7


@pytest.mark.parametrize("parameters, trainable", [(-1, None), (10, 11), (10, -1), (1.5, 1), (math.nan, 0)])
def test_adamw_memory_refuses_impossible_counts(parameters, trainable):
    with pytest.raises(ValueError, match="expected whole numbers with 0 <= trainable <= parameters"):
        adamw_memory(parameters, trainable)


def test_gpt3_per_matrix_and_whole_model():
    at_4 = gpt3_reduction(rank=4)
    assert at_4.per_matrix == 1_536
    assert at_4.added_parameters == 18_874_368
    assert round(at_4.whole_model) == 9_272
    assert gpt3_reduction(rank=1).per_matrix == 6_144


@pytest.mark.parametrize("bad", [0, -3, 2.0, True, "8", None])
@pytest.mark.parametrize("place", range(3))
def test_counts_must_be_whole_and_positive(bad, place):
    arguments = [4, 5, 2]
    arguments[place] = bad
    name = ("d_out", "d_in", "rank")[place]
    with pytest.raises(ValueError, match=f"{name} should be a whole number of at least 1, but {bad!r} came"):
        parameter_count(*arguments)


def test_the_other_counts_are_checked_too():
    with pytest.raises(ValueError, match="matrices should be"):
        attention_budget(8, 2, 0, 4)
    with pytest.raises(ValueError, match="layers should be"):
        attention_budget(8, 0, 2, 4)
    with pytest.raises(ValueError, match="tasks should be"):
        multi_task_ratio(8, 8, 2, 0)
