"""LoRA for a whole model: find the linear layers by name, wrap them, freeze the rest, switch, merge, count.

A Transformer is a tree of named modules. `add_lora` walks it and puts a `LinearLoRA` in the place of every
`nn.Linear` whose name ends in one of the targets; the model is used as before. Hu et al. 2021
(arXiv:2106.09685, section 4.2) adapt the attention projections only, and mostly query and value, which is the
default here.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from torch import nn

from courselib.lora.layer import LinearLoRA, check_settings


def add_lora(
    model: nn.Module, targets: Iterable[str] = ("query", "value"), rank: int = 8, alpha: float = 16,
    dropout: float = 0.0, rslora: bool = False, name: str = "default", train_also: Iterable[str] = (),
) -> nn.Module:
    """Wraps every matching linear layer in place, freezes all else, and returns the same model.

    `targets`: module names, or their last parts ("query" matches "encoder.layer.0.attention.self.query", and
    not "subquery"). `train_also`: modules to train in full beside the adapters, by the same rule, such as the
    fresh ("classifier",) of a classification model. A second call with another `name` adds a second adapter,
    and makes it the active one. Layers are visited in the order of `model.named_modules()`, as peft visits
    them, so the same seed draws the same A. Raises ValueError, before anything is changed, when a target or a
    module of `train_also` matches nothing, when a setting cannot be, or when the adapter exists.
    """
    targets, train_also = _names(targets), _names(train_also)
    matches = linear_layers(model)
    for target in targets or ("",):
        if not any(matches_name(path, [target]) for path in matches):
            raise ValueError(f"no linear layer of this {type(model).__name__} has a name that ends in "
                             f"{target!r}. {_available(matches)}")
    trained = [path for path in visible_modules(model) if matches_name(path, train_also)]
    for wanted in train_also:
        if not any(matches_name(path, [wanted]) for path in trained):
            top = ", ".join(child for child, _ in model.named_children())
            raise ValueError(f"train_also names {wanted!r}, but no module of this {type(model).__name__} has "
                             f"a name that ends so. At the top it has {top}.")
    paths = [path for path in matches if matches_name(path, targets)]
    adapted = paths + [path for path, _ in lora_layers(model)]
    if both := [path for path in adapted if is_under(path, trained)]:
        raise ValueError(f"{both[0]!r} would have an adapter and be trained in full as well. Take it out of "
                         "targets, or out of train_also.")
    add_adapters(model, paths, trained, name, rank, alpha, dropout, rslora)
    return model


def add_adapters(
    model: nn.Module, paths: list[str], train_also: list[str], name: str, rank: int, alpha: float,
    dropout: float, rslora: bool,
) -> None:
    """Gives the linear layers at exactly these paths an adapter, and freezes all but it and `train_also`."""
    check_settings(rank, alpha, dropout, name)
    if merged := [path for path, layer in lora_layers(model) if layer.merged is not None]:
        raise ValueError(f"{merged[0]!r} has an adapter merged into its weight. Call unmerge(model) first.")
    if name in adapter_names(model):
        raise ValueError(f"there is an adapter {name!r} in this model already. Choose another name, or use "
                         f"set_adapter(model, {name!r}) to switch to it.")
    for _, layer in lora_layers(model):
        layer.set_adapter(None)
    model.requires_grad_(False)
    for path in paths:
        layer = model.get_submodule(path)
        if isinstance(layer, LinearLoRA):
            layer.add_adapter(name, rank, alpha, dropout, rslora)
        else:
            parent, _, child = path.rpartition(".")
            setattr(model.get_submodule(parent), child, LinearLoRA(layer, rank, alpha, dropout, rslora, name))
    for path in train_also:
        model.get_submodule(path).requires_grad_(True)
    # remembered, because adding a second adapter freezes them, and the first must still be saved whole
    model.lora_train_also = getattr(model, "lora_train_also", {}) | {name: train_also}


def linear_layers(model: nn.Module) -> dict[str, nn.Module]:
    """Path -> layer, in model order, of all that have or could have an adapter: LinearLoRA and nn.Linear."""
    return {path: module for path, module in visible_modules(model).items()
            if path and isinstance(module, nn.Linear | LinearLoRA)}


def visible_modules(model: nn.Module) -> dict[str, nn.Module]:
    """Path -> module, without the insides of LoRA layers: an adapter may be named as a module outside is."""
    inside = tuple(path + "." for path, _ in lora_layers(model))
    return {path: module for path, module in model.named_modules() if not path.startswith(inside)}


def lora_layers(model: nn.Module) -> list[tuple[str, LinearLoRA]]:
    """(path, layer) of every LoRA layer, in model order."""
    return [(path, module) for path, module in model.named_modules() if isinstance(module, LinearLoRA)]


def matches_name(path: str, names: Iterable[str]) -> bool:
    """Whether `path` is one of the names or ends in one of them, at a dot: peft's rule for targets."""
    return any(path == name or path.endswith("." + name) for name in names)


def is_under(path: str, roots: Iterable[str]) -> bool:
    """Whether `path` is one of the roots or lies inside one of them."""
    return any(path == root or path.startswith(root + ".") for root in roots)


def adapter_names(model: nn.Module) -> list[str]:
    """The names of all adapters in the model, in the order they were first met."""
    return list(dict.fromkeys(name for _, layer in lora_layers(model) for name in layer.lora_A))


def set_adapter(model: nn.Module, name: str | None) -> None:
    """Switches the whole model to one adapter, which becomes the only trainable one; None switches all off.

    Layers that do not have this adapter compute as the base model does. Modules of `train_also` are not
    touched: there is one of each, shared by all adapters. Raises ValueError for an unknown name, or while
    merged.
    """
    layers = _need_layers(model)
    if name is not None and name not in adapter_names(model):
        known = ", ".join(adapter_names(model))
        raise ValueError(f"there is no adapter {name!r} in this model; it has {known}.")
    _need_unmerged(layers, "switching")
    for layer in layers:
        layer.set_adapter(name if name in layer.lora_A else None)


@contextmanager
def disabled(model: nn.Module) -> Iterator[nn.Module]:
    """`with disabled(model):` runs the base model, exactly; afterwards each layer is as it was before.

    Modules of `train_also` stay as they are trained. Raises ValueError while an adapter is merged.
    """
    layers = _need_layers(model)
    _need_unmerged(layers, "disabling")
    before = [layer.active for layer in layers]
    try:
        for layer in layers:
            layer.active = None
        yield model
    finally:
        for layer, active in zip(layers, before, strict=True):
            layer.active = active


def merge(model: nn.Module) -> nn.Module:
    """Puts the active adapter into the weights of every layer, and returns the model: no extra cost when run.

    The outputs stay the same up to rounding. Raises ValueError when no adapter is active or one is merged
    already.
    """
    layers = _need_layers(model)
    if any(layer.merged is not None for layer in layers):
        raise ValueError("an adapter is merged already, and merging again would add it twice; unmerge first.")
    active = [layer for layer in layers if layer.active is not None]
    if not active:
        raise ValueError(f"no adapter is active, so there is nothing to merge. Activate one of "
                         f"{', '.join(adapter_names(model))} with set_adapter(model, name).")
    for layer in active:
        layer.merge()
    return model


def unmerge(model: nn.Module) -> nn.Module:
    """Puts the original weights back, bit for bit, and returns the model. Raises ValueError if nothing is
    merged."""
    merged = [layer for layer in _need_layers(model) if layer.merged is not None]
    if not merged:
        raise ValueError("no adapter is merged into this model, so there is nothing to take out.")
    for layer in merged:
        layer.unmerge()
    return model


@dataclass(frozen=True)
class TrainableReport:
    """How many parameters there are and how many of them train; prints as one line, in peft's words."""

    trainable: int
    total: int

    @property
    def percent(self) -> float:
        """100 * trainable / total."""
        return 100 * self.trainable / self.total

    def __str__(self) -> str:
        return (f"trainable params: {self.trainable:,} || all params: {self.total:,} || "
                f"trainable%: {self.percent:.4f}")


def trainable_report(model: nn.Module) -> TrainableReport:
    """Counts the parameters of any model.

    peft's own count of all parameters is larger by the modules trained in full: it keeps their originals as
    well.
    """
    parameters = list(model.parameters())
    trainable = sum(p.numel() for p in parameters if p.requires_grad)
    return TrainableReport(trainable, total=sum(p.numel() for p in parameters))


def _need_layers(model: nn.Module) -> list[LinearLoRA]:
    if layers := [layer for _, layer in lora_layers(model)]:
        return layers
    raise ValueError(f"this {type(model).__name__} has no LoRA layers. Call add_lora or load_adapter first.")


def _need_unmerged(layers: list[LinearLoRA], action: str) -> None:
    if merged := [layer.merged for layer in layers if layer.merged is not None]:
        raise ValueError(f"adapter {merged[0]!r} is merged into the weights; unmerge(model) before {action}.")


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)  # ("query") is a str, not a tuple of one


def _available(layers: dict[str, nn.Module]) -> str:
    if not layers:
        return "It has no nn.Linear at all (GPT-2, for one, is built from Conv1D): choose another model."
    endings = dict.fromkeys(path.rpartition(".")[2] for path in layers)
    return f"Its linear layers are called {', '.join(endings)}."
