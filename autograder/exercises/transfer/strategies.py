"""Exercises of chapter 02 on strategies: what fine-tuning is, what is trained, when, how fast, and which to choose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import solutions.transfer as answers
from autograder.exercises.draws import integer
from autograder.exercises.exercise import Case, Exercise, Misconception, Part, Written

# --- definition -------------------------------------------------------------------------------------------------------

definition = Exercise(
    id="transfer.definition",
    answer=answers.transfer_definition,
    cases=lambda rng: [Case("the four sentences", {})],
    parts=[Part("answer", 1)],
    misconceptions=[
        Misconception(
            "scratch", lambda: "A",
            "A is training from scratch: the architecture is kept, what pretraining learned is not.",
        ),
        Misconception(
            "feature_extraction", lambda: "B",
            "B is feature extraction (a linear probe, if the new part is one linear layer). It is a strategy of transfer, and no "
            "pretrained weight learns anything. Mind the edge case: LoRA and adapters freeze the old weights too, and "
            "everybody calls them fine-tuning, because what they add changes the inside of the model and not just its top.",
        ),
        Misconception(
            "no_training", lambda: "D",
            "D trains no weight at all: it prepares data and chooses settings, which any method needs.",
        ),
    ],
)

# --- trainable_parameters ---------------------------------------------------------------------------------------------


def _stack(rng: np.random.Generator, layers: int) -> dict[str, int]:
    counts = {"embeddings": 1_000 * integer(rng, 900, 1_500)}
    for i in range(layers):
        counts[f"layer.{i}"] = 20_000 + 3_000 * i + integer(rng, 0, 2_000)  # growing, so that a wrong layer shows
    return counts | {"head": integer(rng, 500, 900)}


def trainable_cases(rng: np.random.Generator) -> list[Case]:
    small, large = _stack(rng, 4), _stack(rng, 12)
    names = list(large)
    rng.shuffle(names)
    mixed = {name: large[name] for name in names}
    bert = {"embeddings": 23_837_184, **{f"layer.{i}": 7_087_872 for i in range(12)}, "head": 1_538}

    def case(label: str, counts: dict[str, int], strategy: str, group: str) -> Case:
        return Case(f"{strategy}, {label}", {"counts": counts, "strategy": strategy}, group)

    return [
        case("BERT-base, two classes", bert, "full", "simple"),
        case("4 layers", small, "scratch", "simple"),
        case("BERT-base, two classes", bert, "feature_extraction", "simple"),
        case("4 layers", small, "feature_extraction", "simple"),
        case("BERT-base, two classes", bert, "top_2", "top"),
        case("4 layers", small, "top_1", "top"),
        case("4 layers", small, "top_4", "top"),
        case("4 layers", small, "top_0", "top"),
        case("12 layers", large, "top_3", "many layers"),
        case("12 layers, blocks in another order", mixed, "top_10", "many layers"),
        case("4 layers", small, "top_5", "refused"),
        case("4 layers", small, "bottom_2", "refused"),
    ]


def _count(counts: dict[str, int], strategy: str, *, pick: Callable | None = None, head: bool = True, order: Any = None,
           embeddings: bool = False, feature: Callable | None = None, scratch: Callable | None = None) -> int:
    """The right count with one thing wrong, chosen by a keyword."""
    order = order or (lambda names: sorted(names, key=lambda name: int(name.split(".")[1])))
    layers = order([name for name in counts if name.startswith("layer.")])
    if strategy == "scratch" and scratch:
        return scratch(counts)
    if strategy in ("full", "scratch"):
        return sum(counts.values())
    if strategy == "feature_extraction":
        return feature(counts) if feature else counts["head"]
    if not strategy.startswith("top_") or int(strategy[4:]) > len(layers):
        raise ValueError
    n = int(strategy[4:])
    chosen = pick(layers, n) if pick else layers[len(layers) - n :]
    return sum(counts[name] for name in chosen) + head * counts["head"] + embeddings * counts["embeddings"]


def _wrong_count(**how: Any) -> Callable:
    return lambda counts, strategy: _count(counts, strategy, **how)


trainable_parameters = Exercise(
    id="transfer.trainable_parameters",
    answer=answers.transfer_trainable_parameters,
    cases=trainable_cases,
    refuses=ValueError,
    parts=[
        Part("everything, or the head", 1, on="simple"), Part("the top layers", 1, on="top"),
        Part("twelve layers, any order", 1, on="many layers"), Part("refuses what does not exist", 1, on="refused"),
    ],
    misconceptions=[
        Misconception(
            "from_the_bottom", _wrong_count(pick=lambda layers, n: layers[:n]), earns=2,
            says="You trained the N lowest layers. layer.0 stands next to the embeddings; the top is the other end.",
        ),
        Misconception(
            "head_forgotten", _wrong_count(head=False), earns=2,
            says="Under top_N you forgot the head. It is new, it knows nothing, and every strategy trains it.",
        ),
        Misconception(
            "sorted_as_text", _wrong_count(order=sorted), earns=3,
            says='You sorted the names as text, where "layer.10" comes before "layer.9". Sort by the number.',
        ),
        Misconception(
            "embeddings_too", _wrong_count(embeddings=True), earns=2,
            says="You trained the embeddings under top_N. They lie below all layers; only full and scratch train them.",
        ),
        Misconception(
            "minus_zero", _wrong_count(pick=lambda layers, n: layers[-n:]), earns=3,
            says="For top_0 you trained all layers: in Python layers[-0:] is the whole list. Write layers[len(layers) - N:].",
        ),
        Misconception(
            "encoder_instead", _wrong_count(feature=lambda counts: sum(counts.values()) - counts["head"]), earns=3,
            says="For feature extraction you counted what is frozen. What is trained is the head.",
        ),
        Misconception(
            "scratch_is_nothing", _wrong_count(scratch=lambda counts: 0), earns=3,
            says="From scratch nothing is pretrained, but everything is trained.",
        ),
        Misconception(
            "head_is_a_layer", _wrong_count(pick=lambda layers, n: layers[len(layers) - n + 1 :] if n else []), earns=2,
            says="You counted the head as one of the N layers. top_2 is the head and two layers.",
        ),
    ],
)

# --- gradual_unfreezing -----------------------------------------------------------------------------------------------


def gradual_cases(rng: np.random.Generator) -> list[Case]:
    def case(layers: int, every: int, steps: int, group: str) -> Case:
        counts = [40_000, *(2_000 * (i + 2) + integer(rng, 0, 900) for i in range(layers)), integer(rng, 200, 900)]
        inputs = {"counts": counts, "every": every, "steps": steps}
        return Case(f"{layers} layers, every {every} steps, {steps} steps", inputs, group)

    return [case(4, 3, 11, "short"), case(3, 2, 7, "short"), case(2, 2, 13, "long"), case(3, 1, 8, "long")]


def _gradual(
    counts: list[int], every: int, steps: int, *, shift: int = 0, window: bool = False, bottom: bool = False,
) -> list[int]:
    out = []
    for step in range(steps):
        free = max(1, min(len(counts), 1 + (step + shift) // every))
        if window:
            out.append(counts[len(counts) - free])
        elif bottom:
            out.append(counts[-1] + sum(counts[: free - 1]) if free < len(counts) else sum(counts))
        else:
            out.append(sum(counts[len(counts) - free :]))
    return out


def _never_all(counts: list[int], every: int, steps: int) -> list[int]:
    return [sum(counts[len(counts) - min(len(counts) - 1, 1 + step // every) :]) for step in range(steps)]


gradual_unfreezing = Exercise(
    id="transfer.gradual_unfreezing",
    answer=answers.transfer_gradual_unfreezing,
    cases=gradual_cases,
    parts=[
        Part("as many numbers as steps", 1, shape_only=True), Part("while blocks are set free", 2, on="short"),
        Part("until everything is free, and after", 1, on="long"),
    ],
    misconceptions=[
        Misconception(
            "all_at_once", lambda counts, every, steps: [sum(counts)] * steps, earns=1,
            says="Here everything is trained from the first step. That is also what a loop that sets requires_grad=True on a "
            "freshly loaded model does: nothing, since it is True already.",
        ),
        Misconception(
            "one_early", lambda counts, every, steps: _gradual(counts, every, steps, shift=1), earns=1,
            says="You set blocks free one step too early: all of the first `every` steps belong to the head alone.",
        ),
        Misconception(
            "one_late", lambda counts, every, steps: _gradual(counts, every, steps, shift=-1), earns=1,
            says="You set blocks free one step too late: the first `every` steps belong to the head, and the next step already "
            "trains the block below.",
        ),
        Misconception(
            "one_period_late", lambda counts, every, steps: _gradual(counts, every, steps, shift=-every), earns=1,
            says="You set blocks free one whole period too late: the head alone is trained for `every` steps, "
            "not for twice as many.",
        ),
        Misconception(
            "window", lambda counts, every, steps: _gradual(counts, every, steps, window=True), earns=1,
            says="You freeze a block again when the next is set free. In gradual unfreezing what is free stays free.",
        ),
        Misconception(
            "from_the_bottom", lambda counts, every, steps: _gradual(counts, every, steps, bottom=True), earns=1,
            says="You set the lower blocks free first. The uppermost layer comes first: it is the most specialised, and next to "
            "the new head.",
        ),
        Misconception(
            "embeddings_never", _never_all, earns=3,
            says="Your embeddings stay frozen for ever. They are the last block to be set free.",
        ),
        Misconception(
            "head_frozen",
            lambda counts, every, steps: [total - counts[-1] for total in _gradual(counts, every, steps)], earns=1,
            says="The head is missing. It is new, so it is trained from the first step to the last.",
        ),
    ],
)

# --- finetune_learning_rate -------------------------------------------------------------------------------------------


def learning_rate_cases(rng: np.random.Generator) -> list[Case]:
    lr, ratio = float(rng.uniform(2e-4, 9e-4)), float(integer(rng, 12, 90))
    return [
        Case("1e-4, ratio 10", {"pretraining_lr": 1e-4, "ratio": 10.0}),
        Case("3e-4, ratio 30", {"pretraining_lr": 3e-4, "ratio": 30.0}),
        Case(f"{lr:.3g}, ratio {ratio:g}", {"pretraining_lr": lr, "ratio": ratio}),
    ]


finetune_learning_rate = Exercise(
    id="transfer.finetune_learning_rate",
    answer=answers.transfer_finetune_learning_rate,
    cases=learning_rate_cases,
    parts=[Part("value", 1)],
    misconceptions=[
        Misconception(
            "multiplied", lambda pretraining_lr, ratio: pretraining_lr * ratio,
            "You made the rate larger. `ratio` is pretraining over fine-tuning, so fine-tuning's is smaller by that factor.",
        ),
        Misconception(
            "percent", lambda pretraining_lr, ratio: pretraining_lr * ratio / 100,
            "You took `ratio` for a percentage. 10 means ten times smaller, not 10 % of it or 10 % less.",
        ),
        Misconception(
            "reduced_by", lambda pretraining_lr, ratio: pretraining_lr * (1 - 1 / ratio),
            "You took 1/ratio away. Asked is the 1/ratio that remains.",
        ),
        Misconception(
            "exponent", lambda pretraining_lr, ratio: pretraining_lr * 10.0 ** (-ratio),
            "You took `ratio` for a number of decimal places.",
        ),
        Misconception(
            "unchanged", lambda pretraining_lr, ratio: pretraining_lr,
            "This is the rate of pretraining itself.",
        ),
    ],
)

# --- scenarios --------------------------------------------------------------------------------------------------------

scenarios = Written(
    id="transfer.scenarios",
    answer=answers.transfer_scenarios,
    rubric=[
        (1, "A: full fine-tuning (or a measured reason against it); static memory is 16 bytes a parameter, 1.74 GB of 16"),
        (1, "B: few trained parameters, such as LoRA or a probe, augmentation on the training split; memory is not the reason"),
        (1, "C: one base and 20 adapters, about 0.46 GB instead of 8.7 GB"),
        (1, "says what to measure: the same validation split, several seeds, a cheap baseline"),
    ],
)
