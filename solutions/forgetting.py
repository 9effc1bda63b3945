"""Model answers of chapter 04."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F


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
    """The diagonal of the Fisher information, estimated from n examples with one label each.

    per_sample_grads: (n, p). Row i is the gradient of log p(y_i | x_i) by the p weights, for example i alone.
    Returns (p,): one importance for each weight. (Whose labels y_i are, the data's or the model's own, is not asked here.)
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


def forgetting_ewc_descent(
    H: Tensor, theta_b: Tensor, theta_s: Tensor, fisher: Tensor, lam: float, lr: float, steps: int
) -> Tensor:
    """Gradient descent with EWC, on the loss 1/2 (theta - theta_b)^T H (theta - theta_b) and the penalty with lam/2 in front.

    It starts at theta_s (p,), where the springs are fastened, and makes `steps` steps with the learning rate lr. The other
    arguments are as in the exercise before. No input is changed.   Returns the weights after the last step, (p,).
    """
    theta = theta_s.clone()
    for _ in range(steps):
        theta = theta - lr * (H @ (theta - theta_b) + lam * fisher * (theta - theta_s))
    return theta


def forgetting_predict_growth(quantity: str, factor: float) -> float:
    """How many times as large a quantity becomes when what it depends on becomes `factor` times as large.

    quantity: one of
        "true Fisher, examples"     the trace of the true Fisher, measured on so many times more examples of the same task
        "batch-mean, batch"         the trace of the batch-mean estimate at a minimum, with batches so many times larger
        "strength, batch"           the lam at which, at a minimum, the batch-mean estimate makes the empirical one's spring
        "diagonal, weights"         the memory for the diagonal, for a model with so many times more weights
        "whole matrix, weights"     the memory for the whole Fisher matrix, for such a model
        "true Fisher, classes"      the backward passes for the true Fisher with exact labels, with so many times more classes
    Returns a number: 1.0 if it stays as it is, less if it shrinks.
    """
    powers = {"true Fisher, examples": 0, "batch-mean, batch": -1, "strength, batch": 1,
              "diagonal, weights": 1, "whole matrix, weights": 2, "true Fisher, classes": 1}  # fmt: skip
    return float(factor ** powers[quantity])


def forgetting_true_fisher(logits: Tensor, jacobian: Tensor) -> Tensor:
    """The diagonal of the *true* Fisher information: labels from the model itself, and the mean over them exact.

    logits: (n, classes), what the model answers to n inputs.   jacobian: (n, classes, p). Row [i, k] is the gradient of the
    logit k of input i by the p weights. (Of the logit, not of its log-probability.) No label of the data is needed.
    Returns (p,): the mean over the inputs.
    """
    p = logits.softmax(-1).unsqueeze(-1)  # (n, classes, 1)
    slopes = jacobian - (p * jacobian).sum(1, keepdim=True)  # of log p: the gradient of the logit minus its mean under p
    return (p * slopes**2).sum(1).mean(0)


def forgetting_choose_strength(
    old: Tensor, new: Tensor, naive_new: Tensor, margin: float, test_old: Tensor, test_naive: Tensor, test_before: Tensor,
    t: float,
) -> tuple[int, float, float]:
    """Chooses the strength of a spring on tuning seeds, and reports on test seeds what it keeps.

    old, new: (strengths, tuning seeds). Accuracy on A and on B after B was learned with that strength.
    naive_new: (tuning seeds,). Accuracy on B without a spring, with the same seeds.
    A strength counts as learning B if on the tuning seeds B is in the mean at most `margin` below naive. Of those that do, the
    one with the best mean accuracy on A is chosen. There is at least one.
    test_old: (strengths, n), test_naive, test_before: (n,). On n test seeds, accuracy on A after B with each strength, after B
    without a spring, and before B. What is kept is the share of what naive training loses that is still there, seed by seed.

    Returns (index of the chosen strength, mean share kept, half width of its interval: t times the standard error of that mean,
    with n - 1).
    """
    learned = (naive_new - new).mean(1) <= margin
    chosen = int(old.mean(1).where(learned, -1.0).argmax())  # no accuracy is below 0
    kept = (test_old[chosen] - test_naive) / (test_before - test_naive)
    return chosen, float(kept.mean()), float(t * kept.std() / len(kept) ** 0.5)


def forgetting_hold_on(model: nn.Module, x_a: Tensor, lam: float) -> Callable[[nn.Module, Tensor, Tensor], Tensor]:
    """EWC from beginning to end: what a network minimises while it learns task B, having learned task A.

    It is called once, when `model` has learned A: the last look at A. x_a: (n, d), inputs of A, without their labels;
    model(x) gives logits (n, 10).   lam: the strength, with lam/2 in front of the penalty.
    Returns the loss of B: a function of (model, x, y) that is called with every batch x (m, d), y (m,) of B and returns a scalar.
    The weights of `model` go on changing between those calls, so keep what you need of them as they are now.
    """
    start = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    fisher = {name: torch.zeros_like(weight) for name, weight in start.items()}
    labels = torch.distributions.Categorical(logits=model(x_a).detach()).sample()
    for one, label in zip(x_a.split(1), labels.split(1), strict=True):
        gradients = torch.autograd.grad(F.cross_entropy(model(one), label), list(model.parameters()))
        for total, gradient in zip(fisher.values(), gradients, strict=True):
            total += gradient**2 / len(x_a)

    def loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        moved = ((weight - start[name]) ** 2 * fisher[name] for name, weight in model.named_parameters())
        return F.cross_entropy(model(x), y) + lam / 2 * sum(term.sum() for term in moved)

    return loss


def forgetting_why() -> str:
    """What is catastrophic forgetting, and why does full fine-tuning cause it? Say also why a large distance between the
    weights before and after is not the reason, and why EWC keeps little of the old classes when the new task brings new ones,
    there is one head for all, and the new ones are learned.

    Write five to eight sentences. Name the measurements of this chapter that support you.
    """
    return """
Catastrophic forgetting is the loss of what a network could do before, caused by training it on something else: task A fell
from about 95 % to about half after task B, although B never contradicts A. Full fine-tuning causes it because the loss that
is minimised speaks of B only, while every weight is shared: each step goes where B's gradient points, and nothing pulls back
when that direction is one to which A's loss is sensitive. At A's minimum the first-order effect on A is zero, and it is A's
curvature along the step that does the harm. Distance is not the reason: the network that was trained on both tasks together
moved nearly as far from A's weights as the naive one and forgot nothing, and under EWC the weights also moved nearly as far,
but in directions to which A is indifferent. So it matters in which direction the weights move. With new classes and one head,
EWC still keeps what it was asked to keep, for the old digits are told from one another nearly as well as before. But the output
weights of the new classes were never used in A, so their Fisher information is nearly zero and they may grow freely; the logits
of the new classes overtake the old ones on most pictures, and an old class is hardly ever answered. Only something that lets
both kinds of classes compete in one loss, such as replay, or a separate head chosen by a known task, prevents that.
"""
