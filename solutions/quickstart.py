"""Model answers of chapter 00."""

from torch import Tensor


def lora_forward(x: Tensor, W0: Tensor, lora_A: Tensor, lora_B: Tensor) -> Tensor:
    """The output of a linear layer W0 with a low-rank update B A beside it, without any scaling.

    x: (n, d_in), one row per example.   W0: (d_out, d_in), as torch stores it.
    lora_A: (r, d_in).   lora_B: (d_out, r).   Returns (n, d_out).
    """
    return x @ W0.T + (x @ lora_A.T) @ lora_B.T
