"""Fine-tuning the small reader on a new world in three ways: a head, a pair, everything. Small enough to sweep while you watch.

What is compared differs in what is trained and in the setting that is named, and in nothing else. `lost` is the second axis:
how much the worse of the two old tasks has lost, because the changes stand in the model whatever it is asked.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from courselib.lab.rates import falling_rate
from courselib.lab.training import fit
from courselib.strategy.reader import TextReader, Tuned, pretrained_reader
from courselib.strategy.world import Texts, new_world, old_texts

HEAD = {"new": 0, "new_bias": 0}
WAYS = {
    "head": HEAD,
    "pair": {"deep": 4} | HEAD,
    "everything": {name: 0 for name in ("old_words", "new_words", "pair", "pair_bias", "deep", "deep_bias")} | HEAD,
}
TEST = 1000  # texts of every task


def fine_tuned(
    way: str, seed: int, *, labels: int = 200, rate: float = 0.01, steps: int = 200, batch: int = 32, warmup: float = 0.06,
    decay: float = 0.01, keep: float = 0.0, words: str = "old", leaked: int = 0,
) -> dict[str, float | None]:  # fmt: skip
    """Fine-tunes the pretrained reader on `labels` texts of a new world, and says what came of it.

    `keep` weighs a loss that holds the old tasks to what the base said of old texts. `words` are those of the new world's texts
    (see `NewWorld.texts`). The first `leaked` of the 1,000 test texts are put into training too.

    Returns accuracy, lost, and right_leaked and right_clean: accuracy on the test texts that were leaked, and on the others
    (None where there are none). Raises ValueError for a way that is none.
    """
    if way not in WAYS:
        raise ValueError(f"There is no way {way!r}; there are {', '.join(WAYS)}.")
    rng = np.random.default_rng([seed, 12])
    world, reader = new_world(rng), pretrained_reader()
    train, test = world.texts(labels, rng, words), world.texts(TEST, rng, words)
    old, old_test = old_texts(300, rng), old_texts(TEST, rng)
    ids, label = torch.cat([train.ids, test.ids[:leaked]]), torch.cat([train.label, test.label[:leaked]])
    with torch.no_grad():
        said = {task: reader(old.ids, task).softmax(-1) for task in ("topic", "feeling")}

    def loss(model: nn.Module, rows: Tensor) -> Tensor:
        value = F.cross_entropy(model(ids[rows % len(ids)], "new"), label[rows % len(ids)])
        if keep:
            past = rows % len(old.ids)
            value = value + keep * sum(F.cross_entropy(model(old.ids[past], task), said[task][past]) for task in said)
        return value

    torch.manual_seed(seed)
    tuned = Tuned(reader, WAYS[way])
    optimizer = torch.optim.AdamW(tuned.parameters(), lr=rate, weight_decay=decay)
    batches = list(torch.from_numpy(rng.integers(10**6, size=(steps, batch))))
    schedule = falling_rate(optimizer, max(1, round(warmup * steps)), steps)
    fit(tuned, batches, loss, optimizer, steps=steps, scheduler=schedule, max_grad_norm=1.0, progress=False)
    right = (_answers(tuned, test, "new") == test.label).double()
    return {
        "accuracy": right.mean().item(), "lost": lost_of_old(reader, tuned, old_test),
        "right_leaked": right[:leaked].mean().item() if leaked else None, "right_clean": right[leaked:].mean().item(),
    }  # fmt: skip


def lost_of_old(reader: TextReader, tuned: nn.Module, texts: Texts) -> float:
    """By how much the accuracy of the worse of the two old tasks has fallen, as a share of 1."""
    losses = []
    for task, right in (("topic", texts.topic), ("feeling", texts.feeling)):
        before, after = ((_answers(model, texts, task) == right).double().mean().item() for model in (reader, tuned))
        losses.append(before - after)
    return max(losses)


@torch.no_grad()
def _answers(model: TextReader | nn.Module, texts: Texts, task: str) -> Tensor:
    return model(texts.ids, task).argmax(-1)
