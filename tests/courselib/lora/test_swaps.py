"""A task whose needed rank is planted: the rank is what it says, the exact change is exact, and a small rank loses."""

import math

import pytest
import torch

from courselib.lora import swaps


@pytest.fixture(scope="module")
def readers():
    return [swaps.read_digits(seed) for seed in (200, 201, 202)]


@pytest.mark.parametrize("pairs", [0, 1, 4, 32])
def test_the_exact_change_has_the_rank_of_the_dial_and_brings_every_answer_back(readers, pairs):
    reader = readers[0]
    layer, x = reader.model[0], reader.task.x_test
    change = swaps.exact_change(layer.weight, pairs, seed=5)
    assert torch.linalg.matrix_rank(change) == pairs
    hidden = x[:, swaps.pixel_order(pairs, 5)] @ (layer.weight + change).T + layer.bias
    assert torch.allclose(hidden, layer(x), atol=1e-5)


def test_pairs_are_exchanged_and_the_seed_chooses_them():
    order = swaps.pixel_order(10, 3)
    assert torch.equal(order[order], torch.arange(64))  # twice is nothing
    assert (order != torch.arange(64)).sum() == 20
    assert not torch.equal(order, swaps.pixel_order(10, 4))
    with pytest.raises(ValueError, match="0 to 32 pairs"):
        swaps.pixel_order(33, 0)


def test_where_little_is_asked_a_small_rank_wins_and_where_much_is_asked_it_loses(readers):
    def mean(pairs, rank):
        lr = 3e-2 if rank else 1e-2
        return sum(swaps.relearn(reader, pairs, rank, lr).new for reader in readers) / len(readers)

    assert mean(4, 8) > mean(4, None) - 0.03
    assert mean(32, 1) < mean(32, None) - 0.2
    assert mean(32, 2) < mean(32, 8) - 0.1
    assert mean(32, 8) > mean(32, None) - 0.08


def test_a_run_trains_the_first_layer_only_and_leaves_its_start_alone(readers):
    reader = readers[0]
    before = [p.clone() for p in reader.model.parameters()]
    full, adapted = swaps.relearn(reader, 32, None, 1e-2, steps=20), swaps.relearn(reader, 32, 3, 1e-2, steps=20)
    assert all(torch.equal(p, q) for p, q in zip(reader.model.parameters(), before, strict=True))
    assert (full.trained, adapted.trained) == (64 * 128, 3 * (64 + 128))
    changed = [not torch.equal(p, q) for p, q in zip(full.model.parameters(), before, strict=True)]
    assert changed == [True, False, False, False, False, False]
    assert (full.off, adapted.off) == (None, True)  # without its adapter: bit for bit the old network
    assert adapted.old < adapted.history[0][2]


def test_what_is_left_of_the_old_is_read_off_where_the_new_is_first_learned(readers):
    run = swaps.relearn(readers[0], 32, 8, 1e-2, steps=40)
    assert [step for step, _, _ in run.history] == [0, 10, 20, 30, 40]
    made_up = swaps.Relearned(1, 0.0, [(0, 0.1, 0.9), (10, 0.5, 0.8), (20, 0.7, 0.6), (30, 0.6, 0.5)], None, run.model)
    assert made_up.old_when_new_reaches(0.5) == 0.8 and made_up.old_when_new_reaches(0.6) == 0.6
    assert math.isnan(made_up.old_when_new_reaches(0.9))


def test_rates_are_chosen_on_pictures_that_no_run_trains_or_reports_on(readers):
    held_out, task = readers[0].held_out[0], readers[0].task
    rows = {tuple(row.tolist()) for row in held_out}
    assert len(held_out) == swaps.VALIDATION
    assert not rows & {tuple(row.tolist()) for row in torch.cat([task.x_train, task.x_test])}


def test_which_scale_cancels_the_rank_depends_on_the_optimiser(readers):
    def growth(optimiser, lr, rslora):
        """From rank 2 to rank 64: by which factor ten steps move the output further, in the mean square."""
        found = [sum(swaps.first_moves(r, rank, optimiser, lr, 10, rslora=rslora) for r in readers) for rank in (2, 64)]
        return found[1] / found[0]

    assert growth(torch.optim.SGD, 1e-3, rslora=False) < 0.05
    assert 0.1 < growth(torch.optim.SGD, 1e-3, rslora=True) < 10
    assert 0.25 < growth(torch.optim.AdamW, 1e-4, rslora=False) < 2
    assert growth(torch.optim.AdamW, 1e-4, rslora=True) > 6


def test_a_tie_of_rates_goes_to_the_gentler():
    assert swaps.gentlest({0.001: 0.80, 0.003: 0.945, 0.01: 0.95, 0.03: 0.90}) == 0.003
    assert swaps.gentlest({0.03: 0.5, 0.01: 0.4}) == 0.03
