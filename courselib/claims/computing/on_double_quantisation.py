"""Constants in eight bits, the bytes of a large model, and the cards that it fits on."""

from __future__ import annotations

import inspect

import torch
from torch import nn

from courselib.claims.computed import Computed, computes
from courselib.claims.computing.on_adapter_counts import near
from courselib.claims.computing.on_four_bits import normal_weights
from courselib.qlora.blocks import dequantize_blocks, quantize_blocks
from courselib.qlora.double import bits_for_each, double_quantize
from courselib.qlora.layer import FourBitLinear, qlora_forward
from courselib.qlora.levels import nf4_levels
from courselib.qlora.memory import peak_memory
from courselib.qlora.shapes import SHAPES

WEIGHTS = 65_000_000_000  # "65B", as one counts with it
BLOCKS = WEIGHTS / 64


@computes("dq-blocks")
def _constants_of_65_billion() -> Computed:
    gigabytes = 4 * BLOCKS / 1e9
    right = near(BLOCKS, 1.02e9, 0.01) and near(gigabytes, 4.08, 0.01)
    return Computed(right, {"blocks, billions": BLOCKS / 1e9, "GB": gigabytes})


@computes("dq-v1")
def _second_level_in_blocks() -> Computed:
    from bitsandbytes.functional import quantize_4bit

    w = normal_weights().view(512, 512)
    _, state = quantize_4bit(w, quant_type="nf4", blocksize=64, compress_statistics=True)
    constants = state.state2.absmax.numel()
    figures = {"blocks": state.absmax.numel(), "second constants": constants, "second block": state.state2.blocksize}
    return Computed(constants == 1, figures)


@computes("dq-v2")
def _second_level_of_qlora() -> Computed:
    from bitsandbytes.functional import quantize_4bit

    _, state = quantize_4bit(normal_weights().view(512, 512), quant_type="nf4", blocksize=64, compress_statistics=True)
    bits, second = 8 * state.absmax.element_size(), state.state2.absmax
    right = state.state2.blocksize == 256 and bits == 8 and second.dtype == torch.float32
    return Computed(right, {"block": state.state2.blocksize, "bits of a constant": bits, "mean taken off": float(state.offset)})


@computes("dq-4x")
def _constants_shrink() -> Computed:
    single, double = bits_for_each(64) - 4, bits_for_each(64, 256) - 4
    return Computed(near(single / double, 4, 0.03), {"times": single / double, "saved, %": 100 * (1 - double / single)})


@computes("dq-table")
def _bytes_before_and_after() -> Computed:
    before, after = (WEIGHTS * bits / 8e9 for bits in (bits_for_each(64), bits_for_each(64, 256)))
    saved = 100 * (1 - after / before)
    right = near(before, 36.58, 0.01) and near(after, 33.52, 0.01) and near(saved, 8.4, 0.02)
    return Computed(right, {"before, GB": before, "after, GB": after, "saved, %": saved})


@computes("dq-103")
def _what_is_left_of_the_constants() -> Computed:
    after = BLOCKS * (1 + 4 / 256) / 1e9
    saved = 4 * BLOCKS / 1e9 - after
    share = 100 * saved / (WEIGHTS / 2e9)
    right = near(after, 1.03, 0.01) and near(saved, 3, 0.02) and round(share) == 9
    return Computed(right, {"after, GB": after, "saved, GB": saved, "of the codes, %": share})


@computes("dq-eps2")
def _variance_of_a_step() -> Computed:
    value = 1 / (12 * 255**2)
    return Computed(near(value, 1.3e-5, 0.05), {"1/(12·255²), millionths": value * 1e6})


def _nf4_errors() -> tuple[float, float, float]:
    """Mean squared errors, over the mean of w²: NF4, with double quantisation, and of a single weight its typical size."""
    w = normal_weights()
    codes, absmax = quantize_blocks(w, nf4_levels(), 64)
    single = dequantize_blocks(codes, absmax, nf4_levels(), 64) - w
    double = dequantize_blocks(codes, double_quantize(absmax).constants(), nf4_levels(), 64) - w
    scale = w.square().mean()
    return tuple(float(value) for value in (single.square().mean() / scale, double.square().mean() / scale, single.abs().mean()))


@computes("dq-eps-mix")
def _amplitude_and_variance() -> Computed:
    variance, _, amplitude = _nf4_errors()
    return Computed(near(amplitude, 0.032, 0.1), {"mean squared error": variance, "typical error": amplitude})


@computes("dq-dominate")
def _what_double_quantisation_adds() -> Computed:
    single, double, _ = _nf4_errors()
    more = 100 * (double / single - 1)
    return Computed(more < 1, {"NF4": single, "with double quantisation": double, "more, %": more})


@computes("ql-forward")
def _forward_on_four_bits() -> Computed:
    torch.manual_seed(0)
    layer, x = FourBitLinear(nn.Linear(64, 48, bias=False), double=False), torch.randn(5, 64)
    A, B = torch.randn(4, 64), torch.randn(48, 4)
    codes, absmax = quantize_blocks(layer.dequantized(), layer.levels, 64)
    by_formula = x @ layer.dequantized().T + 8 / 4 * x @ A.T @ B.T
    apart = float((qlora_forward(x, codes, absmax, layer.levels, 64, A, B, 8) - by_formula).abs().max())
    return Computed(apart < 1e-3, {"apart": apart})


@computes("ql-grad")
def _gradient_through_four_bits() -> Computed:
    torch.manual_seed(0)
    layer, x = FourBitLinear(nn.Linear(64, 48)), torch.randn(5, 64, requires_grad=True)
    layer(x).sum().backward()
    through = float((x.grad - layer.dequantized().sum(0)).abs().max())
    return Computed(layer.weight.grad is None and through < 1e-4, {"gradient of x": x.grad.norm().item()})


@computes("ql-130")
def _bytes_of_65_billion() -> Computed:
    half, four = 2 * WEIGHTS / 1e9, WEIGHTS / 2e9
    return Computed((half, four) == (130, 32.5), {"16 bits, GB": half, "4 bits, GB": four})


@computes("ql-mem8")
def _bits_of_a_weight() -> Computed:
    single, double = bits_for_each(64), bits_for_each(64, 256)
    figures = {"bits": single, "bits, double quantisation": double, "float32 over it": 32 / double}
    return Computed(near(32 / double, 8, 0.05), figures)


def four_bit_gigabytes(name: str) -> float:
    """The weights of a public Llama: linear layers in NF4 with double quantisation, embeddings and norms in 16 bits."""
    return peak_memory(SHAPES[name], "qlora").weights / 1e9


@computes("q-qlora-16gb")
def _weights_of_65b() -> Computed:
    gigabytes = four_bit_gigabytes("llama-65b")
    return Computed(gigabytes <= 16, {"weights, GB": gigabytes})


@computes("i-65b-48")
def _peak_of_65b() -> Computed:
    peak = peak_memory(SHAPES["llama-65b"], "qlora", 1, 512, checkpointing=True).total / 1e9
    return Computed(peak <= 48, {"weights, GB": four_bit_gigabytes("llama-65b"), "peak, one text of 512 tokens, GB": peak})


@computes("i-65b-consumer")
def _consumer_card() -> Computed:
    return Computed(four_bit_gigabytes("llama-65b") <= 24, {"weights, GB": four_bit_gigabytes("llama-65b"), "card, GB": 24})


@computes("ov-qlora-quarter")
def _quarter_of_sixteen_bits() -> Computed:
    shares = {}
    for name in ("llama-7b", "llama-13b", "llama-65b"):
        shape = SHAPES[name]
        shares[name] = four_bit_gigabytes(name) / (2 * (shape.linear + shape.other) / 1e9)
    figures = {f"{name}, share of 16 bits": share for name, share in shares.items()}
    return Computed(all(near(share, 0.25, 0.2) for share in shares.values()), figures)


@computes("ov-8gb")
def _small_cards() -> Computed:
    small, larger = (peak_memory(SHAPES[name], "qlora", 1, 512, checkpointing=True).total / 1e9
                     for name in ("llama-7b", "llama-13b"))
    figures = {"7B, weights, GB": four_bit_gigabytes("llama-7b"), "13B, weights, GB": four_bit_gigabytes("llama-13b")}
    return Computed(small <= 8 and larger <= 12, figures | {"7B, peak, GB": small, "13B, peak, GB": larger})


@computes("ql-four")
def _four_parts_of_qlora() -> Computed:
    import bitsandbytes as bnb

    there = [hasattr(bnb.nn, "Linear4bit"), "quant_type" in inspect.signature(bnb.nn.LinearNF4.__base__.__init__).parameters,
             "compress_statistics" in inspect.signature(bnb.nn.Linear4bit.__init__).parameters, hasattr(bnb.optim, "PagedAdamW")]
    return Computed(all(there), {"parts in bitsandbytes": sum(there)})
