"""Checkpoints: training goes on bit by bit, a forgotten part is refused, and early stopping can fire."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from courselib.lab import runtime
from courselib.lab.training import fit
from courselib.sentiment import resuming, schedules
from courselib.sentiment.dataset import Batches, SentimentDataset
from courselib.sentiment.resuming import EarlyStopping, Watch

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
            "batches": Batches(data, 3, seed=1), "stopping": EarlyStopping(2)}


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
    resuming.save(tmp_path / "last.pt", cut, **first)
    second = fresh(data, 99)
    assert resuming.load(tmp_path / "last.pt", **second) == cut
    resumed = go_on(second, 10 - cut)
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)


@pytest.mark.parametrize("left_out", ["model", "optimizer", "scheduler", "batches", "random"])
def test_without_any_one_part_it_is_another_run(data, tmp_path, left_out):
    whole = go_on(fresh(data, 0), 10)
    first = fresh(data, 0)
    go_on(first, 4)
    resuming.save(tmp_path / "last.pt", 4, **first)
    second, decoy = fresh(data, 99), fresh(data, 98)
    resuming.load(tmp_path / "last.pt", **{name: decoy[name] if name == left_out else part for name, part in second.items()})
    if left_out == "random":
        runtime.set_seed(5)
    resumed = go_on(second, 6)
    assert not all(torch.equal(resumed[name], whole[name]) for name in whole)


def test_a_forgotten_part_is_refused_before_anything_changes(data, tmp_path):
    first = fresh(data, 0)
    go_on(first, 2)
    resuming.save(tmp_path / "last.pt", 2, **first)
    second = fresh(data, 1)
    before = {name: value.clone() for name, value in second["model"].state_dict().items()}
    second.pop("scheduler")
    with pytest.raises(ValueError, match="holds batches, model, optimizer, scheduler, stopping, and batches, model"):
        resuming.load(tmp_path / "last.pt", **second)
    assert all(torch.equal(before[name], value) for name, value in second["model"].state_dict().items())


def test_a_save_that_fails_leaves_the_old_checkpoint(data, tmp_path, monkeypatch):
    first = fresh(data, 0)
    resuming.save(tmp_path / "last.pt", 1, **first)

    def breaks(state, path):
        path.write_bytes(b"half a file")
        raise OSError("the disk is full")

    monkeypatch.setattr(torch, "save", breaks)
    with pytest.raises(OSError, match="full"):
        resuming.save(tmp_path / "last.pt", 2, **first)
    assert resuming.load(tmp_path / "last.pt", **first) == 1


def test_all_three_generators_are_restored():
    runtime.set_seed(3)
    state = resuming.random_state()
    draw = lambda: (random.random(), random.gauss(0, 1), np.random.random(), torch.rand(1).item())  # noqa: E731
    first = draw()
    assert draw() != first
    resuming.set_random_state(state)
    assert draw() == first


@pytest.mark.parametrize(("losses", "patience", "stop"), [
    ([1, 2, 3, 4], 3, 4), ([1, 2, 3], 3, None), ([3, 2, 2.5, 2.4, 1], 2, 4), ([3, 2, 2.5, 1, 2, 2], 2, 6), ([1, 1], 1, 2),
])
def test_it_stops_at_the_evaluation_worked_out_by_hand(losses, patience, stop):
    stopping = EarlyStopping(patience)
    assert next((i for i, loss in enumerate(losses, 1) if stopping.update(loss)), None) == stop


def test_an_improvement_that_is_too_small_counts_as_none():
    stopping = EarlyStopping(1, least=0.1)
    assert [stopping.update(loss) for loss in (1.0, 0.85, 0.8)] == [False, False, True]


@pytest.mark.parametrize(("patience", "evaluations", "sentence"), [(3, 3, "never stop anything"), (0, None, "at least 1")])
def test_a_patience_that_cannot_fire_is_told(patience, evaluations, sentence):
    with pytest.raises(ValueError, match=sentence):
        EarlyStopping(patience, evaluations=evaluations)


def test_the_watch_keeps_the_best_and_stops(data):
    parts = fresh(data, 0)
    wrong = SentimentDataset.__new__(SentimentDataset)
    wrong.labels, wrong.input_ids = [1 - label for label in data.labels], data.input_ids  # so that learning makes it worse
    told = []
    watch = Watch(wrong, every=2, stopping=EarlyStopping(2), on_best=told.append)
    weights = []

    def keep(step):
        weights.append({name: value.clone() for name, value in step.model.state_dict().items()})

    losses = fit(
        parts["model"], parts["batches"], lambda m, b: nn.functional.cross_entropy(m(**b[0]), b[1]), parts["optimizer"],
        steps=20, callbacks=[keep, watch], progress=False,
    )
    evaluated = [row["loss"] for row in watch.history]
    assert len(losses) < 20 and len(losses) == watch.history[-1]["step"]
    assert watch.best_step == watch.history[int(np.argmin(evaluated))]["step"] == told[-1]
    assert len(evaluated) == int(np.argmin(evaluated)) + 3
    assert watch.history[0]["train_loss"] == pytest.approx(np.mean(losses[:2]))
    watch.restore_best(parts["model"])
    best = weights[watch.best_step - 1]
    assert all(torch.equal(best[name], value) for name, value in parts["model"].state_dict().items())


def test_there_is_no_best_before_the_first_evaluation(data):
    with pytest.raises(ValueError, match="no evaluation yet"):
        Watch(data, every=5).restore_best(Bag())
