"""Rows by length: like lengths together, answers in the order of the rows."""

import pytest
import torch

from courselib.lab.by_length import rows_by_length


def padded(chunks, lengths):
    return sum(max(lengths[i] for i in chunk) * len(chunk) for chunk in chunks)


def test_answers_keep_their_order_and_like_lengths_share_a_batch():
    lengths, chunks = [7, 1, 9, 2, 8, 3, 1], []

    def compute(chosen):
        chunks.append(chosen)
        return torch.tensor([[10.0 * i, lengths[i]] for i in chosen])

    found = rows_by_length(lengths, 3, compute)
    assert found.tolist() == [[10.0 * i, n] for i, n in enumerate(lengths)]
    assert [[lengths[i] for i in chunk] for chunk in chunks] == [[1, 1, 2], [3, 7, 8], [9]]
    sorted_cost, chunks = padded(chunks, lengths), []
    assert torch.equal(rows_by_length(lengths, 3, compute, sort=False), found)
    assert chunks == [[0, 1, 2], [3, 4, 5], [6]] and sorted_cost < padded(chunks, lengths)


@pytest.mark.parametrize(("lengths", "size"), [([], 3), ([1, 2], 0)])
def test_nothing_to_compute(lengths, size):
    with pytest.raises(ValueError, match=f"{len(lengths)} rows, to be computed {size} at a time"):
        rows_by_length(lengths, size, lambda chosen: torch.zeros(len(chosen)))
