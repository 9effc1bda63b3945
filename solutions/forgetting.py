"""Model answers of chapter 04."""

import torch
from torch import Tensor


def forgetting_gradient_cosine(grads_a: tuple[Tensor, ...], grads_b: tuple[Tensor, ...]) -> float:
    """The cosine of the angle between the gradients of two tasks, taken as two long vectors.

    grads_a, grads_b: as torch.autograd.grad returns them, one tensor for each weight of the model; tensors at the same
    place have the same shape, tensors at different places need not. All weights together make one vector, and one cosine.
    Returns a number between -1 and 1. A gradient that is zero everywhere has no direction: return 0.0 then.
    """
    dot = sum((a * b).sum() for a, b in zip(grads_a, grads_b, strict=True))
    square_a = sum((a * a).sum() for a in grads_a)
    square_b = sum((b * b).sum() for b in grads_b)
    size = (square_a * square_b) ** 0.5
    return float(dot / size) if size > 0 else 0.0


def forgetting_stop_epoch(val_losses: list[float], patience: int) -> tuple[int, int]:
    """Early stopping, evaluated once after every epoch. `val_losses[i]` is the validation loss after epoch i + 1.

    An epoch improves if its loss is strictly below the lowest loss before it; the first epoch always does. Training
    stops after the first epoch that makes `patience` epochs in a row without an improvement. If that never happens,
    all epochs are trained.

    Returns (how many epochs are trained, the epoch whose weights are kept), both counted from 1. The weights that
    are kept are those of the lowest loss among the epochs that were trained.
    """
    best = 0
    for i, loss in enumerate(val_losses):
        if loss < val_losses[best]:
            best = i
        elif i - best == patience:
            return i + 1, best + 1
    return len(val_losses), best + 1


def forgetting_l2_sp(theta: Tensor, theta_s: Tensor, lam: float) -> float:
    """The L2-SP penalty ("SP" for starting point) in this course's convention, with lam/2 in front of the sum.

    theta: the weights now, of any shape.   theta_s: the weights before fine-tuning, of the same shape.
    Returns a number.
    """
    return float(lam / 2 * ((theta - theta_s) ** 2).sum())


def forgetting_fisher_diagonal(per_sample_grads: Tensor) -> Tensor:
    """The diagonal of the (empirical) Fisher information, estimated from n examples.

    per_sample_grads: (n, p). Row i is the gradient of log p(y_i | x_i) by the p weights, for example i alone.
    Returns (p,): one importance for each weight.
    """
    return (per_sample_grads**2).mean(0)


def forgetting_ewc_penalty(theta: Tensor, theta_s: Tensor, fisher: Tensor, lam: float) -> float:
    """The EWC penalty in this course's convention, with lam/2 in front of the sum.

    theta, theta_s, fisher: of one shape, which may be any. fisher holds the diagonal of the old task's Fisher
    information at theta_s.   Returns a number.
    """
    return float(lam / 2 * (fisher * (theta - theta_s) ** 2).sum())


def forgetting_ewc_optimum(H: Tensor, theta_b: Tensor, theta_s: Tensor, fisher: Tensor, lam: float) -> Tensor:
    """Where training with EWC comes to rest, when the new task's loss is exactly quadratic.

    The new task's loss is 1/2 (theta - theta_b)^T H (theta - theta_b), with its minimum at theta_b (p,) and a
    symmetric positive definite Hessian H (p, p), not diagonal in general. To it is added the EWC penalty of the
    exercise before, with theta_s (p,), fisher (p,) and lam.   Returns the minimiser of the sum, (p,).
    """
    pull = lam * torch.diag(fisher)
    return torch.linalg.solve(H + pull, H @ theta_b + pull @ theta_s)


def forgetting_why() -> str:
    """What is catastrophic forgetting, and why does full fine-tuning cause it? Say also why a large distance between the
    weights before and after is not the reason, and why EWC keeps next to nothing when the new task brings new classes and
    there is one head for all.

    Write five to eight sentences. Name the measurements of this chapter that support you.
    """
    return """
Catastrophic forgetting is the loss of what a network could do before, caused by training it on something else: task A fell
from about 95 % to about half after task B, although B never contradicts A. Full fine-tuning causes it because the loss that
is minimised speaks of B only, while every weight is shared: each step goes where B's gradient points, and nothing pulls back
when that direction is one to which A's loss is sensitive. At A's minimum the first-order effect on A is zero, and it is A's
curvature along the step that does the harm. Distance is not the reason: the network that was trained on both tasks together
moved as far from A's weights as the naive one and forgot nothing, and under EWC the weights also moved as far, but in
directions to which A is indifferent. So it matters in which direction the weights move. With new classes and one head, EWC
still keeps what it was asked to keep, for the old digits are told from one another as well as before. But the output weights
of the new classes were never used in A, so their Fisher information is nearly zero and they may grow freely; the logits of
the new classes overtake the old ones on every picture, and no old class is ever answered. Only something that lets both kinds
of classes compete in one loss, such as replay, or a separate head chosen by a known task, prevents that.
"""
