"""Early stopping: the rule on hand-made losses, and the callback in a real training."""

import copy

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


def test_an_improvement_that_is_too_small_counts_as_none():
    assert stop_at([1.0, 0.85, 0.8], 1, least=0.1) == 3
    assert stop_at([1.0, 0.95, 0.89], 2, least=0.1) is None  # below the mark of 1.0 in the end: a slow improvement is one
    assert stop_at([1.0, 0.95, 0.91, 0.5], 2, least=0.1) == 3


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


def test_the_lowest_is_the_best_even_where_it_is_too_little_lower_to_count():
    losses = iter([1.0, 0.97, 0.95, 0.99])
    rule = EarlyStopping(lambda m: next(losses), every=1, patience=3, least=0.1)
    _train(rule)
    assert rule.stopped and len(rule.losses) == 4 and rule.best_step == 3


def test_a_rule_that_goes_on_stops_where_it_would_have_and_has_the_best_weights():
    def rule():
        return EarlyStopping(lambda m: (m.weight - 1).square().sum().item(), every=2, patience=3)

    whole, first = rule(), rule()
    best = whole.restore(_train(whole)).weight.clone()
    cut = whole.best_step + 2  # one evaluation after the best
    half = _train(first, steps=cut)
    state, second = copy.deepcopy(first.state_dict()), rule()
    with torch.no_grad():
        half.weight.fill_(9.0)  # what was kept does not follow the model
    second.load_state_dict(state)
    later = iter(whole.losses[len(first.losses) :])
    second.evaluate = lambda m: next(later)
    rest = _train(second)
    assert second.losses == whole.losses and second.stopped and second.best_step == whole.best_step
    assert torch.equal(second.restore(rest).weight, best)


def test_what_cannot_be_is_refused_with_a_sentence():
    with pytest.raises(ValueError, match="patience is 0"):
        stop_at([1.0], 0)
    with pytest.raises(ValueError, match="patience is 0"):
        EarlyStopping(lambda m: 0.0, every=1, patience=0)
    with pytest.raises(ValueError, match="every is 0"):
        EarlyStopping(lambda m: 0.0, every=0, patience=1)
    with pytest.raises(ValueError, match="least is -1"):
        stop_at([1.0], 1, least=-1)
    with pytest.raises(ValueError, match="never stop anything"):
        EarlyStopping(lambda m: 0.0, every=1, patience=3, evaluations=3)
    assert EarlyStopping(lambda m: 0.0, every=1, patience=3, evaluations=4).patience == 3
    with pytest.raises(ValueError, match="no evaluation yet"):
        EarlyStopping(lambda m: 0.0, every=1, patience=1).restore(nn.Linear(1, 1))
