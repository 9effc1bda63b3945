"""Small experiments on what the encoder's lower layers have already computed: cheap enough for many settings and seeds.

Overfitting is shown on ready sentence vectors (train a small network on them), the sensitivity to hyper-parameters on the
hidden states below the last layer (train that layer and the head). Both use `fit`; both measure on words that training did not
have.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from courselib.lab.models import SentenceClassifier, tokenise
from courselib.lab.models.classifier import mean_pool
from courselib.lab.training import Step, fit
from courselib.sentiment.augmentation import mixup, soft_cross_entropy
from courselib.sentiment.schedules import parameter_groups, plan, warmup_schedule

Vectors = tuple[Tensor, Tensor]  # (n, hidden), (n,) labels


def overfit(
    train: Vectors, held_out: Mapping[str, Vectors], seed: int, *, width: int = 128, dropout: float = 0.0,
    weight_decay: float = 0.0, smoothing: float = 0.0, mix: bool = False, lr: float = 3e-3, steps: int = 100, every: int = 10,
) -> dict[str, list[float]]:
    """Trains a network with one hidden layer (none if `width` is 0) on ready vectors, all rows in each step.

    Returns curves, one value every `every` steps: "step"; "train", the mean cross-entropy in nats against the labels as given;
    and for each name of `held_out` its loss under that name and its accuracy under "<name> accuracy". All in eval mode.
    """
    torch.manual_seed(seed)
    vectors, labels = train
    d = vectors.shape[1]
    hidden = [nn.Linear(d, width), nn.ReLU(), nn.Dropout(dropout)] if width else [nn.Dropout(dropout)]
    network = nn.Sequential(*hidden, nn.Linear(width or d, 2)).to(vectors.device)
    targets = F.one_hot(labels, 2).float() * (1 - smoothing) + smoothing / 2  # (n, 2)
    beta = torch.distributions.Beta(0.4, 0.4)  # mostly near 0 or 1: mixup's weight is Beta(a, a), with a below 1 as a rule
    curves: dict[str, list[float]] = {"step": [], "train": []}

    def loss(model: nn.Module, batch: Vectors) -> Tensor:
        if not mix:
            return soft_cross_entropy(model(batch[0]), batch[1])
        mixed, soft = mixup(*batch, beta.sample().item(), torch.randperm(len(batch[0])))
        return soft_cross_entropy(model(mixed), soft)

    def record(step: Step) -> None:
        if step.number % every == 0:
            step.model.eval()
            with torch.no_grad():
                curves["step"].append(step.number)
                curves["train"].append(F.cross_entropy(step.model(vectors), labels).item())
                for name, (texts, truth) in held_out.items():
                    logits = step.model(texts)
                    right = (logits.argmax(1) == truth).double().mean().item()
                    curves.setdefault(name, []).append(F.cross_entropy(logits, truth).item())
                    curves.setdefault(f"{name} accuracy", []).append(right)

    optimizer = torch.optim.AdamW(network.parameters(), lr=lr, weight_decay=weight_decay)
    fit(network, [(vectors, targets)], loss, optimizer, steps=steps, callbacks=[record], progress=False)
    return curves


def flip_labels(labels: Sequence[int], share: float, seed: int) -> list[int]:
    """The labels with `share` of them turned over, at places drawn by the seed (and by nothing else that is seeded with it)."""
    wrong = random.Random(f"flip {seed}").sample(range(len(labels)), round(share * len(labels)))
    return [1 - label if i in wrong else label for i, label in enumerate(labels)]


class TopLayer(nn.Module):
    """The encoder's last layer and a fresh head, for hidden states that `below_top` has computed."""

    def __init__(self, classifier: SentenceClassifier) -> None:
        super().__init__()
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList([copy.deepcopy(classifier.encoder.encoder.layer[-1])])})
        self.classifier = copy.deepcopy(classifier.classifier)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """`hidden` (batch, seq, d), `mask` (batch, seq) of 0 and 1 -> logits (batch, classes)."""
        out = self.encoder["layer"][0](hidden, mask[:, None, None, :].bool())
        return self.classifier(mean_pool(out[0] if isinstance(out, tuple) else out, mask))


def below_top(classifier: SentenceClassifier, tokenizer: Any, texts: list[str]) -> tuple[Tensor, Tensor]:
    """The hidden states that go into the last layer, `(n, seq, d)`, and the attention mask `(n, seq)`; in eval mode."""
    tokens = tokenise(tokenizer, texts)
    classifier.eval()
    with torch.no_grad():
        hidden = classifier.encoder(**tokens, output_hidden_states=True).hidden_states
    return hidden[-2], tokens["attention_mask"]


def last_layer_accuracy(
    start: TopLayer, train: tuple[Tensor, Tensor, Tensor], validation: tuple[Tensor, Tensor, Tensor], seed: int, *,
    lr: float = 5e-4, batch: int = 16, warmup: float = 0.1, weight_decay: float = 0.01, epochs: int = 3, head_lr: float = 3e-3,
) -> float:
    """Trains a copy of `start` with these hyper-parameters and returns its accuracy on `validation`.

    train, validation: hidden states, mask and labels. `lr` is the layer's rate, `head_lr` the fresh head's.
    """
    torch.manual_seed(seed)
    model = copy.deepcopy(start)
    total, warm = plan(len(train[2]), batch, epochs, warmup)
    optimizer = torch.optim.AdamW(parameter_groups(model, lr, head_lr=head_lr, weight_decay=weight_decay), fused=True)
    rows = torch.utils.data.DataLoader(list(zip(*train, strict=True)), batch_size=batch, shuffle=True)
    fit(
        model, rows, lambda m, b: F.cross_entropy(m(b[0], b[1]), b[2]), optimizer,
        steps=total, scheduler=warmup_schedule(optimizer, warm, total), max_grad_norm=1.0, progress=False,
    )
    with torch.no_grad():
        return (model(*validation[:2]).argmax(1) == validation[2]).double().mean().item()
