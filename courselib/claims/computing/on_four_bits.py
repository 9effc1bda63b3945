"""Four-bit levels: what NF4 is, what it is not, and what its error is beside other tables."""

from __future__ import annotations

from functools import cache

import torch
from scipy.stats import norm
from torch import Tensor

from courselib.claims.computed import Computed, computes
from courselib.claims.computing.on_adapter_counts import near
from courselib.qlora.blocks import block_error, dequantize_blocks, pack_codes, quantize_blocks, unpack_codes
from courselib.qlora.layer import FourBitLinear
from courselib.qlora.levels import (
    code_entropy,
    gaussian_error,
    least_error,
    linear_levels,
    lloyd_max,
    nf4_levels,
    rate_distortion,
    signed_levels,
)


@cache
def normal_weights(count: int = 1 << 18) -> Tensor:
    """Weights from N(0, 1), always the same."""
    return torch.randn(count, generator=torch.Generator().manual_seed(0))


@cache
def best_table() -> Tensor:
    """Lloyd and Max's sixteen levels for N(0, 1)."""
    return lloyd_max(2.5 * linear_levels().double(), 300)


@computes("ql-linear-def")
def _two_linear_tables() -> Computed:
    first, second = signed_levels(), linear_levels()
    same = len(first) == len(second) and torch.allclose(first, second)
    return Computed(same, {"levels from -7 to 7": len(first), "levels -1 + 2i/15": len(second)})


@computes("ql-lloyd")
def _conditions_of_the_optimum() -> Computed:
    levels = best_table()
    middle = (levels[1:] + levels[:-1]) / 2
    edges = [-torch.inf, *middle.tolist(), torch.inf]
    centroids = [(norm.pdf(a) - norm.pdf(b)) / (norm.cdf(b) - norm.cdf(a)) for a, b in zip(edges, edges[1:], strict=False)]
    apart = float((levels - torch.tensor(centroids)).abs().max())
    moved = min(gaussian_error(levels + 0.02 * torch.nn.functional.one_hot(torch.tensor(i), 16)) for i in range(16))
    error = gaussian_error(levels)
    return Computed(apart < 1e-3 and moved > error, {"error": error, "apart from the centroids": apart})


@computes("ql-quantile-optimum")
def _equal_probabilities() -> Computed:
    quantile = gaussian_error(torch.special.ndtri((torch.arange(16, dtype=torch.float64) + 0.5) / 16))
    figures = {"medians of equal cells": quantile, "Lloyd and Max": gaussian_error(best_table())}
    return Computed(near(quantile, figures["Lloyd and Max"], 0.01), figures | {"NF4, best scale": least_error(nf4_levels())[0]})


@computes("ql-ratedist")
def _bound_and_best_table() -> Computed:
    bound, best = rate_distortion(4), gaussian_error(best_table())
    return Computed(near(bound, best, 0.05), {"bound at 4 bits": bound, "best sixteen levels": best})


@computes("ql-infoopt")
def _codes_of_nf4() -> Computed:
    codes, _ = quantize_blocks(normal_weights(), nf4_levels(), 64)
    shares = torch.bincount(codes.long(), minlength=16) / len(codes)
    entropy = code_entropy(codes)
    figures = {"entropy of the codes, bits": entropy, "rarest": shares.min().item(), "most frequent": shares.max().item()}
    return Computed(near(entropy, 4, 0.01), figures)


@computes("ql-symmetry")
def _halves_of_nf4() -> Computed:
    levels = nf4_levels()
    below, zero, above = int((levels < 0).sum()), int((levels == 0).sum()), int((levels > 0).sum())
    symmetric = torch.allclose(levels, -levels.flip(0))
    return Computed((below, zero, above) == (8, 1, 7) and symmetric, {"below zero": below, "zero": zero, "above zero": above})


@computes("ql-phi-form")
def _quantiles_with_infinite_ends() -> Computed:
    said = torch.tensor(norm.ppf([i / 15 for i in range(16)]))
    finite = said[1:-1]
    offset = 1 - (1 / 32 + 1 / 30) / 2
    above, below = norm.ppf(torch.linspace(offset, 0.5, 9))[:-1], -norm.ppf(torch.linspace(offset, 0.5, 8))[:-1]
    built = torch.tensor(sorted([*below, 0.0, *above])) / above.max()
    figures = {"infinite levels": 16 - len(finite), "smallest size of a level": finite.abs().min().item(),
               "NF4 built by halves is apart by": float((built - nf4_levels()).abs().max())}
    return Computed(bool(said.isfinite().all() and (said == 0).any()), figures)


def _quantile(identity: str, index: int, said: float) -> None:
    """Registers the claim that Φ⁻¹(index / 15) is `said`, to the digits that it is given with."""

    @computes(identity)
    def quantile() -> Computed:
        value = float(norm.ppf(index / 15))
        return Computed(abs(value - said) < 1e-4, {f"Φ⁻¹({index}/15)": value})


_quantile("ql-q1", 1, -1.5341)
_quantile("ql-q2", 2, -1.1077)
_quantile("ql-q3", 3, -0.8416)


@computes("ql-q7")
def _quantiles_in_the_middle() -> Computed:
    found = [float(norm.ppf(i / 15)) for i in (7, 8, 9)]
    right = all(abs(a - b) < 1e-4 for a, b in zip(found, (-0.1006, 0.0, 0.1006), strict=True))
    return Computed(right, {f"Φ⁻¹({i}/15)": value for i, value in zip((7, 8, 9), found, strict=True)})


@computes("ql-clamp")
def _ends_cut_to_one() -> Computed:
    middle = torch.tensor(norm.ppf([i / 15 for i in range(1, 15)]))
    levels = torch.cat([-torch.ones(1), middle, torch.ones(1)])
    rising = bool((levels.diff() > 0).all())
    return Computed(rising, {"first level": levels[0].item(), "second level": levels[1].item()})


@computes("ql-list15")
def _sixteen_values() -> Computed:
    said = [-1, -0.6962, -0.5251, -0.3949, -0.2844, -0.1848, -0.0911]
    said = [*said, 0, *(-value for value in reversed(said))]  # the negative half, mirrored
    levels = nf4_levels()
    same = len(said) == len(levels) and torch.allclose(torch.tensor(said), levels, atol=1e-3)
    return Computed(same, {"values in the list": len(said), "levels of NF4": len(levels), "first above zero": levels[8].item()})


@computes("ql-global-absmax")
def _one_constant_or_many() -> Computed:
    from bitsandbytes.functional import quantize_4bit

    w = normal_weights()[:65_536]
    _, state = quantize_4bit(w.view(256, 256), quant_type="nf4", blocksize=64)
    whole, blocks = block_error(w, nf4_levels(), 65_536), block_error(w, nf4_levels(), 64)
    figures = {"error, one constant": whole, "error, blocks of 64": blocks, "constants in bitsandbytes": state.absmax.numel()}
    return Computed(state.absmax.numel() == 1, figures)


@computes("ql-nearest")
def _code_in_four_bits() -> Computed:
    w = normal_weights()[:4096]
    codes, absmax = quantize_blocks(w, nf4_levels(), 64)
    packed = pack_codes(codes)
    scaled = w.view(-1, 64) / absmax[:, None]
    nearest = (scaled.flatten()[:, None] - nf4_levels()).abs().argmin(1)
    right = torch.equal(nearest, codes.long()) and torch.equal(unpack_codes(packed), codes) and len(packed) == 2048
    return Computed(right, {"bits a weight": 8 * len(packed) / len(w)})


@computes("ql-round-index")
def _index_and_level() -> Computed:
    w, levels = normal_weights()[:64], nf4_levels()
    codes, absmax = quantize_blocks(w, levels, 64)
    by_level = torch.stack([levels[(x - levels).abs().argmin()] for x in w / absmax])
    same = torch.equal(by_level, levels[codes.long()])
    return Computed(same, {"largest index": int(codes.max()), "largest level": by_level.max().item()})


@computes("ql-mse")
def _errors_of_two_tables() -> Computed:
    linear, nf4 = (block_error(normal_weights(), levels, 64) for levels in (linear_levels(), nf4_levels()))
    better = 100 * (1 - nf4 / linear)
    right = near(linear, 0.045, 0.1) and near(nf4, 0.032, 0.1) and near(better, 29, 0.1)
    return Computed(right, {"linear": linear, "NF4": nf4, "NF4 better by, %": better})


@computes("ql-density")
def _distances_between_levels() -> Computed:
    gaps = nf4_levels().diff()
    falls = bool((gaps[:8].diff() < 0).all() and (gaps[8:].diff() > 0).all())
    return Computed(falls, {"smallest distance": gaps.min().item(), "largest distance": gaps.max().item()})


@computes("ql-dequant")
def _back_from_codes() -> Computed:
    from bitsandbytes.functional import dequantize_4bit, quantize_4bit

    w = normal_weights()[:16_384]
    codes, absmax = quantize_blocks(w, nf4_levels(), 64)
    ours = dequantize_blocks(codes, absmax, nf4_levels(), 64)
    by_formula = (nf4_levels()[codes.long()].view(-1, 64) * absmax[:, None]).flatten()
    theirs = dequantize_4bit(*quantize_4bit(w.view(128, 128), quant_type="nf4", blocksize=64)).flatten()
    apart = float((ours - theirs).abs().max())
    figures = {"apart from bitsandbytes": apart, "error": block_error(w, nf4_levels(), 64)}
    return Computed(torch.equal(ours, by_formula) and apart < 1e-5, figures)


@computes("q-qlora-def")
def _adapter_on_four_bits() -> Computed:
    from courselib.lora.inject import add_lora

    model = add_lora(torch.nn.Sequential(FourBitLinear(torch.nn.Linear(64, 64))), ["0"], rank=4)
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    base = model[0].base_layer
    bits = 8 * base.weight.numel() / (64 * 64)
    return Computed(bits == 4 and bool(trained) and all("lora_" in name for name in trained), {"bits a weight": bits})
