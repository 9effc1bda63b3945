"""The step: the schedule of transformers, torch's clipping, Trainer's groups, and numbers worked by hand."""

import math

import pytest
import torch
from torch import nn
from transformers import BertConfig, BertForSequenceClassification, get_linear_schedule_with_warmup

from courselib.lab.models import SentenceClassifier
from courselib.sentiment import schedules


@pytest.mark.parametrize(("warmup", "total"), [(0, 10), (3, 10), (22.5, 225), (22, 225)])
def test_the_schedule_is_that_of_transformers(warmup, total):
    def rates(make):
        optimizer = torch.optim.AdamW([nn.Parameter(torch.zeros(1))], lr=2e-5)
        scheduler, found = make(optimizer, warmup, total), []
        for _ in range(total + 2):
            found.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        return found

    assert rates(schedules.warmup_schedule) == pytest.approx(rates(get_linear_schedule_with_warmup))


def test_the_peak_between_two_steps():
    steps, warm = schedules.plan(600, 8, 3, 0.1)
    assert (steps, warm) == (225, 22.5)
    rates = [2e-5 * schedules.linear_warmup(step, warm, steps) for step in range(steps)]
    assert rates[0] == 0 and max(rates) == rates[23] == pytest.approx(2e-5 * 202 / 202.5)
    assert f"{max(rates):.3e}" == "1.995e-05"


def test_a_last_small_batch_is_a_step():
    assert schedules.plan(33, 16, 2, 0) == (6, 0)
    assert schedules.plan(32, 16, 2, 2) == (4, 2)


def test_a_warm_up_of_one_is_a_step_and_below_one_a_share():
    assert schedules.plan(64, 16, 2, 1) == (8, 1) and schedules.plan(64, 16, 2, 1.0) == (8, 1)
    assert schedules.plan(64, 16, 2, 0.5) == (8, 4)


@pytest.mark.parametrize("arguments", [(1000, 32, 3, 100), (16, 16, 1, 1)])
def test_a_warm_up_that_never_ends_is_told(arguments):
    with pytest.raises(ValueError, match="the peak would never be reached"):
        schedules.plan(*arguments)


def test_clipping_is_torchs():
    torch.manual_seed(0)
    parameters = [nn.Parameter(torch.zeros(shape)) for shape in ((3, 4), (5,))]
    for parameter in parameters:
        parameter.grad = torch.randn_like(parameter)
    norm = schedules.gradient_norm(parameters)
    for limit in (0.5 * norm, 2 * norm):
        ours = schedules.clip_by_norm([p.grad.clone() for p in parameters], limit)
        copies = [nn.Parameter(torch.zeros_like(p)) for p in parameters]
        for copy, parameter in zip(copies, parameters, strict=True):
            copy.grad = parameter.grad.clone()
        assert nn.utils.clip_grad_norm_(copies, limit).item() == pytest.approx(norm, rel=1e-6)
        assert all(torch.allclose(mine, copy.grad, rtol=1e-5) for mine, copy in zip(ours, copies, strict=True))
        assert math.sqrt(sum(g.square().sum().item() for g in ours)) == pytest.approx(min(limit, norm), rel=1e-5)


def test_clipping_nothing_gives_nothing():
    assert schedules.clip_by_norm([torch.zeros(2)], 1.0)[0].tolist() == [0, 0]
    assert schedules.gradient_norm([nn.Parameter(torch.ones(2))]) == 0  # no gradient yet


def small_bert():
    return BertForSequenceClassification(BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32))


def test_the_groups_with_decay_are_trainers(tmp_path):
    from transformers import Trainer, TrainingArguments

    model = small_bert()
    theirs = set(Trainer(model=model, args=TrainingArguments(str(tmp_path), report_to="none")).get_decay_parameter_names(model))
    groups = schedules.parameter_groups(model, lr=1e-4)
    assert {name for g in groups if g["weight_decay"] for name in g["names"]} == theirs
    assert sorted(name for g in groups for name in g["names"]) == sorted(name for name, _ in model.named_parameters())


def test_layers_and_head_have_their_rates():
    model = SentenceClassifier(small_bert().bert)
    model.encoder.encoder.layer[1].requires_grad_(False)
    groups = schedules.parameter_groups(model, lr=8e-5, head_lr=1e-3, factor=0.5, weight_decay=0.1)
    rates = {name: g["lr"] for g in groups for name in g["names"]}
    assert rates["encoder.encoder.layer.2.output.dense.weight"] == 8e-5
    assert rates["encoder.encoder.layer.0.output.dense.bias"] == 2e-5
    assert rates["encoder.embeddings.word_embeddings.weight"] == 1e-5
    assert rates["classifier.weight"] == rates["classifier.bias"] == 1e-3
    assert not any(".layer.1." in name for name in rates)
    decays = {name: g["weight_decay"] for g in groups for name in g["names"]}
    assert decays["classifier.bias"] == decays["encoder.embeddings.LayerNorm.weight"] == 0
    assert decays["classifier.weight"] == 0.1
    torch.optim.AdamW(groups)  # refuses a parameter that is in two groups


def test_without_a_word_layers_and_head_have_one_rate_and_bert_s_decay():
    model = SentenceClassifier(small_bert().bert)
    groups = schedules.parameter_groups(model, lr=8e-5)
    assert {(g["lr"], g["weight_decay"]) for g in groups} == {(8e-5, 0.01), (8e-5, 0.0)}


def test_the_factor_from_1e5_to_5e5_over_twelve_layers():
    factor = schedules.layer_factor(1e-5, 5e-5, 12)
    assert round(factor, 3) == 0.864
    assert 5e-5 * factor**11 == pytest.approx(1e-5)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("layer.0.dense.weight", True), ("layer.0.dense.bias", False), ("LayerNorm.weight", False), ("ln_1.weight", False),
     ("model.norm.weight", False), ("normalise.weight", True)],
)
def test_names_tell_who_decays(name, expected):
    assert schedules.decays(name) is expected
