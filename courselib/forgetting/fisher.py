"""How much each weight matters to a task: the diagonal of its Fisher information.

Three different things go by that name, and only the first is it (Kunstner et al. 2019; van de Ven 2025, "On the computation of
the Fisher information in continual learning"):

    true_fisher         E_x E_{y ~ model(x)} [ (d log p(y|x) / d theta_i)^2 ]    labels from the model itself
    empirical_fisher    E_(x, y) in data    [ (d log p(y|x) / d theta_i)^2 ]    labels from the data
    batch_mean_square   the square of a mini-batch's *mean* gradient             neither; see its docstring
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jacrev, jvp, vmap
from torch.nn import functional as F

Weights = Mapping[str, Tensor]  # by the name `model.named_parameters()` gives them


def true_fisher(
    model: nn.Module, x: Tensor, *, sampled: bool = False, generator: torch.Generator | None = None, chunk: int = 64
) -> dict[str, Tensor]:
    """The diagonal of the Fisher information: mean over x (n, ...) of the mean over y ~ model(x) of squared gradients.

    The labels are the model's own, never the data's. By default the mean over y is exact, one gradient a class;
    `sampled=True` draws one label for each x instead: unbiased, and classes-fold cheaper. `model(x)` gives logits
    (n, classes). Returns one tensor a trainable weight, of its shape. Source: Amari 1998; Kirkpatrick et al. 2017.
    """
    weights = _trainable(model, x)

    if sampled:
        with torch.no_grad():
            labels = torch.multinomial(_in_eval(model, x).softmax(-1), 1, generator=generator).squeeze(1)  # (n,)
        return empirical_fisher(model, x, labels, chunk=chunk)

    def one(weights: Weights, x_i: Tensor) -> dict[str, Tensor]:
        log_p = _log_probabilities(model, weights, x_i)  # (classes,)
        jacobian = jacrev(lambda w: _log_probabilities(model, w, x_i))(weights)  # each (classes, *shape of the weight)
        return {name: torch.tensordot(log_p.exp(), g**2, dims=1) for name, g in jacobian.items()}

    return _mean(model, one, weights, chunk, x)


def empirical_fisher(model: nn.Module, x: Tensor, y: Tensor, *, chunk: int = 64) -> dict[str, Tensor]:
    """Mean over the examples of (d log p(y_i | x_i) / d theta)^2, with the labels `y` (n,) of the data.

    Squared *before* the mean, example by example. It is not the Fisher information, for y is not drawn from the
    model: once the model fits its training labels these gradients vanish, and the importances with them.
    """
    weights = _trainable(model, x)
    if len(y) != len(x):
        raise ValueError(f"There are {len(x)} inputs but {len(y)} labels; each input needs one.")

    def one(weights: Weights, x_i: Tensor, y_i: Tensor) -> dict[str, Tensor]:
        gradient = grad(lambda w: F.nll_loss(_log_probabilities(model, w, x_i), y_i))(weights)
        return {name: g**2 for name, g in gradient.items()}

    return _mean(model, one, weights, chunk, x, y)


def batch_mean_square(model: nn.Module, x: Tensor, y: Tensor, batch: int) -> dict[str, Tensor]:
    """The common mistake: the square of each mini-batch's mean gradient, averaged over the batches.

    It is what one gets by calling `loss.backward()` on a batch and squaring `.grad`. At a minimum the gradients of
    the examples cancel, so the square of their mean is about 1/batch of the mean of their squares, and lambda no
    longer means what it says. At batch 1 it equals `empirical_fisher`. The last, smaller batch counts by its size.
    """
    if batch < 1:
        raise ValueError(f"batch is {batch}; a mini-batch needs at least 1 example.")
    weights = _trainable(model, x)
    total = {name: torch.zeros_like(p) for name, p in weights.items()}
    parameters = {name: p for name, p in model.named_parameters() if name in weights}
    for x_b, y_b in zip(x.split(batch), y.split(batch), strict=True):
        gradients = torch.autograd.grad(F.cross_entropy(_in_eval(model, x_b), y_b), list(parameters.values()))
        for name, g in zip(parameters, gradients, strict=True):
            total[name] += g**2 * len(x_b) / len(x)
    return total


def trace(fisher: Weights) -> float:
    """The sum of all importances: one number to compare two estimates by."""
    return sum(f.sum().item() for f in fisher.values())


def quadratic_form(model: nn.Module, x: Tensor, direction: Weights) -> float:
    """d^T F d with the *whole* Fisher matrix F at the model's weights, for one direction d, without building F.

    It is the mean over x and y ~ model(x) of the squared slope of log p(y|x) along d: one forward-mode pass. What
    it has above sum_i F_i d_i^2 is what the diagonal leaves out: that weights act together.
    """
    return whole_fisher_form(model, x, direction).item()


def whole_fisher_form(model: nn.Module, x: Tensor, direction: Weights) -> Tensor:
    """`quadratic_form` as a scalar that can be differentiated by the direction: a spring that pulls with the whole F."""
    weights = _trainable(model, x)
    if direction.keys() != weights.keys():
        raise ValueError(f"The direction names {sorted(direction)}, but the model trains {sorted(weights)}; they have to agree.")

    def log_p(weights: Weights) -> Tensor:
        return functional_call(model, dict(weights), (x,)).log_softmax(-1)  # (n, classes)

    was_training = model.training
    model.eval()
    try:
        value, slope = jvp(log_p, (weights,), (dict(direction),))
    finally:
        model.train(was_training)
    return (value.exp() * slope**2).sum(-1).mean()


def fisher_memory(parameters: int, blocks: Sequence[int] = ()) -> dict[str, int]:
    """Bytes, 4 a number, to store the Fisher information of a model in three ways.

    `diagonal` is one number a parameter. `full` is every pair of parameters. `blocks`, the sizes of groups of
    parameters (a layer each, say), keep only the pairs within a group; parameters in no group keep their diagonal.
    """
    if parameters < 1 or min(blocks, default=1) < 1 or sum(blocks) > parameters:
        raise ValueError(f"{parameters} parameters cannot be split into blocks of {list(blocks)}; all are positive, and fit.")
    paired = sum(size**2 for size in blocks) + parameters - sum(blocks)
    return {"diagonal": 4 * parameters, "blocks": 4 * paired, "full": 4 * parameters**2}


def add(first: Weights, second: Weights) -> dict[str, Tensor]:
    """The importances of two tasks together: they add, as log-likelihoods do (Huszar 2018).

    A weight that only one of them has, such as a task's own head, keeps what it has there.
    """
    names = dict.fromkeys([*first, *second])
    return {n: first[n] + second[n] if n in first and n in second else first.get(n, second.get(n)) for n in names}


def _log_probabilities(model: nn.Module, weights: Weights, x_i: Tensor) -> Tensor:
    """log p(. | x_i) under `weights`, (classes,), for one example without its batch dimension."""
    return functional_call(model, dict(weights), (x_i.unsqueeze(0),)).squeeze(0).log_softmax(-1)


def _mean(model: nn.Module, one: Callable, weights: Weights, chunk: int, *data: Tensor) -> dict[str, Tensor]:
    """The mean of one(weights, *example) over all examples, `chunk` of them side by side, in eval mode."""
    total = {name: torch.zeros_like(p) for name, p in weights.items()}
    was_training = model.training
    model.eval()  # dropout would add its own noise to every gradient
    try:
        for part in zip(*(d.split(chunk) for d in data), strict=True):
            for name, value in vmap(one, in_dims=(None,) + (0,) * len(part))(weights, *part).items():
                total[name] += value.sum(0) / len(data[0])
    finally:
        model.train(was_training)
    return total


def _in_eval(model: nn.Module, x: Tensor) -> Tensor:
    was_training = model.training
    model.eval()
    try:
        return model(x)
    finally:
        model.train(was_training)


def _trainable(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """The weights to differentiate by, without their history."""
    weights = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    if not weights:
        raise ValueError("The model has no trainable weight, so nothing can be more important than anything else. Unfreeze some.")
    if not len(x):
        raise ValueError("There are no examples to measure importance on. Pass the old task's training inputs.")
    return weights
