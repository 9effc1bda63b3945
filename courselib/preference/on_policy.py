"""Distillation on the student's own samples: the reverse KL, against distillation on the teacher's.

    off policy   prompts answered by the teacher; the student's likelihood of what the teacher says:   KL(teacher || student)
    on policy    prompts answered by the student; at each of its tokens, how far it is from the teacher:   KL(student || teacher)

On its own samples a student is corrected where it really goes, mistakes included; off policy it only sees the teacher's paths.
Sources: Agarwal et al. 2024, arXiv:2306.13649 (GKD); Gu et al. 2024, arXiv:2306.08543 (MiniLLM).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from courselib.lab import runtime
from courselib.lab.training import fit
from courselib.preference.calculator import answer_logits, problems, sampled_answers

WAYS_TO_DISTIL = ("on policy, reverse", "off policy, forward", "off policy, hard")


def reverse_divergence(student: Tensor, teacher: Tensor, mask: Tensor | None = None) -> Tensor:
    """KL(student || teacher) of the next token, the mean over counted positions: logits (..., vocab), mask (...) -> scalar."""
    log_s, log_t = student.log_softmax(-1), teacher.log_softmax(-1)
    each = (log_s.exp() * (log_s - log_t)).sum(-1)
    return each.mean() if mask is None else (each * mask).sum() / mask.sum()


def forward_divergence(student: Tensor, teacher: Tensor, mask: Tensor | None = None) -> Tensor:
    """KL(teacher || student) of the next token, the mean over counted positions: logits (..., vocab), mask (...) -> scalar."""
    return reverse_divergence(teacher, student, mask)


def distil(
    start: nn.Module, teacher: nn.Module, way: str, *, steps: int = 60, samples: int = 64, seed: int = 0, lr: float = 1e-3
) -> nn.Module:
    """A copy of `start` that learned from `teacher` in one of WAYS_TO_DISTIL, `samples` answers a step. ValueError for another
    way.

    "hard" sees the teacher's words only, the other two its whole distribution.
    """
    if way not in WAYS_TO_DISTIL:
        raise ValueError(f"There is no way {way!r}; there are {', '.join(map(repr, WAYS_TO_DISTIL))}.")
    runtime.set_seed(seed)
    model, pool = copy.deepcopy(start), problems("train")
    generator = torch.Generator().manual_seed(seed)

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for _ in range(steps):
            prompts = pool[torch.randperm(len(pool), generator=generator)[:samples]]
            yield prompts, sampled_answers(model if way.startswith("on") else teacher, prompts, generator)

    def loss(model: Any, batch: tuple[Tensor, Tensor]) -> Tensor:
        student = answer_logits(model, *batch)  # (samples, 3, vocab)
        if way.endswith("hard"):
            return -student.log_softmax(-1).gather(-1, batch[1][..., None]).mean()
        with torch.no_grad():
            other = answer_logits(teacher, *batch)
        return (reverse_divergence if way.endswith("reverse") else forward_divergence)(student, other)

    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.0)
    fit(model, batches(), loss, optimizer, steps=steps, max_grad_norm=1.0, progress=False)
    return model
