"""Strategies for the capstone, put together from what a course on fine-tuning offers: which earns what is known and tested."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

Trained = dict[str, int]  # a weight -> the rank of its pair, or 0: the whole of it

HEAD: Trained = {"new": 0, "new_bias": 0}
EVERYTHING: Trained = {name: 0 for name in ("old_words", "new_words", "pair", "pair_bias", "deep", "deep_bias")} | HEAD


def strategy(
    trained: Trained, *, guessing: int = 0, guessed: Sequence[str] = ("new_words",), keep: float = 0.0, pull: float = 0.0,
    steps: int = 400, rate: float = 0.01, half: bool = True, together: bool = False,
) -> Callable:  # fmt: skip
    """A strategy: `guessing` steps on hidden words move `guessed`, then `steps` steps on labels move `trained`.

    `keep` weighs a loss that holds the old tasks to what the base said of old texts, `pull` the squared distance from the base
    (L2-SP). `half` stores in half precision. `together` uses the unlabelled text in the second phase only, with the labels.
    """

    def capstone(model: Any, labelled: Tensor, labels: Tensor, unlabelled: Tensor, old: Tensor, *_: Any, **__: Any) -> dict:
        def zeros(name: str) -> Tensor:
            return torch.zeros_like(model.weights[name])

        def guess(changes: dict) -> Tensor:
            texts, place = _some(unlabelled, 64), torch.randint(unlabelled.shape[1], (64, 1))
            return F.cross_entropy(model(texts.scatter(1, place, 0), "word", changes), texts.gather(1, place).squeeze(1))

        changes: dict = {}
        if guessing and not together:
            changes = {name: zeros(name).requires_grad_() for name in guessed}
            _minimise(lambda: guess(changes), list(changes.values()), guessing, 0.01)
            changes = {name: change.detach() for name, change in changes.items()}
        moved = []
        for name, rank in trained.items():
            if rank:
                width = model.weights[name].shape[1]
                changes[name] = (torch.zeros(len(model.weights[name]), rank), torch.randn(rank, width) / width**0.5)
            else:
                changes[name] = changes.get(name, zeros(name)).clone()
            moved += [half.requires_grad_() for half in (changes[name] if rank else (changes[name],))]
        with torch.no_grad():
            said = {task: model(old, task).softmax(-1) for task in ("topic", "feeling")}

        def loss() -> Tensor:
            rows, past = torch.randint(len(labels), (32,)), torch.randint(len(old), (32,))
            value = F.cross_entropy(model(labelled[rows], "new", changes), labels[rows])
            if keep:
                value = value + keep * sum(F.cross_entropy(model(old[past], task, changes), said[task][past]) for task in said)
            if pull:
                value = value + pull * sum(w.square().sum() for w in moved)
            return value + guess(changes) if together else value

        _minimise(loss, moved, steps, rate)
        return {name: tuple(map(stored, c)) if isinstance(c, tuple) else stored(c) for name, c in changes.items()}

    def stored(change: Tensor) -> Tensor:
        return change.detach().half() if half else change.detach()

    return capstone


def _some(texts: Tensor, n: int) -> Tensor:
    return texts[torch.randint(len(texts), (n,))]


def _minimise(loss: Callable[[], Tensor], trained: list[Tensor], steps: int, rate: float) -> None:
    optimizer = torch.optim.Adam(trained, lr=rate)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rate * (1 - step / steps)
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()


def nothing(*_: Any, **__: Any) -> dict:
    """No change at all."""
    return {}


GOOD: Trained = {"deep": 4} | HEAD

TEN: dict[str, Callable] = {
    "nothing": nothing,
    "head alone": strategy(HEAD, rate=0.02),
    "everything, on labels": strategy(EVERYTHING, rate=0.003, half=False),
    "everything, pulled back": strategy(EVERYTHING, rate=0.003, pull=0.003),
    "everything, old tasks kept": strategy(EVERYTHING, rate=0.003, keep=1.0),
    "pair and words, no unlabelled text": strategy(GOOD | {"new_words": 0}, keep=1.0),
    "words, then head": strategy(HEAD, guessing=1200, rate=0.02),
    "words, then everything": strategy(EVERYTHING, guessing=1200, rate=0.003),
    "words, then pair": strategy(GOOD, guessing=1200),
    "words, then pair, old tasks kept": strategy(GOOD, guessing=1200, keep=1.0),
}
