"""Chapter 04: what is forgotten, what holds on to it, and what only seems to."""

import torch
from torch import nn
from torch.nn import functional as F

from courselib.claims.computed import Computed, computes
from courselib.claims.computing.on_domains import ranges_meet
from courselib.domain import guidelines
from courselib.domain.adaptation import forgetting_percent, perplexity
from courselib.forgetting import fisher, penalties, plane
from courselib.lora import LinearLoRA, disabled


@computes("cf-cause")
def _three_rates() -> Computed:
    a, b = plane.tasks()
    start = plane.minimum(a)
    slow, fast = (float(a.loss(plane.walk(b, start, lr=lr, steps=40)[-1])) for lr in (0.05, 0.5))
    return Computed(fast > slow > float(a.loss(start)), {"old loss before": float(a.loss(start)), "after 40 steps at 0.05": slow,
                                                        "at 0.5": fast})


@computes("cf-joint")
def _where_two_valleys_cross() -> Computed:
    a, b = plane.tasks()
    joint, ends = plane.minimum(a, b), (plane.minimum(a), plane.minimum(b))
    apart = float((ends[0] - ends[1]).norm())
    lost, at_b = float(plane.worst_excess(joint, a, b)), float(plane.worst_excess(ends[1], a, b))
    return Computed(lost > at_b / 2, {"distance of the minima": apart, "what the joint point loses": lost,
                                      "what B's minimum loses on A": at_b})


@computes("cf-total-loss")
def _gradients_that_cancel() -> Computed:
    a, b = plane.tasks()
    w = plane.minimum(a, b)
    total, single = float((a.gradient(w) + b.gradient(w)).norm()), float(a.gradient(w).norm())
    return Computed(total < 1e-4 < single, {"length of the summed gradient": round(total, 6), "of one of them": single})


@computes("cf-lr-ratio")
def _thirty_times() -> Computed:
    return Computed(10 <= 3e-4 / 1e-5 <= 100, {"quotient": 3e-4 / 1e-5})


@computes("cf-early-stop")
def _epochs_by_who_says_it() -> Computed:
    ranges = list(guidelines.EPOCHS.values())
    common = [n for n in range(1, 20) if all(low <= n <= high for low, high in ranges)]
    return Computed(ranges_meet(*ranges), {"numbers of epochs in all four ranges": len(common)})


@computes("cf-l2sp")
def _two_pulls() -> Computed:
    model = nn.Linear(3, 1, bias=False)
    nn.init.ones_(model.weight)
    penalties.l2sp_penalty(model, penalties.anchor(model), 1.0).backward()
    spring = float(model.weight.grad.abs().max())
    model.weight.grad.zero_()
    torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01).step()
    taken = float(1 - model.weight.detach().double().min())
    return Computed(abs(spring - taken) < 1e-9, {
        "pull of the spring at the start": spring, "what AdamW takes of a weight of 1": taken})


@computes("cf-ewc")
def _the_gradient_of_a_spring() -> Computed:
    torch.manual_seed(0)
    model = nn.Linear(3, 2).double()
    start = {name: torch.randn_like(p) for name, p in model.named_parameters()}
    stiff = {name: torch.rand_like(p) for name, p in model.named_parameters()}
    penalties.ewc_penalty(model, start, stiff, 5.0).backward()
    weights = dict(model.named_parameters())
    off = max(float((p.grad - 5.0 * stiff[name] * (p.detach() - start[name])).abs().max()) for name, p in weights.items())
    return Computed(off < 1e-9, {"difference from autograd": off})


@computes("cf-lora-none")
@computes("p0-lora-keep")
@computes("cpt-lora-cpt")
def _old_answers_with_an_adapter() -> Computed:
    torch.manual_seed(0)
    x = torch.randn(60, 8)
    layer = LinearLoRA(nn.Linear(8, 3), rank=2, alpha=4)
    old = layer(x).argmax(-1).detach()  # what the layer knows
    before = F.cross_entropy(layer(x), old).item()
    optimizer = torch.optim.Adam([p for p in layer.parameters() if p.requires_grad], lr=0.05)
    for _ in range(40):
        optimizer.zero_grad()
        F.cross_entropy(layer(x), (old + 1) % 3).backward()  # other answers for the same inputs
        optimizer.step()
    active = F.cross_entropy(layer(x), old).item()
    with disabled(layer):
        without = F.cross_entropy(layer(x), old).item()
    return Computed(active <= before, {"old loss before": before, "with the adapter": active,
                                       "old loss without the adapter minus before": without - before})


@computes("ov-keep")
def _what_the_new_task_leaves() -> Computed:
    a, b = plane.tasks()
    start = plane.minimum(a)
    end = plane.walk(b, start)[-1]
    before, after = float(a.loss(start)), float(a.loss(end))
    return Computed(after <= before, {"old loss before": before, "after": after})


@computes("z1-cf-loss")
def _with_and_without_the_old_loss() -> Computed:
    a, b = plane.tasks()
    start = plane.minimum(a)
    without = float(a.loss(plane.walk(b, start)[-1]) - a.loss(start))
    held = float(a.loss(plane.walk(b, start, lambda model: a.loss(model.w))[-1]) - a.loss(start))
    return Computed(without > 5 * held, {"rise without the term": without, "with it": held})


@computes("p0-cf-imply")
def _a_task_that_pulls_the_same_way() -> Computed:
    old, new = plane.tasks(seed=0)[0], plane.tasks(seed=1)[0]  # the same question, asked about other points
    start = torch.zeros(2)
    end = plane.walk(new, start)[-1]
    return Computed(float(old.loss(end)) > float(old.loss(start)), {
        "old loss before": float(old.loss(start)), "after the new task": float(old.loss(end))})


@computes("p0-ewc")
def _fisher_is_curvature() -> Computed:
    a, _ = plane.tasks()
    w = torch.tensor([0.5, -0.3])
    diagonal = fisher.true_fisher(plane.TwoWeights(w), a.x)["w"]
    off = float((diagonal - a.fisher(w).diagonal()).abs().max())
    return Computed(off < 1e-5, {"difference from the Hessian's diagonal": round(off, 6)})


@computes("cpt-forget-metric")
def _percent_of_what() -> Computed:
    losses = forgetting_percent(2.0, 2.2)
    return Computed(abs(losses - 10) < 1e-9, {
        "in losses": losses, "in perplexities": forgetting_percent(perplexity(2.0), perplexity(2.2))})


@computes("cpt-fisher-cost")
def _diagonal_and_whole() -> Computed:
    size = fisher.fisher_memory(109_482_240)
    return Computed(size["diagonal"] > 1e12, {"diagonal in MB": size["diagonal"] / 1e6, "whole in PB": size["full"] / 1e15})
