"""What one training step costs beside weights and optimiser: the activations it keeps, and the operations it makes. Both counted.

A backward pass needs tensors of the forward pass again. Autograd keeps a layer's input if the layer's *weight* is trained, for
dL/dW = G^T X. It keeps what a non-linear function saw in any case, for the gradient on its way to the layers below. So frozen
weights save some activations, and how many depends on where the adapters are.

Operations: forward 2 a weight and token; backward 2 for the gradient that travels on, and 2 for the weight's own. Freezing
leaves out the last third (Kaplan et al. 2020, arXiv:2001.08361, section 2.1, counts 6 a weight and token).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


def kept_bytes(model: nn.Module, loss: Callable[[nn.Module], Tensor]) -> int:
    """Bytes of all tensors that the forward pass of `loss(model)` keeps for the backward pass, parameters left out.

    A tensor that several operations keep, or keep a view of, is counted once. ValueError if nothing is trained: then nothing is
    kept.
    """
    if not any(p.requires_grad for p in model.parameters()):
        raise ValueError("No parameter of this model is trained, so there is no backward pass to keep anything for.")
    parameters = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        where = tensor.untyped_storage().data_ptr()
        if where not in parameters:
            kept[where] = tensor  # held, so that its place in memory is not given to another
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss(model)
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


def step_flops(model: nn.Module, loss: Callable[[nn.Module], Tensor]) -> int:
    """Floating-point operations of one forward and backward pass of `loss(model)`: matrix products only, as torch counts them.

    The gradients that it leaves behind are taken away again.
    """
    with FlopCounterMode(display=False) as counter:
        loss(model).backward()
    model.zero_grad(set_to_none=True)
    return counter.get_total_flops()
