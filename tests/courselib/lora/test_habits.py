"""A small language model with new habits: one budget for all places, MLP before attention, and a gentle rate as control."""

import pytest
import torch

from courselib.lab.data import worlds
from courselib.lab.data.grammar import kl
from courselib.lora import habits
from courselib.lora.habits import WAYS, Way, learn_habits, lesson, other_habits


@pytest.fixture(scope="module")
def speaker():
    return habits.small_speaker(steps=120)


@pytest.fixture(scope="module")
def runs(speaker):
    drawn = [lesson(speaker, seed) for seed in (200, 201)]
    return {name: [learn_habits(speaker, WAYS[name], one) for one in drawn] for name in WAYS}


def mean(runs, what):
    return sum(getattr(run, what) for run in runs) / len(runs)


def test_adapters_in_four_places_have_one_budget(runs):
    places = [name for name, way in WAYS.items() if way.targets]
    assert len(places) == 4
    assert {runs[name][0].trained for name in places} == {2 * 7_680}
    assert runs["full"][0].trained - runs["full, no embeddings"][0].trained == 1024 * habits.WIDTH


def test_the_mlp_learns_more_than_attention_and_attention_more_than_query_and_value(runs):
    learned = {name: mean(runs[name], "gain") for name in WAYS}
    assert learned["MLP"] > learned["attention"] + 0.05 and learned["all layers"] > learned["attention"] + 0.05
    assert learned["attention"] > learned["query and value"]


def test_full_fine_tuning_learns_more_and_gently_it_forgets_about_as_much(runs):
    assert mean(runs["full"], "gain") > mean(runs["full, no embeddings"], "gain") > mean(runs["all layers"], "gain")
    assert mean(runs["full, gently"], "gain") > mean(runs["all layers"], "gain") + 0.05
    assert mean(runs["full, gently"], "forgotten") < mean(runs["all layers"], "forgotten") + 0.1
    assert mean(runs["full"], "forgotten") > mean(runs["all layers"], "forgotten") + 0.2


def test_a_run_leaves_its_start_alone_and_repeats(speaker):
    before, drawn = [p.clone() for p in speaker.model.parameters()], lesson(speaker, 7, documents=60)
    one, again = (learn_habits(speaker, Way(1e-2, ("q_proj",), 2), drawn, steps=3) for _ in range(2))
    assert all(torch.equal(p, q) for p, q in zip(speaker.model.parameters(), before, strict=True))
    assert (one.new, one.old) == (again.new, again.old)
    frozen = learn_habits(speaker, Way(1e-2, embeddings=False), drawn, steps=3).model.get_input_embeddings().weight
    assert torch.equal(frozen, speaker.model.get_input_embeddings().weight)


def test_a_lesson_is_the_new_language_and_knows_where_the_model_stands(speaker):
    one, again, other = lesson(speaker, 7, documents=60), lesson(speaker, 7, documents=60), lesson(speaker, 8, documents=60)
    assert torch.equal(one.train, again.train) and (one.new_before, one.old_before) == (again.new_before, again.old_before)
    assert len(one.train) != len(other.train) or not torch.equal(one.train, other.train)
    assert not set(map(tuple, one.new[:400].view(-1, 40).tolist())) & set(map(tuple, one.old[:400].view(-1, 40).tolist()))
    run = learn_habits(speaker, Way(1e-9), one, steps=1)  # nothing is learned in a step of nothing
    assert run.gain == pytest.approx(0, abs=1e-3) and run.forgotten == pytest.approx(0, abs=1e-3)


def test_other_habits_are_other_odds_of_the_same_sentences():
    general, other = worlds.world("general").grammar(), other_habits(3)
    assert other.rules == general.rules
    assert 0.05 < kl(other, general, "token") < 1  # finite: nothing is said that the general world cannot say
    assert other_habits(3).probabilities == other.probabilities != other_habits(4).probabilities
    assert other.probabilities[general.start] == general.probabilities[general.start]
    unchanged = other_habits(3, strength=0.0).probabilities
    assert all(unchanged[name] == pytest.approx(p) for name, p in general.probabilities.items())


def test_the_rates_tried_contain_the_one_that_is_used():
    for name, way in WAYS.items():
        if name != "full, gently":
            assert way.lr in habits.TRIED.get(name, habits.TRIED_FOR_ADAPTERS)
