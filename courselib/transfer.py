"""Three ways to put a pretrained encoder to work on a few labelled sentences, under the same conditions.

    full      every weight of the encoder is trained, and the head
    lora      the encoder is frozen; adapters on the query and value projections are trained, and the head
    frozen    nothing but the head is trained, on sentence vectors computed once

The learning rates were chosen on the validation split with seeds that no reported run uses; what is reported is
measured on the test split, whose words of praise and blame no model was trained on.
"""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from courselib import runtime
from courselib.data.sentiment import sentences
from courselib.lora import add_lora, trainable_report
from courselib.models import Pretrained, SentenceClassifier, tokenise
from courselib.training import fit

LEARNING_RATES = {"full": 3e-5, "lora": 1e-3, "frozen": 1e-2}  # of the encoder's weights; of the head for frozen
HEAD_LEARNING_RATE = 3e-3  # a fresh head starts from nothing and needs longer strides than pretrained weights
TRAIN_SENTENCES, TEST_SENTENCES = 48, 200
BATCH, STEPS = 16, 18  # six times through the 48 sentences
FROZEN_STEPS = 100  # all sentences at once; a step on ready vectors costs next to nothing


@dataclass(frozen=True)
class Run:
    """One training run. `before` and `delta` hold W0 and its change, by name, for every query and value weight.

    `trainable` and `total` count parameters, head included; `seconds` is training alone. `delta` is what really
    happened to the weight: W - W0 after full fine-tuning, scaling * B A for LoRA, and empty for frozen.
    """

    method: str
    seed: int
    accuracy: float
    trainable: int
    total: int
    seconds: float
    before: dict[str, Tensor]
    delta: dict[str, Tensor]


def finetune_sentiment(
    method: str, seed: int, pretrained: Pretrained, *, rank: int = 8, alpha: float = 16,
    learning_rate: float | None = None, split: str = "test",
) -> Run:
    """Trains a copy of the encoder on 48 sentences by one method and measures accuracy on 200 unseen ones.

    The seed draws the sentences, the order of the batches, the dropout and A. `split` is what to measure on:
    "validation" to choose a learning rate, "test" to report. `pretrained` is left as it was. Raises ValueError
    for an unknown method.
    """
    if method not in LEARNING_RATES:
        raise ValueError(f"There is no method {method!r}; choose one of {', '.join(LEARNING_RATES)}.")
    runtime.set_seed(seed)
    tokenizer = pretrained.tokenizer
    train, held_out = sentences(TRAIN_SENTENCES, "train", seed), sentences(TEST_SENTENCES, split, seed)
    model = SentenceClassifier(copy.deepcopy(pretrained.model))
    if method == "lora":
        add_lora(model, ("query", "value"), rank, alpha, train_also=("classifier",))
    elif method == "frozen":
        model.encoder.requires_grad_(False)
    lr = LEARNING_RATES[method] if learning_rate is None else learning_rate

    began = time.perf_counter()
    if method == "frozen":
        train_head(model, tokenizer, *train, lr=lr)
    else:
        optimizer = optimizer_for(model, lr)
        fit(model, batches(tokenizer, *train), classification_loss, optimizer, steps=STEPS, progress=False)
    seconds = time.perf_counter() - began

    report = trainable_report(model)
    before = query_value_weights(pretrained.model)
    return Run(
        method, seed, accuracy(model, tokenizer, *held_out), report.trainable, report.total, seconds,
        before, weight_changes(model.encoder, before) if method != "frozen" else {},
    )


def optimizer_for(model: SentenceClassifier, lr: float, head_lr: float = HEAD_LEARNING_RATE) -> torch.optim.AdamW:
    """AdamW over what is trainable in the encoder, at `lr`, and over the head, at `head_lr`."""
    encoder = [p for p in model.encoder.parameters() if p.requires_grad]
    groups = [{"params": encoder, "lr": lr}, {"params": model.classifier.parameters(), "lr": head_lr}]
    return torch.optim.AdamW(groups, fused=True)  # fused: one pass over the weights, where memory is the limit


def batches(tokenizer, texts: list[str], labels: list[int], size: int = BATCH) -> DataLoader:
    """Shuffled batches `(tokens, labels)` for `fit`, each padded to its own longest sentence."""

    def collate(examples: list[tuple[str, int]]) -> tuple[dict[str, Tensor], Tensor]:
        some_texts, some_labels = zip(*examples, strict=True)
        return tokenise(tokenizer, list(some_texts)), torch.tensor(some_labels, device=runtime.device())

    return DataLoader(list(zip(texts, labels, strict=True)), batch_size=size, shuffle=True, collate_fn=collate)


def classification_loss(model: nn.Module, batch: tuple[dict[str, Tensor], Tensor]) -> Tensor:
    """Mean cross-entropy of a batch from `batches`."""
    tokens, labels = batch
    return F.cross_entropy(model(**tokens), labels)


def train_head(model: SentenceClassifier, tokenizer, texts: list[str], labels: list[int], *, lr: float) -> list[float]:
    """Trains the head alone, on sentence vectors computed once, without dropout. Returns the losses."""
    model.eval()
    with torch.no_grad():
        features = model.features(**tokenise(tokenizer, texts))  # (n, hidden)
    targets = torch.tensor(labels, device=features.device)

    def loss(head: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        return F.cross_entropy(head(batch[0]), batch[1])

    optimizer = torch.optim.AdamW(model.classifier.parameters(), lr=lr)
    return fit(model.classifier, [(features, targets)], loss, optimizer, steps=FROZEN_STEPS, progress=False)


def predict(model: nn.Module, tokenizer, texts: list[str], size: int = 50) -> Tensor:
    """The predicted class of every text, `(n,)`, in eval mode. Texts of like length share a batch, to pad little."""
    model.eval()
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    predicted = torch.empty(len(texts), dtype=torch.long)
    with torch.no_grad():
        for begin in range(0, len(texts), size):
            chosen = order[begin : begin + size]
            logits = model(**tokenise(tokenizer, [texts[i] for i in chosen]))  # (size, classes)
            predicted[chosen] = logits.argmax(-1).cpu()
    return predicted


def accuracy(model: nn.Module, tokenizer, texts: list[str], labels: list[int]) -> float:
    """The share of texts whose label is predicted, 0 to 1."""
    return (predict(model, tokenizer, texts) == torch.tensor(labels)).double().mean().item()


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
