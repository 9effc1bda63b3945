"""LoRA+: B learns faster than A.

    eta_B = ratio * eta_A, ratio above 1, 16 in the paper

At the start B = 0 and moves first; A's gradient is small for as long as B is. The paper's argument is about large widths: there,
one rate for both cannot give both matrices changes of the right size. You may meet it the other way about (A faster): then it is
another method.

Paper: Hayou et al. 2024, "LoRA+: Efficient Low Rank Adaptation of Large Models", arXiv:2402.12354.
"""

from __future__ import annotations

from torch import nn


def loraplus_rates(lr: float, ratio: float) -> tuple[float, float]:
    """The rates of A and of B: (lr, lr * ratio). Raises ValueError for what is not positive."""
    if lr <= 0 or ratio <= 0:
        raise ValueError(f"A rate and a ratio are positive; lr={lr} and ratio={ratio} came.")
    return lr, lr * ratio


def loraplus_groups(model: nn.Module, lr: float, ratio: float) -> list[dict]:
    """Two groups for an optimiser: what is trained and no lora_B, at lr; every lora_B at lr * ratio."""
    rate_A, rate_B = loraplus_rates(lr, ratio)
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    of_B = [p for name, p in trained.items() if "lora_B" in name]
    if not of_B:
        raise ValueError("No lora_B of this model is trained. Call add_lora first.")
    others = [p for name, p in trained.items() if "lora_B" not in name]
    return [{"params": others, "lr": rate_A}, {"params": of_B, "lr": rate_B}]
