"""Metrics: the numbers of scikit-learn, the chapter's matrix, and reports that cannot be."""

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support
from torch import nn

from courselib.sentiment import metrics
from courselib.sentiment.dataset import SentimentDataset


@pytest.mark.parametrize("seed", range(5))
def test_the_scores_are_scikit_learns(seed):
    rng = np.random.default_rng(seed)
    truth, said = rng.integers(0, 2, 60), rng.integers(0, 2, 60)
    counts = metrics.confusion(truth, said)
    assert tuple(confusion_matrix(truth, said).ravel()) == counts
    theirs = accuracy_score(truth, said), *precision_recall_fscore_support(truth, said, average="binary")[:3]
    assert metrics.scores(*counts) == pytest.approx(theirs)


def test_the_matrix_of_the_chapter():
    assert [round(score, 4) for score in metrics.scores(97, 3, 4, 96)] == [0.965, 0.9697, 0.96, 0.9648]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [((5, 0, 2, 0), (5 / 7, 0, 0, 0)), ((5, 2, 0, 0), (5 / 7, 0, 0, 0)), ((4, 0, 0, 0), (1, 0, 0, 0)),
     ((0, 0, 0, 4), (1, 1, 1, 1))],
)
def test_an_empty_class_counts_as_zero(counts, expected):
    assert metrics.scores(*counts) == pytest.approx(expected)


@pytest.mark.parametrize("counts", [(0, 0, 0, 0), (1, -1, 0, 2)])
def test_impossible_counts_are_told(counts):
    with pytest.raises(ValueError, match="not negative"):
        metrics.scores(*counts)


@pytest.mark.parametrize(
    ("truth", "said", "sentence"), [([0, 2], [0, 1], "two classes"), ([0], [0, 1], "equal length"), ([], [], "at least 1")]
)
def test_what_cannot_be_counted_is_told(truth, said, sentence):
    with pytest.raises(ValueError, match=sentence):
        metrics.confusion(truth, said)


def test_a_probability_at_the_threshold_is_positive_and_recall_can_only_fall():
    truth, probabilities = [1, 0, 1, 0], [0.9, 0.6, 0.5, 0.1]
    assert metrics.at_threshold(truth, probabilities, 0.5) == (1, 1, 0, 2)
    recalls = [metrics.scores(*metrics.at_threshold(truth, probabilities, t)).recall for t in np.linspace(0, 1, 21)]
    assert recalls == sorted(recalls, reverse=True) and (recalls[0], recalls[-1]) == (1, 0)


def test_a_real_report_has_its_matrix_and_a_made_up_one_none():
    assert metrics.matrices_for(200, accuracy=0.965, precision=0.9697, recall=0.96, f1=0.9648) == [(97, 3, 4, 96)]
    assert metrics.matrices_for(200, accuracy=0.965, precision=0.9655, recall=0.9663, f1=0.9659) == []
    assert metrics.matrices_for(200, accuracy=0.94, precision=0.9388, recall=0.9423) == []


def test_the_search_finds_what_every_matrix_reports():
    n, rng = 23, np.random.default_rng(0)
    for _ in range(20):
        cuts = np.sort(rng.integers(0, n + 1, 3))
        counts = metrics.Confusion(*(int(x) for x in np.diff([0, *cuts, n])))
        reported = {name: round(value, 3) for name, value in metrics.scores(*counts)._asdict().items()}
        found = metrics.matrices_for(n, decimals=3, **reported)
        assert counts in found
        for other in found:
            assert metrics.scores(*other) == pytest.approx(tuple(reported.values()), abs=0.00051)
            assert sum(other) == n


def test_an_unknown_score_is_told():
    with pytest.raises(ValueError, match="no score 'precission'"):
        metrics.matrices_for(10, precission=0.5)


class Counting(nn.Module):
    """Says class 1 as often as the text has tokens; notes the mode and the sizes of the batches it saw."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, input_ids, attention_mask):
        self.seen.append((self.training, torch.is_grad_enabled(), len(input_ids)))
        length = attention_mask.sum(1).float()
        return torch.stack([torch.full_like(length, 5.0), length], 1)


def test_an_evaluation_is_in_order_in_eval_mode_and_a_mean_over_texts(pretrained):
    texts = ["good", "a truly good film , friends", "bad", "what a bad film it was today", "fine"]
    data = SentimentDataset(texts, [0, 1, 0, 0, 1], pretrained.tokenizer)
    model = Counting().train()
    found = metrics.evaluate(model, data, size=2)
    assert model.training and model.seen == [(False, False, 2), (False, False, 2), (False, False, 1)]
    lengths = torch.tensor([3.0, 8.0, 3.0, 9.0, 3.0])
    expected = torch.stack([torch.full((5,), 5.0), lengths], 1)
    assert torch.allclose(found.probabilities, expected.softmax(1)[:, 1])
    assert found.loss == pytest.approx(nn.functional.cross_entropy(expected, torch.tensor(data.labels)).item())
    assert found.confusion == (2, 1, 1, 1) and found.scores.accuracy == 0.6


@pytest.mark.parametrize("average", ["macro", "weighted", "micro"])
def test_averages_over_classes_are_those_of_scikit_learn(average):
    rng = np.random.default_rng(0)
    truth = rng.choice(4, 80, p=[0.6, 0.25, 0.1, 0.05])
    said = np.where(rng.random(80) < 0.6, truth, rng.integers(0, 3, 80))  # class 3 is hardly ever called
    found = metrics.averaged(confusion_matrix(truth, said, labels=range(4)), average)
    theirs = precision_recall_fscore_support(truth, said, labels=range(4), average=average, zero_division=0)[:3]
    assert found[1:] == pytest.approx(theirs) and found.accuracy == pytest.approx((truth == said).mean())


def test_averages_of_two_classes_and_what_is_no_table():
    assert metrics.averaged([[97, 3], [4, 96]], "binary") == pytest.approx(metrics.scores(97, 3, 4, 96))
    assert metrics.averaged([[9, 0], [1, 0]], "weighted").recall == pytest.approx(0.9)  # weighted recall is the accuracy
    for table, average in [([[1, 2]], "macro"), ([[1, 0], [0, 1]], "mean"), ([[0, 0], [0, 0]], "macro"), (np.eye(3), "binary")]:
        with pytest.raises(ValueError):
            metrics.averaged(table, average)


@pytest.mark.parametrize("average", ["binary", "macro", "weighted", "micro"])
def test_matrices_for_finds_all_that_a_search_by_hand_finds(average):
    n, wanted = 12, metrics.averaged([[5, 2], [1, 4]], average)
    reported = {name: round(value, 3) for name, value in wanted._asdict().items()}
    by_hand = set()
    for tn in range(n + 1):
        for fp in range(n + 1 - tn):
            for fn in range(n + 1 - tn - fp):
                tp = n - tn - fp - fn
                found = metrics.averaged([[tn, fp], [fn, tp]], average)._asdict()
                if all(abs(found[name] - value) <= 0.5000001e-3 for name, value in reported.items()):
                    by_hand.add((tn, fp, fn, tp))
    assert set(map(tuple, metrics.matrices_for(n, 3, average=average, **reported))) == by_hand >= {(5, 2, 1, 4)}


def test_honest_macro_figures_read_as_binary_have_no_matrix_and_the_tutorials_have_none_at_all():
    honest = {name: round(value, 4) for name, value in metrics.averaged([[97, 3], [4, 96]], "macro")._asdict().items()}
    assert not metrics.matrices_for(200, **honest) and metrics.matrices_for(200, average="macro", **honest)
    printed = dict(accuracy=0.965, precision=0.9655, recall=0.9663, f1=0.9659)
    assert not any(metrics.matrices_for(200, average=average, **printed) for average in metrics.AVERAGES)
    with pytest.raises(ValueError, match="no average 'mean'"):
        metrics.matrices_for(10, average="mean", accuracy=0.5)
