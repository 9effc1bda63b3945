"""Blocks: a few dozen weights share one constant, and each weight keeps four bits.

    absmax_j = max of |w| in block j        code_i = place of the level nearest to w_i / absmax_j        w'_i = level * absmax_j

One constant for a whole matrix would let a single large weight spoil all others; one for each weight would save nothing. Two
codes are then packed into a byte.

Sources: Dettmers et al. 2023, arXiv:2305.14314, section 2 (block-wise k-bit quantisation); the layout is that of bitsandbytes,
bit for bit: the first code in the high half of the byte, a tie between two levels goes to the lower one.
"""

from __future__ import annotations

import torch
from torch import Tensor

CHUNK = 1 << 20  # weights at a time: the intermediate results stay in the processor's cache and out of its memory


def quantize_blocks(w: Tensor, levels: Tensor, block_size: int = 64) -> tuple[Tensor, Tensor]:
    """The codes and the constants of w: any shape, taken row by row -> codes (n,) uint8, absmax (n / block_size,) float32.

    levels: (k,), rising, at most 256 and from -1 to 1. Raises ValueError when the blocks do not come out even, or w is not
    finite.
    """
    flat = w.detach().reshape(-1).float()
    if block_size < 1 or flat.numel() % block_size or not flat.numel():
        raise ValueError(f"{flat.numel():,} weights do not make whole blocks of {block_size}. Choose a block size that divides "
                         f"them, such as {_divisor(flat.numel(), block_size)}.")
    blocks = flat.view(-1, block_size)
    absmax = blocks.abs().amax(1)  # (blocks,)
    if not torch.isfinite(absmax).all():
        raise ValueError("A weight is nan or infinite, so its block has no largest one to divide by. Look where it comes from.")
    inverse = torch.where(absmax > 0, 1 / absmax, torch.zeros_like(absmax))  # a block of zeros has none
    middle = (levels[1:].float() + levels[:-1].float()) / 2
    codes = torch.empty(flat.numel(), dtype=torch.uint8, device=flat.device)
    out, step = codes.view(-1, block_size), max(1, CHUNK // block_size)
    for begin in range(0, len(blocks), step):
        scaled = blocks[begin : begin + step] * inverse[begin : begin + step, None]  # from -1 to 1
        found = torch.zeros(scaled.shape, dtype=torch.uint8, device=scaled.device)
        for edge in middle.tolist():  # how many edges lie below: one comparison for each, which is faster than a search
            found += scaled > edge
        out[begin : begin + step] = found
    return codes, absmax


def dequantize_blocks(codes: Tensor, absmax: Tensor, levels: Tensor, block_size: int = 64) -> Tensor:
    """The weights that the codes stand for: codes (n,), absmax (n / block_size,) -> (n,)."""
    if len(codes) != len(absmax) * block_size:
        raise ValueError(f"{len(absmax)} blocks of {block_size} hold {len(absmax) * block_size} codes, but {len(codes)} came.")
    return (levels[codes.int()].view(-1, block_size) * absmax[:, None]).view(-1)


def pack_codes(codes: Tensor) -> Tensor:
    """Two 4-bit codes to a byte, the first in the high half: (n,) -> (n / 2,) uint8. ValueError for an odd number of codes."""
    if codes.numel() % 2:
        raise ValueError(f"{codes.numel()} codes do not fill whole bytes: two go into each.")
    pairs = codes.reshape(-1, 2)
    return (pairs[:, 0] << 4) | pairs[:, 1]


def unpack_codes(packed: Tensor) -> Tensor:
    """The codes again: (m,) uint8 -> (2 m,) uint8."""
    return torch.stack([packed >> 4, packed & 15], 1).view(-1)


def dequantize_packed(packed: Tensor, absmax: Tensor, levels: Tensor, block_size: int = 64) -> Tensor:
    """What `dequantize_blocks` gives for unpacked codes, without unpacking: each byte is looked up in a table of 256 pairs.

    packed: (n / 2,) uint8.   absmax: (n / block_size,).   Returns (n,) float32.
    """
    byte, last = torch.arange(256, device=levels.device), len(levels) - 1  # with fewer than 16 levels some bytes never occur
    pairs = torch.stack([levels[(byte >> 4).clamp_max(last)], levels[(byte & 15).clamp_max(last)]], 1).float().contiguous()
    if packed.device.type == "cpu":  # NumPy's take is the fastest gather of eight bytes at a time
        values = torch.from_numpy(pairs.view(torch.int64).view(-1).numpy().take(packed.numpy())).view(torch.float32)
    else:
        values = pairs[packed.int()].view(-1)
    return values.view(-1, block_size).mul_(absmax[:, None]).view(-1)


def block_error(w: Tensor, levels: Tensor, block_size: int = 64) -> float:
    """The mean of (w - w')² after quantising w in blocks, over the mean of w²: 0 is perfect, 1 is as bad as all zeros."""
    codes, absmax = quantize_blocks(w, levels, block_size)
    flat = w.detach().reshape(-1).float()
    gap = flat - dequantize_blocks(codes, absmax, levels, block_size)
    return float(gap.square().mean() / flat.square().mean())


def _divisor(n: int, near: int) -> int:
    """The largest block size up to `near` that divides n."""
    return next(size for size in range(max(1, min(near, n)), 0, -1) if n % size == 0) if n else 1
