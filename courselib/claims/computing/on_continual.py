"""Chapter 05: replay in counts, distillation, what is isolated."""

import torch
from torch import nn
from torch.nn import functional as F

from courselib.claims.computed import Computed, computes
from courselib.continual import distillation, replay
from courselib.continual.isolation import TaskNetwork
from courselib.domain.adaptation import data_mix
from courselib.domain.shift import kl_divergence
from courselib.forgetting import plane


def _batch(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 6, generator=generator), torch.randint(0, 3, (n,), generator=generator)


def _linear() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(6, 3)


@computes("cl-objective")
def _all_tasks_or_the_last() -> Computed:
    a, b = plane.tasks()
    joint, last = plane.minimum(a, b), plane.walk(b, plane.minimum(a))[-1]
    both = [float(a.loss(w) + b.loss(w)) for w in (joint, last)]
    return Computed(both[0] < both[1], {"both losses at the joint minimum": both[0], "after the last task alone": both[1]})


@computes("cl-rehearsal-mix")
def _a_tenth_of_a_batch() -> Computed:
    new, old = replay.replay_counts(32, 0.1)
    return Computed(abs(old / 32 - 0.1) < 0.02, {"new of 32": new, "old of 32": old})


@computes("cl-er-loss")
def _two_means() -> Computed:
    model, new, old = _linear(), _batch(7, 0), _batch(3, 1)
    apart = F.cross_entropy(model(new[0]), new[1]) + 0.5 * F.cross_entropy(model(old[0]), old[1])
    off = abs((replay.replay_loss(model, new, old, 0.5) - apart).item())
    return Computed(off < 1e-5, {"difference from two passes": off})


@computes("s000-er-formula")
def _a_joined_batch() -> Computed:
    model, new, old = _linear(), _batch(9, 0), _batch(1, 1)
    joined = F.cross_entropy(model(torch.cat([new[0], old[0]])), torch.cat([new[1], old[1]]))
    off = abs((joined - 0.9 * replay.replay_loss(model, new, old, 0.1 / 0.9)).item())
    return Computed(off < 1e-5, {"difference from the weighted losses": off})


@computes("cl-llm-mix")
def _special_shares() -> Computed:
    first, other = (0.8, 0.8), (1 - 0.9, 1 - 0.5)
    return Computed(max(first[0], other[0]) <= min(first[1], other[1]), {"largest special share of the other rule": other[1]})


@computes("cl-kd-loss")
def _teacher_first() -> Computed:
    student, teacher = _batch(5, 0)[0], _batch(5, 1)[0]
    p, q = teacher.softmax(-1), student.softmax(-1)
    by_hand = float((p * (p / q).log()).sum(-1).mean())
    off = abs(float(distillation.distillation_loss(student, teacher, 1.0)) - by_hand)
    exchanged = float((q * (q / p).log()).sum(-1).mean())
    return Computed(off < 1e-5, {"difference from the definition": off, "teacher first": by_hand, "exchanged": exchanged})


@computes("cl-kd-temp")
def _loudness_of_a_temperature() -> Computed:
    student, teacher = _batch(40, 0)[0], _batch(40, 1)[0]
    size, entropy = {}, {}
    for T in (1.0, 8.0):
        gradient = distillation.distillation_gradient(student, teacher, T)  # of T² KL
        size[T] = float(gradient.norm()) / T**2
        p = distillation.softened(teacher, T)
        entropy[T] = float(-(p * p.log()).sum(-1).mean())
    return Computed(entropy[8.0] > entropy[1.0], {
        "gradient at T 1 over T 8, without T²": size[1.0] / size[8.0], "with T²": size[1.0] / (64 * size[8.0])})


def _two_tasks(frozen: bool) -> tuple[float, float]:
    """How far the old task's answers move while a second is learned: asked under its own name, and under the other's."""
    torch.manual_seed(0)
    network = TaskNetwork([nn.Sequential(nn.Linear(6, 8), nn.ReLU())], [6, 8], bottleneck=4 if frozen else 0)
    network.add_task("old", 3)
    if frozen:
        network.freeze_trunk()
    x, y = _batch(30, 0)
    before = network(x, "old").detach()
    network.add_task("new", 3)
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.5)
    for _ in range(10):
        optimizer.zero_grad()
        F.cross_entropy(network(x, "new"), y).backward()
        optimizer.step()
    return tuple(float((network(x, name).detach() - before).abs().max()) for name in ("old", "new"))


@computes("cl-isolation")
def _a_trunk_that_all_train() -> Computed:
    shared, own = _two_tasks(frozen=False)[0], _two_tasks(frozen=True)[0]
    return Computed(shared == 0, {
        "old answers move with a shared trunk by": shared, "old answers move with a frozen trunk by": own})


@computes("cl-adapter-zero")
def _the_wrong_name() -> Computed:
    own, other = _two_tasks(frozen=True)
    return Computed(own == 0 and other == 0, {"old answers with their own adapter move by": own, "with the other task's": other})


@computes("ex000-3")
def _a_thousand_samples() -> Computed:
    domain, general = data_mix(1000, 0.1)
    return Computed((domain, general) == (900, 100), {"domain": domain, "general": general})


@computes("ex000-4")
def _divergence_of_three() -> Computed:
    p, q = [0.7, 0.2, 0.1], [0.6, 0.3, 0.1]
    nats = kl_divergence(p, q)
    return Computed(abs(nats - 0.027) < 0.0005, {"nats": nats, "the other way round": kl_divergence(q, p)})


@computes("ex000-4-logs")
def _two_logarithms() -> Computed:
    first, second = torch.tensor([0.7 / 0.6, 0.2 / 0.3], dtype=torch.float64).log().tolist()
    return Computed(round(first, 3) == 0.154 and round(second, 3) == -0.405, {"first": first, "second": second})
