"""Exercises of chapter 10 on memory: accumulation, what is there before an activation, what grows with what, choosing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

import solutions.qlora as answers
from autograder.exercises.draws import integer, normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

# --- accumulated_loss -------------------------------------------------------------------------------------------------


def accumulated_loss_cases(rng: np.random.Generator) -> list[Case]:
    def losses(*lengths: int) -> list[Tensor]:
        return [level + 0.2 * normal(rng, n).abs() for level, n in zip((1.0, 3.0, 0.4, 2.0), lengths, strict=False)]

    return [
        Case("two batches of 6 tokens", {"token_losses": losses(6, 6)}, "equal"),
        Case("batches of 3, 12 and 5 tokens", {"token_losses": losses(3, 12, 5)}, "unequal"),
        Case("batches of 20, 2, 2 and 9 tokens", {"token_losses": losses(20, 2, 2, 9)}, "unequal"),
    ]


accumulated_loss = Exercise(
    id="qlora.accumulated_loss",
    answer=answers.qlora_accumulated_loss,
    cases=accumulated_loss_cases,
    parts=[Part("equal batches", 1, on="equal"), Part("unequal batches", 2, on="unequal")],
    misconceptions=[
        Misconception(
            "mean_of_means", lambda token_losses: float(np.mean([float(x.mean()) for x in token_losses])), earns=1,
            says="This is the mean of the batches' means. A token in a short batch then counts for more than one in a long "
            "batch; in "
            "the large batch all would have counted alike.",
        ),
        Misconception(
            "sum", lambda token_losses: float(sum(float(x.sum()) for x in token_losses)),
            "This is the sum over all tokens. The loss is their mean.",
        ),
        Misconception(
            "sum_of_means", lambda token_losses: float(sum(float(x.mean()) for x in token_losses)),
            "You added up the means of the batches. With k batches that makes the gradient k times too long.",
        ),
        Misconception(
            "over_batches", lambda token_losses: sum(float(x.sum()) for x in token_losses) / len(token_losses),
            "You divided the sum by the number of batches. There are more tokens than batches.",
        ),
        Misconception(
            "last", lambda token_losses: float(token_losses[-1].mean()),
            "This is the last batch alone: as if the gradients of the others had been cleared.",
        ),
    ],
)

# --- static_memory ----------------------------------------------------------------------------------------------------


def static_memory_cases(rng: np.random.Generator) -> list[Case]:
    parameters, trained = 10**8 * integer(rng, 20, 400), 10**6 * integer(rng, 30, 300)
    return [
        Case("7 billion at 4.127 bits, 40 million trained",
             {"parameters": 7 * 10**9, "weight_bits": 4.127, "trained": 40 * 10**6}, "four bits"),
        Case("another model at 4.5 bits", {"parameters": parameters, "weight_bits": 4.5, "trained": trained}, "four bits"),
        Case("the same at 16 bits", {"parameters": parameters, "weight_bits": 16.0, "trained": trained}, "sixteen bits"),
    ]


static_memory = Exercise(
    id="qlora.static_memory",
    answer=answers.qlora_static_memory,
    cases=static_memory_cases,
    parts=[Part("16 bits", 1, on="sixteen bits"), Part("4 bits and a little", 2, on="four bits")],
    misconceptions=[
        Misconception(
            "bits_as_bytes", lambda parameters, weight_bits, trained: (parameters * weight_bits + 16 * trained) / 1e9,
            "You took the bits of the frozen weights for bytes. A byte has eight bits.",
        ),
        Misconception(
            "twelve", lambda parameters, weight_bits, trained: (parameters * weight_bits / 8 + 12 * trained) / 1e9,
            "You counted 12 bytes for a trained parameter: gradient and two moments. The parameter itself stands beside the "
            "frozen "
            "weights, and takes 4 more.",
        ),
        Misconception(
            "all_trained", lambda parameters, weight_bits, trained: (parameters * weight_bits / 8 + 16 * parameters) / 1e9,
            "You gave every parameter a gradient and moments. Only the adapters' parameters have them.",
        ),
        Misconception(
            "frozen_alone", lambda parameters, weight_bits, trained: parameters * weight_bits / 8e9,
            "These are the frozen weights. The adapters' numbers, their gradients and moments come on top.",
        ),
        Misconception(
            "adapters_inside",
            lambda parameters, weight_bits, trained: ((parameters - trained) * weight_bits / 8 + 16 * trained) / 1e9,
            "You took the trained parameters off the frozen ones. Adapters are no part of the model: they stand beside it.",
        ),
        Misconception(
            "gibibytes", lambda parameters, weight_bits, trained: (parameters * weight_bits / 8 + 16 * trained) / 2**30,
            "You divided by 2^30. That is GiB; the exercise asks for GB of 10^9 bytes, which is 7 % less to a unit.",
        ),
    ],
)

# --- predict_growth ---------------------------------------------------------------------------------------------------

RIGHT: dict[str, dict[str, int]] = {
    "frozen weights": {"bits": 1},
    "adapter and its optimiser": {"rank": 1},
    "kept activations": {"batch": 1, "length": 1},
    "attention scores": {"batch": 1, "length": 2},
}


def predict_growth_cases(rng: np.random.Generator) -> list[Case]:
    return [
        Case(f"{item}, {factor:g} times the {knob}", {"item": item, "knob": knob, "factor": factor}, item)
        for item in RIGHT
        for knob in ("batch", "length", "rank", "bits")
        for factor in [float(integer(rng, 2, 9))]
    ]


def _growth(**changed: dict[str, float]) -> Any:
    """The answer of one who believes in these powers of the factor. Names with a _ for each space."""
    powers = RIGHT | {item.replace("_", " "): found for item, found in changed.items()}
    return lambda item, knob, factor: factor ** powers[item].get(knob, 0)


predict_growth = Exercise(
    id="qlora.predict_growth",
    answer=answers.qlora_predict_growth,
    cases=predict_growth_cases,
    parts=[Part(item, 1, on=item) for item in RIGHT],
    misconceptions=[
        Misconception(
            "bits_shrink_activations", _growth(kept_activations={"batch": 1, "length": 1, "bits": 1}), earns=3,
            says="You let the activations shrink with the bits of the weights. The weight is dequantised before it computes: "
            "what a "
            "layer saw is stored as it was. This is why QLoRA helps little where activations are most of the peak.",
        ),
        Misconception(
            "optimiser_of_all", _growth(adapter_and_its_optimiser={"bits": 1, "rank": 1}), earns=3,
            says="You let the optimiser depend on the bits of the frozen weights. Frozen weights have no moments; the adapters "
            "are "
            "float32 whatever stands beside them.",
        ),
        Misconception(
            "scores_linear", _growth(attention_scores={"batch": 1, "length": 1}), earns=3,
            says="You let the attention scores grow in proportion to the length. There is one for every *pair* of tokens.",
        ),
        Misconception(
            "weights_with_batch", _growth(frozen_weights={"bits": 1, "batch": 1}), earns=3,
            says="You let the weights grow with the batch. They are there once, whatever is put through them.",
        ),
        Misconception(
            "activations_quadratic", _growth(kept_activations={"batch": 1, "length": 2}), earns=3,
            says="You let all activations grow with the square of the length. Each token has the same number of them; only the "
            "table of "
            "scores, where it is kept, has one for every pair.",
        ),
    ],
)

# --- choose -----------------------------------------------------------------------------------------------------------


def choose_cases(rng: np.random.Generator) -> list[Case]:
    """Five ways: the fastest is too large, the next is worse, the next is too uncertain, then the right one, then a frugal
    one."""

    def case(label: str, card: float, group: str, n: int = 5, t: float = 2.776) -> Case:
        def gaps(mean: float, spread: float) -> Tensor:
            x = normal(rng, n)
            return mean + spread * (x - x.mean()) / x.std()

        ways = [(40.0, 10.0, gaps(0.0, 0.004)), (14.0, 12.0, gaps(-0.05, 0.004)), (13.0, 14.0, gaps(-0.004, 0.019)),
                (12.0, 18.0, gaps(-0.006, 0.006)), (9.0, 25.0, gaps(-0.003, 0.004))]
        order = rng.permutation(len(ways)).tolist()
        memory, seconds, found = zip(*[ways[i] for i in order], strict=True)
        return Case(label, {"memory": [m + 0.1 * rng.random() for m in memory], "seconds": [s + rng.random() for s in seconds],
                            "gaps": torch.stack(found), "card": card, "t": t, "margin": 0.02}, group)

    return [case("a card of 24 GB", 24.0, "fits"), case("a card of 80 GB", 80.0, "fits"), case("a card of 10 GB", 10.0, "small"),
            case("a card of 6 GB", 6.0, "none")]


def _choose(memory, seconds, gaps, card, t, margin, *, by="seconds", fits=True, good="interval", none=-1):
    """The answer with one thing wrong, chosen by a keyword."""
    half = t * gaps.std(1) / math.sqrt(gaps.shape[1])
    low = {"interval": gaps.mean(1) - half, "mean": gaps.mean(1), "": gaps.mean(1) + 1}[good]
    possible = [i for i in range(len(memory)) if (not fits or memory[i] <= card) and low[i] > -margin]
    return min(possible, key=lambda i: {"seconds": seconds, "memory": memory}[by][i], default=none)


def _wrong_choice(**how: Any) -> Any:
    return lambda **inputs: _choose(**inputs, **how)


choose = Exercise(
    id="qlora.choose",
    answer=answers.qlora_choose,
    cases=choose_cases,
    parts=[Part("the way to take", 2, on="fits"), Part("a small card", 1, on="small"), Part("no way fits", 1, on="none")],
    misconceptions=[
        Misconception(
            "smallest", _wrong_choice(by="memory"), earns=2,
            says="You took the way that needs least memory. What fits, fits; among those that fit and are as good, time decides.",
        ),
        Misconception(
            "does_not_fit", _wrong_choice(fits=False), earns=0,
            says="The way you took does not fit on the card.",
        ),
        Misconception(
            "accuracy_ignored", _wrong_choice(good=""), earns=2,
            says="You took the fastest way that fits, whatever it costs in accuracy.",
        ),
        Misconception(
            "mean_only", _wrong_choice(good="mean"), earns=2,
            says="You looked at the mean gap only. With so few seeds a mean may lie within the margin by luck: the whole "
            "interval has to.",
        ),
        Misconception(
            "first_where_none", _wrong_choice(none=0), earns=3,
            says="Where nothing fits you named a way all the same. Then the answer is -1: another card, or another model.",
        ),
    ],
)
