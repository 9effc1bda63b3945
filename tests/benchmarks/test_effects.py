"""The effects, quickly: two seeds, trends with margins. The numbers themselves are chapters/measured/effects.md's."""

import importlib.util
import random
import sys

import pytest
import torch

from autograder import places
from courselib.lab import models
from courselib.lab.data import worlds
from courselib.lab.experiments import Table

SEEDS = (0, 1)


@pytest.fixture(scope="module")
def effects():
    monkey = pytest.MonkeyPatch()
    folder = places.ROOT / "benchmarks" / "effects"
    monkey.syspath_prepend(folder)
    torch.set_num_threads(1)
    spec = importlib.util.spec_from_file_location("effects", folder / "__main__.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    monkey.undo()


def mean(rows, column):
    return sum(row[column] for row in rows) / len(rows)


def two(effects, tasks, method, seeds=SEEDS, **settings):
    return [effects.digits.two_tasks(seed, tasks, method, steps=400, **settings) for seed in seeds]


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


def test_ewc_keeps_nothing_of_five_pairs_and_replay_nearly_all(effects):
    naive, ewc, replay = (
        effects.digits.five_pairs(0, steps=150, **setting)
        for setting in ({"method": "naive"}, {"method": "EWC", "strength": 2000.0}, {"method": "replay", "kept": 200})
    )
    assert all(row["A before"] > 0.93 for row in (naive, ewc, replay)) and ewc["B after"] > 0.8
    assert naive["A after"] < 0.05 and ewc["A after"] < 0.15 and replay["A after"] > 0.8


def test_pretraining_is_worth_many_labels(effects, pretrained):
    """One seed: 64 labels and the pretrained encoder, against eight times as many and random weights."""
    from courselib.transfer.sample_efficiency import StartRecipe, learn

    tuned = learn("pretrained", 64, 0, pretrained, recipe=StartRecipe(lr=1e-4, head_lr=3e-3, epochs=1, least=20))  # two thirds
    scratch = effects.encoder.review(0, "words", 512, "seen")["accuracy"]
    blind = learn("words", 512, 0, pretrained, kind="unseen", recipe=StartRecipe(lr=1e-2, head_lr=1e-2, epochs=10, least=160))
    assert tuned > 0.85 and tuned > scratch + 0.01
    assert scratch > 0.7 and 0.38 < blind < 0.62


def test_lora_reaches_full_fine_tuning_where_only_habits_are_new(effects):
    full, lora = (effects.text.tune(0, method, "other habits", steps=60) for method in ("full", "lora"))
    assert full["right after, %"] > full["right before, %"] + 4
    assert lora["right after, %"] > full["right after, %"] - 2.5
    assert lora["right before, %"] == full["right before, %"]
    assert lora["trained, %"] < 2 and full["trained, %"] == 100


def test_a_text_counts_if_it_is_whole_and_the_language_has_it(effects, monkeypatch):
    """A model that writes two texts of the language, one with a word changed, one without an end, and one after a wrong start."""
    bits, language = effects.bits, worlds.world("general").grammar()
    tokenizer = models.load("causal").tokenizer
    drawn = random.Random(0)
    texts = [language.sample(drawn) for _ in range(5)]
    rows = [[*tokenizer(text)["input_ids"], tokenizer.eos_token_id] for text in texts]
    rows[2][3] = tokenizer(" zebra")["input_ids"][0]
    rows[3] = rows[3][:-1]
    rows[4] = rows[4][1:]
    width = max(map(len, rows))

    class Writer(torch.nn.Module):
        device = torch.device("cpu")

        def generate(self, input_ids, **how):
            assert len(input_ids) == 5 and how["do_sample"] and how["max_new_tokens"] >= 88
            torch.rand(3)  # as sampling does
            padded = [row + [tokenizer.pad_token_id] * (width - len(row)) for row in rows]
            return torch.cat([input_ids, torch.tensor(padded)], 1)

    monkeypatch.setattr(bits, "TEXTS", 5)
    state = torch.get_rng_state()
    assert bits.texts_possible(Writer(), tokenizer, language, 0) == 40
    assert torch.equal(torch.get_rng_state(), state)  # what is trained afterwards does not depend on it


def test_two_bits_answer_worse_before_and_after_and_a_four_bit_base_does_not(effects, monkeypatch):
    """A few steps, few texts: what the shipped model can write, on four bits and on two."""
    bits = effects.bits
    monkeypatch.setattr(bits, "TEXTS", 40)
    monkeypatch.setattr(effects.qlora, "STEPS", 12)
    monkeypatch.setattr(bits, "ENGLISH", 20 * 128)
    found = {base: bits.habits_on_few_bits(0, base) for base in ("NF4", "2 bits")}
    for when in ("before", "after"):
        for question, least in {"texts possible, %": 15, "English right, %": 1.5}.items():
            assert found["NF4"][f"{question}, {when}"] > found["2 bits"][f"{question}, {when}"] + least
    for base, row in found.items():
        assert row["tokens right, %, after"] > row["tokens right, %, before"] + 2, base


def test_a_quick_run_leaves_out_the_slowest_and_keeps_the_claims(effects, monkeypatch):
    """Every effect, with numbers made up: what would be run, and what would be said of it."""
    asked = {}

    def pretend(experiment, settings, seeds, cache):
        asked[experiment.__name__] = [name for name in settings]
        names = ("accuracy", "A before", "A after", "B after", "ACC", "BWT", "FWT", "right before, %", "right after, %",
                 "trained, %", "KL, nats a token", "clinical before", "clinical after", "general before", "general after",
                 "topic", "learned", "sentences to 1 nat", "known wordings", "new wordings", "stopped", "loss",
                 "win, %", "KL, nats", "proxy before", "proxy", "sampled before, %", "sampled after, %", "after, %",
                 "gain", "forgotten", "trained", "left", "wrong", "right", "as trained, batch 1", "merged, batch 1",
                 "fidelity", "drift", "other words", "red boxes",
                 *(f"{question}, {when}" for question in effects.bits.QUESTIONS for when in ("before", "after")),
                 effects.bits.INTO_16_BITS,
                 "loss after", "into the 16-bit base, loss", "into the dequantised base, loss", "quantised again, loss")
        values = {name: 0.5 + 0.1 * number for number, name in enumerate(names)}
        rows = [{"setting": name, "seed": seed, "seconds": 1.0, **values} for name in settings for seed in seeds]
        for number, row in enumerate(rows):
            row |= {"A before": 0.9, "A after": 0.1 + 0.01 * number, "general after": 3.0 + number}
        return Table(rows)

    for module in {effect.measure.__module__ for effect in effects.EFFECTS}:
        monkeypatch.setattr(sys.modules[module], "run", pretend)
    counts = {}
    for quick in (True, False):
        asked.clear()
        found = [effect.measure(SEEDS, quick=quick) for effect in effects.EFFECTS]
        counts[quick] = sum(map(len, asked.values()))
        assert all(measured.checks for measured in found)
        assert effects.report(list(zip(effects.EFFECTS, found, [0.0] * len(found), strict=True)), SEEDS)
        slow = [name for name in asked["review"] if "the same network" in name]
        assert bool(slow) is not quick
    assert counts[True] < counts[False]


def test_five_tasks_in_turn_rank_the_methods(effects):
    digits = effects.digits
    rows = {name: [digits.five_tasks(seed, steps=100, **setting) for seed in SEEDS] for name, setting in digits.METHODS.items()}
    acc = {name: mean(found, "ACC") for name, found in rows.items()}
    assert acc["naive"] + 0.005 < acc["EWC"] < acc["replay of 100"] - 0.02
    assert acc["naive"] < acc["distillation, one head"] < acc["LwF"] - 0.04
    assert acc["heads alone"] + 0.01 < acc["LwF"] and acc["replay of 100"] < acc["isolation"] - 0.015
    assert mean(rows["distillation, one head"], "learned") < mean(rows["LwF"], "learned") - 0.05
    assert mean(rows["naive"], "BWT") < mean(rows["replay of 100"], "BWT") - 0.05
    assert [row["BWT"] for row in rows["isolation"]] == [0, 0]  # exactly: nothing another task trains is used
    told = ("heads alone", "LwF", "isolation")
    assert all(("FWT" in row) == (name not in told) for name, found in rows.items() for row in found)


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
    check = effects.digits.Check("claim", values, target, at_most)
    assert check.verdict == verdict
    assert check.reached == (verdict != "**no**")


def test_an_effect_missed_is_in_the_table(effects):
    table = Table([{"setting": "a", "seed": seed, "y": float(seed), "seconds": 1.0, "cached": False} for seed in SEEDS])
    missed = effects.Measured([effects.digits.Check("y is large", [0.0, 1.0], 40)], table, columns=("y",))
    effect = effects.Effect("An effect", "large", lambda seeds, cache: missed)
    assert "| An effect | y is large | ≥ 40 | 0.500 ± 6.353 | **no** | 3 |" in effects.report([(effect, missed, 3.0)], SEEDS)


def test_a_run_of_some_effects_leaves_the_others_as_they_were(effects):
    def one(name, values):
        table = Table([{"setting": "s", "seed": seed, "y": y, "seconds": 1.0} for seed, y in zip(SEEDS, values, strict=True)])
        check = effects.digits.Check("y", values, 1)
        return effects.Effect(name, "a target", None), effects.Measured([check], table, columns=("y",)), 2.0

    whole = effects.report([one("First", (1.0, 1.2)), one("Second", (2.0, 2.2))], SEEDS)
    again = effects.updated(whole, effects.report([one("Second", (3.0, 3.2))], SEEDS))
    assert again == effects.report([one("First", (1.0, 1.2)), one("Second", (3.0, 3.2))], SEEDS)
    assert effects.updated(again, again) == again
