"""The effects, quickly: two seeds, trends with margins. The numbers themselves are benchmarks/effects.md's."""

import importlib
from pathlib import Path

import pytest
import torch

from courselib.experiments import Table

SEEDS = (0, 1)


@pytest.fixture(scope="module")
def effects():
    monkey = pytest.MonkeyPatch()
    monkey.syspath_prepend(Path(__file__).parents[1] / "benchmarks")
    torch.set_num_threads(1)
    yield importlib.import_module("effects")
    monkey.undo()


def mean(rows, column):
    return sum(row[column] for row in rows) / len(rows)


def two(effects, tasks, method, seeds=SEEDS, **settings):
    return [effects.digits_effects.two_tasks(seed, tasks, method, steps=400, **settings) for seed in seeds]


def test_permuted_digits_are_forgotten_and_kept(effects):
    naive, replay = two(effects, "permuted", "naive"), two(effects, "permuted", "replay", kept=200)
    ewc = two(effects, "permuted", "EWC", strength=1500.0)
    assert mean(naive, "A before") > 0.9
    assert mean(naive, "A after") < mean(naive, "A before") - 0.15  # half of the benchmark's steps
    assert mean(ewc, "A after") > mean(naive, "A after") + 0.08
    assert mean(replay, "A after") > mean(replay, "A before") - 0.08
    assert all(mean(rows, "B after") > 0.85 for rows in (naive, ewc, replay))  # B is learned as well


def test_ewc_does_not_help_where_one_head_no_longer_sees_the_old_classes(effects):
    naive, replay = two(effects, "by class", "naive", [0]), two(effects, "by class", "replay", [0], kept=200)
    ewc = two(effects, "by class", "EWC", [0], strength=500.0)
    assert mean(naive, "A before") > 0.95
    assert mean(naive, "A after") < 0.05
    assert mean(ewc, "A after") < 0.3
    assert mean(replay, "A after") > 0.85


def test_five_tasks_in_turn_rank_the_methods(effects):
    digits = effects.digits_effects
    rows = {name: [digits.five_tasks(seed, steps=100, **setting) for seed in SEEDS] for name, setting in digits.METHODS.items()}
    acc = {name: mean(found, "ACC") for name, found in rows.items()}
    assert acc["naive"] + 0.005 < acc["EWC"] < acc["replay of 100"] - 0.02
    assert acc["naive"] + 0.01 < acc["distillation"] < acc["isolation"] - 0.04
    assert acc["replay of 100"] < acc["isolation"] - 0.015
    assert mean(rows["naive"], "BWT") < mean(rows["replay of 100"], "BWT") - 0.05
    assert [row["BWT"] for row in rows["isolation"]] == [0, 0]  # exactly: nothing another task trains is used
    assert all(("FWT" in row) == (name != "isolation") for name, found in rows.items() for row in found)


@pytest.mark.parametrize(
    "values, target, at_most, verdict",
    [
        ([50, 51, 49], 40, False, "yes"),
        ([41, 60, 30], 40, False, "yes, but the interval reaches beyond"),
        ([39, 38, 40], 40, False, "**no**"),
        ([0.01, 0.02, 0.0], 0.15, True, "yes"),
        ([0.1, 0.0, 0.2], 0.15, True, "yes, but the interval reaches beyond"),
        ([0.3, 0.31, 0.29], 0.15, True, "**no**"),
    ],
)
def test_verdict(effects, values, target, at_most, verdict):
    check = effects.digits_effects.Check("claim", values, target, at_most)
    assert check.verdict == verdict
    assert check.reached == (verdict != "**no**")


def test_an_effect_missed_is_in_the_table(effects):
    table = Table([{"setting": "a", "seed": seed, "y": float(seed), "seconds": 1.0, "cached": False} for seed in SEEDS])
    missed = effects.Measured([effects.digits_effects.Check("y is large", [0.0, 1.0], 40)], table, columns=("y",))
    effect = effects.Effect("An effect", "large", lambda seeds, cache: missed)
    assert "| An effect | y is large | ≥ 40 | 0.500 ± 6.353 | **no** | 3 |" in effects.report([(effect, missed, 3.0)], SEEDS)


def test_a_run_of_some_effects_leaves_the_others_as_they_were(effects):
    def one(name, values):
        table = Table([{"setting": "s", "seed": seed, "y": y, "seconds": 1.0} for seed, y in zip(SEEDS, values, strict=True)])
        check = effects.digits_effects.Check("y", values, 1)
        return effects.Effect(name, "a target", None), effects.Measured([check], table, columns=("y",)), 2.0

    whole = effects.report([one("First", (1.0, 1.2)), one("Second", (2.0, 2.2))], SEEDS)
    again = effects.updated(whole, effects.report([one("Second", (3.0, 3.2))], SEEDS))
    assert again == effects.report([one("First", (1.0, 1.2)), one("Second", (3.0, 3.2))], SEEDS)
    assert effects.updated(again, again) == again
