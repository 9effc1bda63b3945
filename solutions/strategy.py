"""Model answers of chapter 12."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F


def strategy_capstone(
    model: Callable, labelled: Tensor, labels: Tensor, unlabelled: Tensor, old: Tensor, most_numbers: int, most_bytes: int
) -> dict:
    """Adapt a base model to a world that it has never seen, and return the changes to its weights.

    labelled: (200, 12), texts of the new world, and labels: (200,), 0 or 1. They use half of its words only.
    unlabelled: (1500, 12), texts of the new world, in all its words.   old: (600, 12), texts of the old world, without labels.

    `model(ids, task, changes)` gives logits, (n, classes): for the task "topic" or "feeling", which it does well in the old
    world; for "new", whose head is zero; for "word", over all tokens, for the one hidden in each text, where `ids` is 0.
    Gradients reach `changes`, and nothing else is trained. `model.weights` are the weights by name, in this order: old_words,
    new_words, pair, pair_bias, deep, deep_bias, guess, and for each task its head (topic, feeling, new) and the head's bias.

    changes: a dict from names of weights to a tensor of the same shape, which is added, or, for a matrix, to a pair (B, A) of
    rank at most 16, whose product B @ A is added. The changes stand in the model whatever is asked of it.

    The judge puts them into the model and measures accuracy on new texts in all words of the new world, and on old texts in both
    old tasks. Not more than `most_numbers` numbers may differ from zero, and they may take `most_bytes`: a zero takes none, a
    number that half precision (float16) holds exactly takes 2, any other 4. You have 30 seconds of processor time.
    """
    n, length = unlabelled.shape
    rank, hidden = 4, model.weights["deep"].shape[1]
    words = torch.zeros_like(model.weights["new_words"], requires_grad=True)
    pair = torch.zeros(hidden, rank, requires_grad=True), (torch.randn(rank, hidden) / hidden**0.5).requires_grad_()
    head, bias = (torch.zeros_like(model.weights[name], requires_grad=True) for name in ("new", "new_bias"))

    def minimise(loss: Callable, trained: list, steps: int) -> None:
        optimizer = torch.optim.Adam(trained, lr=0.01)
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=steps)
        for _ in range(steps):
            optimizer.zero_grad()
            loss().backward()
            optimizer.step()
            schedule.step()

    def hidden_word() -> Tensor:
        rows, place = torch.randint(n, (64,)), torch.randint(length, (64, 1))
        texts = unlabelled[rows]
        guesses = model(texts.scatter(1, place, 0), "word", {"new_words": words})
        return F.cross_entropy(guesses, texts.gather(1, place).squeeze(1))

    minimise(hidden_word, [words], 1200)  # what the new words mean, without a label
    changes = {"new_words": words.detach(), "deep": pair, "new": head, "new_bias": bias}
    with torch.no_grad():
        before = {task: model(old, task).softmax(-1) for task in ("topic", "feeling")}

    def new_and_old() -> Tensor:
        rows, past = torch.randint(len(labels), (32,)), torch.randint(len(old), (32,))
        loss = F.cross_entropy(model(labelled[rows], "new", changes), labels[rows])
        return loss + sum(F.cross_entropy(model(old[past], task, changes), said[past]) for task, said in before.items())

    minimise(new_and_old, [*pair, head, bias], 400)
    changes["deep"] = tuple(half.detach().half() for half in pair)
    return changes | {name: changes[name].detach().half() for name in ("new_words", "new", "new_bias")}
