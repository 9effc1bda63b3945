"""The experiments of chapter 09, small: what they hold still, and that their nulls are nulls."""

import copy

import pytest
import torch
from torch import nn

from courselib.lab.models import Pretrained
from courselib.lora import add_lora, swaps
from courselib.lora.habits import Lesson
from courselib.peft_family import costs, digit_runs, loraplus, planted, prefix, putting, race
from tiny_models import llama

IDS = torch.randint(0, 20, (2, 9), generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def reader():
    return swaps.read_digits(0)


# planted ranks


@pytest.mark.parametrize("seed", [0, 1])
def test_the_planted_ranks_are_those_of_the_change(seed):
    task = planted.planted(seed)
    assert sorted(task.ranks) == [0, 1, 4, 8]
    again = planted.planted(seed)
    assert again.y.equal(task.y) and again.ranks == task.ranks
    none = planted.planted(seed, strength=0.0)
    with torch.no_grad():
        assert none.student(none.x).allclose(none.y, atol=1e-6)  # nothing planted, nothing to learn
        assert (task.student(task.x) - task.y).square().mean() > 0.01


def test_rank_errors_by_hand_and_by_chance():
    assert planted.rank_error((0, 1, 4, 8), (0, 1, 4, 8)) == 0
    assert planted.rank_error((3, 3, 3, 4), (0, 1, 4, 8)) == 5
    assert planted.rank_error((1, 1, 4, 7), (0, 1, 4, 8)) == 1
    errors = planted.chance_errors((0, 1, 4, 8))
    assert 5.4 < sum(errors) / len(errors) < 5.9


def test_an_allocation_keeps_the_total_and_beats_the_null():
    task = planted.planted(100)
    run = planted.allocate_by(task, 0.06, steps=200)
    assert sum(run.ranks) == 13 and max(run.ranks) <= 8 and planted.rank_error(run.ranks, task.ranks) <= 3
    assert run.left < planted.learn_fixed(task, 1, 0.03, steps=200)
    totals = [sum(ranks.values()) for _, ranks in run.history]
    assert totals == sorted(totals, reverse=True) or min(totals) == 13


# digits


def test_methods_see_the_same_batches_and_leave_the_reader_alone(reader):
    before = copy.deepcopy(reader.model.state_dict())
    order = swaps.pixel_order(4, 0)

    def run(seed):
        return digit_runs.adapt_digits(reader, order, lambda model: add_lora(model, ("0",), 2, alpha=2),
                                       lambda model: loraplus.loraplus_groups(model, 1e-2, 1), steps=5, seed=seed)

    runs = [run(seed) for seed in (1, 1, 2)]
    assert runs[0].loss == runs[1].loss != runs[2].loss
    assert all(value.equal(before[name]) for name, value in reader.model.state_dict().items())
    single = digit_runs.adapt_digits(reader, order, lambda model: add_lora(model, ("0",), 2, alpha=2), digit_runs.at_rate(1e-2),
                                     steps=5, seed=1)
    assert single.loss == pytest.approx(runs[0].loss, rel=1e-5)  # a ratio of one is LoRA


def test_merging_an_update_is_what_the_adapter_did(reader):
    order = digit_runs.orders(2, 8, 0)[1]
    run = digit_runs.adapt_digits(reader, order, lambda model: add_lora(model, digit_runs.LAYERS, 2, alpha=2),
                                  digit_runs.at_rate(1e-2), steps=10)
    change = {path: run.model.get_submodule(path).delta_weight().detach() for path in digit_runs.LAYERS}
    assert digit_runs.merged_scores(reader, change, [order])[0] == pytest.approx(run.test, abs=0.005)
    assert digit_runs.merged_scores(reader, {}, [torch.arange(64)])[0] > 0.9


def test_a_reader_of_another_width_reads():
    wide = digit_runs.wide_reader(0, 32)
    assert wide.model[0].weight.shape == (32, 64)
    assert digit_runs.merged_scores(wide, {}, [torch.arange(64)])[0] > 0.8


# the race and the costs


def lesson():
    stream = torch.randint(0, 20, (400,), generator=torch.Generator().manual_seed(1))
    return Lesson(3, stream, stream[:100], stream[100:200], 3.0, 3.0)


@pytest.mark.parametrize("method", race.METHODS)
def test_every_method_starts_trains_and_touches_nothing_else(method, monkeypatch):
    monkeypatch.setattr(race, "WINDOW", 12)
    model = llama()
    before = copy.deepcopy(model.state_dict())
    size = 2 if race.SIZES[method] else 0
    run = race.learn_by(Pretrained(model, None), method, lesson(), 1e-2, size=size, steps=8)
    assert all(value.equal(before[name]) for name, value in model.state_dict().items())
    assert run["after"] < 10 and run["trained"] > 0
    assert run["trained"] < sum(p.numel() for p in model.parameters()) or method == "full"


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match="There is no method 'lora'; there are LoRA, rsLoRA"):
        race.put_in(llama(), "lora", 2)


@pytest.mark.parametrize("method", ["LoRA", "PiSSA", "DoRA", "AdaLoRA", "VeRA", "(IA)³"])
def test_what_merges_is_a_plain_model_that_computes_the_same(method):
    torch.manual_seed(0)
    model = race.put_in(llama(), method, 3)
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad:
                p += 0.1 * torch.randn(p.shape)
        merged = costs.merged_copy(model.eval())
        assert {type(m) for m in merged.modules()} == {type(m) for m in llama().modules()}
        assert merged(IDS).logits.allclose(model(IDS).logits, atol=1e-5)
        assert not merged(IDS).logits.allclose(llama()(IDS).logits, atol=1e-3)


def test_costs_are_counted():
    total = sum(p.numel() for p in llama().parameters())
    full, thin = costs.counted(llama(), total, IDS), costs.counted(race.put_in(llama(), "LoRA", 2), total, IDS)
    assert full["memory"] == 16 * total + full["kept"] and full["share"] == 1
    assert thin["memory"] == 4 * total + 16 * thin["trained"] + thin["kept"]
    assert thin["file"] == 4 * thin["trained"] and thin["flops"] < full["flops"]
    longer = costs.counted(prefix.Prefixed(llama(), 4), total, IDS)
    assert longer["trained"] == prefix.prefix_parameters(2, 4, 8)


def test_seconds_are_of_each_model_in_turn():
    calls = []

    class Model(nn.Module):
        def __init__(self, name):
            super().__init__()
            self.name = name

        def forward(self, input_ids):
            calls.append(self.name)

    found = costs.seconds_of({"a": Model("a"), "b": Model("b")}, IDS, rounds=2)
    assert calls == ["a", "b"] * 3 and set(found) == {"a", "b"} and min(found.values()) >= 0
    assert putting.trained_count(Model("a")) == 0
