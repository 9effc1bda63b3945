"""Exercises of chapter 08 on names: which layers get an adapter, and an adapter of peft's put into the weights it belongs to."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

import solutions.lora as answers
from autograder.exercises.draws import integer, normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

# --- targets ----------------------------------------------------------------------------------------------------------


def _names(layers: int) -> list[str]:
    """The linear layers of a BERT-like model, with two that only look alike: subquery, and a head called dense_query."""
    inside = ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense", "output.dense")
    return [f"encoder.layer.{i}.{name}" for i in range(layers) for name in inside] + ["encoder.subquery", "dense_query", "pooler"]


def targets_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, targets: list[str], group: str = "main") -> Case:
        return Case(label, {"names": _names(integer(rng, 2, 4)), "targets": targets}, group)

    return [
        case("value and query", ["value", "query"]),
        case("attention.output.dense, the end of a longer name", ["attention.output.dense"]),
        case("dense and attention.output.dense, which overlap", ["attention.output.dense", "dense"]),
        case("a whole name", ["pooler", f"encoder.layer.{integer(rng, 0, 1)}.attention.self.key"]),
        case("a misspelt target beside a right one", ["query", "vaule"], "misspelt"),
    ]


def _ends(name: str, target: str) -> bool:
    return name == target or name.endswith("." + target)


def _targets(names: list[str], targets: list[str], *, match: Any = _ends, quiet: bool = False) -> tuple[str, ...]:
    if not quiet and any(not any(match(name, target) for name in names) for target in targets):
        raise ValueError("no such layer")
    return tuple(name for name in names if any(match(name, target) for target in targets))


def first_of_each(names: list[str], targets: list[str]) -> tuple[str, ...]:
    if any(not any(_ends(name, target) for name in names) for target in targets):
        raise ValueError("no such layer")
    return tuple(next(name for name in names if _ends(name, target)) for target in targets)


def target_by_target(names: list[str], targets: list[str]) -> tuple[str, ...]:
    _targets(names, targets)
    return tuple(name for target in targets for name in names if _ends(name, target))


targets = Exercise(
    id="lora.targets",
    answer=answers.lora_targets,
    cases=targets_cases,
    refuses=ValueError,
    parts=[Part("the names", 2, on="main"), Part("a target that matches nothing", 1, on="misspelt")],
    misconceptions=[
        Misconception(
            "anywhere", lambda names, targets: _targets(names, targets, match=lambda name, target: target in name), earns=1,
            says="You looked for the target anywhere in the name. `query` is also in `subquery`, and `dense` in `dense_query`: "
            "only "
            "a whole name, or what stands after a dot at the end, counts.",
        ),
        Misconception(
            "no_dot", lambda names, targets: _targets(names, targets, match=str.endswith), earns=1,
            says="You asked whether the name ends in the target, without the dot before it: `encoder.subquery` ends in `query` "
            "too.",
        ),
        Misconception(
            "last_part_only",
            lambda names, targets: _targets(names, targets, match=lambda name, t: name.rsplit(".", 1)[-1] == t, quiet=True),
            says="You compared the last part of the name only. A target may have dots of its own: `attention.output.dense` is "
            "how one "
            "leaves out the other `dense`.",
        ),
        Misconception(
            "misspelt_let_pass", lambda names, targets: _targets(names, targets, quiet=True), earns=2,
            says="The names are right. But a target that matches no layer is let pass: that layer is then silently not trained. "
            "Raise a ValueError.",
        ),
        Misconception(
            "first_of_each", first_of_each, earns=1,
            says="You took the first match of each target. Every layer of the model has one, and all of them get an adapter.",
        ),
        Misconception(
            "target_by_target", target_by_target, earns=1,
            says="You went through the targets first. That gives another order, and names that match two targets come twice.",
        ),
    ],
)

# --- merge_checkpoint -------------------------------------------------------------------------------------------------


def merge_checkpoint_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, r: int, alpha: float, rslora: bool, adapted: list[str], group: str) -> Case:
        base, adapter = {}, {}
        for layer in ("layer.0.query", "layer.0.key", "layer.0.value", "layer.10.query"):
            base[f"{layer}.weight"], base[f"{layer}.bias"] = normal(rng, 6, 6), normal(rng, 6)
        base["head.weight"] = normal(rng, 3, 6)
        for layer in reversed(adapted):  # a file has its tensors in an order of its own
            d_out, d_in = base[f"{layer}.weight"].shape
            adapter[f"base_model.model.{layer}.lora_B.weight"] = normal(rng, d_out, r)
            adapter[f"base_model.model.{layer}.lora_A.weight"] = normal(rng, r, d_in)
        inputs = {"base": base, "adapter": adapter, "r": r, "lora_alpha": alpha, "use_rslora": rslora}
        return Case(label, inputs, group)

    return [
        case("two layers adapted, r 2, lora_alpha 6", 2, 6.0, False, ["layer.0.query", "layer.10.query"], "plain"),
        case("query and head, r 4, lora_alpha 3", 4, 3.0, False, ["layer.0.query", "head"], "plain"),
        case("r 3, lora_alpha 8, use_rslora", 3, 8.0, True, ["layer.0.value"], "rslora"),
    ]


def _merge(base: dict, adapter: dict, r: int, lora_alpha: float, use_rslora: bool, *, scale: Any = None, by_order: bool = False,
           turn: bool = False) -> tuple:
    s = scale(r, lora_alpha) if scale else lora_alpha / math.sqrt(r) if use_rslora else lora_alpha / r
    pairs = iter([(adapter[k], adapter[k.replace("lora_B", "lora_A")]) for k in adapter if "lora_B" in k])
    merged = []
    for name, tensor in base.items():
        key = "base_model.model." + name.removesuffix(".weight")
        if by_order and name.endswith(".weight"):
            B, A = next(pairs, (None, None))
            fits = B is not None and (B.shape[0], A.shape[1]) == tuple(tensor.shape)
        else:
            B, A = adapter.get(key + ".lora_B.weight"), adapter.get(key + ".lora_A.weight")
            fits = B is not None and name.endswith(".weight")
        if fits:
            update = B @ A
            tensor = tensor + s * (update.T if turn and update.shape[0] == update.shape[1] else update)
        merged.append(torch.as_tensor(tensor))
    return tuple(merged)


def _wrong_merge(**how: Any) -> Any:
    return lambda base, adapter, r, lora_alpha, use_rslora: _merge(base, adapter, r, lora_alpha, use_rslora, **how)


merge_checkpoint = Exercise(
    id="lora.merge_checkpoint",
    answer=answers.lora_merge_checkpoint,
    cases=merge_checkpoint_cases,
    parts=[Part("scale α/r", 2, on="plain"), Part("use_rslora", 1, on="rslora")],
    misconceptions=[
        Misconception(
            "rslora_ignored", _wrong_merge(scale=lambda r, alpha: alpha / r), earns=2,
            says="You always scale by lora_alpha / r. An adapter that was trained with use_rslora wants lora_alpha / √r, and "
            "its file "
            "does not hold the scale: it has to be read from the configuration.",
        ),
        Misconception(
            "always_rslora", _wrong_merge(scale=lambda r, alpha: alpha / math.sqrt(r)), earns=1,
            says="You always scale by lora_alpha / √r. That is for use_rslora; otherwise it is lora_alpha / r.",
        ),
        Misconception(
            "no_scale", _wrong_merge(scale=lambda r, alpha: 1.0),
            says="The scale is missing: the update is lora_alpha / r times B A.",
        ),
        Misconception(
            "by_order", _wrong_merge(by_order=True),
            says="You took the adapter's pairs one after another for the weights in their order. A file keeps no such order, "
            "and most "
            "layers have no adapter: match them by name.",
        ),
        Misconception(
            "update_transposed", _wrong_merge(turn=True),
            says="You added (B A) transposed. lora_B is (d_out, r) and lora_A is (r, d_in): B A already has the weight's "
            "shape. In a "
            "square matrix nothing complains.",
        ),
        Misconception(
            "nothing_found", _wrong_merge(scale=lambda r, alpha: 0.0),
            says="These are the base model's weights: no name of the adapter was found. peft puts `base_model.model.` in "
            "front, and "
            "`lora_A.weight` stands where the base says `weight`.",
        ),
    ],
)
