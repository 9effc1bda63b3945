"""Exercises of chapter 12 on choosing: settings to begin with, and a method by numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

import solutions.strategy as answers
from autograder.asking.probes import strategy as probing
from autograder.exercises.draws import integer, normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

# --- hyperparameters --------------------------------------------------------------------------------------------------

EDGES = {  # where one kind of setting ends and the next begins
    "learning_rate": (2e-6, 2e-5, 5e-5, 2e-4, 1e-3),
    "batch_size": (4.0, 16.0, 32.0, 128.0),
    "warmup_share": (0.0, 0.1, 0.5, 1.0),
    "weight_decay": (0.001, 0.01, 0.1, 0.5),
    "epochs": (1.0, 2.0, 5.0, 10.0),
}
UP = {  # edges that belong to the place above them: the lower ends of what is usual
    "learning_rate": (2e-6, 2e-5), "batch_size": (4.0, 16.0), "warmup_share": (), "weight_decay": (0.001, 0.01), "epochs": (2.0,),
}  # fmt: skip


def hyperparameter_cases(rng: np.random.Generator) -> list[Case]:
    edges = {name: list(values) for name, values in EDGES.items()}
    return [Case("BERT-base, classification", {"edges": edges, "up": {name: list(values) for name, values in UP.items()}})]


def _settings(**other: float) -> Any:
    return lambda: answers.strategy_hyperparameters() | other


hyperparameters = Exercise(
    id="strategy.hyperparameters",
    answer=answers.strategy_hyperparameters,
    probe=probing.within,
    cases=hyperparameter_cases,
    parts=[Part(name, 1, of=i) for i, name in enumerate(EDGES)],
    misconceptions=[
        Misconception(
            "rate_of_an_adapter", _settings(learning_rate=2e-4 * 2), earns=4,
            says="Your learning rate is one for LoRA. Full fine-tuning moves every weight, and at ten times its own rate it "
            "washes out "
            "what pretraining left: the measured curve falls there.",
        ),
        Misconception(
            "rate_of_a_head", _settings(learning_rate=1e-3 * 3), earns=4,
            says="Your learning rate is one for a head or for a network from random weights. Here it would undo the pretraining.",
        ),
        Misconception(
            "rate_a_bit_high", _settings(learning_rate=1e-4), earns=4,
            says="Your learning rate is the one BERT was pretrained with. Fine-tuning begins from something worth keeping: 2 "
            "to 5 times "
            "less.",
        ),
        Misconception(
            "rate_too_low", _settings(learning_rate=1e-6), earns=4,
            says="Your learning rate is so low that a few hundred steps move next to nothing: AdamW moves a weight by about "
            "the rate in "
            "a step, whatever the gradient.",
        ),
        Misconception(
            "warm_up_in_steps", _settings(warmup_share=100), earns=4,
            says="Your warm-up is a number of steps. As a share it stays right when data or batches change; a hundred steps "
            "can be more "
            "than a small training has.",
        ),
        Misconception(
            "warm_up_half", _settings(warmup_share=0.3), earns=4,
            says="Your warm-up takes a large part of the training, and the rate is at its peak for little of it: a tenth at "
            "most.",
        ),
        Misconception(
            "no_warm_up", _settings(warmup_share=0.0), earns=4,
            says="No warm-up: AdamW's first steps have the full rate with a second moment made of one batch. A few percent "
            "cost nothing.",
        ),
        Misconception(
            "no_decay", _settings(weight_decay=0.0), earns=4,
            says="No weight decay. It is the setting that matters least here; the usual 0.01 to 0.1 costs nothing and is what "
            "results "
            "that you compare with were made with.",
        ),
        Misconception(
            "decay_of_one", _settings(weight_decay=1.0), earns=4,
            says="Your weight decay pulls every weight to zero, and pretrained weights are not there to be pulled.",
        ),
        Misconception(
            "from_scratch", _settings(epochs=30), earns=4,
            says="That many epochs are for a network from random weights. A pretrained one has fitted a few thousand texts "
            "after two to "
            "five; after that it learns their labels by heart.",
        ),
        Misconception(
            "one_epoch", _settings(epochs=1), earns=4,
            says="One epoch is for pretraining and for millions of examples. With some thousand it is some dozens of steps, "
            "many of "
            "them at a warming or a fading rate.",
        ),
        Misconception(
            "one_at_a_time", _settings(batch_size=2), earns=4,
            says="So small a batch makes steps of noise at this rate: rate and batch are chosen together, and 2e-5 to 5e-5 was "
            "for 16 to 32.",
        ),
        Misconception(
            "large_batch", _settings(batch_size=512), earns=4,
            says="So large a batch leaves a handful of steps for an epoch of some thousand texts.",
        ),
    ],
)  # fmt: skip

# --- choose -----------------------------------------------------------------------------------------------------------

SEEDS, T = 5, 2.776
METHODS = 5


def choose_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, mean: list[float], spread: list[float], lost: list[float], memory: list[float], stored: list[float],
             tasks: int, limits: tuple[float, float, float], margin: float = 0.01, group: str = "main") -> Case:  # fmt: skip
        def around(size: float) -> Tensor:
            values = normal(rng, SEEDS)
            return size * (values - values.mean()) / values.std()

        shared = around(0.03)  # a hard seed is hard for all
        order = torch.from_numpy(rng.permutation(len(mean)))
        accuracy = torch.stack([m + shared + around(s) for m, s in zip(mean, spread, strict=True)])
        losses = torch.stack([m + around(0.004) for m in lost])
        inputs = {
            "accuracy": accuracy[order], "lost": losses[order], "memory": torch.tensor(memory)[order],
            "stored": torch.tensor(stored)[order], "tasks": tasks, "limits": torch.tensor(limits), "margin": margin, "t": T,
        }  # fmt: skip
        return Case(label, inputs, group)

    tiny = [0.001] * 5
    some, kept, gb, disk = [0.93, 0.925, 0.9, 0.86, 0.8], [0.02] * 5, [12.0, 3.0, 3.1, 2.0, 1.0], [4.0, 0.2, 0.3, 0.05, 0.01]
    return [
        case("all allowed, the second as good", some, tiny, kept, gb, disk, 1, (16.0, 8.0, 0.05)),
        case("the same, and a small margin", some, tiny, kept, gb, disk, 1, (16.0, 8.0, 0.05), 0.002),
        case("the best does not fit", some, tiny, kept, gb, disk, 1, (8.0, 8.0, 0.05), 0.002),
        case("many tasks", some, tiny, kept, gb, disk, integer(rng, 25, 35), (16.0, 8.0, 0.05), 0.002),
        case("two forget", some, tiny, [0.2, 0.15, 0.02, 0.01, 0.0], gb, disk, 1, (16.0, 8.0, 0.05), 0.05),
        case("the second is noisy", some, [0.001, 0.02, 0.001, 0.001, 0.001], kept, gb, disk, 1, (16.0, 8.0, 0.05)),
        case("everything within the margin", [0.93, 0.929, 0.928, 0.927, 0.926], tiny, kept, gb, disk, 1, (2.0, 8.0, 0.05), 0.05),
        case("a wide margin", some, tiny, kept, gb, disk, 1, (16.0, 8.0, 0.05), 0.2),
        case("none is allowed", some, tiny, [0.3] * 5, gb, disk, 1, (16.0, 8.0, 0.05), group="none"),
    ]


def _choose(
    accuracy: Tensor, lost: Tensor, memory: Tensor, stored: Tensor, tasks: int, limits: Tensor, margin: float, t: float,
    how: str = "",
) -> int:  # fmt: skip
    tasks = 1 if how == "one_task" else tasks
    allowed = (memory <= limits[0]) & (tasks * stored <= limits[1]) & (lost.mean(1) <= limits[2])
    if how == "no_memory":
        allowed = (tasks * stored <= limits[1]) & (lost.mean(1) <= limits[2])
    if how == "no_forgetting":
        allowed = (memory <= limits[0]) & (tasks * stored <= limits[1])
    if not allowed.any():
        return -1
    if how == "cheapest":
        return int(torch.where(allowed, stored, torch.inf).argmin())
    among = torch.ones_like(allowed) if how == "of_all" else allowed
    best = int(torch.where(among, accuracy.mean(1), -torch.inf).argmax())
    if how == "best":
        return best
    d = accuracy - accuracy[best]
    half = t * d.std(1) / math.sqrt(accuracy.shape[1])
    if how == "unpaired":
        half = t * (accuracy.var(1) + accuracy[best].var()).sqrt() / math.sqrt(accuracy.shape[1])
        half[best] = 0
    low = {"means": d.mean(1), "zero": d.mean(1) + half}.get(how, d.mean(1) - half)
    good = low >= 0 if how == "zero" else low > -margin
    return int(torch.where(allowed & good, stored, torch.inf).argmin())


def _chosen(how: str) -> Any:
    return lambda accuracy, lost, memory, stored, tasks, limits, margin, t: _choose(
        accuracy, lost, memory, stored, tasks, limits, margin, t, how=how
    )


choose = Exercise(
    id="strategy.choose",
    answer=answers.strategy_choose,
    cases=choose_cases,
    parts=[Part("method", 3, on="main"), Part("none", 1, on="none")],
    misconceptions=[
        Misconception("best_mean", _chosen("best"), earns=1, says="You take the favourite, whatever it costs. Among those that "
        "are as "
                      "good, the one that stores least was asked for."),
        Misconception("cheapest", _chosen("cheapest"), earns=1, says="You take the cheapest that is allowed, however much "
        "worse it is "
                      "than the favourite."),
        Misconception("memory_ignored", _chosen("no_memory"), earns=1, says="You never look at the memory: the favourite may "
        "not even "
                      "begin to train."),
        Misconception("forgetting_ignored", _chosen("no_forgetting"), says="You never look at what is lost of the old tasks: "
        "the second "
                      "axis is a limit here, like memory."),
        Misconception("one_task", _chosen("one_task"), earns=1, says="You compare what one task stores with the room for all. "
        "Full "
                      "copies are cheap once and dear thirty times."),
        Misconception("means_only", _chosen("means"), earns=1, says="You hold the means against the margin. As good means that "
        "the whole "
                      "interval lies above it: a noisy method may be far worse."),
        Misconception("unpaired", _chosen("unpaired"), earns=1, says="Your interval forgets that the seeds are the same: a "
        "hard seed is "
                      "hard for all. Take the spread of the differences."),
        Misconception("not_significantly_worse", _chosen("zero"), earns=1, says="You call as good whatever is not shown to be "
        "worse. "
                      "That rewards few seeds and much noise; hold the interval against the margin."),
        Misconception("favourite_of_all", _chosen("of_all"), earns=1, says="Your favourite is one that is not allowed. Strike "
        "those out "
                      "first, and compare with what is left."),
    ],
)  # fmt: skip
