"""Calling the student's function: what most exercises are asked with."""

from __future__ import annotations

import contextlib
import functools
import inspect
import unittest.mock
from collections.abc import Callable
from typing import Any

import torch


def call(answer: Callable, inputs: dict[str, Any]) -> Any:
    """Call the function with the inputs by their names; a renamed parameter is no mistake, so then by their order."""
    by_order, by_name = arguments(answer, inputs)
    return answer(*[inputs[name] for name in by_order], **{name: inputs[name] for name in by_name})


DIFFERENTIATES = (  # every way to a derivative ends in one of the first three
    (torch.autograd, "grad"), (torch.autograd, "backward"), (torch.autograd.forward_ad, "make_dual"),
    *((torch.func, name) for name in ("grad", "grad_and_value", "vjp", "jvp", "jacrev", "jacfwd", "hessian", "linearize")),
)
BY_HAND = "autograd is switched off here, for this exercise asks for the derivative by hand: write it down as a formula"


def without_autograd(answer: Callable, inputs: dict[str, Any]) -> Any:
    """The same where a derivative is to be worked out by hand: torch records nothing, and what would differentiate refuses.

    Raises:
        RuntimeError: with a sentence, when the answer asks torch for a gradient all the same.
    """
    with contextlib.ExitStack() as off:
        off.enter_context(torch.inference_mode())  # for names that were imported before: nothing is recorded for them
        for place, name in DIFFERENTIATES:
            off.enter_context(unittest.mock.patch.object(place, name, _refusal()))
        try:
            return call(answer, inputs)
        except RuntimeError as error:
            if "does not require grad" in str(error) or "nference" in str(error):
                raise RuntimeError(BY_HAND) from None
            raise


def _refusal() -> Callable:
    """A function of its own for each place: torch's compiler keeps a table of such functions, and wants no one in it twice."""

    def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError(BY_HAND)

    return refuse


def arguments(answer: Callable, inputs: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Which inputs go by position: as far as the signature goes, for positional-only parameters. And which go by name."""
    try:
        parameters = (_parameters if inspect.isfunction(answer) else _parameters.__wrapped__)(answer)
    except (TypeError, ValueError):  # builtins without a signature
        return list(inputs), []
    names = {p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
    if not set(inputs) <= names and not any(p.kind is p.VAR_KEYWORD for p in parameters):
        return list(inputs), []
    by_order = []
    for p in parameters:
        if p.name not in inputs or p.kind not in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD):
            break
        by_order.append(p.name)
    return by_order, [name for name in inputs if name not in by_order]


@functools.lru_cache(maxsize=1000)  # a grading asks the same few hundred functions again and again; only functions surely hash
def _parameters(answer: Callable) -> tuple[inspect.Parameter, ...]:
    """The parameters; those of the wrapped function where a wrapper takes whatever comes and says nothing of what it wraps."""
    parameters = tuple(inspect.signature(answer).parameters.values())
    if {p.kind for p in parameters} == {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}:
        wrapped = [f for cell in getattr(answer, "__closure__", None) or () if inspect.isfunction(f := _content(cell))]
        if len(wrapped) == 1:
            return _parameters.__wrapped__(wrapped[0])
    return parameters


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # empty yet
        return None
