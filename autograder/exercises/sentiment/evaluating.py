"""Exercises of chapter 02b on judging a model: an evaluation put right, the majority's scores, a threshold chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import solutions.sentiment as answers
from autograder.asking.probes import sentiment as probing
from autograder.exercises.draws import integer, normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part, Written

# --- evaluate ---------------------------------------------------------------------------------------------------------


def evaluate_cases(rng: np.random.Generator) -> list[Case]:
    def case(sizes: list[int]) -> Case:
        weights = [normal(rng, 8, 5), normal(rng, 2, 8, scale=1.5)]
        x = [normal(rng, n, 5) for n in sizes]
        said = [(torch.tanh(rows @ weights[0].T) @ weights[1].T).argmax(1) for rows in x]
        y = [torch.where(torch.from_numpy(rng.random(len(row)) < 0.25), 1 - row, row) for row in said]
        y[-1] = 1 - said[-1]  # the small batch is all wrong, so that it tells rows from batches
        return Case(f"batches of {sizes}", {"weights": weights, "x": x, "y": y})

    return [case([8, 8, 3]), case([16, 2])]


def _judged(*, mode: str = "eval", back: bool = True, per_batch: bool = False, total: bool = False) -> Callable:
    """An evaluation with one thing wrong, chosen by a keyword."""

    def wrong(model: nn.Module, batches: list[tuple[Tensor, Tensor]]) -> tuple[float, float]:
        was = model.training
        model.train(mode == "train")
        with torch.no_grad():
            outputs = [model(x) for x, _ in batches]
        model.train(was if back else False)
        losses = [F.cross_entropy(o, y, reduction="sum").item() for o, (_, y) in zip(outputs, batches, strict=True)]
        right = [(o.argmax(1) == y).sum().item() for o, (_, y) in zip(outputs, batches, strict=True)]
        sizes = [len(y) for _, y in batches]
        if per_batch:
            return tuple(float(np.mean([v / n for v, n in zip(values, sizes, strict=True)])) for values in (losses, right))
        if total:
            return sum(losses), sum(right) / sum(sizes)
        return sum(losses) / sum(sizes), sum(right) / sum(sizes)

    return wrong


evaluate = Exercise(
    id="sentiment.evaluate",
    answer=answers.transfer_evaluate,
    probe=probing.evaluate,
    cases=evaluate_cases,
    tolerance=1e-4,
    parts=[Part("loss", 2, of=0), Part("accuracy, and the mode afterwards", 1, of=1)],
    misconceptions=[
        Misconception(
            "left_in_eval", _judged(back=False), earns=2,
            says="Right numbers, but your function leaves the model in eval mode, so the rest of its training would go on "
            "without dropout: put it back into the mode in which it came.",
        ),
        Misconception(
            "mean_of_batches", _judged(per_batch=True), earns=0,
            says="You averaged over batches. The last one is smaller, so its texts count for more than the "
            "others; the result depends on "
            "the batch size.",
        ),
        Misconception(
            "dropout_on", _judged(mode="train"), earns=0,
            says="Dropout is still on. Then the same model gives another number at every call: switch to eval mode first.",
        ),
        Misconception(
            "sum_of_losses", _judged(total=True), earns=1,
            says="Your loss is a sum over texts. Divide by their number, or it cannot be compared with another test set.",
        ),
        Misconception(
            "both", _judged(mode="train", per_batch=True), earns=0,
            says="Both bugs are still in it: dropout is on, and batches are averaged in place of texts.",
        ),
    ],
)

# --- predict_majority -------------------------------------------------------------------------------------------------


def majority_cases(rng: np.random.Generator) -> list[Case]:
    drawn = float(rng.uniform(0.55, 0.85))
    return [
        Case(f"{share:.0%} of {classes} classes", {"share": share, "classes": classes}, "two" if classes == 2 else "more")
        for share, classes in [(0.9, 2), (drawn, 2), (0.6, integer(rng, 3, 6)), (drawn, 4)]
    ]


predict_majority = Exercise(
    id="sentiment.predict_majority",
    answer=answers.transfer_predict_majority,
    cases=majority_cases,
    parts=[Part("accuracy", 0.5, of=0), Part("macro F1", 1.5, of=1), Part("weighted F1", 1, of=2)],
    misconceptions=[
        Misconception(
            "f1_of_the_class", lambda share, classes: (share, 2 * share / (1 + share), 2 * share / (1 + share)), earns=0.5,
            says="This is the F1 of the frequent class. The other classes have an F1 too, and it is 0: take them into the mean.",
        ),
        Misconception(
            "all_the_accuracy", lambda share, classes: (share, share, share), earns=0.5,
            says="You let F1 be the accuracy. That holds for the micro average only.",
        ),
        Misconception(
            "chance", lambda share, classes: (share, 1 / classes, share * 2 * share / (1 + share)), earns=1.5,
            says="Your macro F1 is that of chance, 1 / classes. The frequent class has recall 1 and precision "
            "`share`: its F1 is their "
            "harmonic mean, and the others have 0.",
        ),
        Misconception(
            "arithmetic", lambda share, classes: (share, (1 + share) / 2 / classes, share * (1 + share) / 2), earns=0.5,
            says="You took the arithmetic mean of precision and recall. F1 is the harmonic one: 2PR / (P + R).",
        ),
        Misconception(
            "macro_twice", lambda share, classes: (share, *[2 * share / (1 + share) / classes] * 2), earns=2,
            says="Your weighted F1 is the macro one. Weighted: each class counts with its share of the texts.",
        ),
    ],
)

# --- choose_threshold -------------------------------------------------------------------------------------------------


def threshold_cases(rng: np.random.Generator) -> list[Case]:
    def side(n: int, positives: int, shift: float) -> tuple[Tensor, list[int]]:
        labels = (np.arange(n) < positives).astype(int)
        scores = 1.6 * labels + rng.standard_normal(n) - shift
        order = rng.permutation(n)
        return torch.from_numpy(1 / (1 + np.exp(-scores[order]))), labels[order].tolist()

    cases = []
    for n, positives, least, shift in [(40, 15, 0.8, 0.6), (60, 12, 0.75, 1.2), (50, integer(rng, 14, 22), 0.9, 0.8)]:
        (val, val_labels), (test, test_labels) = side(n, positives, shift), side(n + 30, positives + 10, shift + 0.35)
        inputs = {"val_probabilities": val, "val_labels": val_labels, "test_probabilities": test, "test_labels": test_labels,
                  "least_recall": least}
        cases.append(Case(f"recall of at least {least:g}, {positives} positives of {n}", inputs))
    return cases


def _threshold(val_probabilities: Tensor, val_labels: list[int], test_probabilities: Tensor, test_labels: list[int],
               least_recall: float, *, on: str = "validation", pick: str = "highest", equal: bool = True, score: str = "recall",
               report: str = "test") -> tuple[float, float, float]:
    val, test = (val_probabilities.tolist(), val_labels), (test_probabilities.tolist(), test_labels)

    def rates(side: tuple[list[float], list[int]], t: float) -> tuple[float, float]:
        called = [p >= t if equal else p > t for p in side[0]]
        hits = sum(c and y for c, y in zip(called, side[1], strict=True))
        return hits / sum(called) if any(called) else 0.0, hits / sum(side[1])

    side = test if on == "test" else val
    index = 1 if score == "recall" else 0
    enough = [t for t in side[0] if rates(side, t)[index] >= least_recall] or [min(side[0])]
    chosen = max(enough) if pick == "highest" else min(enough) if pick == "lowest" else 0.5
    return chosen, *rates(test if report == "test" else val, chosen)


def _chosen_wrongly(**how: Any) -> Callable:
    return lambda **inputs: _threshold(**inputs, **how)


choose_threshold = Exercise(
    id="sentiment.choose_threshold",
    answer=answers.transfer_choose_threshold,
    cases=threshold_cases,
    parts=[Part("threshold", 2, of=0), Part("the threshold and its scores on the test", 2)],
    misconceptions=[
        Misconception(
            "on_the_test", _chosen_wrongly(on="test"),
            "You chose the threshold on the test texts. Then the recall you report is one that you arranged. "
            "Choose on validation.",
        ),
        Misconception(
            "reported_on_validation", _chosen_wrongly(report="validation"), earns=2,
            says="The threshold is right. Its precision and recall are those of the validation texts, which it "
            "was chosen on; report "
            "those of the test.",
        ),
        Misconception(
            "lowest", _chosen_wrongly(pick="lowest"),
            "You took the lowest threshold. It calls everything positive: recall 1, and the worst precision there is.",
        ),
        Misconception(
            "one_half", _chosen_wrongly(pick="half"),
            "You kept 0.5. It is a habit; asked is the highest threshold that misses no more than is allowed.",
        ),
        Misconception(
            "strictly_above", _chosen_wrongly(equal=False),
            "You call a text positive only *above* the threshold. The text whose probability is the threshold "
            "counts as positive.",
        ),
        Misconception(
            "precision", _chosen_wrongly(score="precision", pick="lowest"),
            "You held the precision at the wanted level. Asked is a least recall: of those that are positive, "
            "how many are found.",
        ),
    ],
)

# --- choose_remedy ----------------------------------------------------------------------------------------------------

choose_remedy = Written(
    id="sentiment.choose_remedy",
    answer=answers.transfer_choose_remedy,
    rubric=[
        (1, "three remedies in an order, each with its figure from the validation columns"),
        (1, "says what each costs (time of a person, more data, fewer steps), and uses it for the order"),
        (1, "one remedy not to be tried, with its figure"),
        (1, "what may not carry over: a quarter of wrong labels by construction, ready vectors, 64 texts, one list of words"),
    ],
)
