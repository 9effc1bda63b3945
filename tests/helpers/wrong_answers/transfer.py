"""Chapter 02: wrong answers that no exercise declares."""

import torch


def trains(counts, strategy, extra=0):
    layers = sorted((n for n in counts if n.startswith("layer.")), key=lambda n: int(n[6:]))
    if strategy in ("scratch", "full"):
        return sum(counts.values())
    n = 0 if strategy == "feature_extraction" else int(strategy[4:]) + extra if strategy.startswith("top_") else -1
    if not 0 <= n <= len(layers) + extra:
        raise ValueError("no such strategy")
    return counts["head"] + sum(counts[name] for name in layers[len(layers) - n :])


def unfreeze(counts, every, steps, late=0):
    return [sum(counts[len(counts) - min(len(counts), max(1, 1 + (step - late) // every)) :]) for step in range(steps)]


def descend(H_s, b_s, H_t, b_t, theta_0, eta, source_steps, target_steps, factor=1.0, times=1.0):
    theta = theta_0
    for _ in range(source_steps):
        theta = theta - eta * (factor * H_s @ theta - times * b_s)
    theta_s = theta
    for _ in range(target_steps):
        theta = theta - eta * (factor * H_t @ theta - times * b_t)
    return theta_s, theta


def ridge(X, y, theta_s, lam):
    n, d = X.shape
    return torch.linalg.solve(X.T @ X / n + lam * torch.eye(d, dtype=X.dtype), X.T @ y / n + lam * theta_s)


def needed(d, sigma, delta, epsilon):
    return sigma**2 * d / epsilon, max(0.0, sigma**2 * d / epsilon - sigma**2 * d / delta**2)


WRONG = {
    "transfer.definition": {
        "the sentence": lambda: (
            "Take a pretrained model and train some or all of its weights further on the data of the target task."
        ),
        "small": lambda: "c",
        "a number": lambda: 3,
        "a list": lambda: ["C"],
        "printed": lambda: print("C"),
    },
    "transfer.trainable_parameters": {
        "thousands": lambda counts, strategy: trains(counts, strategy) / 1000,
        "frozen ones": lambda counts, strategy: sum(counts.values()) - trains(counts, strategy),
        "one layer more": lambda counts, strategy: trains(counts, strategy, 1),
        "never refuses": lambda counts, strategy: (
            trains(counts, strategy) if strategy != "bottom_2" and strategy != "top_5" else 0
        ),
        "share": lambda counts, strategy: trains(counts, strategy) / sum(counts.values()),
        "None for refusals": lambda counts, strategy: trains(counts, strategy) if strategy not in ("bottom_2", "top_5") else None,
        "everything": lambda counts, strategy: sum(counts.values()),
        "number of blocks": lambda counts, strategy: len(counts),
        "one digit": lambda counts, strategy: trains(counts, strategy[:5] if strategy.startswith("top_") else strategy),
    },
    "transfer.gradual_unfreezing": {
        "one period late": lambda counts, every, steps: unfreeze(counts, every, steps, every),
        "one step late": lambda counts, every, steps: unfreeze(counts, every, steps, 1),
        "frozen ones": lambda counts, every, steps: [sum(counts) - n for n in unfreeze(counts, every, steps)],
        "one step short": lambda counts, every, steps: unfreeze(counts, every, steps)[:-1],
        "one number": lambda counts, every, steps: unfreeze(counts, every, steps)[-1],
        "backwards": lambda counts, every, steps: unfreeze(counts, every, steps)[::-1],
        "number of blocks": lambda counts, every, steps: [min(len(counts), 1 + s // every) for s in range(steps)],
        "all free": lambda counts, every, steps: [sum(counts)] * steps,
        "every and steps exchanged": lambda counts, every, steps: unfreeze(counts, steps, every),
    },
    "transfer.finetune_learning_rate": {
        "upside down": lambda pretraining_lr, ratio: ratio / pretraining_lr,
        "root": lambda pretraining_lr, ratio: pretraining_lr / ratio**0.5,
        "a tenth": lambda pretraining_lr, ratio: pretraining_lr / 10,
        "rounded": lambda pretraining_lr, ratio: round(pretraining_lr / ratio, 4),
        "text": lambda pretraining_lr, ratio: f"{pretraining_lr / ratio:.0e}",
        "minus": lambda pretraining_lr, ratio: -pretraining_lr / ratio,
        "squared": lambda pretraining_lr, ratio: pretraining_lr / ratio**2,
        "the ratio": lambda pretraining_lr, ratio: ratio,
    },
    "transfer.two_stages": {
        "half a step": lambda **i: descend(**i | {"eta": i["eta"] / 2}),
        "one step more": lambda **i: descend(
            **i | {"source_steps": i["source_steps"] + 1, "target_steps": i["target_steps"] + 1}
        ),
        "same loss twice": lambda **i: descend(**i | {"H_t": i["H_s"], "b_t": i["b_s"]}),
        "factor 2": lambda **i: descend(**i, factor=2.0),
        "b added": lambda **i: descend(**i, times=-1.0),
        "steps exchanged": lambda **i: descend(**i | {"source_steps": i["target_steps"], "target_steps": i["source_steps"]}),
        "only the end": lambda **i: descend(**i)[1],
        "the end twice": lambda **i: (descend(**i)[1],) * 2,
        "from zero": lambda **i: descend(**i | {"theta_0": 0 * i["theta_0"]}),
    },
    "transfer.ridge_to_prior": {
        "theta_s": lambda X, y, theta_s, lam: theta_s,
        "lambda twice": lambda X, y, theta_s, lam: ridge(X, y, theta_s, 2 * lam),
        "lambda over n": lambda X, y, theta_s, lam: ridge(X, y, theta_s, lam / len(X)),
        "lambda squared": lambda X, y, theta_s, lam: ridge(X, y, theta_s, lam**2),
        "a column": lambda X, y, theta_s, lam: ridge(X, y, theta_s, lam)[:, None],
        "the loss": lambda X, y, theta_s, lam: ((X @ ridge(X, y, theta_s, lam) - y) ** 2).mean(),
        "mean over d": lambda X, y, theta_s, lam: ridge(X, y, theta_s, lam * len(X) / X.shape[1]),
        "right side alone": lambda X, y, theta_s, lam: X.T @ y / len(X) + lam * theta_s,
        "minus": lambda X, y, theta_s, lam: -ridge(X, y, theta_s, lam),
    },
    "transfer.samples_needed": {
        "d forgotten": lambda d, sigma, delta, epsilon: needed(1, sigma, delta, epsilon),
        "epsilon squared": lambda d, sigma, delta, epsilon: needed(d, sigma, delta, epsilon**2),
        "rounded up": lambda d, sigma, delta, epsilon: tuple(float(int(n + 0.999999)) for n in needed(d, sigma, delta, epsilon)),
        "half": lambda d, sigma, delta, epsilon: tuple(n / 2 for n in needed(d, sigma, delta, epsilon)),
        "one value": lambda d, sigma, delta, epsilon: needed(d, sigma, delta, epsilon)[0],
        "delta not squared": lambda d, sigma, delta, epsilon: needed(d, sigma, delta**0.5, epsilon),
        "the same twice": lambda d, sigma, delta, epsilon: (needed(d, sigma, delta, epsilon)[0],) * 2,
        "sigma and delta exchanged": lambda d, sigma, delta, epsilon: needed(d, delta, sigma, epsilon),
    },
}
