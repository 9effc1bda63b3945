"""Watch: the scores of every evaluation, and the best weights back."""

import pytest
import torch
from torch import nn

from courselib.lab.training import fit
from courselib.sentiment.dataset import SentimentDataset, collate
from courselib.sentiment.metrics import evaluate
from courselib.sentiment.watching import Watch

TEXTS, LABELS = ["good film", "bad film", "lovely soup here", "awful soup"], [1, 0, 1, 0]


class Bag(nn.Module):
    """A mean of word vectors and a head."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embedding, self.head = nn.Embedding(30522, 6), nn.Linear(6, 2)

    def forward(self, input_ids, attention_mask):
        weight = attention_mask.unsqueeze(-1)
        return self.head((self.embedding(input_ids) * weight).sum(1) / weight.sum(1))


@pytest.fixture(scope="module")
def data(pretrained):
    return SentimentDataset(TEXTS, LABELS, pretrained.tokenizer)


def trained(data, watch, steps=40):
    """Learns the labels for four steps and unlearns them after; returns model, losses, and the weights after every step."""
    model, weights, done = Bag(), [], []
    tokens, labels = collate([data[i] for i in range(len(data))])

    def loss(model, batch):
        done.append(1)
        return nn.functional.cross_entropy(model(**tokens), labels if len(done) < 5 else 1 - labels)

    def keep(step):
        weights.append({name: value.clone() for name, value in step.model.state_dict().items()})

    losses = fit(model, [None], loss, torch.optim.SGD(model.parameters(), lr=0.5), steps=steps, callbacks=[keep, watch],
                 progress=False)
    return model, losses, weights


def test_the_watch_keeps_the_best_of_weights_that_move_and_stops(data):
    watch = Watch(data, every=2, patience=2)
    model, losses, weights = trained(data, watch)
    evaluated = [row["loss"] for row in watch.history]
    best = evaluated.index(min(evaluated))
    assert [row["step"] for row in watch.history] == [2, 4, 6, 8] and best == 1  # after steps 2 and 4 it was learning
    assert len(losses) == 8 and watch.stopped and watch.best_step == 4
    assert not torch.equal(weights[3]["head.weight"], weights[-1]["head.weight"])  # there is something to be put back
    watch.restore(model)
    assert all(torch.equal(weights[3][name], value) for name, value in model.state_dict().items())


def test_the_history_is_that_of_the_evaluations(data):
    watch = Watch(data, every=3, patience=2)
    model, losses, weights = trained(data, watch, steps=6)
    assert [row["train_loss"] for row in watch.history] == pytest.approx([sum(losses[:3]) / 3, sum(losses[3:]) / 3])
    model.load_state_dict(weights[2])
    found = evaluate(model, data)
    rest = {name: value for name, value in watch.history[0].items() if name != "train_loss"}
    assert rest == {"step": 3, "loss": found.loss, **found.scores._asdict()}


def test_a_watch_that_goes_on_has_its_history(data):
    whole, first, second = Watch(data, 3, 9), Watch(data, 3, 9), Watch(data, 3, 9)
    _, losses, _ = trained(data, whole, steps=6)
    trained(data, first, steps=4)  # one step into the second stretch
    second.load_state_dict(first.state_dict())
    assert second.history == whole.history[:1] and second.state_dict()["trained"] == losses[3:4]
    assert second.best_step == first.best_step == 3


def test_a_patience_that_cannot_fire_is_told(data):
    with pytest.raises(ValueError, match="never stop anything"):
        Watch(data, every=1, patience=3, evaluations=3)
