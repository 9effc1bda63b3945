"""Model answers of chapter 02b: the sentiment pipeline."""

import copy
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn


def transfer_group_split(groups: list[str], order: list[str], share: float) -> list[int]:
    """A split that keeps every group whole. Returns one number a row, in the order of the rows: 1 for test, 0 for training.

    groups: the group of each row; rows of a group need not stand together.   order: every group once, in the order drawn.
    Take groups in that order and put each into the test whole, as long as the test has fewer than `share` of all *rows*.
    The group with which it gets there is still put in; the groups after it all stay in training.
    """
    test: set[str] = set()
    for group in order:
        if sum(g in test for g in groups) >= share * len(groups):
            break
        test.add(group)
    return [int(g in test) for g in groups]


def transfer_pad_batch(sequences: list[list[int]], max_length: int, pad_id: int) -> tuple[Tensor, Tensor]:
    """Token ids of unequal length as one rectangle. Returns (input_ids, attention_mask), both (batch, longest), whole numbers.

    Each sequence begins with a start mark and ends with an end mark. One that is longer than max_length is cut to it, and its
    last id stays the end mark: it is the words before it that are left out. `longest` is the longest row after cutting, which
    may be shorter than max_length. Padding goes to the right. The mask is 1 at real tokens (start and end mark too) and 0 at
    padding; a real token may have the value pad_id.
    """
    cut = [s if len(s) <= max_length else s[: max_length - 1] + s[-1:] for s in sequences]
    longest = max(len(s) for s in cut)
    input_ids = torch.tensor([s + [pad_id] * (longest - len(s)) for s in cut])
    attention_mask = torch.tensor([[1] * len(s) + [0] * (longest - len(s)) for s in cut])
    return input_ids, attention_mask


def transfer_warmup_lr(step: int, warmup: float, total: int, peak: float) -> float:
    """The learning rate of one step: a straight line from 0 to the peak, then a straight line from the peak to 0.

    step: counts from 0, the first.   warmup: where the rising line reaches `peak`, in steps; it may be zero (no warm-up) and need
    not be whole.   total: where the falling line reaches 0, after `warmup`; beyond it the learning rate stays 0.
    """
    if step < warmup:
        return peak * step / warmup
    return peak * max(0.0, (total - step) / (total - warmup))


def transfer_clip_by_norm(grads: list[Tensor], max_norm: float) -> tuple[list[Tensor], float]:
    """Gradient clipping by the norm of all gradients together, as if they were one long vector.

    grads: vectors, all of one length.   If their joint Euclidean norm is above max_norm, all are multiplied by the one factor
    that makes it max_norm; otherwise they stay as they are. Returns (the gradients after clipping, their joint norm *before*
    it), and leaves the inputs as they were. All gradients may be zero.
    """
    norm = math.sqrt(sum(float((g * g).sum()) for g in grads))
    factor = max_norm / norm if norm > max_norm else 1.0
    return [factor * g for g in grads], norm


def transfer_parameter_groups(
    names: list[str], layers: int, highest: float, lowest: float, weight_decay: float
) -> tuple[list[float], list[float]]:
    """Learning rate and weight decay of every parameter, by its name. Returns two lists, in the order of `names`.

    Names look like MiniLM's: "embeddings.word_embeddings.weight", "embeddings.LayerNorm.bias",
    "encoder.layer.3.attention.self.query.weight", "encoder.layer.3.output.LayerNorm.weight". Layers count from 0, at the
    bottom. Learning rate: the top layer (number layers - 1) has `highest`, layer 0 has `lowest`, and from each layer to the
    next below it the rate is multiplied by the same factor. The embeddings have layer 0's rate times that factor once more.
    Weight decay: none (0.0) for biases and for everything of a LayerNorm, `weight_decay` for all others.
    """
    factor = (lowest / highest) ** (1 / (layers - 1))
    rates = []
    for name in names:
        depth = layers if name.startswith("embeddings") else layers - 1 - int(name.split("layer.")[1].split(".")[0])
        rates.append(highest * factor**depth)
    decays = [0.0 if name.endswith("bias") or "LayerNorm" in name else weight_decay for name in names]
    return rates, decays


def transfer_f1_from_confusion(tn: int, fp: int, fn: int, tp: int) -> tuple[float, float, float, float]:
    """Accuracy, precision, recall and F1 of a classifier with two classes, from its confusion matrix.

    tn, fp, fn, tp: how many texts were true negatives, false positives, false negatives, true positives; at least one text in
    all. F1 is the harmonic mean of precision and recall. Empty classes: a ratio whose denominator is zero counts as 0.0. So
    precision is 0.0 if nothing was called positive, recall is 0.0 if nothing is positive, and F1 is 0.0 if both of them are.
    """
    accuracy = (tp + tn) / (tn + fp + fn + tp)
    precision = tp / (tp + fp) if tp + fp else 0.0
    recall = tp / (tp + fn) if tp + fn else 0.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return accuracy, precision, recall, f1


def transfer_confidence(logits: Tensor) -> tuple[Tensor, Tensor]:
    """The predicted class of each text, and the probability that the softmax gives to it.

    logits: (batch, classes), of any size, for example 1000.0.   Returns (classes, confidences), both (batch,).
    """
    shifted = logits - logits.max(dim=1, keepdim=True).values
    probabilities = shifted.exp() / shifted.exp().sum(dim=1, keepdim=True)
    best = probabilities.max(dim=1)
    return best.indices, best.values


def transfer_mixup(vectors: Tensor, labels: list[int], weight: float, order: list[int]) -> tuple[Tensor, Tensor]:
    """Mixup of a batch with two classes. Returns (mixed vectors, mixed targets).

    vectors: (n, d).   labels: 0 or 1 for each row.   Row i becomes `weight` times itself plus (1 - weight) times row order[i].
    The targets are mixed in the same way, starting from one-hot rows: (n, 2), column 0 for class 0.
    """
    targets = torch.eye(2, dtype=vectors.dtype)[torch.tensor(labels)]
    partner = torch.tensor(order)
    return weight * vectors + (1 - weight) * vectors[partner], weight * targets + (1 - weight) * targets[partner]


def transfer_hyperparameters(
    examples: int, lr: float, batch: int, epochs: int, warmup_steps: int, weight_decay: float
) -> tuple[int, int, int, int, int]:
    """Is a plan for fine-tuning a whole encoder within the usual ranges of this section? Both ends of a range belong to it.

    Returns five whole numbers, 1 for within and 0 for outside: learning rate, batch size, epochs, warm-up, weight decay.
    warmup_steps is a number of optimiser steps; the range of the section is a share of all steps. In each epoch the last batch
    may be smaller than the others, and it is a step like them.
    """
    total = math.ceil(examples / batch) * epochs
    return (
        int(2e-5 <= lr <= 5e-5),
        int(16 <= batch <= 32),
        int(2 <= epochs <= 5),
        int(warmup_steps <= 0.1 * total),
        int(0.01 <= weight_decay <= 0.1),
    )


def transfer_reported_result() -> str:
    """A report says: "We multiplied our 40 reviews by 25 to augment them, split the 1,000 rows 80 : 20, and trained for three
    epochs with warm-up over 500 steps, batch 16 and early stopping with patience 3. After each epoch we evaluated on the 200
    test rows and kept the best epoch: accuracy 0.965, precision 0.9655, recall 0.9663, F1 0.9659. So the model understands
    reviews that it has never seen."

    What is wrong with it? Name at least five mistakes. For each, say what shows it (a count, a calculation, a measurement of
    this chapter). Then say in two sentences what should be done instead.
    """
    return """ First, 25 copies are not augmentation: there are still 40 different texts. Second, the split came after the
    copying, so nearly every test row also stands in training; counting the overlap of normalised texts shows it, and in this
    chapter even random labels were "predicted" on such a split. Third, the test set chose the epoch, so its score is a maximum
    over three looks and no longer an estimate for new texts; a validation set has to choose. Fourth, the four figures cannot
    stand together: no confusion matrix of 200 texts gives them, as the search over all of them shows. Fifth, the warm-up never
    ends: 800 rows in batches of 16 are 50 steps an epoch and 150 steps in all, fewer than 500, so the largest learning rate was
    30 % of the peak. Sixth, three evaluations can never use up a patience of three. Seventh, nothing was shown about reviews
    never seen. Instead: remove duplicates, hold out whole groups (templates, products, authors) for validation and test, and
    assert an overlap of zero. Choose epoch and learning rate on validation, with several seeds, evaluate once on the test set,
    and report the confusion matrix with the scores.
"""


def transfer_keep_best(
    model: nn.Module, train_epoch: Callable[[], None], validate: Callable[[], float], patience: int, most: int,
) -> nn.Module:
    """Early stopping. Trains `model` epoch by epoch and returns it with the weights of its lowest validation loss.

    train_epoch(): trains the model for one more epoch, in place.   validate(): the validation loss of the model as it is now.
    Training ends as soon as `patience` epochs in a row have not had a lower loss than the best so far, and after `most` epochs
    at the latest.
    """
    lowest, waited = math.inf, 0
    for _ in range(most):
        train_epoch()
        loss = validate()
        waited += 1
        if loss < lowest:
            lowest, waited, weights = loss, 0, copy.deepcopy(model.state_dict())
        if waited == patience:
            break
    model.load_state_dict(weights)
    return model


def transfer_evaluate(model: nn.Module, batches: list[tuple[Tensor, Tensor]]) -> tuple[float, float]:
    """Mean cross-entropy and accuracy of a classifier over all texts of a test set.

    model: x -> logits (rows, classes); it may contain dropout, and may be in the middle of its training.   batches: pairs (x, y);
    the last is smaller than the others. Returns (mean loss a text, share of texts that are right), the same whatever the batches
    are, and leaves the model in the mode in which it came.
    """
    mode = model.training
    model.eval()
    with torch.no_grad():
        outputs = [(model(x), y) for x, y in batches]
    model.train(mode)
    logits, truth = (torch.cat(column) for column in zip(*outputs, strict=True))
    return nn.functional.cross_entropy(logits, truth).item(), (logits.argmax(1) == truth).double().mean().item()


def transfer_predict_majority(share: float, classes: int) -> tuple[float, float, float]:
    """What does a classifier score that always says the most frequent class? Returns (accuracy, macro F1, weighted F1).

    share: the share of the texts that are of that class.   classes: how many classes there are, at least 2; every class occurs.
    F1 of a class that is never called counts as 0. Macro: the plain mean of the classes' F1. Weighted: each class's F1 times its
    share of the texts.
    """
    f1 = 2 * share / (1 + share)  # precision is `share`, recall is 1
    return share, f1 / classes, share * f1


def transfer_choose_threshold(
    val_probabilities: Tensor, val_labels: list[int], test_probabilities: Tensor, test_labels: list[int], least_recall: float,
) -> tuple[float, float, float]:
    """Chooses a threshold where nothing may be missed, and reports it. Returns (threshold, test precision, test recall).

    A text is called positive if its probability is at least the threshold. On the *validation* texts, take the highest threshold
    whose recall is at least least_recall; thresholds to try are the validation probabilities themselves, all different. Then say
    what this threshold gives on the test texts. Precision is 0.0 if nothing is called positive.
    val_probabilities, test_probabilities: (n,) and (m,), of class 1.   Labels are 0 or 1; both sets have positives.
    """
    positives = sorted((p for p, y in zip(val_probabilities.tolist(), val_labels, strict=True) if y), reverse=True)
    threshold = positives[math.ceil(least_recall * len(positives) - 1e-9) - 1]
    called = [p >= threshold for p in test_probabilities.tolist()]
    hits = sum(c and y for c, y in zip(called, test_labels, strict=True))
    return threshold, hits / sum(called) if any(called) else 0.0, hits / sum(test_labels)


def transfer_accumulate(gradients: list[Tensor], sizes: list[int], every: int) -> list[Tensor]:
    """Gradient accumulation: the gradients that the optimiser's steps are made with.

    gradients: one a small batch, each the gradient of the *mean* loss over that batch's examples.   sizes: how many examples each
    of the small batches had; they differ.   An optimiser step is due after every `every` small batches, and after the last one.
    Each returned gradient is that of the mean loss over all examples since the step before.
    """
    steps = []
    for first in range(0, len(gradients), every):
        part = list(zip(gradients[first : first + every], sizes[first : first + every], strict=True))
        count = sum(n for _, n in part)
        steps.append(sum(g * (n / count) for g, n in part))
    return steps


def transfer_choose_remedy() -> str:
    """You train a classifier of your own, and after the first of ten epochs training loss and validation loss part ways. From the
    table of remedies in section "Overfitting, and what helps", choose what you would try first, second and third.

    Justify each choice by figures of that table (validation, not test), say what it costs, and name one remedy that you would not
    try, with its figure. Then say which of your reasons may not carry over to your own classifier. Six to nine sentences.
    """
    return """
First I would keep the weights of the lowest validation loss: it costs nothing, and brings the validation loss from 1.60 to
0.57. Second I would read some training labels: right labels have 0.38 and an accuracy of 0.86, which no other row reaches;
that costs hours of somebody's time, and it is the only remedy that removes the cause. Third I would get more data *and*
stop early, 0.46. I would not rely on more of the same noisy data alone, 1.56, which is no lower than without any remedy, nor
on dropout, 1.20. What may not carry over: here a quarter of the labels is wrong by construction, the network sees ready
sentence vectors, and there are 64 texts; with clean labels, reading them would bring nothing, and with a whole encoder in
training, freezing layers is another thing than dropping a hidden layer.
"""
