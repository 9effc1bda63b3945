"""Recipes: learning rates, warm-up, patience, weight decay, and rules of thumb that cannot all be followed."""

import numpy as np
import torch
from torch import nn

from courselib.claims.computed import Computed, computes
from courselib.claims.computing.on_domains import ranges_meet
from courselib.claims.computing.on_sizes import empty_bert, size
from courselib.continual.recipe import Recipe
from courselib.domain import guidelines
from courselib.qlora.memory import peak_memory
from courselib.qlora.shapes import SHAPES
from courselib.sentiment import schedules

FULL, LORA = schedules.RANGES["lr"], (1e-4, 3e-4)  # usual rates


def _quotient(rate: float, pretraining: float, said: float) -> Computed:
    return Computed(abs(pretraining / rate / said - 1) < 1e-9, {"quotient": pretraining / rate})


@computes("cl-recipe-lr")
def _a_thirtieth() -> Computed:
    return _quotient(1e-5, 3e-4, 30)


@computes("q-lr-comment")
def _a_tenth() -> Computed:
    return _quotient(1e-5, 1e-4, 10)


@computes("ex000-2")
def _a_thirtieth_of_a_rate() -> Computed:
    return Computed(abs(3e-4 / 30 - 1e-5) < 1e-12, {"rate": 3e-4 / 30})


@computes("cl-recipe-warmup")
def _a_warm_up_without_end() -> Computed:
    recipe = Recipe(epochs=3, batch=32, warmup_steps=100)
    return Computed(recipe.peak(1000) == 1.0, {"steps": recipe.steps(1000), "largest share of the rate": recipe.peak(1000)})


@computes("cl-recipe-patience")
def _a_patience_that_outlasts_the_training() -> Computed:
    recipe = Recipe(epochs=3, patience=3)
    return Computed(recipe.first_stop() <= recipe.evaluations, {
        "evaluations needed": recipe.first_stop(), "evaluations there are": recipe.evaluations})


@computes("cl-recipe-mix")
def _settings_of_bert() -> Computed:
    dropout, low = empty_bert().config.hidden_dropout_prob, schedules.RANGES["weight_decay"][0]
    return Computed(dropout == 0.1 and low == 0.01 and 32 in schedules.RANGES["batch"], {"dropout": dropout})


@computes("cl-ckpt")
def _the_best_and_the_last() -> Computed:
    losses = 1 / np.arange(1, 21) + 0.1 * np.random.default_rng(0).standard_normal((500, 20))  # 500 noisy validation curves
    better = int((losses[:, -1] < losses.min(1)).sum())
    return Computed(better == 0, {"times the last was better where it was chosen": better,
                                  "times another was better": int((losses[:, -1] > losses.min(1)).sum())})


@computes("s000-lr-rule")
@computes("q-wd-lr")
def _a_rule_and_berts_own_rates() -> Computed:
    shares = [rate / 1e-4 for rate in FULL]  # BERT was pretrained with 1e-4
    return Computed(ranges_meet((0.01, 0.1), shares), {"BERT's lowest share": shares[0], "BERT's highest share": shares[1]})


@computes("m-lr-table")
def _a_table_against_a_rule() -> Computed:
    rule = (3e-4 / 100, 3e-4 / 10)
    return Computed(ranges_meet(rule, LORA) and FULL[0] == 1e-5, {"the rule's largest rate": rule[1], "LoRA's smallest": LORA[0]})


@computes("q-llrd")
def _a_factor_a_layer() -> Computed:
    factor = schedules.layer_factor(1e-5, 5e-5, 12)
    return Computed(0 < factor < 1, {"factor a layer": factor})


@computes("q-unfreeze")
def _a_loop_without_effect() -> Computed:
    changed = sum(not p.requires_grad for p in empty_bert().parameters())
    return Computed(changed > 0, {"parameters that the loop changes": changed})


@computes("m-wd-all")
def _one_group_for_all() -> Computed:
    spared = sum(p.numel() for name, p in empty_bert().named_parameters() if not schedules.decays(name))
    return Computed(spared == 0, {"numbers of BERT that should not decay and would": spared})


@computes("ex004-5-wd")
def _two_ways_to_decay() -> Computed:
    pulls = []
    for kind in (torch.optim.AdamW, torch.optim.Adam):
        weight = nn.Parameter(torch.ones(1, dtype=torch.float64))
        weight.grad = torch.zeros_like(weight)
        kind([weight], lr=1e-3, weight_decay=0.01).step()
        pulls.append(1 - weight.item())
    decaying = [name for name in ("dense.weight", "dense.bias", "LayerNorm.weight") if schedules.decays(name)]
    return Computed(decaying == ["dense.weight"] and min(pulls) > 0, {
        "AdamW's pull without a gradient": pulls[0], "Adam's with L2 in the loss": pulls[1]})


@computes("ex004-5-lr")
def _rates_of_the_grid() -> Computed:
    return Computed(FULL == (2e-5, 5e-5), {"lowest": FULL[0], "highest": FULL[1]})


@computes("ex004-5-bs")
def _batches_of_the_grid() -> Computed:
    low, high = schedules.RANGES["batch"]
    return Computed((low, high) == (16, 32), {"smallest": low, "largest": high})


@computes("ex004-5-warm")
def _a_tenth_of_the_steps() -> Computed:
    total, warm = schedules.plan(1000, 1, 1, 0.1)
    return Computed(total == 1000 and warm == 100, {"steps": warm})


@computes("ex004-5-ep")
def _epochs_of_three_rules() -> Computed:
    names = "a rule against forgetting", "Devlin et al. 2019 (BERT), the grid they searched"
    others = [guidelines.EPOCHS[name] for name in names]
    common = [n for n in range(3, 6) if all(low <= n <= high for low, high in others)]
    return Computed(len(common) == 3, {"of 3, 4 and 5 in all three ranges": len(common)})


@computes("m-600")
def _steps_and_warm_up() -> Computed:
    total, warm = schedules.plan(600, 8, 3, 0.1)
    return Computed(total == 225 and int(warm) == 22, {"steps an epoch": total / 3, "warm-up": warm})


@computes("ex004-3a")
def _bytes_of_a_full_fine_tuning() -> Computed:
    gigabytes = 16 * size(empty_bert()) / 1e9
    return Computed(gigabytes < 16, {"GB without activations": gigabytes})


@computes("ex004-3b")
def _a_rule_for_five_hundred() -> Computed:
    advice = guidelines.recommend_by_size(500)
    return Computed("LoRA" in advice.says, {"the rule's limit for a prompt": advice.high})


@computes("ov-priority")
def _the_largest_item_first() -> Computed:
    shape = SHAPES["llama-7b"]
    saved = {}
    for length in (256, 4096):
        lora = peak_memory(shape, "lora", 1, length).total
        saved[length] = [(lora - other.total) / 1e9 for other in (
            peak_memory(shape, "qlora", 1, length), peak_memory(shape, "lora", 1, length, checkpointing=True))]
    bits, again = saved[256]
    return Computed(bits > again, {"GB that 4 bits save at 256 tokens": bits, "that checkpointing saves": again,
                                   "4 bits at 4,096 tokens": saved[4096][0], "checkpointing": saved[4096][1]})
