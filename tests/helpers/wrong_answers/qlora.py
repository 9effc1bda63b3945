"""Chapter 10: wrong answers that no exercise declares."""

import math

import torch


def blocks(w, size):
    return w.reshape(-1, size)


def dequantized(codes, absmax, levels, size):
    return (levels[codes.long()].reshape(-1, size) * absmax[:, None]).reshape(-1)


def forward(x, codes, absmax, levels, block_size, lora_A, lora_B, alpha, *, s=None, weight=None, whole=None):
    W = dequantized(codes, absmax, levels, block_size).reshape(lora_B.shape[0], lora_A.shape[1])
    W = W if weight is None else weight(W)
    scale = alpha / len(lora_A) if s is None else s(alpha, len(lora_A))
    out = x @ W.T + scale * (x @ lora_A.T) @ lora_B.T
    return out if whole is None else whole(out)


WRONG = {
    "qlora.lloyd_max_step": {
        "sum of the cell": lambda levels, samples: torch.stack([
            samples[(samples[:, None] - levels).abs().argmin(1) == k].sum() for k in range(len(levels))
        ]),
        "levels as they are": lambda levels, samples: levels,
        "half way": lambda levels, samples: (levels + torch.stack([
            m.mean() if len(m := samples[(samples[:, None] - levels).abs().argmin(1) == k]) else levels[k]
            for k in range(len(levels))
        ])) / 2,
        "one mean for all": lambda levels, samples: samples.mean().expand(len(levels)),
    },
    "qlora.nf4_levels": {
        "without the zero": lambda: torch.linspace(-1, 1, 15),
        "squares": lambda: torch.linspace(-1, 1, 16).abs() * torch.linspace(-1, 1, 16),
        "negated": lambda: -(lambda q: torch.cat([-q[:7], torch.zeros(1, dtype=q.dtype), q]).sort().values)(
            torch.special.ndtri(torch.linspace(0.9677083, 0.5, 9, dtype=torch.float64)[:8]) / 1.8482
        ),
    },
    "qlora.quantize": {
        "codes begin at one": lambda w, levels, block_size: (
            (blocks(w, block_size) / blocks(w, block_size).abs().amax(1, keepdim=True).clamp_min(1e-9))[..., None]
            .sub(levels).abs().argmin(-1).reshape(-1) + 1,
            blocks(w, block_size).abs().amax(1),
        ),
        "constants squared": lambda w, levels, block_size: (
            (blocks(w, block_size) / blocks(w, block_size).abs().amax(1, keepdim=True).clamp_min(1e-9))[..., None]
            .sub(levels).abs().argmin(-1).reshape(-1),
            blocks(w, block_size).abs().amax(1) ** 2,
        ),
    },
    "qlora.dequantize": {
        "the sign is wrong": lambda codes, absmax, levels, block_size: -dequantized(codes, absmax, levels, block_size),
        "a root of the constant": lambda codes, absmax, levels, block_size: dequantized(codes, absmax.sqrt(), levels, block_size),
        "turned round": lambda codes, absmax, levels, block_size: dequantized(codes, absmax, levels, block_size).flip(0),
        "one constant, the largest": lambda codes, absmax, levels, block_size: levels[codes.long()] * absmax.max(),
        "levels turned round": lambda codes, absmax, levels, block_size: dequantized(codes, absmax, levels.flip(0), block_size),
    },
    "qlora.pack": {
        "only the first": lambda codes: codes[0::2],
        "only the second": lambda codes: codes[1::2],
        "sum": lambda codes: codes[0::2] + codes[1::2],
        "five bits": lambda codes: codes[0::2] * 32 + codes[1::2],
        "turned round": lambda codes: (codes[0::2] * 16 + codes[1::2]).flip(0),
    },
    "qlora.bits_per_parameter": {
        "in bytes": lambda block_size, second_block_size: (4 + (
            32 / block_size if second_block_size is None else (8 + 32 / second_block_size) / block_size
        )) / 8,
        "eight-bit weights": lambda block_size, second_block_size: 8 + (
            32 / block_size if second_block_size is None else (8 + 32 / second_block_size) / block_size
        ),
        "whole": lambda block_size, second_block_size: 5,
        "negated": lambda block_size, second_block_size: -4 - (
            32 / block_size if second_block_size is None else (8 + 32 / second_block_size) / block_size
        ),
    },
    "qlora.forward": {
        "scale squared": lambda **i: forward(**i, s=lambda alpha, r: (alpha / r) ** 2),
        "root of the rank": lambda **i: forward(**i, s=lambda alpha, r: alpha / r**0.5),
        "other sign": lambda **i: forward(**i, whole=lambda h: -h),
        "doubled": lambda **i: forward(**i, whole=lambda h: 2 * h),
        "half the weight": lambda **i: forward(**i, weight=lambda W: W / 2),
    },
    "qlora.requantize": {
        "alpha alone": lambda codes, absmax, levels, block_size, lora_A, lora_B, alpha: (codes, absmax),
        "codes of zero": lambda codes, absmax, levels, block_size, lora_A, lora_B, alpha: (0 * codes, absmax),
    },
    "qlora.accumulated_loss": {
        "the largest mean": lambda token_losses: max(float(x.mean()) for x in token_losses),
        "the first": lambda token_losses: float(token_losses[0].mean()),
        "negated": lambda token_losses: -float(torch.cat(token_losses).mean()),
        "median": lambda token_losses: float(torch.cat(token_losses).median()),
        "root of the mean square": lambda token_losses: float(torch.cat(token_losses).square().mean().sqrt()),
    },
    "qlora.static_memory": {
        "megabytes": lambda parameters, weight_bits, trained: (parameters * weight_bits / 8 + 16 * trained) / 1e6,
        "bytes": lambda parameters, weight_bits, trained: parameters * weight_bits / 8 + 16 * trained,
        "eight bytes": lambda parameters, weight_bits, trained: (parameters * weight_bits / 8 + 8 * trained) / 1e9,
        "trained alone": lambda parameters, weight_bits, trained: 16 * trained / 1e9,
        "bits of the trained too": lambda parameters, weight_bits, trained: (parameters * weight_bits / 8 + 2 * trained) / 1e9,
    },
    "qlora.predict_growth": {
        "nothing grows": lambda item, knob, factor: 1.0,
        "everything grows": lambda item, knob, factor: factor,
        "upside down": lambda item, knob, factor: 1 / factor if (item, knob) == ("frozen weights", "bits") else 1.0,
    },
    "qlora.choose": {
        "the first": lambda memory, seconds, gaps, card, t, margin: 0,
        "never": lambda memory, seconds, gaps, card, t, margin: -1,
        "the slowest": lambda memory, seconds, gaps, card, t, margin: seconds.index(max(seconds)),
        "the best mean": lambda memory, seconds, gaps, card, t, margin: int(gaps.mean(1).argmax()),
    },
    "qlora.shared_scale": {
        "the largest": lambda block: float(block.abs().max()),
        "upside down": lambda block: 2.0 ** (2 - math.floor(math.log2(float(block.abs().max())))),
        "the mean's": lambda block: 2.0 ** (math.floor(math.log2(float(block.abs().mean()))) - 2),
        "nearest": lambda block: 2.0 ** (round(math.log2(float(block.abs().max()))) - 2),
        "one": lambda block: 1.0,
        "minus": lambda block: -(2.0 ** (math.floor(math.log2(float(block.abs().max()))) - 2)),
    },
}
