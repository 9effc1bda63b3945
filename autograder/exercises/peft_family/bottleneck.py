"""Exercises of chapter 09 on adapters: their count, their forward pass, and one that is trained."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import solutions.peft_family as answers
from autograder.asking.probes import peft_family as probes
from autograder.exercises.draws import integer, normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part
from autograder.judging.measures import peft_family as measures

# --- adapter_parameters -----------------------------------------------------------------------------------------------


def adapter_parameters_cases(rng: np.random.Generator) -> list[Case]:
    width = 32 * integer(rng, 5, 40)
    m = integer(rng, 3, 60)
    return [
        Case("BERT-base, bottleneck 64", {"width": 768, "bottleneck": 64}),
        Case("width 1024, bottleneck 1", {"width": 1024, "bottleneck": 1}),
        Case(f"width {width}, bottleneck {m}", {"width": width, "bottleneck": m}),
    ]


adapter_parameters = Exercise(
    id="peft_family.adapter_parameters",
    answer=answers.peft_family_adapter_parameters,
    cases=adapter_parameters_cases,
    parts=[Part("numbers", 1)],
    misconceptions=[
        Misconception("no_biases", lambda width, bottleneck: 2 * width * bottleneck,
                      "The biases are missing: one for each number of the bottleneck, and one for each output. For BERT-base "
                      "and 64 you get 98,304, a figure that is often printed; it is 99,136."),
        Misconception("one_matrix", lambda width, bottleneck: width * bottleneck + bottleneck + width,
                      "There are two matrices, one down and one up."),
        Misconception("two_biases_of_the_width", lambda width, bottleneck: 2 * width * bottleneck + 2 * width,
                      "The first bias has as many numbers as the bottleneck, not as the width."),
        Misconception("two_biases_of_the_bottleneck", lambda width, bottleneck: 2 * width * bottleneck + 2 * bottleneck,
                      "The second bias has as many numbers as the width: it is added to what comes out."),
        Misconception("two_adapters", lambda width, bottleneck: 2 * (2 * width * bottleneck + bottleneck + width),
                      "That is what one Transformer block has, with an adapter in two places. Asked is one adapter."),
        Misconception("square", lambda width, bottleneck: width * width + width,
                      "This is a full layer, width by width. The bottleneck is what makes it small."),
    ],
)

# --- adapter_forward --------------------------------------------------------------------------------------------------


def _adapter(rng: np.random.Generator, d: int, m: int, *shape: int) -> dict[str, Any]:
    return {"h": normal(rng, *shape, d), "W_down": normal(rng, m, d), "b_down": 0.5 * normal(rng, m),
            "W_up": normal(rng, d, m), "b_up": normal(rng, d)}


def adapter_forward_cases(rng: np.random.Generator) -> list[Case]:
    return [
        Case("4 rows, d 5, bottleneck 3", _adapter(rng, 5, 3, 4), "rows"),
        Case("2 sequences of 3, d 6, bottleneck 2", _adapter(rng, 6, 2, 2, 3), "sequences"),
        Case("one vector, d 4, bottleneck 6", _adapter(rng, 4, 6), "sequences"),
    ]


def _forward(h: Tensor, W_down: Tensor, b_down: Tensor, W_up: Tensor, b_up: Tensor, *, residual: bool = True, between: Any = None,
             down: bool = True, up: bool = True, last: bool = False) -> Tensor:
    """The adapter with one thing wrong, chosen by a keyword."""
    between = torch.relu if between is None else between
    out = between(h @ W_down.T + b_down * down) @ W_up.T + b_up * up
    return torch.relu(h + out) if last else h * residual + out


def _wrong_forward(**how: Any) -> Any:
    return lambda **inputs: _forward(**inputs, **how)


adapter_forward = Exercise(
    id="peft_family.adapter_forward",
    answer=answers.peft_family_adapter_forward,
    cases=adapter_forward_cases,
    parts=[Part("shape", 1, shape_only=True), Part("rows", 1, on="rows"), Part("any leading dimensions", 1, on="sequences")],
    misconceptions=[
        Misconception("no_residual", _wrong_forward(residual=False), earns=1,
                      says="What came in is not added. Then an adapter that starts near zero would cut the model in two."),
        Misconception("no_relu", _wrong_forward(between=lambda z: z), earns=1,
                      says="There is no ReLU between the two matrices. Then they are one matrix of low rank, that is LoRA."),
        Misconception("relu_last", _wrong_forward(between=lambda z: z, last=True), earns=1,
                      says="Your ReLU comes last and cuts off every negative output of the layer. It belongs in the narrow "
                           "middle."),
        Misconception("no_down_bias", _wrong_forward(down=False), earns=1,
                      says="b_down is missing: it decides where each ReLU bends."),
        Misconception("no_up_bias", _wrong_forward(up=False), earns=1, says="b_up is missing."),
        Misconception("gelu", _wrong_forward(between=torch.nn.functional.gelu), earns=1,
                      says="You took GELU. Some implementations do; here it is ReLU."),
        Misconception("not_transposed", lambda h, W_down, b_down, W_up, b_up: h + torch.relu(h @ W_up + b_down) @ W_down + b_up,
                      "You exchanged the two matrices to make the shapes fit. Weights are (out, in): a row h goes "
                      "through W as h @ W.T.", earns=1),
    ],
)

# --- adapter_module ---------------------------------------------------------------------------------------------------


def adapter_module_cases(rng: np.random.Generator) -> list[Case]:
    """The head reads one direction; what it should say depends on the *product* of two others, which no matrix can give."""

    def case(label: str, d: int, m: int, n: int) -> Case:
        first = normal(rng, d, 10, scale=0.6)
        u, v, w = torch.linalg.qr(normal(rng, d, 3))[0].T

        def drawn(count: int) -> tuple[Tensor, Tensor]:
            """As many of each of the four combinations of signs, those nearest to an edge left out."""
            x = normal(rng, 8 * count, 10)
            along, across = (torch.tanh(x @ first.T) @ torch.stack([u, v], 1)).T
            clear = torch.minimum(along.abs() / along.std(), across.abs() / across.std()).argsort(descending=True)
            found = [clear[(along[clear] > 0).eq(one) & (across[clear] > 0).eq(other)][: count // 4]
                     for one in (True, False) for other in (True, False)]
            rows = torch.cat(found)
            return x[rows], (along[rows] * across[rows] > 0).long()

        (x, y), (x_test, labels) = drawn(n), drawn(200)
        inputs = {"first": first, "head": torch.stack([-w, w]), "x": x, "y": y, "x_test": x_test, "bottleneck": m}
        return Case(label, inputs, held={"labels": labels, "parameters": 2 * d * m + d + m})

    return [case("width 14, bottleneck 8", 14, 8, 400), case("width 12, bottleneck 10", 12, 10, 400)]


def _module(*, relu: bool = True, residual: bool = True, zero: str = "up", bias: bool = True, factor: int = 1) -> Any:
    """The module with one thing wrong, chosen by a keyword."""

    class Adapter(nn.Module):
        def __init__(self, width: int, bottleneck: int) -> None:
            super().__init__()
            self.down, self.up = nn.Linear(width, factor * bottleneck, bias), nn.Linear(factor * bottleneck, width, bias)
            for layer, name in ((self.down, "down"), (self.up, "up")):
                if zero in (name, "both"):
                    for p in layer.parameters():
                        nn.init.zeros_(p)

        def forward(self, h: Tensor) -> Tensor:
            z = self.down(h)
            return h * residual + self.up(torch.relu(z) if relu else z)

    return Adapter


MOVED = (
    "Before the first step your adapter already changes what passes through. Let the last layer start at zero (or nearly so), "
    "and add the input to what comes out."
)
COUNT = "Your adapter trains another number of parameters than two linear layers with biases, width -> bottleneck -> width."
DULL = (
    "Your adapter did not learn a task that no matrix can do. Is there a ReLU between the two layers, is one of the two layers "
    "started at random, and are all parameters trained?"
)

# Right, over 30 seeds and both cases: the model answer 0.99 to 1; without ReLU 0.43 to 0.58, both layers at zero 0.44 to 0.57.
adapter_module = Exercise(
    id="peft_family.adapter_module",
    answer=answers.peft_family_adapter_module,
    probe=probes.train_adapter,
    cases=adapter_module_cases,
    expected=lambda x_test, **_: (torch.zeros(len(x_test), 2), 0.0, 0.0),
    parts=[
        Part("change before the first step", 1, measure=measures.changed_before, at_most=0.05, says=MOVED),
        Part("parameters off", 1, measure=measures.count_off, at_most=0, says=COUNT),
        Part("share that is right", 3, measure=measures.right, at_least=0.85, says=DULL),
    ],
    misconceptions=[
        Misconception("no_relu", _module(relu=False), DULL, earns=2),
        Misconception("both_at_zero", _module(zero="both"), DULL, earns=2),
        Misconception("no_residual", _module(residual=False), MOVED, earns=4),
        Misconception("nothing_at_zero", _module(zero="none"), MOVED, earns=4),
        Misconception("no_biases", _module(bias=False), COUNT, earns=4),
        Misconception("twice_as_wide", _module(factor=2), COUNT, earns=4),
    ],
)
