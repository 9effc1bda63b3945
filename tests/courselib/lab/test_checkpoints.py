"""Checkpoints: the right weights under each name, and nothing half written."""

import json

import pytest
import torch
from torch import nn

from courselib.lab.checkpoints import Checkpoints


def model(value: float) -> nn.Module:
    layer = nn.Linear(3, 2)
    with torch.no_grad():
        for p in layer.parameters():
            p.fill_(value)
    return layer


def kept(checkpoints: Checkpoints, name: str) -> float:
    return checkpoints.restore(model(-1), name).weight[0, 0].item()


def test_best_periodic_and_final(tmp_path):
    checkpoints = Checkpoints(tmp_path / "run", every=20)
    for step, score in [(10, 0.5), (20, 0.9), (30, 0.9), (40, 0.7)]:
        checkpoints.save(model(step), step, score)
    assert list(checkpoints.index) == ["best", "final", "step 20", "step 40"]
    assert kept(checkpoints, "best") == 20  # of equal scores the earlier one
    assert kept(checkpoints, "final") == kept(checkpoints, "step 40") == 40
    assert kept(checkpoints, "step 20") == 20
    assert json.loads((tmp_path / "run" / "index.json").read_text())["best"] == {"step": 20, "score": 0.9}
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == [
        "best.safetensors", "final.safetensors", "index.json", "step-20.safetensors", "step-40.safetensors",
    ]


def test_what_is_kept_does_not_follow_the_model(tmp_path):
    checkpoints, trained = Checkpoints(tmp_path), model(1)
    checkpoints.save(trained, 1, 0.1)
    with torch.no_grad():
        trained.weight.fill_(7)
    assert kept(checkpoints, "best") == 1 and trained.weight[0, 0] == 7
    assert checkpoints.restore(trained) is trained and trained.weight[0, 0] == 1


def test_every_bit_comes_back(tmp_path):
    checkpoints, trained = Checkpoints(tmp_path), nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4))
    trained(torch.randn(8, 5))  # moves the running means
    checkpoints.save(trained, 1, 0.0)
    fresh = checkpoints.restore(nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4)))
    assert all(torch.equal(value, fresh.state_dict()[key]) for key, value in trained.state_dict().items())


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda c: Checkpoints(c.folder, every=0), "at least 1"),
        (lambda c: c.restore(model(0)), "there are none yet"),
        (lambda c: c.save(model(0), 10, float("nan")), "score at step 10 is nan"),
    ],
)
def test_the_impossible_is_refused_with_a_sentence(tmp_path, ask, sentence):
    with pytest.raises(ValueError, match=sentence):
        ask(Checkpoints(tmp_path))
