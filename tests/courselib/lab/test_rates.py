"""The learning rate's way: worked out by hand, and used by the optimizer."""

import pytest
import torch

from courselib.lab.rates import falling_rate


def rates(warmup, steps, fall):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    schedule, found = falling_rate(optimizer, warmup, steps, fall), []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


@pytest.mark.parametrize(("warmup", "fall", "expected"), [
    (1, 1.0, [2.0, 1.5, 1.0, 0.5]),
    (2, 1.0, [1.0, 1.5, 1.0, 0.5]),  # the first step has half of the peak, not nothing
    (4, 0.0, [0.5, 1.0, 1.5, 2.0]),
    (1, 0.5, [2.0, 1.75, 1.5, 1.25]),
])
def test_by_hand(warmup, fall, expected):
    assert rates(warmup, 4, fall) == pytest.approx(expected)


@pytest.mark.parametrize("asked", [(0, 4, 1.0), (1, 0, 1.0), (1, 4, 1.5), (1, 4, -0.1)])
def test_what_cannot_be_is_refused(asked):
    with pytest.raises(ValueError, match="falling_rate got warmup"):
        falling_rate(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0), *asked)
