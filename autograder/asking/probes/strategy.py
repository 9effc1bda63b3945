"""Probes of the topic `strategy`: settings, and a whole strategy, which gets a base model and returns changes to it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from autograder.asking.probes.calling import call

HIGHEST = 16  # the rank of a pair at most


def within(answer: Callable, inputs: dict[str, Any]) -> tuple[str, ...]:
    """Between which of the given `edges` each setting lies, in words: {name: rising numbers} -> one sentence a setting.

    A number on an edge belongs to the side that `inputs["up"]` names for its setting and edge: it lists the edges that open the
    place above them. Raises ValueError for a setting that is missing or no finite number.
    """
    settings = call(answer, {})
    if not isinstance(settings, dict):
        raise TypeError(f"a dict was expected, and {type(settings).__name__} came")
    places = []
    for name, edges in inputs["edges"].items():
        if name not in settings:
            raise ValueError(f"there is no {name!r} in your dict; it needs {', '.join(inputs['edges'])}")
        value = float(settings[name])
        if not math.isfinite(value):
            raise ValueError(f"{name} is {value}, which is no finite number")
        below = sum(value >= edge if edge in inputs["up"][name] else value > edge for edge in edges)
        low, high = ("", *edges)[below], (*edges, "")[below]
        places.append(f"above {low:g}" if high == "" else f"below {high:g}" if low == "" else f"{low:g} to {high:g}")
    return tuple(places)


class Reader:
    """The base model: `model(ids, task, changes)` are logits, and its `weights` stay as they are. The chapter says more of it."""

    def __init__(self, weights: dict[str, Tensor]):
        self.weights = weights

    def __call__(self, ids: Tensor, task: str, changes: dict[str, Any] | None = None) -> Tensor:
        w = dict(self.weights)
        for name, c in (changes or {}).items():
            if name not in w:
                raise ValueError(f"there is no weight {name!r}; the weights are {', '.join(w)}")
            w[name] = w[name] + (c[0] @ c[1] if isinstance(c, (tuple, list)) else c)
        words = torch.cat([w["old_words"], w["new_words"]])
        e = words[ids]  # (n, length, width)
        before = F.pad(e, (0, 0, 1, 0))[:, :-1]
        z = F.relu(torch.cat([e, before], -1) @ w["pair"].T + w["pair_bias"]).mean(1)  # (n, hidden)
        z = z + F.relu(z @ w["deep"].T + w["deep_bias"])
        return z @ w["guess"].T @ words.T if task == "word" else z @ w[task].T + w[f"{task}_bias"]


def capstone(answer: Callable, inputs: dict[str, Any]) -> tuple[Tensor, ...]:
    """Asks a strategy for its changes and lays them out: a place for each weight in order, then a B and an A for each matrix.

    `inputs` are those of the student's function, with the `weights` of the model instead of the model. What is not changed is
    zero. What comes back holds the changes only: what they cost and what they are worth is found out elsewhere.

    Raises:
        TypeError, ValueError: when what comes back is no dict of changes that fit the weights.
    """
    weights = inputs["weights"]
    given = {name: value for name, value in inputs.items() if name != "weights"}
    changes = call(answer, {"model": Reader({name: w.clone() for name, w in weights.items()}), **given})
    if not isinstance(changes, dict):
        raise TypeError(f"a dict of changes was expected, and {type(changes).__name__} came")
    return laid_out(weights, changes)


def laid_out(weights: dict[str, Tensor], changes: dict[str, Any]) -> tuple[Tensor, ...]:
    """Changes in a form that is the same for all: (one tensor a weight, then B (rows, 16) and A (16, columns) a matrix)."""
    whole = {name: torch.zeros_like(w) for name, w in weights.items()}
    matrices = {name: w.shape for name, w in weights.items() if w.dim() == 2}
    pairs = {name: (torch.zeros(rows, HIGHEST), torch.zeros(HIGHEST, columns)) for name, (rows, columns) in matrices.items()}
    for name, change in changes.items():
        if name not in weights:
            raise ValueError(f"there is no weight {name!r}; the weights are {', '.join(weights)}")
        if not isinstance(change, (tuple, list)):
            change = torch.as_tensor(change).detach()
            if change.shape != whole[name].shape:
                raise ValueError(f"the change of {name} has shape {tuple(change.shape)}, and it {tuple(whole[name].shape)}")
            whole[name] = change.float()
            continue
        if name not in pairs or len(change) != 2:
            raise ValueError(f"the change of {name} is neither a tensor nor, for a matrix, a pair (B, A)")
        B, A = (torch.as_tensor(half).detach().float() for half in change)
        rows, columns = weights[name].shape
        if B.dim() != 2 or A.dim() != 2 or len(B) != rows or A.shape[1] != columns or B.shape[1] != len(A):
            shapes = f"({rows}, rank) and (rank, {columns})"
            raise ValueError(f"the pair of {name} has shapes {tuple(B.shape)} and {tuple(A.shape)}; expected {shapes}")
        if len(A) > HIGHEST:
            raise ValueError(f"the pair of {name} has rank {len(A)}, and {HIGHEST} is the most: return the product instead")
        pairs[name][0][:, : len(A)], pairs[name][1][: len(A)] = B, A
    return *whole.values(), *(half for pair in pairs.values() for half in pair)


def changes_of(weights: dict[str, Tensor], layout: tuple[Tensor, ...]) -> dict[str, Tensor]:
    """The other way: what each weight is changed by, products and all."""
    rest = layout[len(weights) :]
    changes = dict(zip(weights, layout, strict=False))
    matrices = [name for name, w in weights.items() if w.dim() == 2]
    return changes | {name: changes[name] + rest[2 * i] @ rest[2 * i + 1] for i, name in enumerate(matrices)}
