"""A probe of the topic `pretraining`: a small network that guesses a word from its neighbours, trained by the student's step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from autograder.asking.probes.calling import call

WIDTH, LAST = 24, 40


class Neighbours(nn.Module):
    """`model(ids)` are logits (n, length, words): at each place from the word there and those at its left and right."""

    def __init__(self, words: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words + 1, WIDTH)  # the last is the mask
        self.mix, self.out = nn.Conv1d(WIDTH, 2 * WIDTH, 3, padding=1), nn.Linear(2 * WIDTH, words)

    def forward(self, ids: Tensor) -> Tensor:
        mixed = self.mix(self.embedding(ids).transpose(1, 2))  # (n, 2 width, length)
        return self.out(torch.relu(mixed).transpose(1, 2))


def masked_training(answer: Callable, inputs: dict[str, Any]) -> tuple[Tensor, float, float]:
    """Takes the step on one batch after another, and then asks the network for hidden words.

    `inputs`: `batches` (steps, n, length), `rate`, `mask_id`, and `asked` (m, 3), of which the word in the middle is hidden.
    Returns its log-probabilities for those, (m, words); the share of all words that it was shown as hidden; and the mean of
    what the last steps returned.
    """
    torch.manual_seed(0)
    model = Neighbours(inputs["mask_id"])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    mask_id, shown, losses = inputs["mask_id"], [], []
    watch = model.register_forward_pre_hook(lambda _, given: shown.append((given[0] == mask_id).double().mean().item()))
    for ids in inputs["batches"]:
        given = {"model": model, "optimizer": optimizer, "ids": ids.clone(), "rate": inputs["rate"], "mask_id": mask_id}
        losses.append(call(answer, given))
    watch.remove()
    asked = inputs["asked"].clone()
    asked[:, 1] = mask_id
    with torch.no_grad():
        log_p = model.eval()(asked)[:, 1].log_softmax(-1)
    last = losses[-LAST:]
    returned = all(isinstance(item, (int, float)) or isinstance(item, Tensor) and item.numel() == 1 for item in last)
    loss = sum(map(float, last)) / len(last) if returned else 0.0  # who returns none loses the part that asks for it, and no more
    return log_p, sum(shown) / max(len(shown), 1), loss
