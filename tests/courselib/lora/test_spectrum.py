"""The spectrum of matrices whose singular values are known, because they were built from them."""

import pytest
import torch

from courselib.lora import energy, rank_for_energy, stable_rank, truncate


def matrix(sigma: list[float], d_out: int = 7, d_in: int = 5) -> torch.Tensor:
    """A (d_out, d_in) float64 matrix with exactly these singular values."""
    generator = torch.Generator().manual_seed(3)
    left = torch.linalg.qr(torch.randn(d_out, len(sigma), generator=generator, dtype=torch.float64))[0]
    right = torch.linalg.qr(torch.randn(d_in, len(sigma), generator=generator, dtype=torch.float64))[0]
    return left @ torch.diag(torch.tensor(sigma, dtype=torch.float64)) @ right.T


@pytest.mark.parametrize("shape", [(7, 5), (5, 7)])
def test_truncation_leaves_exactly_the_later_singular_values(shape):
    W = matrix([4.0, 3.0, 2.0, 1.0, 0.5], *shape)
    for rank, left in ((1, 9 + 4 + 1 + 0.25), (2, 4 + 1 + 0.25), (4, 0.25)):
        best = truncate(W, rank)
        assert best.shape == W.shape
        assert torch.linalg.matrix_rank(best) == rank
        assert (W - best).square().sum().item() == pytest.approx(left)
    assert torch.allclose(truncate(W, 5), W)


def test_truncation_beats_other_matrices_of_the_rank():
    W = matrix([4.0, 3.0, 2.0, 1.0, 0.5])
    best = (W - truncate(W, 2)).norm()
    torch.manual_seed(0)
    for _ in range(20):
        A = torch.randn(2, 5, dtype=torch.float64)
        B = torch.linalg.lstsq(A.T, W.T).solution.T  # the best B for this A
        assert (W - B @ A).norm() > best


def test_energy_by_hand():
    shares = energy(matrix([4.0, 3.0, 2.0, 1.0]).float())
    assert shares.shape == (5,) and shares.dtype == torch.float64
    assert torch.allclose(shares, torch.tensor([16, 25, 29, 30, 30], dtype=torch.float64) / 30, atol=1e-6)
    assert shares[-1] == 1


def test_rank_for_energy_is_the_smallest_that_holds_the_share():
    W = matrix([4.0, 3.0, 2.0, 1.0, 0.5])  # squares 16, 9, 4, 1, 0.25 of 30.25
    assert [rank_for_energy(W, share) for share in (0.1, 0.52, 0.53, 0.82, 0.83, 0.99, 1.0)] == [1, 1, 2, 2, 3, 4, 5]


def test_stable_rank_by_hand():
    assert stable_rank(matrix([2.0, 1.0, 1.0])) == pytest.approx(6 / 4)
    assert stable_rank(matrix([3.0, 3.0, 3.0])) == pytest.approx(3)
    assert stable_rank(matrix([1.0, 1e-4, 1e-4, 1e-4])) == pytest.approx(1, abs=1e-6)  # while the rank is 4


@pytest.mark.parametrize("rank", [0, 6, -1, 2.0, True])
def test_truncate_refuses_ranks_that_cannot_be(rank):
    with pytest.raises(ValueError, match="from 1 to 5 for a matrix of shape"):
        truncate(matrix([1.0, 2.0]), rank)


def test_refuses_what_has_no_spectrum():
    with pytest.raises(ValueError, match=r"expected a matrix \(d_out, d_in\), but a tensor of shape \(4,\) came"):
        energy(torch.ones(4))
    with pytest.raises(ValueError, match="expected a matrix"):
        truncate(torch.ones(2, 3, 4), 1)
    with pytest.raises(ValueError, match="not all zeros"):
        stable_rank(torch.zeros(3, 4))
    for share in (0, 1.01, -0.5, 90, float("nan")):
        with pytest.raises(ValueError, match="share should lie above 0"):
            rank_for_energy(torch.ones(2, 2), share)
