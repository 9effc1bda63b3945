"""Chapter 01's step: other right ways pass, and what is no step at all is said."""

import torch
from torch.nn import functional as F

from autograder import grade

ID = "pretraining.masked_step"


def test_the_rule_of_bert_passes_as_well():
    def eighty_ten_ten(model, optimizer, ids, rate, mask_id):
        chosen, dice = torch.rand(ids.shape) < rate, torch.rand(ids.shape)
        read = torch.where(chosen & (dice < 0.8), mask_id, ids)
        read = torch.where(chosen & (dice > 0.9), torch.randint(mask_id, ids.shape), read)
        loss = F.cross_entropy(model(read)[chosen], ids[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss  # a tensor will do

    report = grade(ID, eighty_ten_ten, seed=31)
    assert (report.score, report.state) == (5, "right"), report.message


def test_a_fixed_number_of_words_a_sentence_passes_as_well():
    def two_each(model, optimizer, ids, rate, mask_id):
        places = torch.rand(ids.shape).argsort(1)[:, : round(rate * ids.shape[1])]
        read = ids.scatter(1, places, mask_id)
        loss = F.nll_loss(model(read).log_softmax(-1).gather(1, places[..., None].expand(-1, -1, mask_id)).flatten(0, 1),
                          ids.gather(1, places).flatten())  # fmt: skip
        model.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss)

    report = grade(ID, two_each, seed=31)
    assert (report.score, report.state) == (5, "right"), report.message


def test_what_returns_nothing_keeps_what_it_learned():
    def silent(model, optimizer, ids, rate, mask_id):
        chosen = torch.rand(ids.shape) < rate
        loss = F.cross_entropy(model(ids.masked_fill(chosen, mask_id))[chosen], ids[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    report = grade(ID, silent, seed=31)
    assert report.score == 4 and "loss" in report.message, report
