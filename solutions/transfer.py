"""Model answers of chapter 02. theta_s is where pretraining ended, theta* the best parameters of the target."""

import torch
from torch import Tensor, nn


def transfer_definition() -> str:
    """Which sentence defines fine-tuning best? Return "A", "B", "C" or "D".

    A: Train a model of a proven architecture on the data of the target task, from random weights.
    B: Freeze all pretrained weights, put new layers on top, and train only those.
    C: Take a pretrained model and train some or all of its weights further on the data of the target task.
    D: Clean the target data and tune learning rate, batch size and prompt until the pretrained model, as it is, does best.
    """
    return "C"


def transfer_two_stages(
    H_s: Tensor, b_s: Tensor, H_t: Tensor, b_t: Tensor, theta_0: Tensor, eta: float, source_steps: int, target_steps: int,
) -> tuple[Tensor, Tensor]:
    """Pretrain by gradient descent on the source loss, then fine-tune by gradient descent on the target loss.

    Both losses are bowls, L(theta) = theta.H theta / 2 - b.theta, with H_s, H_t: (d, d), symmetric, and b_s, b_t: (d,).
    theta_0: (d,), where pretraining starts.   eta: the step size of both stages.   A stage may have 0 steps.

    Returns (theta_s, theta_t): the parameters after the first stage and after the second, both (d,).
    """
    theta = theta_0
    for _ in range(source_steps):
        theta = theta - eta * (H_s @ theta - b_s)
    theta_s = theta
    for _ in range(target_steps):
        theta = theta - eta * (H_t @ theta - b_t)
    return theta_s, theta


def transfer_ridge_to_prior(X: Tensor, y: Tensor, theta_s: Tensor, lam: float) -> Tensor:
    """The theta that minimises |X theta - y|^2 / n + lam |theta - theta_s|^2, exactly: no descent.

    X: (n, d), one example a row; n may be smaller than d.   y: (n,).   theta_s: (d,).   lam > 0.   Returns (d,).
    """
    n, d = X.shape
    left = X.T @ X / n + lam * torch.eye(d, dtype=X.dtype)
    return torch.linalg.solve(left, X.T @ y / n + lam * theta_s)


def transfer_samples_needed(d: int, sigma: float, delta: float, epsilon: float) -> tuple[float, float]:
    """How many examples bring the excess risk down to epsilon, from scratch and from a pretrained start?

    The setting of this section: d features with X^T X = n I, label noise of standard deviation sigma, a start at distance
    delta > 0 from theta*, and the best lambda. Fractions of an example are allowed; fewer than 0 are not.
    Returns (by least squares, by ridge towards theta_s).
    """
    scratch = sigma**2 * d / epsilon
    return scratch, max(0.0, scratch - sigma**2 * d / delta**2)


def transfer_trainable_parameters(counts: dict[str, int], strategy: str) -> int:
    """How many parameters a strategy trains.

    counts: how many parameters each block holds, in any order. The blocks are "embeddings", "layer.0" (next to the
    embeddings), "layer.1", ... up to the uppermost layer, and "head". The embeddings are not a layer.

    strategy: "scratch" or "full" (everything is trained), "feature_extraction" (only the head), or "top_N" with a whole
    number N of at least 0, such as "top_2" or "top_10": the head and the N uppermost layers.

    Raises ValueError for any other strategy, and for a top_N with more layers than there are.
    """
    if strategy in ("scratch", "full"):
        return sum(counts.values())
    layers = sorted((name for name in counts if name.startswith("layer.")), key=lambda name: int(name.split(".")[1]))
    if strategy == "feature_extraction":
        n = 0
    elif strategy.startswith("top_") and strategy[4:].isdecimal() and int(strategy[4:]) <= len(layers):
        n = int(strategy[4:])
    else:
        raise ValueError(f"no strategy {strategy!r} for {len(layers)} layers; try full, feature_extraction or top_1")
    return counts["head"] + sum(counts[name] for name in layers[len(layers) - n :])


def transfer_gradual_unfreezing(counts: list[int], every: int, steps: int) -> list[int]:
    """How many parameters gradual unfreezing trains in each of `steps` steps.

    counts: the parameters of each block, from the input up: embeddings, first layer, ..., last layer, head.
    For the first `every` steps only the head is trained. After every `every` steps the next block below joins those that
    are trained already, the embeddings last; then everything is trained until the end. Returns `steps` numbers.
    """
    trained = []
    for step in range(steps):
        free = min(len(counts), 1 + step // every)
        trained.append(sum(counts[len(counts) - free :]))
    return trained


def transfer_finetune_learning_rate(pretraining_lr: float, ratio: float) -> float:
    """The learning rate for fine-tuning by the rule of thumb "1/10 to 1/100 of the one of pretraining".

    ratio: the pretraining learning rate divided by the fine-tuning learning rate, a number of at least 1.
    """
    return pretraining_lr / ratio


def transfer_critique() -> str:
    """A text says: "A model has d = 1,000,000 parameters. Pretraining put it at a distance Δ = 1,000 from the optimum. Training
    from scratch needs N = O(d/ε²) examples, fine-tuning N = O(Δ/ε²), so fine-tuning is d/Δ = 1,000 times more
    sample-efficient."

    Say what is right in it and what is not. Give (1) a change of units, or another argument, that refutes the conclusion;
    (2) the quantity that may stand in Δ's place in the bound; (3) what you would measure to get a factor you can stand behind.
    Four to eight sentences.
    """
    return """
The division is right: 1,000,000/1,000 = 1,000. The conclusion is not. Δ is a length and d is a count, so their ratio
changes with the units: divide every feature by 10 and multiply every parameter by 10, and all predictions, all data and the
number of examples needed stay the same, but Δ becomes 10,000 and the "efficiency" falls to 100. In the chapter's simulation
N stayed where it was while d/Δ changed by a factor of 10,000. What may stand in the bound is the product of Δ with the size B
of the features, squared: N = O(B²Δ²/ε²), which is free of units; and even that is an upper bound, so the ratio of two such
bounds is not a ratio of needs. A factor to stand behind is measured: train both ways with growing numbers of labels, several
seeds each, on one test set, and read off how many labels each needs for the same accuracy, with an interval.
"""


def transfer_scenarios() -> str:
    """Choose a strategy for each of three projects, all with BERT-base (109 million parameters, float32, AdamW).

    A: 100,000 labelled examples, one GPU with 16 GB, three days.
    B: 500 labelled examples, one GPU with 8 GB.
    C: 20 tasks that one server has to answer, with a few thousand examples each.

    For each: the strategy, the numbers of memory or storage that decide (or do not decide) it, and what you would measure
    before you trust your choice. Six to ten sentences.
    """
    return """
A: full fine-tuning. Its static memory is 16 bytes × 109 million = 1.74 GB of 16, so it fits with room for the activations, and
100,000 labels are enough to make use of every weight. I would still run the top layers and LoRA once on the same validation
split: if they reach the same, they are cheaper to keep.
B: memory decides nothing here, since 1.74 GB fits into 8 as well. With 500 labels the question is what learns most from few of
them. So I would begin with a linear probe as the baseline and with LoRA (0.44 GB static), try data augmentation on the training
split only, and compare all of them, full fine-tuning included, over five seeds on a validation split, because with so few labels
the seeds differ by several points.
C: one frozen base and 20 LoRA adapters. That stores 0.46 GB instead of 8.71 GB for 20 full models, and a task is switched by
switching an adapter. I would measure the accuracy of every task against its own fully fine-tuned model, and keep a full model
for a task where the adapter falls behind.
"""


def transfer_start_share(examples: int, features: int, lam: float) -> float:
    """How much of a start is left when gradient descent has nothing more to do?

    Linear regression, random features, loss |X theta - y|^2 / n + lam |theta|^2, with n = examples and one number in theta for
    each of the features. Two descents begin at two places, a random direction apart, and both go on until nothing moves.

    Returns the squared distance of their ends divided by that of their starts, as it is on average: 0.0 if both end at one place.
    """
    if lam > 0 or examples >= features:
        return 0.0  # one minimiser
    return (features - examples) / features  # the directions that no example shows are left alone


def transfer_adapt(network: nn.Sequential, x: Tensor, y: Tensor, classes: int) -> nn.Module:
    """Adapt a pretrained network to a new question, from few examples. Returns a network with `classes` logits for each row.

    network: Linear, ReLU, Linear, ReLU, Linear, and pretrained: it tells which of three shapes a row of numbers shows. The last
    two numbers of a row are a colour. In pretraining they were always 0, so nothing in the network looks at them.
    x: (n, numbers), with n = 150.   y: (n,), 0 to classes - 1: twice the shape, plus 1 for one of two colours: six classes.
    What is trained, in which order, at which learning rates and for how many steps is yours to decide. Half a second is enough.
    """
    head = nn.Linear(network[-1].in_features, classes)
    body = network[:-1]
    slow = {"params": body.parameters(), "lr": 0.0}  # the body waits until the head points somewhere
    optimizer = torch.optim.AdamW([{"params": head.parameters(), "lr": 3e-2}, slow])
    for step in range(160):
        if step == 60:
            optimizer.param_groups[1]["lr"] = 1e-3
        optimizer.zero_grad()
        nn.functional.cross_entropy(head(body(x)), y).backward()
        optimizer.step()
    return nn.Sequential(*body, head)


def transfer_thaw(network: nn.Sequential, x: Tensor, y: Tensor, lr: float, every: int, steps: int) -> nn.Sequential:
    """Gradual unfreezing as a training loop: plain gradient descent, all examples in each step, mean cross-entropy.

    network: linear layers with Tanh between them, the head last; every parameter may have requires_grad set either way.
    x: (n, d).   y: (n,).   In the first `every` steps only the head moves, in the next `every` steps the linear layer below it
    too, and so on; what moves goes on moving. Returns the trained network.
    """
    downwards = [part for part in reversed(network) if isinstance(part, nn.Linear)]
    network.requires_grad_(True)
    for step in range(steps):
        free = [p for layer in downwards[: 1 + step // every] for p in layer.parameters()]
        slopes = torch.autograd.grad(nn.functional.cross_entropy(network(x), y), free)
        with torch.no_grad():
            for parameter, slope in zip(free, slopes, strict=True):
                parameter -= lr * slope
    return network


def transfer_choose_rate(scores: Tensor, t: float) -> tuple[int, int]:
    """Chooses a learning rate from a sweep. Returns (index of the rate to take, 1 if the sweep has to be widened, else 0).

    scores: (rates, seeds), validation accuracies, the rates from the smallest to the largest. A run that diverged is nan, and its
    rate is not taken. The best rate is the one with the highest mean. Every rate that the seeds cannot tell from it would do
    as well: take the smallest of these, for it moves the pretrained weights least. They cannot be told apart if 0 lies
    within mean ± t · s / √n of the differences to the best, seed by seed (s divides by n - 1). The sweep has to be
    widened if the *best* rate is the first or the last that was tried.
    """
    means = scores.mean(dim=1)  # nan where a run diverged
    best = int(means.nan_to_num(-1.0).argmax())
    gaps = scores[best] - scores  # (rates, seeds)
    within = gaps.mean(dim=1) <= t * gaps.std(dim=1) / scores.shape[1] ** 0.5  # false where nan
    return int(within.nonzero()[0]), int(best in (0, len(scores) - 1))


def transfer_choose_from_race() -> str:
    """Three projects with 32 labelled sentences each and the encoder of this chapter. Choose a strategy for each from the
    tables of section 10 (8 steps and 30 steps, and what each strategy costs), and justify it with their numbers.

    A: each of 400 customers trains a model of their own, and for each there is time for 8 steps.
    B: one model, time for 30 steps and more; only the accuracy on new words counts.
    C: the sentence vectors also serve a search by topic, which must not get worse.

    For each: the choice, the figures with their intervals, and one thing that these figures do not tell about the project.
    Then say in two sentences what one may not conclude from the table of 8 steps alone. Seven to ten sentences.
    """
    return """
A: LoRA, 0.921 ± 0.034 after 8 steps. Full fine-tuning is better there by 3.7 ± 3.6 points (0.958 ± 0.013), but 400 full models
are 400 times 90 MB, 36 GB, and 400 adapters with their heads 0.12 GB; if a point matters more than disk I would take full. The
figures do not say how it is with customers whose sentences differ more than these seeds do.
B: any of the four at the top after 30 steps: LoRA 0.961 ± 0.028, gradual 0.949 ± 0.034, full 0.948 ± 0.035, the two top layers
0.944 ± 0.029. The differences between them lie within their intervals; all are some points above the probe (full by 4.3 ± 2.9).
I would take LoRA, as it stores least, and say that it is not shown to be better. The figures end
at 30 steps: they do not tell what more of them would do for this one model.
C: feature extraction, 0.905 ± 0.044, for the vectors stay what they are: the old ability is 0.83, against 0.38 to 0.53 for the
others. Or LoRA with its adapters switched off for the search, which costs a second pass. Search by topic was measured by
nearest neighbours of 200 sentences of one grammar, which may not be the search of the project.
From 8 steps alone one may not conclude that full fine-tuning is the better method: it is the one that can be brought furthest
in 8 steps, with a rate chosen for that. Nor that gradual unfreezing is useless: it had not yet freed half of the network.
"""
