"""Losses: worked by hand, against torch, and against each other where they have to differ."""

import math

import pytest
import torch
from torch.nn import functional as F

from courselib.instruction import loss


def batch(lengths, vocab=7, seq=12, seed=0):
    draw = torch.Generator().manual_seed(seed)
    labels = torch.full((len(lengths), seq), loss.IGNORE_INDEX)
    for row, length in enumerate(lengths):
        labels[row, 3 : 3 + length] = torch.randint(0, vocab, (length,), generator=draw)
    return torch.randn(len(lengths), seq, vocab, generator=draw), labels


def test_by_hand():
    """Two tokens of probability 1/2 and 1/8 after the shift; what is at other places must not matter."""
    logits = torch.full((1, 4, 2), 9.0)
    logits[0, 1] = torch.tensor([0.0, 0.0])  # predicts position 2: token 1 has 1/2
    logits[0, 2] = torch.tensor([0.0, math.log(7)])  # predicts position 3: token 0 has 1/8
    labels = torch.tensor([[-100, -100, 1, 0]])
    assert loss.response_loss(logits, labels).item() == pytest.approx((math.log(2) + math.log(8)) / 2)


def test_the_first_token_of_a_row_cannot_be_predicted():
    logits, labels = batch([4])
    labels[0, 0] = 3
    expected = F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
    assert torch.equal(loss.response_loss(logits, labels), expected)


def test_the_means_agree_on_equal_lengths_and_only_there():
    for lengths, agree in (([5, 5, 5], True), ([2, 8], False), ([4], True)):
        logits, labels = batch(lengths)
        a, b = loss.response_loss(logits, labels).item(), loss.sequence_mean_loss(logits, labels).item()
        assert (a == pytest.approx(b, rel=1e-6)) is agree


def test_a_row_without_a_label_changes_neither_mean():
    logits, labels = batch([2, 8, 0])
    for mean in (loss.response_loss, loss.sequence_mean_loss):
        assert mean(logits, labels).item() == pytest.approx(mean(logits[:2], labels[:2]).item())


@pytest.mark.parametrize("mean", [loss.response_loss, loss.sequence_mean_loss])
def test_nothing_to_learn_is_an_error_and_not_nan(mean):
    logits, labels = batch([0, 0])
    assert math.isnan(F.cross_entropy(logits.flatten(0, 1), labels.flatten()))
    with pytest.raises(ValueError, match="label"):
        mean(logits, labels)


def test_labels_are_ids_where_the_mask_is_and_inputs_stay():
    ids, mask = torch.tensor([[5, 0, 7, 2, 2]]), torch.tensor([[0, 1, 0, 1, 0]])
    before = ids.clone()
    assert loss.response_labels(ids, mask).tolist() == [[-100, 0, -100, 2, -100]]
    assert torch.equal(ids, before)


def test_a_chain_is_one_response():
    """The same tokens, as a chain and as a row of logits: one loss."""
    logits, labels = batch([9])
    log_p = logits[:, :-1].log_softmax(-1).gather(-1, labels[:, 1:].clamp(min=0)[..., None])[0, 2:11, 0]
    steps = list(log_p.split([4, 3, 2]))
    assert loss.chain_loss(steps) == pytest.approx(loss.response_loss(logits, labels).item(), rel=1e-6)
    assert loss.mean_over_steps(steps) == pytest.approx(loss.chain_loss(steps) * 9 / 3, rel=1e-6)
    assert loss.mean_over_steps(list(log_p.split(1))) == pytest.approx(loss.chain_loss(steps), rel=1e-6)  # steps of one token


@pytest.mark.parametrize("steps", [[], [torch.empty(0)]])
def test_a_chain_without_tokens(steps):
    with pytest.raises(ValueError, match="no tokens"):
        loss.chain_loss(steps)
