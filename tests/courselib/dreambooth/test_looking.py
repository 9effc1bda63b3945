"""The world of pictures, the observer that reads them exactly, and drift."""

import math

import numpy as np
import pytest
import torch

from courselib.dreambooth import looking
from courselib.dreambooth import pictures as world

GENERATOR = torch.Generator


def photographs(count, seed=0):
    rng = np.random.default_rng(seed)
    things = world.draw_things(count, rng)
    return things, world.noisy(torch.stack([world.template(thing) for thing in things]), GENERATOR().manual_seed(seed))


def test_every_combination_looks_different():
    flat = world.templates().flatten(0, 2).flatten(1)
    apart = torch.cdist(flat, flat) + 1e9 * torch.eye(len(flat))
    assert apart.min() > 20 * world.NOISE  # so the observer is never in doubt


def test_the_observer_reads_what_is_there():
    things, pictures = photographs(60)
    seen = looking.look_at(pictures)
    assert seen.posterior.flatten(1).sum(1).allclose(torch.ones(60), atol=1e-4)
    right = torch.stack([p[t.shape, t.look, t.place] for p, t in zip(seen.posterior, things, strict=True)])
    assert right.min() > 0.999
    assert (seen.distance - world.NOISE).abs().max() < 0.01


def test_the_posterior_is_bayes_rule():
    """Half way between two templates both are equally probable; a little nearer to one, as much more as the Gaussian says."""
    a, b = (world.template(world.Thing(0, look, 0)) for look in (0, 2))
    off = (a - b).square().sum()
    t = 0.5 + 0.4 * world.NOISE**2 / off
    found = looking.look_at((a * t + b * (1 - t))[None]).posterior[0, 0, :, 0]
    assert float(found[0] / found[2]) == pytest.approx(math.exp(0.4), rel=0.05)


def test_pictures_of_another_size_are_refused():
    with pytest.raises(ValueError, match="were expected"):
        looking.look_at(torch.zeros(2, 3, 8, 8))


def test_no_training_picture_shows_what_is_held_out_or_a_subject():
    things = world.draw_things(3000, np.random.default_rng(0))
    shown = {(thing.words[2], thing.words[1]) for thing in things}
    assert not shown & set(world.HELD_OUT) and not {colour for _, colour in shown} & set(world.SUBJECTS)
    assert len(shown) == 4 * 4 - 2
    assert all(
        ("top" in t.words) == (world.PLACES[t.place][0] < 4) and ("left" in t.words) == (world.PLACES[t.place][1] < 4)
        for t in things
    )


def test_captions_say_nothing_that_is_not_so():
    rng = np.random.default_rng(0)
    things = world.draw_things(400, rng)
    captions = [world.caption(thing, rng) for thing in things]
    for thing, text in zip(things, captions, strict=True):
        assert set(text.split()) <= {"a", *thing.words, *world.RARE}
        assert not text or thing.words[2] in text.split()
    assert 20 < captions.count("") < 65 and any(set(text.split()) & set(world.RARE) for text in captions)


def test_four_pictures_of_a_subject_all_on_the_left():
    found = world.subject_pictures("Kit", 4, seed=3)
    assert looking.fidelity(found, "Kit") > 0.999 and looking.fidelity(found, "Dot") < 1e-3
    assert looking.placed(found, "left") > 0.999 and looking.placed(found, "right") < 1e-3
    assert not torch.equal(found, world.subject_pictures("Kit", 4, seed=4))
    with pytest.raises(ValueError, match="no subject"):
        world.subject_pictures("Rex")


def test_drift_by_hand_and_what_zeros_do():
    before, after = torch.tensor([0.5, 0.5, 0.0]), torch.tensor([0.25, 0.5, 0.25])
    assert looking.drift(before, after) == pytest.approx(0.5 * math.log(2))
    assert looking.drift(before, before) == 0
    assert looking.drift(after, before) == math.inf  # a quarter went where nothing comes any more
    with pytest.raises(ValueError, match="same outcomes"):
        looking.drift(before, after[:2])


def test_shares_count_looks_of_the_shape_and_all_other_shapes_together():
    ball, box = world.Thing(0, 1, 0), world.Thing(1, 4, 7)
    pictures = torch.stack([world.template(ball)] * 3 + [world.template(box)])
    found = looking.shares(pictures, "ball")
    assert len(found) == len(looking.OUTCOMES) and float(found.sum()) == pytest.approx(1, abs=1e-5)
    assert looking.OUTCOMES[1] == "hollow red" and float(found[1]) == pytest.approx(0.75, abs=1e-4)
    assert looking.OUTCOMES[-1] == "another shape" and float(found[-1]) == pytest.approx(0.25, abs=1e-4)


def test_the_drift_of_two_halves_of_the_same_is_small_and_that_of_another_kind_is_not():
    _, pictures = photographs(400, seed=1)
    balls = pictures[looking.look_at(pictures).posterior[:, 0].sum((1, 2)) > 0.5]
    half = len(balls) // 2
    subject = world.subject_pictures("Dot").repeat(10, 1, 1, 1)
    assert looking.drift_of(balls[:half], balls[half:], "ball") < 0.3
    assert looking.drift_of(balls, subject, "ball") > 2
