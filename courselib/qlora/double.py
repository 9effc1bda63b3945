"""Double quantisation: the constants are numbers too, so they are quantised as well.

With blocks of 64, a float32 constant costs 32 / 64 = 0.5 bit for each weight. QLoRA keeps the constants in 8 bits: their mean is
taken off, 256 of them share a float32 constant of their own, and each becomes one of 256 levels. That leaves
8 / 64 + 32 / (64 · 256) = 0.127 bit.

The 256 levels are bitsandbytes' dynamic map (Dettmers 2016, arXiv:1511.04561): a sign, an exponent of base ten, and as many
linear steps as bits are left, so that small numbers are kept as exactly, relative to their size, as large ones.

Source: Dettmers et al. 2023, arXiv:2305.14314, section 3, "Double Quantization".
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from courselib.qlora.blocks import dequantize_blocks, quantize_blocks


class DoubleQuantized(NamedTuple):
    """Constants in 8 bits: codes (blocks,) uint8, the largest of each second block (float32), and the mean that was taken off."""

    codes: Tensor
    absmax: Tensor
    mean: Tensor
    second_block_size: int

    def constants(self) -> Tensor:
        """The constants again, nearly: (blocks,) float32."""
        padded = _padded(self.codes, self.second_block_size)
        values = dequantize_blocks(padded, self.absmax, dynamic_levels().to(self.codes.device), self.second_block_size)
        return values[: len(self.codes)] + self.mean

    def nbytes(self) -> int:
        """What is stored, in bytes."""
        return len(self.codes) + 4 * len(self.absmax) + 4


def dynamic_levels() -> Tensor:
    """The 256 levels of the 8-bit dynamic map, rising from about -0.99 to 1: (256,). 127 are negative, one is 0, 128 positive."""
    found = [0.0, 1.0]
    for exponent in range(7):
        edges = torch.linspace(0.1, 1, 2**exponent + 1)
        middle = (edges[:-1] + edges[1:]) / 2
        for sign in (1, -1):
            found += (sign * 10 ** (exponent - 6) * middle).tolist()
    return torch.tensor(sorted(found))


def double_quantize(absmax: Tensor, second_block_size: int = 256) -> DoubleQuantized:
    """Keeps the constants of a quantised weight in 8 bits. absmax: (blocks,). The last second block may be short."""
    mean = absmax.mean()
    padded = _padded(absmax - mean, second_block_size)
    codes, largest = quantize_blocks(padded, dynamic_levels().to(absmax.device), second_block_size)
    return DoubleQuantized(codes[: len(absmax)], largest, mean, second_block_size)


def bits_for_each(block_size: int, second_block_size: int | None = None, bits: int = 4, constant: int = 32) -> float:
    """Bits for each weight, constants included: `constant` bits for each block, or, with a second block size, 8 and a share."""
    if second_block_size is None:
        return bits + constant / block_size
    return bits + 8 / block_size + 32 / (block_size * second_block_size)


def _padded(values: Tensor, size: int) -> Tensor:
    """With zeros at the end, up to whole blocks."""
    return torch.nn.functional.pad(values, (0, -len(values) % size))
