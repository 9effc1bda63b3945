"""A small language model with new habits: one budget for all places, MLP before attention, and a gentle rate as control."""

import pytest
import torch

from courselib.lab.data import worlds
from courselib.lab.data.grammar import kl
from courselib.lora import habits
from courselib.lora.habits import WAYS, Way, learn_habits, other_habits


@pytest.fixture(scope="module")
def speaker():
    return habits.small_speaker(steps=120)


@pytest.fixture(scope="module")
def runs(speaker):
    return {name: [learn_habits(speaker, WAYS[name], seed) for seed in (200, 201)] for name in WAYS}


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
    before = [p.clone() for p in speaker.model.parameters()]
    one, again = (learn_habits(speaker, Way(1e-2, ("q_proj",), 2), 7, steps=3, documents=60) for _ in range(2))
    assert all(torch.equal(p, q) for p, q in zip(speaker.model.parameters(), before, strict=True))
    assert (one.new, one.old) == (again.new, again.old)
    frozen = learn_habits(speaker, Way(1e-2, embeddings=False), 7, steps=3, documents=60).model.get_input_embeddings().weight
    assert torch.equal(frozen, speaker.model.get_input_embeddings().weight)


def test_other_habits_are_other_odds_of_the_same_sentences():
    general, other = worlds.world("general").grammar(), other_habits(3)
    assert other.rules == general.rules
    assert 0.05 < kl(other, general, "token") < 1
    assert other_habits(3).probabilities == other.probabilities != other_habits(4).probabilities


def test_the_rates_tried_contain_the_one_that_is_used():
    for name, way in WAYS.items():
        if name != "full, gently":
            assert way.lr in habits.TRIED.get(name, (1e-2, 2e-2, 4e-2))
