"""Several adapters at once: sums of updates and sums of factors, learned weights, and the space that updates span."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from courselib.claims.computed import Computed, computes
from courselib.peft_family.composing import Triple, compose, weights_step

D_OUT, D_IN, RANK = 20, 16, 2


def three_adapters(seed: int = 0) -> list[Triple]:
    """(A, B, scaling) of three random adapters of rank 2."""
    generator = torch.Generator().manual_seed(seed)
    return [(torch.randn(RANK, D_IN, generator=generator), torch.randn(D_OUT, RANK, generator=generator), 1.0) for _ in range(3)]


@computes("co-sum")
def _rank_of_a_sum() -> Computed:
    adapters = three_adapters()
    update = compose(adapters, [0.5, 0.3, 0.2])
    by_hand = sum(weight * B @ A for weight, (A, B, _) in zip((0.5, 0.3, 0.2), adapters, strict=True))
    rank = int(torch.linalg.matrix_rank(update))
    return Computed(bool(torch.allclose(update, by_hand, atol=1e-5)) and rank <= 6, {"rank": rank})


@computes("co-peft")
def _ways_to_combine_in_peft() -> Computed:
    from peft import LoraConfig, get_peft_model

    config = {"r": RANK, "lora_alpha": RANK, "target_modules": ["0"]}
    model = get_peft_model(nn.Sequential(nn.Linear(D_IN, D_OUT)), LoraConfig(**config), adapter_name="a0")
    for name in ("a1", "a2"):
        model.add_adapter(name, LoraConfig(**config))
    layer, names, weights = model.base_model.model[0], ["a0", "a1", "a2"], [0.5, 0.3, 0.2]
    adapters = three_adapters()
    with torch.no_grad():
        for name, (A, B, _) in zip(names, adapters, strict=True):
            layer.lora_A[name].weight.copy_(A)
            layer.lora_B[name].weight.copy_(B)
        right, errors = compose(adapters, weights), {}
        for way in ("cat", "linear"):
            model.add_weighted_adapter(names, weights, way, combination_type=way)
            errors[way] = float((layer.get_delta_weight(way) - right).norm() / right.norm())
    figures = {f"relative error of {way!r}": error for way, error in errors.items()}
    return Computed(errors["cat"] < 1e-5, figures)


@computes("co-learn")
def _weights_fitted_to_noise() -> Computed:
    generator = torch.Generator().manual_seed(0)
    updates = torch.stack([B @ A for A, B, _ in three_adapters()])
    x, y, x_new, y_new = (torch.randn(4, n, generator=generator) for n in (D_IN, D_OUT, D_IN, D_OUT))  # nothing to be learned

    def loss(change: Tensor, x: Tensor = x, y: Tensor = y) -> Tensor:
        return (x @ change.T - y).square().mean()

    weights = torch.zeros(3)
    for _ in range(300):
        weights = weights_step(weights, updates, loss, lr=2e-3)
    change = (weights[:, None, None] * updates).sum(0)
    nothing = torch.zeros_like(change)
    fallen, fresh = loss(nothing) - loss(change), loss(nothing, x_new, y_new) - loss(change, x_new, y_new)
    figures = {"loss that fell on the validation data": fallen.item(), "on fresh data": fresh.item()}
    return Computed(bool(fallen > 0), figures)


@computes("co-subspace")
def _span_of_updates() -> Computed:
    updates = [B @ A for A, B, _ in three_adapters()]
    one, three = (int(torch.linalg.matrix_rank(torch.stack(updates[:n]).flatten(1))) for n in (1, 3))
    of_sum = int(torch.linalg.matrix_rank(updates[0] + updates[1]))
    figures = {"dimensions spanned by one": one, "by three": three, "rank of a sum of two": of_sum}
    return Computed(one == RANK, figures)
