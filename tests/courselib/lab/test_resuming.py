"""Runs that go on: bit by bit the same, a forgotten part is refused, and a save that fails leaves the old file."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from courselib.lab import checkpoints, runtime
from courselib.lab.callbacks import EarlyStopping
from courselib.lab.training import fit
from courselib.sentiment import schedules
from courselib.sentiment.dataset import Batches, SentimentDataset

WORDS = ["good film", "bad film", "lovely soup here", "awful soup", "what a treat", "never again", "superb", "so dull"]


class Bag(nn.Module):
    """A mean of word vectors with dropout: enough of a classifier to need everything a checkpoint holds."""

    def __init__(self):
        super().__init__()
        self.embedding, self.drop, self.head = nn.Embedding(30522, 6), nn.Dropout(0.3), nn.Linear(6, 2)

    def forward(self, input_ids, attention_mask):
        weight = attention_mask.unsqueeze(-1)
        return self.head(self.drop((self.embedding(input_ids) * weight).sum(1) / weight.sum(1)))


@pytest.fixture(scope="module")
def data(pretrained):
    return SentimentDataset(WORDS, [1, 0, 1, 0, 1, 0, 1, 0], pretrained.tokenizer)


def fresh(data, seed):
    runtime.set_seed(seed)
    model = Bag().to(runtime.device())
    optimizer = torch.optim.AdamW(schedules.parameter_groups(model, lr=0.05))
    return {"model": model, "optimizer": optimizer, "scheduler": schedules.warmup_schedule(optimizer, 2, 10),
            "batches": Batches(data, 3, seed=1), "stopping": EarlyStopping(lambda m: 0.0, every=1, patience=2)}


def go_on(parts, steps):
    def loss(model, batch):
        return nn.functional.cross_entropy(model(**batch[0]), batch[1])

    fit(parts["model"], parts["batches"], loss, parts["optimizer"], steps=steps, scheduler=parts["scheduler"], progress=False)
    return parts["model"].state_dict()


@pytest.mark.parametrize("cut", [1, 3, 4, 7])  # three batches an epoch: within, at the end and after one
def test_a_resumed_run_is_the_same_bit_by_bit(data, tmp_path, cut):
    whole = go_on(fresh(data, 0), 10)
    first = fresh(data, 0)
    go_on(first, cut)
    checkpoints.save_run(tmp_path / "last.pt", cut, **first)
    second = fresh(data, 99)
    assert checkpoints.load_run(tmp_path / "last.pt", **second) == cut
    resumed = go_on(second, 10 - cut)
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)


@pytest.mark.parametrize("left_out", ["model", "optimizer", "scheduler", "batches", "random"])
def test_without_any_one_part_it_is_another_run(data, tmp_path, left_out):
    whole = go_on(fresh(data, 0), 10)
    first = fresh(data, 0)
    go_on(first, 4)
    checkpoints.save_run(tmp_path / "last.pt", 4, **first)
    second, decoy = fresh(data, 99), fresh(data, 98)
    parts = {name: decoy[name] if name == left_out else part for name, part in second.items()}
    checkpoints.load_run(tmp_path / "last.pt", **parts)
    if left_out == "random":
        runtime.set_seed(5)
    resumed = go_on(second, 6)
    assert not all(torch.equal(resumed[name], whole[name]) for name in whole)


def test_a_forgotten_part_is_refused_before_anything_changes(data, tmp_path):
    first = fresh(data, 0)
    go_on(first, 2)
    checkpoints.save_run(tmp_path / "last.pt", 2, **first)
    second = fresh(data, 1)
    before = {name: value.clone() for name, value in second["model"].state_dict().items()}
    second.pop("scheduler")
    with pytest.raises(ValueError, match="holds batches, model, optimizer, scheduler, stopping, and batches, model"):
        checkpoints.load_run(tmp_path / "last.pt", **second)
    assert all(torch.equal(before[name], value) for name, value in second["model"].state_dict().items())


def test_a_save_that_fails_leaves_the_old_checkpoint(data, tmp_path, monkeypatch):
    first = fresh(data, 0)
    checkpoints.save_run(tmp_path / "last.pt", 1, **first)

    def breaks(state, path):
        path.write_bytes(b"half a file")
        raise OSError("the disk is full")

    monkeypatch.setattr(torch, "save", breaks)
    with pytest.raises(OSError, match="full"):
        checkpoints.save_run(tmp_path / "last.pt", 2, **first)
    assert checkpoints.load_run(tmp_path / "last.pt", **first) == 1


def test_all_three_generators_are_restored():
    runtime.set_seed(3)
    state = checkpoints.random_state()
    draw = lambda: (random.random(), random.gauss(0, 1), np.random.random(), torch.rand(1).item())  # noqa: E731
    first = draw()
    assert draw() != first
    checkpoints.set_random_state(state)
    assert draw() == first
