"""Levels: NF4's table, Lloyd's iteration, and errors that are integrals."""

import pytest
import torch

from courselib.qlora import levels as lv

NF4 = [-1.0, -0.6961928, -0.5250731, -0.39491749, -0.28444138, -0.18477343, -0.09105004, 0.0,
       0.0795803, 0.1609302, 0.2461123, 0.33791524, 0.44070983, 0.562617, 0.72295684, 1.0]  # fmt: skip


def test_nf4_is_the_published_table():
    assert torch.allclose(lv.nf4_levels(), torch.tensor(NF4), atol=1e-7)


def test_nf4_is_that_of_bitsandbytes_bit_for_bit():
    from courselib.lab import runtime

    runtime.quiet()
    from bitsandbytes.functional import get_4bit_type

    assert torch.equal(lv.nf4_levels(), get_4bit_type("nf4", device="cpu"))


def test_signed_levels_leave_a_code_unused_and_linear_levels_have_no_zero():
    assert len(lv.signed_levels()) == 15 and 0 in lv.signed_levels()
    assert len(lv.linear_levels()) == 16 and lv.linear_levels().abs().min() > 0.05


@pytest.mark.parametrize("levels", [lv.nf4_levels(), lv.linear_levels(), torch.tensor([-1.0, 0.2])])
@pytest.mark.parametrize("scale", [0.7, 2.5])
def test_the_integral_is_what_sampling_finds(levels, scale):
    x = torch.randn(400_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    table = scale * levels.double()
    nearest = table[(x[:, None] - table).abs().argmin(1)] if len(table) < 3 else table[
        torch.bucketize(x, (table[1:] + table[:-1]) / 2)
    ]
    assert lv.gaussian_error(levels, scale) == pytest.approx(float((x - nearest).square().mean()), rel=0.02)


def test_one_level_leaves_the_variance_and_two_leave_what_is_known():
    """Two levels at ±√(2/π): 1 - 2/π, Max 1960, table I."""
    assert lv.gaussian_error(torch.zeros(1)) == pytest.approx(1)
    best = (2 / torch.pi) ** 0.5
    assert lv.gaussian_error(torch.tensor([-best, best])) == pytest.approx(1 - 2 / torch.pi, abs=1e-6)


def test_lloyd_max_finds_the_error_of_max_and_stays_above_the_bound():
    best = lv.lloyd_max(2.5 * lv.linear_levels(), 1500)
    assert lv.gaussian_error(best) == pytest.approx(0.009497, abs=2e-5)  # Max 1960, table I, N = 16: 0.009497
    assert lv.rate_distortion(4) == 2**-8 < lv.gaussian_error(best)
    assert all(lv.least_error(levels)[0] > lv.gaussian_error(best) for levels in (lv.nf4_levels(), lv.quantile_levels()))


def test_a_step_of_lloyd_never_raises_the_error_and_keeps_an_empty_level():
    samples = torch.randn(500, generator=torch.Generator().manual_seed(1)) ** 3
    levels, last = torch.tensor([-1.0, 0.0, 1.0, 50.0, 900.0]), float("inf")
    for _ in range(8):
        error = float((samples[:, None] - levels).square().amin(1).mean())
        assert error <= last + 1e-6
        levels, last = lv.lloyd_max_step(levels, samples), error
    assert levels[-1] == 900


def test_a_step_by_hand():
    stepped = lv.lloyd_max_step(torch.tensor([0.0, 10.0]), torch.tensor([1.0, 2.0, 4.9, 5.1, 9.0]))
    assert torch.allclose(stepped, torch.tensor([7.9 / 3, 14.1 / 2]))


def test_entropy_counts_how_evenly_codes_are_used():
    assert lv.code_entropy(torch.arange(16)) == pytest.approx(4)
    assert lv.code_entropy(torch.tensor([3, 3, 3, 9])) == pytest.approx(0.8112781, abs=1e-6)
