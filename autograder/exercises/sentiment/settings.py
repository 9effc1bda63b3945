"""Exercises of chapter 02b on settings: groups of parameters, and a whole plan."""

from __future__ import annotations

import math

import numpy as np

import solutions.sentiment as answers
from autograder.exercises.draws import integer
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

# --- parameter_groups -------------------------------------------------------------------------------------------------


def _names(layers: int) -> list[str]:
    names = ["embeddings.word_embeddings.weight", "embeddings.LayerNorm.weight", "embeddings.LayerNorm.bias"]
    for layer in range(layers):
        ends = "attention.self.query.weight attention.self.query.bias attention.output.LayerNorm.weight output.dense.weight"
        names += [f"encoder.layer.{layer}.{end}" for end in ends.split()]
    return names


def groups_cases(rng: np.random.Generator) -> list[Case]:
    layers = integer(rng, 4, 9)
    lowest, times = float(rng.uniform(0.5e-5, 2e-5)), float(rng.uniform(3, 8))
    shuffled = [_names(layers)[i] for i in rng.permutation(len(_names(layers)))]
    drawn = {"layers": layers, "highest": times * lowest, "lowest": lowest, "weight_decay": 0.1}
    twelve = {"layers": 12, "highest": 5e-5, "lowest": 1e-5, "weight_decay": 0.01}
    return [
        Case("12 layers, 1e-5 to 5e-5", {"names": _names(12), **twelve}),
        Case(f"{layers} layers, names in any order", {"names": shuffled, **drawn}),
    ]


def _rates(
    names: list[str], layers: int, highest: float, lowest: float, root: int, extra: int = 1, top: bool = True
) -> list[float]:
    factor = (lowest / highest) ** (1 / root)
    out = []
    for name in names:
        layer = -extra if name.startswith("embeddings") else int(name.split("layer.")[1].split(".")[0])
        out.append(highest * factor ** ((layers - 1 - layer) if top else (layer + extra)))
    return out


def _decays(names: list[str], weight_decay: float, spared) -> list[float]:
    return [0.0 if spared(name) else weight_decay for name in names]


def _spared(name: str) -> bool:
    return name.endswith("bias") or "LayerNorm" in name


def _linear(names: list[str], layers: int, highest: float, lowest: float) -> list[float]:
    step = (highest - lowest) / (layers - 1)
    return [lowest + step * (-1 if n.startswith("embeddings") else int(n.split("layer.")[1].split(".")[0])) for n in names]


parameter_groups = Exercise(
    id="sentiment.parameter_groups",
    answer=answers.transfer_parameter_groups,
    cases=groups_cases,
    parts=[Part("learning rates", 2, of=0), Part("weight decays", 1, of=1)],
    misconceptions=[
        Misconception(
            "decay_everywhere",
            lambda names, layers, highest, lowest, weight_decay: (
                _rates(names, layers, highest, lowest, layers - 1), [weight_decay] * len(names)),
            earns=2, says="The rates are right. The decay is on everything: a LayerNorm scale lives around 1 and a bias "
            "around what it shifts; pulling them to zero is no regularisation. They get 0.",
        ),
        Misconception(
            "bias_only",
            lambda names, layers, highest, lowest, weight_decay: (
                _rates(names, layers, highest, lowest, layers - 1), _decays(names, weight_decay, lambda n: n.endswith("bias"))),
            earns=2, says="The rates are right. You spared the biases; LayerNorm's weights are to be spared too, and their "
            "names end in \"weight\".",
        ),
        Misconception(
            "nth_root",
            lambda names, layers, highest, lowest, weight_decay: (
                _rates(names, layers, highest, lowest, layers), _decays(names, weight_decay, _spared)),
            earns=1, says="Your factor is the root of order `layers`. From the top layer to layer 0 there are layers − 1 "
            "steps (fence posts!), so layer 0 does not get `lowest`.",
        ),
        Misconception(
            "upside_down",
            lambda names, layers, highest, lowest, weight_decay: (
                _rates(names, layers, highest, lowest, layers - 1, top=False), _decays(names, weight_decay, _spared)),
            earns=1, says="Your rates are upside down: layer 0 stands at the bottom, is the most general, and moves least. "
            "The top layer has `highest`.",
        ),
        Misconception(
            "embeddings_like_layer_0",
            lambda names, layers, highest, lowest, weight_decay: (
                _rates(names, layers, highest, lowest, layers - 1, extra=0), _decays(names, weight_decay, _spared)),
            earns=1, says="The embeddings lie below layer 0: their rate is layer 0's times the factor once more.",
        ),
        Misconception(
            "straight_line",
            lambda names, layers, highest, lowest, weight_decay: (
                _linear(names, layers, highest, lowest), _decays(names, weight_decay, _spared)),
            earns=1, says="You subtract the same amount from layer to layer. Layer-wise decay multiplies by the same factor.",
        ),
    ],
)

# --- hyperparameters --------------------------------------------------------------------------------------------------


def hyperparameter_cases(rng: np.random.Generator) -> list[Case]:
    lr, batch = float(rng.uniform(2.2e-5, 4.8e-5)), integer(rng, 17, 31)
    plans = {  # examples, lr, batch, epochs, warmup_steps, weight_decay
        "all within": (1500, lr, batch, 4, math.ceil(1500 / batch) * 4 // 10, 0.05),
        "one end of each range": (800, 2e-5, 16, 2, 10, 0.1),
        "the other ends": (1000, 5e-5, 32, 5, 16, 0.01),
        "a recipe: 3 epochs, batch 32, 100 steps of warm-up": (1000, 3e-5, 32, 3, 100, 0.01),
        "all too large": (900, 3e-4, 64, 12, 90, 1.0),
        "all too small, and a long warm-up": (640, 1e-6, 4, 1, 40, 0.0),
        "a small batch decides": (180, 3e-5, 16, 5, 6, 0.01),  # 60 steps; 55 without the smaller batches, and 6 would be too many
    }
    for i in range(4):
        n, size, epochs = integer(rng, 200, 2000), int(rng.choice([8, 16, 24, 32, 48])), integer(rng, 1, 7)
        rate, decay = float(10 ** rng.uniform(-5.2, -3.8)), float(10 ** rng.uniform(-3, 0))
        plans[f"plan {i + 1}"] = (n, rate, size, epochs, round(math.ceil(n / size) * epochs * rng.uniform(0.02, 0.18)), decay)
    names = ("examples", "lr", "batch", "epochs", "warmup_steps", "weight_decay")
    return [Case(label, dict(zip(names, values, strict=True))) for label, values in plans.items()]


def _plan(examples: int, lr: float, batch: int, epochs: int, warmup_steps: int, weight_decay: float, *,
          total: float | None = None, rate: tuple[float, float] = (2e-5, 5e-5), open_ends: bool = False,
          least_epochs: int = 2) -> tuple[int, ...]:
    total = math.ceil(examples / batch) * epochs if total is None else total

    def within(value: float, low: float, high: float) -> int:
        return int(low < value < high if open_ends else low <= value <= high)

    warm = warmup_steps < 0.1 * total if open_ends else warmup_steps <= 0.1 * total
    return within(lr, *rate), within(batch, 16, 32), within(epochs, least_epochs, 5), int(warm), within(weight_decay, 0.01, 0.1)


def one_epoch(examples: int, batch: int, **others: float) -> tuple[int, ...]:
    return _plan(examples, batch=batch, **others, total=math.ceil(examples / batch))


def floor_of_batches(examples: int, batch: int, epochs: int, **others: float) -> tuple[int, ...]:
    return _plan(examples, batch=batch, epochs=epochs, **others, total=examples // batch * epochs)


def of_examples(examples: int, epochs: int, **others: float) -> tuple[int, ...]:
    return _plan(examples, epochs=epochs, **others, total=examples * epochs)


hyperparameters = Exercise(
    id="sentiment.hyperparameters",
    answer=answers.transfer_hyperparameters,
    cases=hyperparameter_cases,
    parts=[
        Part("learning rate", 0.5, of=0), Part("batch size", 0.5, of=1), Part("epochs", 0.5, of=2), Part("warm-up", 1, of=3),
        Part("weight decay", 0.5, of=4),
    ],
    misconceptions=[
        Misconception(
            "open_ends", lambda **plan: _plan(**plan, open_ends=True), earns=0,
            says="You leave the ends of the ranges out. They belong to them: 2e-5, 16, 2 and 0.01 are all usual choices.",
        ),
        Misconception(
            "one_epoch", one_epoch, earns=2,
            says="You compared the warm-up with the steps of one epoch. Warm-up happens once: it is a share of the steps of "
            "the whole training.",
        ),
        Misconception(
            "floor", floor_of_batches, earns=2,
            says="You dropped the last, smaller batch of each epoch. It is a step like the others: round up, not down.",
        ),
        Misconception(
            "examples", of_examples, earns=2,
            says="You took a share of the examples. Warm-up counts optimiser steps: one a batch.",
        ),
        Misconception(
            "from_three_epochs", lambda **plan: _plan(**plan, least_epochs=3), earns=2.5,
            says="You rule out two epochs. The BERT paper's own choices are 2, 3 and 4.",
        ),
        Misconception(
            "lora_rate", lambda **plan: _plan(**plan, rate=(1e-4, 3e-4)), earns=2.5,
            says="Your range of learning rates is LoRA's. For a whole encoder it is ten times lower.",
        ),
    ],
)
