"""Three ways to put a pretrained encoder to work on a few labelled sentences, under the same conditions.

    full      every weight of the encoder is trained, and the head
    lora      the encoder is frozen; adapters on the query and value projections are trained, and the head
    frozen    nothing but the head is trained, on sentence vectors computed once

The learning rates were chosen on the validation split with seeds that no reported run uses; what is reported is
measured on the test split, whose words of praise and blame no model was trained on.
"""

from __future__ import annotations

import copy
import random
import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from courselib.lab import runtime
from courselib.lab.classification import batches, classification_loss, optimizer_for, text_accuracy, train_head
from courselib.lab.data.sentiment import sentences
from courselib.lab.models import Pretrained, SentenceClassifier
from courselib.lab.training import fit
from courselib.lora.inject import add_lora, trainable_report

# Of the encoder's weights; of the head for frozen. For this budget: chapter 02 takes 8 steps, and larger rates.
RATES_IN_18_STEPS = {"full": 3e-5, "lora": 1e-3, "frozen": 1e-2}
TRAIN_SENTENCES, TEST_SENTENCES = 48, 200
STEPS = 18  # six times through the 48 sentences, sixteen at a time


@dataclass(frozen=True)
class FinetunedEncoder:
    """One training run. `before` and `delta` hold W0 and its change, by name, for every query and value weight.

    `trainable` and `total` count parameters, head included; `seconds` is training alone. `delta` is what really
    happened to the weight: W - W0 after full fine-tuning, scaling * B A for LoRA, and empty for frozen. `put_back` is the
    accuracy with the head as trained and the encoder as it was before, if it was asked for.
    """

    method: str
    seed: int
    accuracy: float
    trainable: int
    total: int
    seconds: float
    before: dict[str, Tensor]
    delta: dict[str, Tensor]
    put_back: float | None = None


def finetune_sentiment(
    method: str, seed: int, pretrained: Pretrained, *, rank: int = 8, alpha: float = 16,
    learning_rate: float | None = None, split: str = "test", steps: int | None = None, random_labels: bool = False,
    put_back: bool = False, test_sentences: int | None = None,
) -> FinetunedEncoder:
    """Trains a copy of the encoder on 48 sentences by one method and measures accuracy on 200 unseen ones.

    The seed draws the sentences, the order of the batches, the dropout and A. `split` is what to measure on:
    "validation" to choose a learning rate, "test" to report. `steps` is 18 and
    `test_sentences` 200 unless given. `random_labels` is a null: the
    48 labels are dealt out anew, so that there is nothing to learn but the sentences themselves. `put_back` is another: it asks
    how well the trained head does on the encoder as it was. `pretrained` is left as it was. Raises ValueError for an
    unknown method.
    """
    if method not in RATES_IN_18_STEPS:
        raise ValueError(f"There is no method {method!r}; choose one of {', '.join(RATES_IN_18_STEPS)}.")
    runtime.set_seed(seed)
    tokenizer = pretrained.tokenizer
    train, held_out = sentences(TRAIN_SENTENCES, "train", seed), sentences(test_sentences or TEST_SENTENCES, split, seed)
    if random_labels:
        train = train[0], random.Random(seed).sample(train[1], len(train[1]))
    model = SentenceClassifier(copy.deepcopy(pretrained.model))
    if method == "lora":
        add_lora(model, ("query", "value"), rank, alpha, train_also=("classifier",))
    elif method == "frozen":
        model.encoder.requires_grad_(False)
    lr = RATES_IN_18_STEPS[method] if learning_rate is None else learning_rate

    began = time.perf_counter()
    if method == "frozen":
        train_head(model, tokenizer, *train, torch.optim.AdamW(model.classifier.parameters(), lr=lr))
    else:
        optimizer = optimizer_for(model, lr)
        fit(model, batches(tokenizer, *train), classification_loss, optimizer, steps=steps or STEPS, progress=False)
    seconds = time.perf_counter() - began

    report = trainable_report(model)
    before = query_value_weights(pretrained.model)
    accuracy = text_accuracy(model, tokenizer, *held_out)
    changes = weight_changes(model.encoder, before) if method != "frozen" else {}
    without = None
    if put_back:
        model.encoder = pretrained.model
        without = text_accuracy(model, tokenizer, *held_out)
    return FinetunedEncoder(
        method, seed, accuracy, report.trainable, report.total, seconds, before, changes, without,
    )


def query_value_weights(encoder: nn.Module) -> dict[str, Tensor]:
    """The query and value weights `(d_out, d_in)` of every layer, by module name; not copies."""
    return {
        name: module.weight.detach()
        for name, module in encoder.named_modules()
        if name.endswith((".query", ".value"))
    }


def weight_changes(encoder: nn.Module, before: dict[str, Tensor]) -> dict[str, Tensor]:
    """How each weight named in `before` has changed in `encoder`, by a LoRA adapter or by training it itself."""
    changes = {}
    for name, weight in before.items():
        module = encoder.get_submodule(name)
        changed = module.delta_weight() if hasattr(module, "delta_weight") else module.weight - weight
        changes[name] = changed.detach()
    return changes
