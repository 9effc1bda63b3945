"""Two stages on digits: nothing leaks, what differs is what is said to differ, and two first stages help while two hurt."""

import pytest
import torch

from courselib.lab.data import digits
from courselib.transfer import two_stages

SEEDS = (0, 1, 2)


@pytest.fixture(scope="module")
def gains():
    def mean(source):
        found = [two_stages.pretrain_then_finetune(source, n, seed)["accuracy"] for n in (10, 40) for seed in SEEDS]
        return sum(found) / len(found)

    return {source: mean(source) - mean("nothing") for source in two_stages.SOURCES[1:]}


def test_transfer_helps_and_hurts(gains):
    assert gains["same digits, noisy"] > 0.03 and gains["wrong names"] > 0.03
    assert abs(gains["hidden pixels"]) < 0.06  # no labels: faster at first, no higher after 40 steps
    assert gains["other digits"] < -0.01 and gains["wrong names, kept"] < -0.01


def test_no_target_picture_is_in_the_first_stage():
    _, high = digits.class_tasks(0, ((0, 1, 2, 3, 4), (5, 6, 7, 8, 9)))
    target = {tuple(x.tolist()) for x in torch.cat([high.x_train[: two_stages.PICTURES], high.x_test])}
    for source in ("wrong names", "other digits"):
        x, y = two_stages.source_pictures(source, 0)
        assert len(x) == len(y) > 400 and set(y.tolist()) == set(range(5))
        assert not target & {tuple(picture.tolist()) for picture in x}
    noisy, y = two_stages.source_pictures("same digits, noisy", 0)
    clean, shifted = two_stages.source_pictures("wrong names", 0)
    assert ((y + 1) % 5 == shifted).all()
    assert (noisy - clean).std().item() == pytest.approx(0.3, abs=0.01)


def test_only_the_head_is_new_and_it_is_the_same_for_all():
    kept, fresh, scratch = (two_stages.second_stage(s, 0) for s in ("wrong names, kept", "wrong names", "nothing"))
    assert torch.equal(kept[0].weight, fresh[0].weight) and not torch.equal(kept[-1].weight, fresh[-1].weight)
    assert torch.equal(fresh[-1].weight, scratch[-1].weight) and not torch.equal(fresh[0].weight, scratch[0].weight)


def test_a_run_repeats_and_leaves_the_pretrained_network_alone():
    before = two_stages.pretrained("other digits", 0)[0].weight.clone()
    first, again = (two_stages.pretrain_then_finetune("other digits", 10, 0) for _ in range(2))
    assert first == again
    assert torch.equal(two_stages.pretrained("other digits", 0)[0].weight, before)
    curve = two_stages.learning_curve("other digits", 10, 0, steps=two_stages.TARGET_STEPS, every=20)
    assert len(curve) == 3 and curve[0] == first["begin"] and curve[-1] == first["accuracy"]


def test_wrong_arguments():
    with pytest.raises(ValueError, match="'cats'.*nothing"):
        two_stages.pretrain_then_finetune("cats", 10, 0)
    with pytest.raises(ValueError, match="161 labels"):
        two_stages.pretrain_then_finetune("nothing", 161, 0)


def test_pixels_guessed_first_make_the_beginning_faster_and_labels_are_not_looked_at():
    early = {source: [two_stages.learning_curve(source, 20, seed, 10, every=10)[-1] for seed in SEEDS]
             for source in ("nothing", "hidden pixels")}
    assert sum(early["hidden pixels"]) / 3 > sum(early["nothing"]) / 3 + 0.08
    x, y = two_stages.source_pictures("hidden pixels", 0)
    assert torch.equal(x, two_stages.source_pictures("wrong names", 0)[0])
    network = torch.nn.Sequential(torch.nn.Linear(64, 64))
    two_stages.guess_pixels(network, x, 0)
    with torch.no_grad():
        hidden = torch.rand(x.shape, generator=torch.Generator().manual_seed(9)) < 0.5
        error = (network(x * ~hidden) - x)[hidden].square().mean()
        assert error < 0.7 * (x - x.mean(0))[hidden].square().mean()  # better than the mean picture


def test_few_labels_do_not_undo_a_harmful_start_by_longer_training():
    gaps = {}
    for labels in (10, 80):
        runs = {source: [two_stages.learning_curve(source, labels, seed, 240, every=240)[-1] for seed in range(4)]
                for source in ("nothing", "other digits")}
        gaps[labels] = sum(runs["other digits"]) / 4 - sum(runs["nothing"]) / 4
    assert gaps[10] < -0.02 and gaps[80] > gaps[10] / 2
