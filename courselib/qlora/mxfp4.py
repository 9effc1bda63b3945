"""MXFP4: the 4-bit format that newer accelerators compute with, beside NF4.

A code is a tiny floating-point number, E2M1: a sign, two bits of exponent, one of mantissa. Thirty-two of them share a scale that
is a power of two and takes one byte, so a weight costs 4 + 8 / 32 = 4.25 bits. A power of two is cheap to multiply with, and it
is at most what the block needs: the largest weight ends up anywhere from 4 to 8, and what lies above 6 is cut off.

Source: Open Compute Project, "OCP Microscaling Formats (MX) Specification", version 1.0, 2023, sections 5.3.3 and 6.3.
"""

import torch
from torch import Tensor

MX_BLOCK = 32


def e2m1_levels() -> Tensor:
    """The fifteen values of E2M1 (zero has two codes), rising: (15,), from -6 to 6."""
    positive = torch.tensor([0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0])
    return torch.cat([-positive.flip(0), torch.zeros(1), positive])


def mx_exponents(w: Tensor) -> Tensor:
    """The shared exponent of every block of 32: floor(log2 of the largest |w|) - 2, as the specification has it: (n / 32,).

    A block of zeros has the smallest, -127.
    """
    largest = w.detach().reshape(-1, MX_BLOCK).float().abs().amax(1)
    return torch.where(largest > 0, torch.frexp(largest).exponent - 3, -127).clamp(-127, 127)  # frexp's mantissa is below 1


def mxfp4(w: Tensor) -> Tensor:
    """w as MXFP4 keeps it: quantised and dequantised, in w's shape. Raises ValueError unless the weights make blocks of 32."""
    if w.numel() % MX_BLOCK:
        raise ValueError(f"{w.numel():,} weights do not make whole blocks of {MX_BLOCK}, which is what MXFP4 has.")
    blocks, scale = w.detach().reshape(-1, MX_BLOCK).float(), torch.exp2(mx_exponents(w).float())[:, None]
    scaled = (blocks / scale).clamp(-6, 6)
    levels = e2m1_levels()
    middle = (levels[1:] + levels[:-1]) / 2
    lower, upper = torch.bucketize(scaled, middle), torch.bucketize(scaled, middle, right=True)  # they differ at a tie only
    even = torch.where(_odd(levels[lower]), upper, lower)
    return (levels[even] * scale).view(w.shape).to(w.dtype)


def _odd(values: Tensor) -> Tensor:
    """Whether the mantissa bit of an E2M1 value is set: a tie goes to the neighbour where it is not."""
    return (values.abs() == 0.5) | (values.abs() == 1.5) | (values.abs() == 3) | (values.abs() == 6)
