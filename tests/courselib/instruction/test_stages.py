"""The two axes: every objective with every choice of parameters; and measurements that are all there."""

import copy

import numpy as np
import pytest
import torch

from courselib.instruction import arithmetic, measurements, stages, tuning
from courselib.lab.models.encoder import Pretrained


@pytest.mark.parametrize(("trained", "share"), [("full", 1.0), ("LoRA", 0.1)])
def test_what_is_trained(causal, trained, share):
    model = stages.prepared(Pretrained(copy.deepcopy(causal.model), causal.tokenizer), trained).model
    found = stages.described(model)
    assert found["trained"] / found["of"] <= share and found["layers"] == "Linear"
    assert (found["trained"] == found["of"]) == (trained == "full")


def test_an_adapter_begins_where_the_model_is(causal):
    ids = torch.arange(10, 20)[None]
    prepared = stages.prepared(Pretrained(copy.deepcopy(causal.model), causal.tokenizer), "LoRA")
    with torch.no_grad():
        assert torch.equal(prepared.model(input_ids=ids).logits, causal.model(input_ids=ids).logits)


def test_a_word_that_is_no_choice(causal):
    with pytest.raises(ValueError, match="'PEFT'"):
        stages.prepared(causal, "PEFT")


def test_everything_planned_is_kept_and_on_the_same_seeds():
    for name, (_, settings) in measurements.PLAN.items():
        table = measurements.table_of(name)
        assert {row["setting"] for row in table.rows} == set(settings)
        seeds = {setting: [row["seed"] for row in table.rows if row["setting"] == setting] for setting in settings}
        assert all(found == list(measurements.seeds_of(name)) for found in seeds.values()), f"{name}: {seeds}"


@pytest.mark.parametrize(("experiments", "column", "sign", "chosen"), [
    (["rates"], "loss", -1, {what: tuning.RATES[what] for what in ("response", "whole")}),
    (["rates of sums", "rates of sums, again"], "accuracy", 1,
     {f"{style}, {n}": arithmetic.RATES.get((style, n), arithmetic.RATE) for style in arithmetic.STYLES for n in (250, 1000)}),
])
def test_a_rate_is_the_best_of_those_tried_and_on_seeds_that_are_not_reported(experiments, column, sign, chosen):
    rows = [row for experiment in experiments for row in measurements.table_of(experiment).rows]
    assert not {row["seed"] for row in rows} & set(measurements.SEEDS)
    for what, rate in chosen.items():
        tried = {}
        for row in rows:
            if row["setting"].startswith(f"{what}, "):
                tried.setdefault(row["setting"], []).append(sign * row[column])
        most = max(map(len, tried.values()))  # two that were close were tried again, and only those can be compared
        assert len(tried) >= 3 and len(tried[f"{what}, {rate:g}"]) == most
        assert np.mean(tried[f"{what}, {rate:g}"]) == max(np.mean(found) for found in tried.values() if len(found) == most)


def test_an_experiment_that_was_not_made():
    with pytest.raises(ValueError, match="'weather'"):
        measurements.table_of("weather")
