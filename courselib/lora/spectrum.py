"""How much of a matrix a low rank can hold: the singular values behind the low-rank hypothesis.

LoRA bets that what fine-tuning changes, Delta W, is nearly of low rank. The bet can be measured. The singular
value decomposition W = U diag(sigma) V^T writes any matrix as a sum of rank-1 pieces, largest first. Keeping
the first r of them is the best rank-r approximation there is; its squared error is the sum of the squares of
all later sigmas.

Papers: Eckart & Young 1936, "The approximation of one matrix by another of lower rank", Psychometrika 1,
211-218; Hu et al. 2021, arXiv:2106.09685, section 7.
"""

from numbers import Integral

import torch
from torch import Tensor


def truncate(W: Tensor, rank: int) -> Tensor:
    """The best approximation of W (d_out, d_in) by a matrix of this rank, in the Frobenius and spectral norm.

    Source: Eckart & Young 1936. Raises ValueError unless W is a matrix and 1 <= rank <= min(d_out, d_in).
    """
    _check_matrix(W)
    if isinstance(rank, bool) or not isinstance(rank, Integral) or not 1 <= rank <= min(W.shape):
        raise ValueError(f"rank should be a whole number from 1 to {min(W.shape)} for a matrix of shape "
                         f"{tuple(W.shape)}, but {rank!r} came.")
    U, sigma, Vh = torch.linalg.svd(W, full_matrices=False)  # (d_out, k), (k,), (k, d_in)
    return (U[:, :rank] * sigma[:rank]) @ Vh[:rank]  # (d_out, d_in)


def energy(W: Tensor) -> Tensor:
    """Cumulative share of the squared singular values: entry r-1 is what rank r can hold.

    The squared singular values sum to ||W||_F^2, so 1 - energy[r-1] is the relative squared error of
    `truncate(W, r)`. Shape (min(d_out, d_in),), float64, never falling, ends at exactly 1. Raises ValueError
    unless W is a non-zero matrix.
    """
    _check_matrix(W)
    squares = torch.linalg.svdvals(W.detach().cpu().double()).square()
    total = squares.cumsum(0)
    if total[-1] == 0:
        raise ValueError("expected a matrix that is not all zeros, since shares of nothing are undefined. "
                         "Is this the difference of two weights that are the same?")
    return total / total[-1]


def rank_for_energy(W: Tensor, share: float) -> int:
    """The smallest rank whose best approximation holds at least `share` of the squared norm of W.

    Raises ValueError unless 0 < share <= 1, and where `energy` does.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share should lie above 0 and not above 1, but {share} came; 90 % is 0.9.")
    return int((energy(W) < share).sum()) + 1


def stable_rank(W: Tensor) -> float:
    """||W||_F^2 / ||W||_2^2, the sum of the squared singular values over the largest of them.

    Between 1 and the rank, and hardly moved by tiny singular values, which change the rank itself by whole
    numbers. Source: Rudelson & Vershynin 2007, arXiv:math/0503442. Raises ValueError unless W is a non-zero
    matrix.
    """
    return float(1 / energy(W)[0])


def _check_matrix(W: Tensor) -> None:
    if W.dim() != 2:
        raise ValueError(f"expected a matrix (d_out, d_in), but a tensor of shape {tuple(W.shape)} came.")
