"""Which triplets of AdaLoRA stay: importance, a budget that shrinks, and a mask that can be lifted again.

Sensitivity of a weight: I = |w dL/dw|, about what the loss changes by if w were zero. One batch's is noisy, so it is smoothed,
and its uncertainty is smoothed beside it:

    I_t = b1 I_(t-1) + (1 - b1) |w g|        U_t = b2 U_(t-1) + (1 - b2) | |w g| - I_t |        score s = I_t U_t

A triplet's importance is s(lambda) + mean of s over its column of P + mean of s over its row of Q. All triplets of all layers are
ranked together. Those below the budget have their lambda set to zero; their vectors stay and go on being trained, and lambda gets
a gradient again in the next step: what was masked can return at the next allocation. No layer ever has more than the rank that
it began with: what is shared out is a total that shrinks, not ranks that are handed over.

Paper: Zhang et al. 2023, arXiv:2303.10512, equations 7 to 11 and algorithm 1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from courselib.lab.training import Step
from courselib.peft_family.adalora import LinearAdaLoRA, adalora_layers


def simple_importance(lam: Tensor, gradient: Tensor) -> Tensor:
    """|lambda dL/dlambda|, (r,): the short form that is often written. It knows one batch, and nothing of P and Q."""
    return (lam * gradient).abs()


def budget_at(step: int, total: int, first: int, last: int, warmup: int, final: int) -> int:
    """How many triplets may stay after `step` (from 0): `first` for `warmup` steps, then down a cubic curve, `last` in the end.

    The last `final` steps have the last budget. Raises ValueError where warm-up and final phase leave no step between.
    """
    if warmup + final >= total:
        raise ValueError(f"Of {total} steps, {warmup} warm up and {final} are final: none is left for the budget to fall.")
    if step <= warmup:
        return first
    if step > total - final:
        return last
    left = 1 - (step - warmup) / (total - final - warmup)
    return int((first - last) * left**3 + last)


class Allocator:
    """A callback for `fit` that shares out ranks among the AdaLoRA layers of a model.

    `target` is the mean rank a layer shall have in the end; ranks are shared out every `every` steps, after `warmup` and before
    the `final` ones, in which the mask stays as it is. `importance` is "paper" or "simple". State: smoothed sensitivity and
    uncertainty of every weight, the mask of the end, and `history`, the ranks by layer after each allocation.

    Gradients have to be there when it is called: after the optimizer's step and before they are set to zero, which is where
    `fit` calls. Raises ValueError for a target that is not below the start: then there is nothing to allocate.
    """

    def __init__(self, model: nn.Module, target: float, steps: int, warmup: int, final: int, every: int = 1, beta1: float = 0.85,
                 beta2: float = 0.85, importance: str = "paper") -> None:
        self.layers = adalora_layers(model)
        self.first = sum(len(layer.lam) for layer in self.layers.values())
        self.last = round(target * len(self.layers))
        if not 0 < self.last < self.first:
            raise ValueError(f"The layers begin with {self.first} ranks in all and shall end with {self.last}: give a target "
                             "above 0 and below the rank that they begin with.")
        if importance not in ("paper", "simple"):
            raise ValueError(f"Importance is 'paper' or 'simple', not {importance!r}.")
        budget_at(0, steps, self.first, self.last, warmup, final)
        self.steps, self.warmup, self.final, self.every = steps, warmup, final, every
        self.beta1, self.beta2, self.importance = beta1, beta2, importance
        self.sensitivity: dict[tuple[str, str], Tensor] = {}
        self.uncertainty: dict[tuple[str, str], Tensor] = {}
        self.kept: dict[str, Tensor] = {}
        self.history: list[tuple[int, dict[str, int]]] = []

    def __call__(self, step: Step) -> None:
        self.after_step(step.number)

    @torch.no_grad()
    def after_step(self, number: int) -> None:
        """What step `number` (from 1) changes in scores, budget and mask."""
        end = self.steps - self.final
        if number > end:
            for path, layer in self.layers.items():
                layer.lam.masked_fill_(~self.kept[path], 0.0)
            return
        if number < end:
            self._watch()
        budget = budget_at(number, self.steps, self.first, self.last, self.warmup, self.final)
        if number == end or (number > self.warmup and number % self.every == 0):
            self._mask(self.last if number == end else budget)
            self.history.append((number, {path: layer.rank for path, layer in self.layers.items()}))

    def scores(self) -> dict[str, Tensor]:
        """The importance of every triplet, (r,) for each layer."""
        if self.importance == "simple":
            return {path: self._last_simple[path] for path in self.layers}
        found = {}
        for path in self.layers:
            P, lam, Q = (self.sensitivity[path, name] * self.uncertainty[path, name] for name in ("P", "lam", "Q"))
            found[path] = lam + P.mean(0) + Q.mean(1)
        return found

    def _watch(self) -> None:
        self._last_simple = {path: simple_importance(layer.lam, layer.lam.grad) for path, layer in self.layers.items()}
        for path, layer in self.layers.items():
            for name, weight in self._weights(layer):
                now = (weight * weight.grad).abs()
                old = self.sensitivity.get((path, name), torch.zeros_like(now))
                smooth = self.beta1 * old + (1 - self.beta1) * now
                spread = self.uncertainty.get((path, name), torch.zeros_like(now))
                self.sensitivity[path, name] = smooth
                self.uncertainty[path, name] = self.beta2 * spread + (1 - self.beta2) * (now - smooth).abs()

    def _mask(self, budget: int) -> None:
        scores = self.scores()
        together = torch.cat(list(scores.values()))
        threshold = together.kthvalue(self.first - budget).values if budget < self.first else together.min() - 1
        for path, layer in self.layers.items():
            self.kept[path] = scores[path] > threshold
            layer.lam.masked_fill_(~self.kept[path], 0.0)

    @staticmethod
    def _weights(layer: LinearAdaLoRA) -> list[tuple[str, nn.Parameter]]:
        return [("P", layer.P), ("lam", layer.lam), ("Q", layer.Q)]
