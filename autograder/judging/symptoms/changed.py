"""What the right function gives for inputs that are changed in one way: two arguments exchanged, one squared, one left out.

The values come from the model answer, so they are computed where it is: by `autograder.exercises.changes`, on the judge's side
when an answer is wrong, and before a bundle is handed out. Here they are data, and only compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograder.judging.symptoms.factors import in_a_word, in_quantities
from autograder.judging.symptoms.seen import Seen

ENOUGH = 3.0  # of what `_worth` gives: two numbers with decimals, three counts, one array


@dataclass(frozen=True)
class Changed:
    """One way to change the inputs. `says` completes "This is what comes out ..."; `outputs` has one plain output a case.

    An output is None in a case where the change is none, or where the right function fails on it.
    """

    name: str
    says: str
    outputs: Sequence[Any]


def as_if_changed(seen: Seen, which: list[int], of: int | None, changes: list[Changed]) -> dict[int, float]:
    """The changes (by their place in the list) that explain what came in all cases, and how much that proves (see `ENOUGH`).

    `which` are the cases that `seen` holds, and `of` is the value of the output that it looks at.
    """
    found: dict[int, float] = {}
    for place, change in enumerate(changes):
        proof = 0.0
        for i, came, wrong in zip(which, seen.came, seen.wrong, strict=True):
            there = _component(change.outputs[i], of)
            if there is None or not seen.same(came, there):
                break
            proof += _worth(came) if wrong else 0.0
        else:
            found[place] = proof
    return found


def enough(change: Changed, proof: float) -> bool:
    """Whether so much proves it. A constant is one of many that were tried, so it has to explain more."""
    return proof > ENOUGH if change.name.endswith("_constant") else proof >= ENOUGH


def in_words(places: list[int], changes: list[Changed]) -> tuple[str, str]:
    """The name and the sentence of the first of these changes; and a second one, where the cases cannot tell."""
    name, says = changes[places[0]].name, changes[places[0]].says
    others = [changes[place].says for place in places[1:] if changes[place].says != says][:1]
    also = f" It is also what comes out {others[0].split(':')[0].rstrip('?')}: these cases cannot tell." if others else ""
    return name, f"Your values are what comes out {says}{'' if says.endswith('?') else '.'}{also}"


def part_of_it(seen: Seen, which: list[int], of: int | None, changes: list[Changed]) -> tuple[str, str] | None:
    """The part that one input brings in is scaled, and the rest is right: `came - without = factor * (right - without)`."""
    if not seen.shapes_agree or seen.evidence < 2:
        return None
    few = len(seen.came) < 3 or not any(np.any(v % 1) for v in (*seen.came, *seen.right))
    for change in changes:
        if not change.name.endswith("_zero"):
            continue
        rates, inputs = [], []
        for i, came, right, case in zip(which, seen.came, seen.right, seen.inputs, strict=True):
            without = _component(change.outputs[i], of)
            if without is None or not all(np.isfinite(v).all() for v in (came, right, without)):
                break
            square = float(((right - without) ** 2).sum())
            if square == 0 and seen.same(came, right):
                continue
            rate = float(((came - without) * (right - without)).sum()) / square if square else 0.0
            if (came.size < 2 and few) or not seen.same(came, without + rate * (right - without)) or rate == 0:
                break
            rates.append(rate)
            inputs.append(case)
        else:
            said = in_a_word(np.array(rates)) or in_quantities(np.array(rates), inputs, seen.tolerance, True) if rates else None
            if said:
                name = change.name.removesuffix("_zero")
                return (
                    f"part_of_{name}",
                    f"What {name} brings in is {said[0]}, and the rest is right. {said[1][:1].upper()}{said[1][1:]}",
                )
    return None


def part_turned(seen: Seen, which: list[int], of: int | None, changes: list[Changed]) -> tuple[str, str] | None:
    """The part that one input brings in has become its absolute value, or its square ...; and the rest is right."""
    if not seen.shapes_agree or seen.evidence < 4:
        return None
    for change in changes:
        name = change.name.removesuffix("_zero")
        if name == change.name or not hasattr(seen.inputs[0].get(name), "shape"):
            continue
        without = [_component(change.outputs[i], of) for i in which]
        if any(w is None for w in without):
            continue
        for words, turn in PARTS:
            pairs = zip(seen.came, seen.right, without, strict=True)
            if all(seen.same(c, w + turn(r - w)) for c, r, w in pairs):
                return f"part_of_{name}", f"What {name} brings in is {words}, and the rest is right."
    return None


def _transposed(part: np.ndarray) -> np.ndarray:
    square = part.ndim > 1 and part.shape[-1] == part.shape[-2]
    return np.swapaxes(part, -1, -2) if square else np.full(part.shape, np.nan)


PARTS = (
    ("there without its sign", np.abs), ("cut off at 0", lambda p: np.maximum(p, 0)), ("squared", np.square),
    ("there as its tanh", np.tanh), ("transposed", _transposed),
)  # fmt: skip


def combined(seen: Seen, which: list[int], of: int | None, changes: list[Changed]) -> tuple[str, str] | None:
    """The right values and those for changed inputs, put together: their mean, their difference, their product."""
    if not seen.shapes_agree or seen.evidence < 3:
        return None
    for change in changes:
        if change.name.endswith("_constant"):
            continue
        for words, join in JOINS:
            for i, came, right in zip(which, seen.came, seen.right, strict=True):
                there = _component(change.outputs[i], of)
                if there is None or not seen.same(came, join(right, there)):
                    break
            else:
                if not all(seen.same(_component(change.outputs[i], of), r) for i, r in zip(which, seen.right, strict=True)):
                    says = change.says.split(":")[0].rstrip("?")
                    return "combined", f"Your values are {words} the right ones and what comes out {says}."
    return None


JOINS = (("the mean of", lambda r, v: (r + v) / 2), ("the sum of", lambda r, v: r + v),
         ("the difference between", lambda r, v: r - v), ("the product of", lambda r, v: r * v),
         ("the larger ones of", np.maximum), ("the smaller ones of", np.minimum))  # fmt: skip


def _component(output: Any, of: int | None) -> Any:
    if of is not None:
        output = output[of] if isinstance(output, tuple) and of < len(output) else None
    return np.asarray(output, float) if isinstance(output, (int, float, np.ndarray)) and not isinstance(output, bool) else output


def _worth(came: Any) -> float:
    """How much it proves that this came out as predicted: a number with decimals is hardly met by chance, a count often is."""
    if not isinstance(came, np.ndarray):
        return 1.0
    if came.size > 1:
        return 3.0 if np.any(came % 1) or len(np.unique(came)) > 2 else 1.0
    return 1.5 if np.isfinite(came) and (float(came) % 1 or abs(float(came)) >= 1000) else 1.0
