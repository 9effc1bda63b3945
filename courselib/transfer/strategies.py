"""How much of a pretrained network to train: six answers, under the same conditions.

    scratch              the architecture alone is kept; weights are drawn anew and all of them are trained
    feature_extraction   the encoder is frozen, the new head is trained (a linear probe)
    top_N                the head and the N uppermost layers are trained, what lies below is frozen
    gradual              begins as feature_extraction; every few steps the next layer below is set free
                         (Howard and Ruder 2018, section 3.3, arXiv:1801.06146)
    full                 everything is trained
    lora                 the encoder is frozen, thin adapters and the head are trained (chapter 08)

A network is a stack of blocks, from the input up: "embeddings", "layer.0", "layer.1", ..., "head". A strategy is a
choice of blocks; all but the last one are one line of `requires_grad_`. `courselib.transfer.race` lets them run against each
other.
"""

from __future__ import annotations

import re

import torch
from torch import Tensor, nn

from courselib.lab.training import Step

LAYER = re.compile(r"\blayer\.(\d+)\.")


def blocks(model: nn.Module) -> dict[str, list[nn.Parameter]]:
    """The parameters of a sentence classifier by block: "embeddings", "layer.0", ..., "head", from the input up.

    `layer.3.` in a parameter's name puts it in block "layer.3", `embeddings.` in "embeddings", and what remains is the head.
    """
    found: dict[str, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        layer = LAYER.search(name)
        block = f"layer.{layer[1]}" if layer else "embeddings" if "embeddings." in name else "head"
        found.setdefault(block, []).append(parameter)
    return found


def parameter_counts(model: nn.Module) -> dict[str, int]:
    """How many numbers each block holds, in the order of `blocks`."""
    return {name: sum(p.numel() for p in parameters) for name, parameters in blocks(model).items()}


def trained_blocks(names: list[str], strategy: str) -> list[str]:
    """Which of the blocks `names` (from the input up, the head last) a strategy trains, in the same order.

    "scratch" and "full" train all, "feature_extraction" the head, "top_N" the head and the N uppermost layers. The embeddings
    are no layer. Raises ValueError for an unknown strategy, and for a top_N of more layers than there are.
    """
    if strategy in ("full", "scratch"):
        return list(names)
    top = re.fullmatch(r"top_(\d+)", strategy)
    if not top and strategy != "feature_extraction":
        raise ValueError(f"There is no strategy {strategy!r}; the blocks know scratch, full, feature_extraction and top_N.")
    layers = [name for name in names if name.startswith("layer.")]
    n = int(top[1]) if top else 0
    if n > len(layers):
        raise ValueError(f"{strategy} was asked for, but there are only {len(layers)} layers. Try top_{len(layers)}.")
    chosen = set(layers[len(layers) - n :]) | {"head"}
    return [name for name in names if name in chosen]


def set_trainable(model: nn.Module, strategy: str) -> int:
    """Freezes and frees the blocks of `model` as `strategy` says, and returns how many numbers are now trained."""
    stack = blocks(model)
    chosen = trained_blocks(list(stack), strategy)
    for name, parameters in stack.items():
        for parameter in parameters:
            parameter.requires_grad_(name in chosen)
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def unfrozen_at(step: int, every: int, names: list[str]) -> list[str]:
    """The blocks that gradual unfreezing trains in step `step` (from 1): the head, and one more block every `every` steps.

    Set free from the top down: the uppermost layer first, the embeddings last. Same order as `names`.
    """
    if step < 1 or every < 1:
        raise ValueError(f"Steps count from 1 and a period is at least 1; step {step} and every {every} came.")
    return list(names)[max(0, len(names) - 1 - (step - 1) // every) :]


class GradualUnfreezing:
    """A callback for `fit`: after each step, frees what the next step trains. `history` keeps the numbers trained.

    Make the optimizer over all parameters first: what is frozen has no gradient, and the optimizer passes over it.
    """

    def __init__(self, model: nn.Module, every: int) -> None:
        self.every, self.stack, self.history = every, blocks(model), []
        self._free(1)

    def __call__(self, state: Step) -> None:
        self._free(state.number + 1)

    def _free(self, step: int) -> None:
        free = unfrozen_at(step, self.every, list(self.stack))
        for name, parameters in self.stack.items():
            for parameter in parameters:
                parameter.requires_grad_(name in free)
        self.history.append(sum(p.numel() for name in free for p in self.stack[name]))


def static_bytes(model: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """What weights, gradients and the optimizer's moments really occupy now, in bytes: measured, not calculated."""
    tensors = list(model.parameters())
    tensors += [p.grad for p in tensors if p.grad is not None]
    tensors += [t for state in optimizer.state.values() for t in state.values() if isinstance(t, Tensor) and t.dim()]
    return sum(t.numel() * t.element_size() for t in tensors)


def activation_bytes(model: nn.Module, tokens: dict[str, Tensor]) -> int:
    """What a forward pass in train mode keeps for the backward pass, in bytes. Parameters and views count once or not at all.

    On the device "meta" nothing is computed and nothing allocated, and the count is the same: so a model can be asked that is
    too large to run here.
    """
    kept: dict[int, int] = {}
    own = {p.untyped_storage()._cdata for p in model.parameters()}  # the storage itself: on "meta" all addresses are 0
    alive = []  # what was freed could come back as another storage, and would then count once for two

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = storage.nbytes()
            alive.append(storage)
        return tensor.detach()  # with its grad_fn it would hold the graph that holds it, and the model would never be freed

    model.train()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model(**tokens)
    model.eval()
    return sum(kept.values())
