"""Putting something in the place of a model's linear layers, by name: what the methods of this room share."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from torch import nn

from courselib.lora.inject import matches_name


def linear_named(model: nn.Module, targets: Iterable[str]) -> dict[str, nn.Linear]:
    """Path -> layer of every nn.Linear whose path is one of the targets or ends in one, at a dot, in the model's order.

    Raises ValueError for a target that matches none: a misspelt target is otherwise a layer that silently is not trained.
    """
    targets = (targets,) if isinstance(targets, str) else tuple(targets)
    layers = {path: module for path, module in model.named_modules() if isinstance(module, nn.Linear)}
    for target in targets:
        if not any(matches_name(path, [target]) for path in layers):
            endings = ", ".join(dict.fromkeys(path.rpartition(".")[2] for path in layers))
            raise ValueError(f"No linear layer's name ends in {target!r}. They end in {endings}.")
    return {path: layer for path, layer in layers.items() if matches_name(path, targets)}


def replace_module(model: nn.Module, path: str, new: nn.Module) -> None:
    """Puts `new` where the module at `path` was."""
    parent, _, child = path.rpartition(".")
    setattr(model.get_submodule(parent), child, new)


def wrap_linear(model: nn.Module, targets: Iterable[str], wrap: Callable[[nn.Linear], nn.Module]) -> nn.Module:
    """Freezes the model, replaces every linear layer named by the targets by `wrap(layer)`, and returns the model.

    What `wrap` adds is trainable, on the device and in the precision of the layer.
    """
    found = linear_named(model, targets)
    model.requires_grad_(False)
    for path, layer in found.items():
        replace_module(model, path, wrap(layer).to(layer.weight.device, layer.weight.dtype))
    return model


def trained_count(model: nn.Module) -> int:
    """How many numbers of the model are trained."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
