"""Constants in 8 bits: beside bitsandbytes, and their price in bits."""

import pytest
import torch

from courselib.lab import runtime
from courselib.qlora.blocks import quantize_blocks
from courselib.qlora.double import bits_for_each, double_quantize, dynamic_levels
from courselib.qlora.levels import nf4_levels


@pytest.fixture(scope="module")
def both():
    """(the constants of a large matrix, bitsandbytes' state of it)."""
    runtime.quiet()
    from bitsandbytes.functional import quantize_4bit

    W = torch.randn(1024, 512, generator=torch.Generator().manual_seed(0))
    _, state = quantize_4bit(W, blocksize=64, quant_type="nf4", compress_statistics=True)
    return quantize_blocks(W, nf4_levels())[1], state


def test_the_dynamic_map_is_that_of_bitsandbytes(both):
    assert torch.equal(dynamic_levels(), both[1].state2.code) and len(dynamic_levels().unique()) == 256


def test_mean_and_second_constants_are_theirs_and_codes_but_for_a_few(both):
    """bitsandbytes looks the nearest level up in a table of 65,536 places, so a few codes are one off. Ours are the nearest."""
    absmax, state = both
    double = double_quantize(absmax)
    assert torch.equal(double.absmax, state.state2.absmax) and torch.allclose(double.mean, state.offset, rtol=1e-6)
    gap = (double.codes.int() - state.absmax.int()).abs()
    assert gap.max() <= 1 and (gap > 0).float().mean() < 0.005
    ratio = (absmax - double.mean).view(-1, 256) / double.absmax[:, None]
    nearest = (ratio[..., None] - dynamic_levels()).abs().amin(-1)
    found = (ratio - dynamic_levels()[double.codes.long()].view(-1, 256)).abs()
    assert torch.allclose(found, nearest, atol=1e-6)


def test_the_constants_come_back_nearly_and_without_the_mean_they_would_not_as_well(both):
    absmax, _ = both
    double = double_quantize(absmax)
    error = (double.constants() - absmax).square().mean()
    codes, largest = quantize_blocks(absmax, dynamic_levels(), 256)
    without = (dynamic_levels()[codes.long()].view(-1, 256) * largest[:, None] - absmax.view(-1, 256)).square().mean()
    assert error < 0.1 * without and error.sqrt() < 0.01 * absmax.mean()


@pytest.mark.parametrize("blocks", [1, 255, 257])
def test_a_short_last_block(blocks):
    absmax = torch.rand(blocks, generator=torch.Generator().manual_seed(2)) + 1
    double = double_quantize(absmax)
    assert double.constants().shape == absmax.shape and (double.constants() - absmax).abs().max() < 0.05
    assert double.nbytes() == blocks + 4 * -(-blocks // 256) + 4


def test_bits():
    assert bits_for_each(64) == 4.5
    assert bits_for_each(64, 256) == 4 + 8 / 64 + 32 / (64 * 256)
    assert bits_for_each(32, constant=8) == 4.25  # MXFP4
