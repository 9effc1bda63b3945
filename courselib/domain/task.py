"""Three ways to a task in a new domain, with few labels: adapt the model, teach it the task, or one after the other.

The task: is this clinical term a drug, a symptom or a disease? Two names of each kind are labelled; all the others are for the
test. The sentences around them are plain and the same for all kinds, so the words themselves have to be known. Labels cannot
tell what an unlabelled word means; unlabelled clinical notes can, because a drug stands where drugs stand.

    task only       general model -> task
    hybrid          general model -> continued pretraining on notes -> task   (Gururangan et al. 2020, arXiv:2004.10964)
    wrong order     general model -> task -> continued pretraining of the body, with the task's head kept
"""

from __future__ import annotations

import copy
import random
from typing import Any

from torch import nn

from courselib.domain import small_model
from courselib.lab import classification, runtime
from courselib.lab.data.worlds import clinical
from courselib.lab.models.classifier import SentenceClassifier
from courselib.lab.models.encoder import Pretrained
from courselib.lab.training import fit

KINDS = ("drug", "symptom", "disease")
FRAMES = ("Anna asked about {}", "we read about {}", "the patient mentioned {}", "a word on {}")
LABELLED_NAMES = 2  # of each kind
STEPS, LR, HEAD_LR, BATCH = 40, 1e-3, 3e-3, 12  # chosen on seeds from 100 on


def names(kind: str) -> list[str]:
    """The names of a kind that only clinical notes use, from the rules of the clinical world."""
    if kind not in KINDS:
        raise ValueError(f"There is no kind {kind!r}; there are {', '.join(KINDS)}.")
    return [name.strip() for name in " ".join(clinical.RULES[kind].split("||")[1].split()).split("/")]


def examples(seed: int = 0, labelled: int = LABELLED_NAMES) -> tuple[tuple[list[str], list[int]], tuple[list[str], list[int]]]:
    """((texts, labels) to train on, (texts, labels) to test on): no name is in both. A label is an index into `KINDS`."""
    rng, sides = random.Random(f"terms {seed}"), (([], []), ([], []))
    for label, kind in enumerate(KINDS):
        chosen = names(kind)
        rng.shuffle(chosen)
        for position, name in enumerate(chosen):
            texts, labels = sides[position >= labelled]
            texts += [frame.format(name) for frame in FRAMES]
            labels += [label] * len(FRAMES)
    return sides


def classifier(start: Pretrained) -> SentenceClassifier:
    """A classifier of terms around a copy of a causal model's body, with a fresh head: it finds all kinds equally likely."""
    return SentenceClassifier(copy.deepcopy(start.model.model), classes=len(KINDS))


def learn_terms(start: Pretrained, seed: int = 0, steps: int = STEPS, lr: float = LR) -> SentenceClassifier:
    """Task fine-tuning of all weights on the labelled names: minimises the mean cross-entropy of their labels."""
    runtime.set_seed(seed)
    model, (train, _) = classifier(start), examples(seed)
    batches = classification.batches(start.tokenizer, *train, size=BATCH)
    optimizer = classification.optimizer_for(model, lr, HEAD_LR)
    fit(model, batches, classification.classification_loss, optimizer, steps=steps, progress=False)
    return model


def terms_recognised(model: nn.Module, start: Pretrained, seed: int = 0) -> float:
    """The share of test sentences, about names without a label, whose kind is recognised. Guessing the commonest gives 0.43."""
    return classification.text_accuracy(model, start.tokenizer, *examples(seed)[1])


def continue_after_task(model: SentenceClassifier, start: Pretrained, seed: int = 0, **how: Any) -> SentenceClassifier:
    """The wrong order: a copy of a model from `learn_terms` whose body goes on with `small_model.adapt(**how)`: same head."""
    carried = Pretrained(copy.deepcopy(start.model), start.tokenizer)
    carried.model.model.load_state_dict(model.encoder.state_dict())
    after = copy.deepcopy(model)
    after.encoder = small_model.adapt(carried, seed=seed, **how).model.model.model
    return after.eval()
