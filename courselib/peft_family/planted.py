"""A teacher with planted ranks: does AdaLoRA's allocation find them?

Student and teacher are the same frozen network of four layers, h <- h + tanh(W h). The teacher's weights differ from the
student's by changes of ranks 0, 1, 4 and 8, in an order that the seed draws; so it is known which layer needs how much. The
student begins with rank 8 in every layer and may keep 13 triplets in all, as many as are needed.

    planted()        the two networks
    allocate_by()    one run with AdaLoRA: ranks by layer, and the loss that is left
    learn_fixed()    the same loss with LoRA of one rank in every layer
    rank_error()     how far an allocation is from the truth
"""

from __future__ import annotations

import copy
import random
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from courselib.lab.training import fit
from courselib.lora import add_lora
from courselib.peft_family.adalora import add_adalora, orthogonality_penalty
from courselib.peft_family.allocation import Allocator

RANKS = (0, 1, 4, 8)
WIDTH, ROWS, BATCH = 24, 512, 128


class Block(nn.Module):
    """h + tanh(W h) for each layer in turn: (n, d) -> (n, d)."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(layers))

    def forward(self, h: Tensor) -> Tensor:
        for layer in self.layers:
            h = h + torch.tanh(layer(h))
        return h


class Planted(NamedTuple):
    """What a seed draws: the student, inputs and right outputs (rows, d), others held out, and the rank that each layer needs."""

    seed: int
    student: Block
    x: Tensor
    y: Tensor
    x_test: Tensor
    y_test: Tensor
    ranks: tuple[int, ...]


class Allocation(NamedTuple):
    """One run: ranks by layer in the end, what is left of the error (1 is the student as it was), and the history of ranks."""

    ranks: tuple[int, ...]
    left: float
    history: list[tuple[int, dict[str, int]]]


def planted(seed: int, strength: float = 0.8) -> Planted:
    """Student and teacher. Every piece of a change has the same singular value, `strength`; W itself is normal / √d."""
    torch.manual_seed(seed)
    ranks = tuple(random.Random(seed).sample(RANKS, len(RANKS)))
    student = Block(WIDTH, len(RANKS))
    for layer in student.layers:
        nn.init.normal_(layer.weight, std=0.5 / WIDTH**0.5)
    teacher = copy.deepcopy(student)
    with torch.no_grad():
        for layer, rank in zip(teacher.layers, ranks, strict=True):
            left, right = (torch.linalg.qr(torch.randn(WIDTH, WIDTH))[0][:, :rank] for _ in range(2))
            layer.weight += strength * left @ right.T
        x, x_test = torch.randn(ROWS, WIDTH), torch.randn(ROWS, WIDTH)
        return Planted(seed, student, x, teacher(x), x_test, teacher(x_test), ranks)


def allocate_by(task: Planted, lr: float = 1e-2, *, importance: str = "paper", steps: int = 300, beta: float = 0.85,
                penalty: float = 0.1) -> Allocation:
    """AdaLoRA on all four layers, from rank 8 each down to the planted total."""
    torch.manual_seed(task.seed)
    model = add_adalora(copy.deepcopy(task.student), [f"layers.{i}" for i in range(len(RANKS))], rank=8, alpha=8)
    allocator = Allocator(model, sum(RANKS) / len(RANKS), steps, steps // 6, steps // 3, every=5, beta1=beta, beta2=beta,
                          importance=importance)
    _train(model, task, lr, steps, penalty, [allocator])
    return Allocation(tuple(allocator.history[-1][1].values()), _left(model, task), allocator.history)


def learn_fixed(task: Planted, rank: int, lr: float = 1e-2, *, steps: int = 300) -> float:
    """LoRA of one rank in every layer, alpha = rank: what is left of the error."""
    torch.manual_seed(task.seed)
    model = add_lora(copy.deepcopy(task.student), [f"layers.{i}" for i in range(len(RANKS))], rank, alpha=rank)
    _train(model, task, lr, steps, 0.0, [])
    return _left(model, task)


def rank_error(found: tuple[int, ...], truth: tuple[int, ...]) -> int:
    """How many ranks stand in the wrong layer: half the sum of |found - truth|, where both have the same total."""
    return sum(abs(a - b) for a, b in zip(found, truth, strict=True)) // 2


def chance_errors(truth: tuple[int, ...], draws: int = 2000, seed: int = 0) -> list[int]:
    """`rank_error` where the 13 that stay are drawn at random from the 32: the null."""
    draw, slots = random.Random(seed), [layer for layer in range(len(truth)) for _ in range(max(RANKS))]
    picks = [draw.sample(slots, sum(truth)) for _ in range(draws)]
    return [rank_error(tuple(pick.count(layer) for layer in range(len(truth))), truth) for pick in picks]


def _train(model: nn.Module, task: Planted, lr: float, steps: int, penalty: float, callbacks: list) -> None:
    def loss(model: nn.Module, rows: Tensor) -> Tensor:
        error = F.mse_loss(model(task.x[rows]), task.y[rows])
        return error + penalty * orthogonality_penalty(model) if penalty else error

    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=lr, weight_decay=0.0)
    order = torch.randperm(ROWS, generator=torch.Generator().manual_seed(task.seed)).split(BATCH)
    fit(model, order, loss, optimizer, steps=steps, callbacks=callbacks, progress=False)


@torch.no_grad()
def _left(model: nn.Module, task: Planted) -> float:
    before = F.mse_loss(task.student(task.x_test), task.y_test)
    return (F.mse_loss(model(task.x_test), task.y_test) / before).item()
