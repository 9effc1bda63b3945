"""MXFP4, by hand and by relations."""

import pytest
import torch

from courselib.qlora.blocks import block_error
from courselib.qlora.levels import nf4_levels
from courselib.qlora.mxfp4 import e2m1_levels, mx_exponents, mxfp4


def block(*first):
    return torch.cat([torch.tensor(first), torch.zeros(32 - len(first))])


def test_a_block_by_hand():
    """The largest is 10: exponent floor(log2 10) - 2 = 1, scale 2. Then 10/2 = 5 lies between 4 and 6 and goes to the even 4."""
    w = block(10.0, 7.0, -3.1, 0.4, 0.6, 1.0)
    assert mx_exponents(w).tolist() == [1]
    assert mxfp4(w)[:6].tolist() == [8.0, 8.0, -3.0, 0.0, 1.0, 1.0]


def test_what_lies_above_six_is_cut_off():
    assert mxfp4(block(7.9, 1.0))[0] == 6.0  # exponent 0


@pytest.mark.parametrize("value, to", [(0.25, 0.0), (0.75, 1.0), (1.25, 1.0), (1.75, 2.0), (2.5, 2.0), (3.5, 4.0), (5.0, 4.0)])
def test_ties_go_to_the_even_neighbour(value, to):
    assert mxfp4(block(4.0, value, -value)).tolist()[1:3] == [to, -to]


def test_powers_of_two_commute_with_it_and_other_factors_do_not():
    w = torch.randn(32 * 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(mxfp4(8 * w), 8 * mxfp4(w)) and not torch.equal(mxfp4(3 * w), 3 * mxfp4(w))
    assert torch.equal(mxfp4(mxfp4(w)), mxfp4(w))


def test_zeros_and_its_levels():
    assert torch.equal(mxfp4(torch.zeros(64)), torch.zeros(64)) and len(e2m1_levels()) == 15


def test_it_loses_more_than_nf4_on_normal_weights_at_fewer_bits():
    w = torch.randn(64 * 2000, generator=torch.Generator().manual_seed(0))
    assert float((mxfp4(w) - w).square().mean()) > 1.3 * block_error(w, nf4_levels(), 64)


def test_blocks_of_another_size_are_refused():
    with pytest.raises(ValueError, match="blocks of 32"):
        mxfp4(torch.ones(40))
