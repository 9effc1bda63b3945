"""What LoRA trains and stores, counted: shares, factors, copies for many tasks, sizes of files and of optimiser states."""

from __future__ import annotations

from functools import cache

import torch

from courselib.claims.computed import Computed, computes
from courselib.lora.counting import (
    adamw_memory,
    attention_budget,
    gpt3_reduction,
    multi_task_ratio,
    parameter_count,
    reduction_factor,
    reduction_share,
    remaining_share,
    tasks_for_ratio,
)

GPT3 = 175_000_000_000


@cache
def weights_of_bert() -> int:
    """Weights of BERT-base, counted on a model without numbers in it."""
    from transformers import BertConfig, BertModel

    with torch.device("meta"):
        return sum(p.numel() for p in BertModel(BertConfig()).parameters())


@cache
def bert_with_lora() -> tuple[int, int, int]:
    """(LoRA's numbers, all trained ones, all) of a BERT-base classifier with rank 8 on query and value, as peft counts them."""
    from peft import LoraConfig, get_peft_model
    from transformers import BertConfig, BertForSequenceClassification

    with torch.device("meta"):
        model = BertForSequenceClassification(BertConfig(num_labels=2))
        model = get_peft_model(model, LoraConfig(task_type="SEQ_CLS", r=8, target_modules=["query", "value"]))
    lora = sum(p.numel() for name, p in model.named_parameters() if "lora_" in name)
    return lora, *model.get_nb_trainable_parameters()


def near(value: float, said: float, tolerance: float) -> bool:
    """Whether a value lies within a relative tolerance of what was said."""
    return abs(value / said - 1) <= tolerance


@computes("ov-lora-pct2")
def _usual_lora_shares() -> Computed:
    smallest = 100 / gpt3_reduction(4).whole_model
    added = attention_budget(768, 12, 4, 16)[0]
    largest = 100 * added / (weights_of_bert() + added)
    return Computed(0.01 <= smallest < largest <= 1.1, {"GPT-3, rank 4, %": smallest, "BERT-base, rank 16, %": largest})


@computes("i-175b-tb")
def _states_of_175_billion() -> Computed:
    terabytes = adamw_memory(GPT3) / 1e12
    return Computed(2 <= terabytes < 10, {"TB": terabytes})


@computes("i-001pct")
def _share_of_gpt3() -> Computed:
    found = gpt3_reduction(4)
    share = 100 / found.whole_model
    return Computed(round(share, 2) == 0.01, {"trained": found.added_parameters, "%": share})


@computes("i-10k")
def _ten_thousand_times() -> Computed:
    times = gpt3_reduction(4).whole_model
    return Computed(near(times, 10_000, 0.1), {"times": times})


@computes("z0-count")
def _pair_for_512() -> Computed:
    full, pair, times = 512 * 512, parameter_count(512, 512, 8), reduction_factor(512, 512, 8)
    return Computed((full, pair, times) == (262_144, 8192, 32), {"full": full, "LoRA": pair, "times": times})


@computes("z0-approx-sign")
def _sum_of_two_products() -> Computed:
    tried = [(d, k, r) for d in (7, 512, 4096) for k in (5, 768) for r in (1, 8)]
    apart = max(abs(d * r + r * k - parameter_count(d, k, r)) for d, k, r in tried)
    return Computed(apart == 0, {"largest difference": apart})


@computes("z1-31pct")
def _share_for_512() -> Computed:
    share = 100 * remaining_share(512, 512, 8)
    return Computed(round(share, 1) == 3.1, {"%": share})


@computes("z1-multi-form")
def _three_tasks_counted() -> Computed:
    base, pair = torch.empty(512, 512), (torch.empty(512, 8), torch.empty(8, 512))
    full, lora = 3 * base.numel(), base.numel() + 3 * sum(factor.numel() for factor in pair)
    by_formula = 512 * 512 + 3 * (512 * 8 + 8 * 512)
    return Computed(lora == by_formula and full == 3 * 512 * 512, {"full": full, "LoRA": lora})


@computes("z1-multi-24x")
def _saving_for_three_tasks() -> Computed:
    times = multi_task_ratio(512, 512, 8, 3)
    return Computed(near(times, 24, 0.1), {"times": times, "tasks for 24 times": tasks_for_ratio(512, 512, 8, 24)})


@computes("lora-28tb")
def _cards_for_175_billion() -> Computed:
    weights, states = 4 * GPT3, adamw_memory(GPT3)
    cards = states / 80e9
    right = weights == 700e9 and states == 2.8e12 and cards == 35
    return Computed(right, {"weights, GB": weights / 1e9, "with states, TB": states / 1e12, "cards of 80 GB": cards})


@computes("lora-4096")
def _pair_for_4096() -> Computed:
    full, pair, times = 4096**2, parameter_count(4096, 4096, 8), reduction_factor(4096, 4096, 8)
    return Computed((full, pair, times) == (16_777_216, 65_536, 256), {"full": full, "LoRA": pair, "times": times})


@computes("lora-6144")
def _saving_in_a_matrix_of_gpt3() -> Computed:
    times = reduction_factor(12_288, 12_288, 4)
    figures = {"times, rank 4": times, "times, rank 1": reduction_factor(12_288, 12_288, 1)}
    return Computed(near(times, 6144, 0.01), figures | {"whole model, rank 4": gpt3_reduction(4).whole_model})


@computes("lora-switch-mem")
def _cost_of_a_further_task() -> Computed:
    from courselib.lora.layer import LinearLoRA

    layer = LinearLoRA(torch.nn.Linear(40, 24), rank=3)
    before = sum(p.numel() for p in layer.parameters())
    layer.add_adapter("second", rank=3)
    more = sum(p.numel() for p in layer.parameters()) - before
    return Computed(more == 3 * (24 + 40), {"numbers more": more})


@computes("m-lora-109m")
def _one_matrix_of_bert() -> Computed:
    matrix = 768 * 768
    return Computed(near(matrix, 109e6, 0.05), {"one matrix": matrix, "whole model": weights_of_bert()})


@computes("m-lora-1pct")
def _two_shares_of_bert() -> Computed:
    of_matrix, of_model = 100 * remaining_share(768, 768, 8), 100 * attention_budget(768, 12, 2, 8)[0] / weights_of_bert()
    return Computed(of_matrix < 1 and near(of_matrix, 2.08, 0.01), {"of a matrix, %": of_matrix, "of the model, %": of_model})


@computes("m-reduction")
def _share_that_remains() -> Computed:
    removed = 100 * reduction_share(768, 768, 8)
    return Computed(near(removed, 2.08, 0.01), {"remains, %": 100 * remaining_share(768, 768, 8), "removed, %": removed})


@computes("m-peft-print")
def _what_peft_prints() -> Computed:
    _, trained, everything = bert_with_lora()
    said = (294_912, 109_778_690, 0.2687)
    share = 100 * trained / everything
    return Computed((trained, everything, round(share, 4)) == said, {"trained": trained, "all": everything, "%": share})


@computes("m-lora-count")
def _lora_in_bert() -> Computed:
    by_hand, in_peft = attention_budget(768, 12, 2, 8)[0], bert_with_lora()[0]
    return Computed(by_hand == in_peft == 294_912, {"by hand": by_hand, "in peft": in_peft})


@computes("m-mem-997")
def _memory_is_not_parameters() -> Computed:
    full, lora = static_bytes_of_bert()
    saved = 100 * (1 - lora / full)
    return Computed(near(saved, 99.7, 0.02), {"saved, %": saved, "full, GB": full / 1e9, "LoRA, GB": lora / 1e9})


@computes("m-mem-5070")
def _memory_that_is_saved() -> Computed:
    full, lora = static_bytes_of_bert()
    saved = 100 * (1 - lora / full)
    return Computed(45 <= saved <= 77, {"saved, %": saved})  # within a tenth of the range that is said


@computes("m-size")
def _files_of_bert() -> Computed:
    adapter, model = 4 * bert_with_lora()[1] / 1e6, 4 * weights_of_bert() / 1e6
    return Computed(adapter < 10 and model >= 2000, {"adapter, MB": adapter, "model, MB": model})


@computes("m-99")
def _share_no_longer_trained() -> Computed:
    _, trained, everything = bert_with_lora()
    removed = 100 * (1 - trained / everything)
    return Computed(removed > 99, {"removed, %": removed})


@computes("ex004-2")
def _four_matrices_of_bert() -> Computed:
    added, share = attention_budget(768, 12, 4, 16)
    adapted = 12 * 4 * 768 * 768
    right = added == 1_179_648 and adapted == 28_311_552 and round(100 * share, 2) == 4.17 and round(100 * (1 - share)) == 96
    return Computed(right, {"added": added, "adapted": adapted, "remains, %": 100 * share, "removed, %": 100 * (1 - share)})


@computes("ex004-3c")
def _twenty_tasks_stored() -> Computed:
    adapter, model = 4 * bert_with_lora()[1] / 1e6, 4 * weights_of_bert() / 1e6
    with_adapters, copies = model + 20 * adapter, 20 * model
    return Computed(with_adapters < 0.1 * copies, {"base and 20 adapters, MB": with_adapters, "20 models, MB": copies})


def static_bytes_of_bert() -> tuple[int, int]:
    """Weights, gradients and AdamW's moments in float32: everything trained, or LoRA of rank 8 on query and value."""
    lora = attention_budget(768, 12, 2, 8)[0]
    return adamw_memory(weights_of_bert()), adamw_memory(weights_of_bert() + lora, lora)
