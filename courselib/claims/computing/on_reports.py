"""Chapter 02b: splits, scores and reports, and which of them cannot be."""

import random

import numpy as np
import torch

from courselib.claims.computed import Computed, computes
from courselib.claims.computing.on_reading import course_tokenizer
from courselib.lab.classification import logits_of
from courselib.sentiment import augmentation, metrics, schedules, splits


def _rows() -> tuple[np.ndarray, np.ndarray]:
    """The usual split of 1,000 rows with the usual seed."""
    from sklearn.model_selection import train_test_split

    return train_test_split(np.arange(1000), test_size=0.2, random_state=42)


@computes("m-split")
def _batches_of_sixteen() -> Computed:
    train, test = (-(-len(rows) // 16) for rows in _rows())
    return Computed((train, test) == (50, 13), {"training batches": train, "test batches": test})


@computes("m-labels")
def _labels_after_a_random_split() -> Computed:
    one = int((_rows()[0] % 2 == 0).sum())  # labels in turn
    return Computed(one == 400, {"of one class": one, "of the other": 800 - one})


@computes("m-leak")
def _eight_texts_in_copies() -> Computed:
    train, test = ([f"text {row % 8}" for row in rows] for rows in _rows())
    leaked = len(splits.overlap(train, test))
    return Computed(leaked == 0, {"test rows also in training": leaked})


@computes("m-acc-possible")
def _blocks_of_copies() -> Computed:
    copies = np.bincount(_rows()[1] % 8)
    possible = splits.possible_accuracies(copies.tolist())
    reported = all(any(abs(accuracy - said) < 5e-4 for accuracy in possible) for said in (0.94, 0.96, 0.965))
    return Computed(reported, {"best below 1": possible[1], "smallest block": int(copies.min())})


@computes("m-metrics-epoch")
def _four_counts_for_three_scores() -> Computed:
    reported = {"accuracy": 0.94, "precision": 0.9388, "recall": 0.9423}
    found = sum(len(metrics.matrices_for(200, average=average, **reported)) for average in metrics.AVERAGES)
    return Computed(found > 0, {"tables of counts that give it": found})


@computes("m-cm")
def _scores_of_a_table() -> Computed:
    found = metrics.scores(97, 3, 4, 96)
    return Computed(round(found.precision, 4) == 0.9655, {
        "accuracy": found.accuracy, "precision": found.precision, "recall": found.recall, "F1": found.f1})


@computes("m-valtest")
def _the_best_of_ten() -> Computed:
    best = np.random.default_rng(0).binomial(200, 0.9, size=(2000, 10)).max(1).mean() / 200
    return Computed(best - 0.9 < 0.005, {"accuracy of each": 0.9, "mean of what is reported": float(best)})


@computes("m-softmax")
def _largest_probability() -> Computed:
    logits = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
    differ = int((logits.softmax(-1).argmax(-1) != logits.argmax(-1)).sum())
    return Computed(differ == 0, {"predictions that differ from the largest logit": differ})


@computes("m-batch")
def _calls_of_the_model() -> Computed:
    calls = []

    def model(input_ids: torch.Tensor, **others: torch.Tensor) -> torch.Tensor:
        calls.append(len(input_ids))
        return torch.zeros(len(input_ids), 2)

    tokenizer, texts = course_tokenizer(), [f"Review number {i}." for i in range(32)]
    logits_of(model, tokenizer, texts)
    batched = len(calls)
    for text in texts:
        logits_of(model, tokenizer, [text])
    return Computed(len(calls) - batched == batched, {
        "calls of the loop for 32 texts": len(calls) - batched, "calls of a batch": batched})


@computes("m-thru")
def _texts_a_second() -> Computed:
    return Computed(round(600 / 12.34, 1) == 48.6, {"texts a second": 600 / 12.34})


@computes("m-aug")
def _copies_are_no_new_texts() -> Computed:
    six = [f"Review number {i}." for i in range(6)]
    return Computed(len(set(six * 100)) > 6, {"different texts": len(set(six * 100)), "rows": len(six * 100)})


@computes("m-da")
def _four_ways_to_a_new_text() -> Computed:
    text, rng = "The soup was very good and the service quick", random.Random(0)
    new = {augmentation.replace(text, {"good": ["fine"]}, rng), augmentation.delete(text, 0.3, rng),
           augmentation.insert(text, ["quite", "really"], 2, rng)} - {text}
    vectors, _ = augmentation.mixup(torch.eye(2), torch.eye(2), 0.7, torch.tensor([1, 0]))
    ways = len(new) + int(not torch.equal(vectors, torch.eye(2)))
    return Computed(ways == 4, {"ways that the course runs": ways})


@computes("m-eval-nograd")
def _scores_beside_scikit_learn() -> Computed:
    from sklearn.metrics import precision_recall_fscore_support

    rng = np.random.default_rng(0)
    truth, said = rng.integers(0, 2, 80), rng.integers(0, 2, 80)
    ours = metrics.scores(*metrics.confusion(truth.tolist(), said.tolist()))
    off = float(np.abs(np.array(precision_recall_fscore_support(truth, said, average="binary")[:3]) - ours[1:]).max())
    return Computed(off < 1e-12, {"difference from scikit-learn": off})


@computes("m-clip")
def _lengths_after_clipping() -> Computed:
    long, short = (float(schedules.clip_by_norm([torch.full((4,), value)], 1.0)[0].norm()) for value in (3.0, 0.25))
    return Computed(abs(long - 1) < 1e-6 and short == 0.5, {"length of a long one": long, "length of a short one": short})


@computes("i-time")
def _minutes_of_a_plan() -> Computed:
    first = [0.5, 10, 15, 60]
    return Computed(abs(sum(first) - 90) < 5, {"first part": sum(first), "all of it": sum(first) + 45 + 30 + 20 + 10})
