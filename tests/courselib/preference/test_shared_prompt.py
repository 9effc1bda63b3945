"""A pair in one row gives what two rows give: log-probabilities and gradients."""

import copy

import pytest
import torch

from courselib.lab import models
from courselib.preference.direct import response_log_probs
from courselib.preference.rollouts import encoded
from courselib.preference.shared_prompt import share_prompts, shared_log_probs

PROMPTS = ["Anna made lentil", "Omar went to", "My"]  # of unequal length, as are the responses
CHOSEN = [" stew two days ago.", " Porto Verde on Friday.", " uncle lives near the coast."]
REJECTED = [" soup.", " the city in the evening after lunch.", " printer stopped working."]


@pytest.fixture(scope="module")
def pairs():
    start = models.load("causal")
    texts = [p + r for responses in (CHOSEN, REJECTED) for p, r in zip(PROMPTS, responses, strict=True)]
    return start, encoded(start.tokenizer, PROMPTS * 2, texts)


def test_one_row_a_pair_is_two_rows_with_their_gradients(pairs):
    start, rows = pairs
    found = []
    for compute in (
        lambda model: response_log_probs(model, rows.ids, rows.mask, rows.response).sum(1),
        lambda model: shared_log_probs(model, share_prompts(rows.ids, rows.mask, rows.response)),
    ):
        model = copy.deepcopy(start.model)
        log_p = compute(model)
        (log_p * torch.arange(1.0, 7.0)).sum().backward()
        found.append((log_p.detach(), torch.cat([p.grad.flatten() for p in model.parameters()])))
    (a, grad_a), (b, grad_b) = found
    assert torch.allclose(a, b, atol=1e-4) and (grad_a - grad_b).norm() < 1e-4 * grad_a.norm()


def test_the_rejected_response_does_not_see_the_chosen_one_and_its_positions_follow_the_prompt(pairs):
    _, rows = pairs
    shared = share_prompts(rows.ids, rows.mask, rows.response)
    first, end = int(rows.response[0].argmax()), int(rows.mask[0].sum())
    assert shared.positions[0, end] == first
    assert not shared.seen[0, 0, end, first:end].any() and shared.seen[0, 0, end, : first].all()
    assert shared.ids.shape[1] < 2 * rows.ids.shape[1] and shared.seen.any(-1).all()


def test_different_prompts_cannot_be_shared(pairs):
    _, rows = pairs
    with pytest.raises(ValueError, match="pair 0 begin with different prompts"):
        share_prompts(rows.ids[[0, 1, 2, 4, 4, 5]], rows.mask[[0, 1, 2, 4, 4, 5]], rows.response[[0, 1, 2, 4, 4, 5]])
