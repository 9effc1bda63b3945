"""Model answers of chapter 09: one function an exercise. Signature and docstring are the student's statement."""

import math

import torch
from torch import Tensor, nn


def peft_family_adapter_parameters(width: int, bottleneck: int) -> int:
    """How many numbers one bottleneck adapter trains: two linear layers, width -> bottleneck -> width, both with a bias."""
    return 2 * width * bottleneck + bottleneck + width


def peft_family_adapter_forward(h: Tensor, W_down: Tensor, b_down: Tensor, W_up: Tensor, b_up: Tensor) -> Tensor:
    """A bottleneck adapter: down, ReLU, up, and what came in is added again.

    h: (..., d), any number of leading dimensions.   W_down: (m, d).   b_down: (m,).   W_up: (d, m).   b_up: (d,).
    Weights are stored (out, in), as in nn.Linear.   Returns (..., d).
    """
    return h + torch.relu(h @ W_down.T + b_down) @ W_up.T + b_up


def peft_family_prefix_parameters(layers: int, length: int, width: int) -> int:
    """How many numbers prefix tuning trains: in each of `layers` layers, keys and values for `length` positions.

    `width` is that of all key heads together, and of all value heads together. No network computes the prefix.
    """
    return 2 * layers * length * width


def peft_family_prefix_attention(q: Tensor, k: Tensor, v: Tensor, prefix_k: Tensor, prefix_v: Tensor) -> Tensor:
    """One attention head with a prefix: the queries look at the prefix and at the text, in one softmax. No causal mask.

    q, k, v: (n, d).   prefix_k, prefix_v: (l, d).   Returns (n, d).
    """
    scores = q @ torch.cat([prefix_k, k]).T / math.sqrt(q.shape[1])  # (n, l + n)
    return torch.softmax(scores, dim=1) @ torch.cat([prefix_v, v])


def peft_family_adalora_update(P: Tensor, lam: Tensor, Q: Tensor) -> Tensor:
    """AdaLoRA's update without its scale: columns of P times lambdas times rows of Q, all ranks together.

    P: (d_out, r).   lam: (r,), some of them may be zero.   Q: (r, d_in).   Returns (d_out, d_in).
    """
    return P @ torch.diag(lam) @ Q


def peft_family_orthogonality(P: Tensor) -> float:
    """The squared Frobenius norm of P^T P - I: zero exactly when the columns of P (d, r) are orthonormal."""
    return (P.T @ P - torch.eye(P.shape[1])).square().sum().item()


def peft_family_loraplus_rates(lr: float, ratio: float) -> tuple[float, float]:
    """The learning rates of LoRA+: (that of A, that of B). `lr` is the base rate, which is A's, and `ratio` at least 1."""
    return lr, ratio * lr


def peft_family_vera_forward(x: Tensor, W0: Tensor, A: Tensor, B: Tensor, d: Tensor, b: Tensor) -> Tensor:
    """A linear layer with VeRA: A and B are random and frozen, the vectors d and b are trained. There is no other scale.

    x: (..., d_in).   W0: (d_out, d_in).   A: (r, d_in).   B: (d_out, r).   d and b: one number for each output of A, and of B.
    Returns (..., d_out).
    """
    return x @ W0.T + b * (d * (x @ A.T) @ B.T)


def peft_family_vera_parameters(d_out: int, d_in: int, rank: int) -> int:
    """How many numbers VeRA trains for one layer with a (d_out, d_in) weight. What is random and frozen does not count."""
    return d_out + rank


def peft_family_compose(adapters: list[tuple[Tensor, Tensor, float]], weights: list[float]) -> Tensor:
    """The weighted sum of the updates of several LoRA adapters of one layer.

    adapters: one (lora_A (r, d_in), lora_B (d_out, r), scaling) each; r may differ, and scaling is what B A is multiplied by.
    weights: one number for each, which may be negative.   Returns (d_out, d_in).
    """
    return sum(weight * scaling * lora_B @ lora_A for weight, (lora_A, lora_B, scaling) in zip(weights, adapters, strict=True))


def peft_family_dora_weight(W0: Tensor, lora_A: Tensor, lora_B: Tensor, scaling: float, magnitude: Tensor) -> Tensor:
    """The weight that a DoRA layer computes with: (d_out, d_in), each row turned by LoRA's update and brought to its length.

    W0: (d_out, d_in).   lora_A: (r, d_in).   lora_B: (d_out, r).   magnitude: (d_out,), the length that each row is to have.
    """
    changed = torch.addmm(W0, lora_B, lora_A, alpha=scaling)
    return changed * (magnitude / changed.norm(dim=1)).unsqueeze(1)


def peft_family_ties(vectors: Tensor, density: float) -> Tensor:
    """Several updates of the same weights made one by TIES: trim, elect, average. vectors: (T, n), one update a row -> (n,).

    Trim: of each update the largest entries stay, by absolute value, a share `density` of them (rounded down); the others are 0.
    Elect: the sign of a place is that of the sum of the trimmed updates there (0 counts as +).
    Average: the mean of those trimmed entries that have the elected sign; 0 where there is none.
    """
    small = vectors.abs().argsort(dim=1)[:, : vectors.shape[1] - int(density * vectors.shape[1])]
    sharp = vectors.scatter(1, small, 0.0)
    with_it = torch.where(sharp.sum(0) >= 0, sharp.clamp(min=0), sharp.clamp(max=0))
    return with_it.sum(0) / with_it.count_nonzero(0).clamp(min=1)


def peft_family_predict_merging(method: str) -> str:
    """Can what this method has learned be put into the weights, so that a plain model of the old shape computes the same?

    method: "lora", "dora", "adalora", "vera", "ia3", "adapter", "prefix" or "prompt". It means: for every input, up to rounding,
    with the same text going in. Returns "merges" or "stays".
    """
    return "merges" if method in ("lora", "dora", "adalora", "vera", "ia3") else "stays"


def peft_family_allocate(importance: list[Tensor], budget: int) -> tuple[Tensor, ...]:
    """Shares out `budget` ranks among the layers of a model, as AdaLoRA does: the most important triplets of all layers stay.

    importance: for each layer one number for each of its ranks, (r,); r may differ, and no two numbers are equal.
    Returns for each layer a mask (r,) of ones, what stays, and zeros. Together they hold `budget` ones. A layer may keep none.
    """
    threshold = torch.cat(importance).sort(descending=True).values[budget - 1]
    return tuple((scores >= threshold).float() for scores in importance)


def peft_family_adapter_module(width: int, bottleneck: int) -> nn.Module:
    """A bottleneck adapter to be trained: a module that takes (..., width) and returns (..., width).

    Two linear layers with biases, ReLU between them, and the input added to what comes out. It is put behind a frozen layer and
    trained by another's loop, with AdamW. Before the first step it must change its input by less than 5 %, and then it has to
    learn. All its parameters are trained.
    """

    class Adapter(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down, self.up = nn.Linear(width, bottleneck), nn.Linear(bottleneck, width)
            nn.init.zeros_(self.up.weight)
            nn.init.zeros_(self.up.bias)

        def forward(self, h: Tensor) -> Tensor:
            return h + self.up(torch.relu(self.down(h)))

    return Adapter()


def peft_family_train_prefix(q: Tensor, k: Tensor, v: Tensor, target: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """Trains a prefix for one attention head, so that its outputs come close to `target`. q, k and v stay as they are.

    q: (m, d), queries to train on.   k, v: (n, d).   target: (m, d), the right outputs.   No mask; scores are divided by √d.
    Autograd and torch's optimisers are welcome. How many steps, and how long they are, is yours to choose: a few hundred will do.
    Returns (prefix_k, prefix_v), both (length, d), and is tried on queries that you do not see.
    """
    prefix_k, prefix_v = (torch.randn(length, k.shape[1]).requires_grad_() for _ in range(2))
    optimizer = torch.optim.Adam([prefix_k, prefix_v], lr=0.05)
    for _ in range(300):
        scores = q @ torch.cat([prefix_k, k]).T / math.sqrt(q.shape[1])
        loss = (scores.softmax(1) @ torch.cat([prefix_v, v]) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return prefix_k.detach(), prefix_v.detach()


def peft_family_choose_method() -> str:
    """A colleague has compared seven methods for a customer's assistant: "All at a learning rate of 1e-3. Prompt tuning and VeRA
    learned nothing, (IA)³ little; DoRA won by 0.4 points over LoRA, on one seed. So we take DoRA for all forty customers."
    What do you say? Choose a method for forty customers who share one base model, and say how you would compare. Write five to
    eight sentences. Give for each choice a measurement of this chapter, and say what would make you change your mind.
    """
    return """
A comparison at one learning rate compares learning rates: in the chapter's race the best rates lie more than a factor of ten
apart, so at 1e-3 some methods had hardly begun. I would give every method a sweep on tuning seeds, far enough for its best
rate to lie inside, and then run five other seeds in pairs. Half a point on one seed is nothing: in the race DoRA minus LoRA is
less than a hundredth of what full fine-tuning gains, and its interval holds zero once all comparisons are counted. No variant
is above LoRA there, which I would report as what it is, a null.
For forty customers I take LoRA on all layers: it merges, so one customer alone pays nothing at inference, and unmerged
adapters of several customers can share one base. An adapter with a ReLU or a prefix stays in the way of every request. VeRA
stores a sixth of LoRA, and that would change my mind if storage were the bottleneck rather than quality; it saves no operations.
Prompts gained next to nothing at any rate or length, but the model is tiny, and with a large one I would try them again.
If the customers' adapters had to be added up, I would measure the interference first, for it grows with their number.
All of this was measured on a model of two layers and one kind of task, so I would repeat the sweep once on the customer's model.
"""
