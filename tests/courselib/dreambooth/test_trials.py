"""A trial: what each way trains on and with, and what is observed of a model."""

import pytest
import torch

from courselib.dreambooth import pictures as world
from courselib.dreambooth import trials
from courselib.dreambooth.painter import FOLDER, load_painter


@pytest.fixture(scope="module")
def base():
    return load_painter(FOLDER)


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(trials, "COUNT", {"before": 48, "subject": 16, "class": 32, "red boxes": 24})
    monkeypatch.setattr(trials, "PRIOR", 6)


def test_of_the_base_nothing_is_learned_drifted_or_spoilt(base, few):
    before = trials.before_of(base, ["ball", "box"])
    found = trials.observed(base, "Dot", before, seed=0)
    assert found["fidelity"] < 0.05 and found["drift"] < 0.4 and found["other words"] < 0.4 and found["red boxes"] > 0.7
    swapped = {"ball": before["box"], "box": before["ball"]}
    assert trials.observed(base, "Dot", swapped, seed=0)["drift"] > 2


def test_red_is_what_is_counted_in_red_boxes(base, few, monkeypatch):
    """Of sixteen pictures of "a red box" eight show a red box, four of them hollow, and eight a green one."""
    looks = [world.LOOKS.index(look) for look in (("red", "solid"), ("red", "hollow"), ("green", "solid"), ("green", "hollow"))]
    boxes = torch.stack([world.template(world.Thing(1, look, 0)) for look in looks for _ in range(4)])
    painted = trials.paint

    def paint(painter, prompts, **how):
        return boxes if "red" in prompts[0] else painted(painter, prompts, **how)

    monkeypatch.setattr(trials, "paint", paint)
    assert trials.observed(base, "Dot", {"ball": boxes}, seed=0)["red boxes"] == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize(
    ("how", "trained"),
    [({}, {"word_lr": trials.WORD_LR}), ({"lora": True}, {"lora": trials.LORA}), ({"lam": 0.3}, {"word_lr": trials.WORD_LR})],
)
def test_each_way_trains_with_what_belongs_to_it(base, few, monkeypatch, how, trained):
    seen = {}

    def personalise(painter, course, lr, steps, seed, **more):
        seen.update(course=course, lr=lr, steps=steps, seed=seed, more=more)
        return painter

    monkeypatch.setattr(trials, "personalise", personalise)
    monkeypatch.setattr(trials, "observed", lambda painter, subject, before, seed, word: {"subject": subject, "word": word})
    assert trials.trial(base, "Dot", 3, 0.01, {}, word="zwx", **how) == {"subject": "Dot", "word": "zwx"}
    course = seen["course"]
    assert seen["more"] == trained and (seen["lr"], seen["steps"], seen["seed"]) == (0.01, trials.STEPS, 3)
    assert course.prompt == "a zwx ball" and torch.equal(course.latents, base.to_latents(world.subject_pictures("Dot", 4, 3)))
    assert (course.prior is None) == ("lam" not in how)
    if "lam" in how:
        assert course.lam == 0.3 and course.prior_prompt == "a ball" and len(course.prior) == 6
