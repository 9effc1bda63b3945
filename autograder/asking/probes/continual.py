"""Probes of the topic `continual`: a sampler that is asked many times, and a step that goes through a stream of tasks."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autograder.asking.probes.calling import arguments, call
from autograder.asking.probes.forgetting import network

BESIDES = 3  # items that may be held besides the sample: the one that has come, and what a loop or a frame still holds


class Item:
    """One item of a stream: it is told from the others, and forgotten when nobody holds it."""

    def __init__(self, number: int):
        self.number = number


def sample_many_times(answer: Callable, inputs: dict[str, Any]) -> Tensor:
    """Asks a sampler `answer(stream, capacity, rng)` for many samples of one stream, and returns them; nothing is counted here.

    `inputs` are length, capacity, runs and seed. Returns (runs, capacity + 1), int64: the numbers of the items of each sample,
    and -1 where there is none. The last place is taken by a sample that is too large.

    Raises:
        ValueError: when much more than a sample is held at once, or what comes back is no item of the stream.
    """
    length, capacity, runs = inputs["length"], inputs["capacity"], inputs["runs"]
    asked = {"stream": None, "capacity": capacity, "rng": np.random.default_rng(inputs["seed"])}
    by_order, by_name = arguments(answer, asked)
    samples = np.full((runs, capacity + 1), -1)
    for run in range(runs):
        asked["stream"] = _stream(length, capacity)
        kept = list(answer(*[asked[name] for name in by_order], **{name: asked[name] for name in by_name}))
        if not all(isinstance(item, Item) for item in kept):
            raise ValueError("the sample holds something that is no item of the stream: return the items themselves")
        numbers = [item.number for item in kept[: capacity + 1]]
        samples[run, : len(numbers)] = numbers
    return torch.from_numpy(samples)


def _stream(length: int, capacity: int) -> Iterator[Item]:
    """Items 0, 1, ..., and nobody may collect them: those that are still held are counted."""
    held: weakref.WeakSet[Item] = weakref.WeakSet()
    for number in range(length):
        item = Item(number)
        held.add(item)
        yield item
        if len(held) > capacity + BESIDES:
            raise ValueError(
                f"your function holds {len(held)} items of the stream at once, and the sample has room for {capacity}: the "
                f"stream "
                "may be endless, so keep the sample and let everything else go"
            )


def through_a_stream(answer: Callable, inputs: dict[str, Any]) -> tuple[Tensor, ...]:
    """Trains a network on a stream of batches with `answer(model, optimizer, x, y, memory, capacity, seen, rng)` as its step.

    `inputs`: the `weights` of the network; `x` (n, d) and `y` (n,), and the `order` (steps, batch) in which they come;
    `capacity`, `lr`, `seed`; and test inputs `ask`, one tensor a task. Returns the classes answered to each, (n,).

    Raises:
        ValueError: when the memory holds more than it may.
    """
    torch.manual_seed(inputs["seed"])
    rng = np.random.default_rng(inputs["seed"])
    model, memory, seen = network(inputs["weights"]), [], 0
    optimizer = torch.optim.SGD(model.parameters(), lr=inputs["lr"], momentum=0.9)
    room = inputs["capacity"] * (inputs["x"].shape[1] + 1)
    for batch in inputs["order"]:
        x, y = inputs["x"][batch], inputs["y"][batch]
        state = {"model": model, "optimizer": optimizer, "x": x, "y": y, "memory": memory, "capacity": inputs["capacity"]}
        call(answer, state | {"seen": seen, "rng": rng})
        seen += len(y)
        if len(memory) > inputs["capacity"] or _numbers(memory) > room:
            raise ValueError(f"after {seen} examples the memory holds more than {inputs['capacity']} pictures with their labels")
    with torch.no_grad():
        return tuple(model(x).argmax(-1) for x in inputs["ask"])


def _numbers(kept: Any) -> int:
    """How many numbers there are in what is kept."""
    if isinstance(kept, (list, tuple)):
        return sum(map(_numbers, kept))
    return kept.numel() if isinstance(kept, Tensor) else int(np.size(kept))
