"""Early stopping: the rule on hand-made losses, and the callback in a real training."""

import pytest
import torch
from torch import nn

from courselib.lab.callbacks import EarlyStopping, stop_at
from courselib.lab.training import fit


@pytest.mark.parametrize(
    ("losses", "patience", "stops"),
    [
        ([3, 2, 1], 1, None),  # it improves to the end
        ([1, 2], 1, 2),
        ([1, 1], 1, 2),  # a tie is no improvement
        ([3, 4, 2, 4, 5], 2, 5),  # an improvement sets the count back
        ([3, 5, 4, 3.5, 2], 3, 4),  # below the one before, but not below the best
        ([1, 2, 3], 3, None),  # patience 3 in 3 epochs can never fire ...
        ([1, 2, 3, 4], 3, 4),  # ... and in 4 it can
        ([], 1, None),
    ],
)
def test_the_rule(losses, patience, stops):
    assert stop_at(losses, patience) == stops


def test_no_losses_make_patience_p_fire_before_evaluation_p_plus_1():
    for patience in range(1, 6):
        assert stop_at(range(patience), patience) is None  # rising from the start: the worst there is
        assert stop_at(range(patience + 1), patience) == patience + 1


def _train(rule, steps=40):
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 0.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    fit(model, [None], lambda m, _: (m.weight - 3).square().sum(), optimizer, steps=steps, callbacks=(rule,), progress=False)
    return model


def test_the_callback_stops_and_brings_the_best_weights_back():
    rule = EarlyStopping(lambda m: (m.weight - 1).square().sum().item(), every=2, patience=2)  # training passes 1 on its way to 3
    model = _train(rule)
    assert rule.stopped and len(rule.losses) * 2 < 40
    assert rule.losses.index(min(rule.losses)) == len(rule.losses) - 3
    assert rule.best_step == 2 * (len(rule.losses) - 2)
    assert (model.weight - 1).square().item() == pytest.approx(rule.losses[-1])  # nothing is undone unasked
    assert (rule.restore(model).weight - 1).square().item() == pytest.approx(min(rule.losses))


def test_it_lets_an_improving_training_finish():
    rule = EarlyStopping(lambda m: (m.weight - 3).square().sum().item(), every=10, patience=1)
    _train(rule)
    assert not rule.stopped and len(rule.losses) == 4 and rule.best_step == 40


def test_what_cannot_be_is_refused_with_a_sentence():
    with pytest.raises(ValueError, match="patience is 0"):
        stop_at([1.0], 0)
    with pytest.raises(ValueError, match="patience is 0"):
        EarlyStopping(lambda m: 0.0, every=1, patience=0)
    with pytest.raises(ValueError, match="every is 0"):
        EarlyStopping(lambda m: 0.0, every=0, patience=1)
    with pytest.raises(ValueError, match="no evaluation yet"):
        EarlyStopping(lambda m: 0.0, every=1, patience=1).restore(nn.Linear(1, 1))
