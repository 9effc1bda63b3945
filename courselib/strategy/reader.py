"""The capstone's base model: a small reader of texts that sorts by topic and by feeling, and guesses hidden words.

    word t together with the one before it:  h_t = relu(pair [e_t, e_{t-1}])
    the text:                                 z = mean of h_t;  z = z + relu(deep z)
    a task:                                   logits = z head^T + bias;  a hidden word: (z guess^T) E^T

It is a function of its weights and of *changes* to them. What is fine-tuned is the changes, what is stored is the changes, and
nothing else: a tensor is added to the weight of its name, a pair (B, A) adds the product B A (Hu et al. 2021).
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from courselib.lab.rates import falling_rate
from courselib.lab.training import fit
from courselib.strategy.world import LENGTH, NEW, OLD, TOPICS, hidden, old_texts

WIDTH, HIDDEN = 24, 48
TEXTS, STEPS, BATCH, RATE = 4000, 600, 64, 0.01

Changes = dict[str, "Tensor | tuple[Tensor, Tensor]"]


class TextReader:
    """`reader(ids, task, changes)`: logits. Its `weights` stay as they are.

    ids (n, 12); task "topic" (n, 5), "feeling" (n, 2), "new" (n, 2) or "word" (n, words). Raises ValueError for a name in
    `changes` that is no weight's.
    """

    def __init__(self, weights: dict[str, Tensor]):
        self.weights = weights

    def __call__(self, ids: Tensor, task: str, changes: Changes | None = None) -> Tensor:
        w = changed(self.weights, changes or {})
        words = torch.cat([w["old_words"], w["new_words"]])  # (190, width)
        e = words[ids]  # (n, 12, width)
        before = F.pad(e, (0, 0, 1, 0))[:, :-1]  # the word before; nothing before the first
        z = F.relu(torch.cat([e, before], -1) @ w["pair"].T + w["pair_bias"]).mean(1)  # (n, hidden)
        z = z + F.relu(z @ w["deep"].T + w["deep_bias"])
        if task == "word":
            return z @ w["guess"].T @ words.T
        return z @ w[task].T + w[f"{task}_bias"]


def changed(weights: dict[str, Tensor], changes: Changes) -> dict[str, Tensor]:
    """The weights with the changes added."""
    unknown = sorted(set(changes) - set(weights))
    if unknown:
        raise ValueError(f"there is no weight {unknown[0]!r}; the weights are {', '.join(weights)}")
    return weights | {name: weights[name] + (c[0] @ c[1] if isinstance(c, tuple) else c) for name, c in changes.items()}


def fresh_weights(seed: int) -> dict[str, Tensor]:
    """Weights from which nothing has been learned yet."""
    draw = torch.Generator().manual_seed(seed)

    def random(*shape: int, scale: float | None = None) -> Tensor:
        return torch.randn(shape, generator=draw) * (shape[-1] ** -0.5 if scale is None else scale)

    return {
        "old_words": random(OLD, WIDTH, scale=0.5), "new_words": random(NEW, WIDTH, scale=0.5),
        "pair": random(HIDDEN, 2 * WIDTH, scale=WIDTH**-0.5), "pair_bias": torch.zeros(HIDDEN),
        "deep": random(HIDDEN, HIDDEN), "deep_bias": torch.zeros(HIDDEN), "guess": random(WIDTH, HIDDEN),
        "topic": random(TOPICS, HIDDEN), "topic_bias": torch.zeros(TOPICS),
        "feeling": random(2, HIDDEN), "feeling_bias": torch.zeros(2),
        "new": torch.zeros(2, HIDDEN), "new_bias": torch.zeros(2),
    }  # fmt: skip


class Tuned(nn.Module):
    """A reader and changes to it that are parameters, so that `fit` can train them: `tuned(ids, task)` are logits.

    `trained` says which weights change: with a rank by a pair (B, A), with 0 as a whole. B and whole changes begin at zero.
    """

    def __init__(self, reader: TextReader, trained: dict[str, int]):
        super().__init__()
        self.reader = reader
        self.wholes, self.Bs, self.As = nn.ParameterDict(), nn.ParameterDict(), nn.ParameterDict()
        for name, rank in trained.items():
            weight = reader.weights[name]
            if rank:
                self.Bs[name] = torch.zeros(len(weight), rank)  # (rows, rank)
                self.As[name] = torch.randn(rank, weight.shape[1]) / weight.shape[1] ** 0.5  # (rank, columns)
            else:
                self.wholes[name] = torch.zeros_like(weight)

    @property
    def changes(self) -> Changes:
        return dict(self.wholes.items()) | {name: (self.Bs[name], self.As[name]) for name in self.Bs}

    def forward(self, ids: Tensor, task: str) -> Tensor:
        return self.reader(ids, task, self.changes)


@functools.cache
def pretrained_reader(seed: int = 0) -> TextReader:
    """A reader that has learned old words, topics and feelings; the new words and the head of the new task are as drawn."""
    rng = np.random.default_rng(seed)
    texts, start = old_texts(TEXTS, rng), fresh_weights(seed)
    tuned = Tuned(TextReader(start), {name: 0 for name in start if "new" not in name})

    def loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        rows, place = batch
        ids = texts.ids[rows]
        masked, words = hidden(ids, place)
        topic, feeling = (F.cross_entropy(model(ids, task), getattr(texts, task)[rows]) for task in ("topic", "feeling"))
        return topic + feeling + F.cross_entropy(model(masked, "word")[:, :OLD], words)

    batches = [tuple(torch.from_numpy(rng.integers(n, size=BATCH)) for n in (TEXTS, LENGTH)) for _ in range(STEPS)]
    optimizer = torch.optim.Adam(tuned.parameters(), lr=RATE)
    fit(tuned, batches, loss, optimizer, steps=STEPS, scheduler=falling_rate(optimizer, 1, STEPS), progress=False)
    return TextReader({name: w.detach() for name, w in changed(start, tuned.changes).items()})
