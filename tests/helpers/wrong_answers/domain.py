"""Chapter 03: wrong answers that no exercise declares."""

import math

import numpy as np
import torch


def slope(logits, target):
    counts = target != -100
    g = torch.softmax(logits, -1)
    g[counts, target[counts]] -= 1
    return g * counts[:, None] / counts.sum()


def weights(difficulty, beta):
    s = -beta * np.asarray(difficulty, dtype=float)
    e = np.exp(s - s.max())
    return e / e.sum()


def kl(p, q, log=math.log, refuse=True):
    if refuse and any(min(d) < 0 or abs(sum(d) - 1) > 1e-6 for d in (p, q)):
        raise ValueError("no distribution")
    return sum(a * log(a / b) if b > 0 else math.inf for a, b in zip(p, q, strict=True) if a > 0)


def best(alphas, domain_losses, general_losses, general_before, penalty, how):
    scores = [how(d, g, general_before, penalty) for d, g in zip(domain_losses, general_losses, strict=True)]
    return alphas[scores.index(min(scores))]


WRONG = {
    "domain.perplexity": {
        "the loss with the wrong sign": lambda token_log_probs: float(np.mean(token_log_probs)),
        "geometric mean of p": lambda token_log_probs: 1 / math.exp(-np.mean(token_log_probs)) * 100,
        "one a token": lambda token_log_probs: np.exp(-np.asarray(token_log_probs)),
        "one too few": lambda token_log_probs: float(np.exp(-np.sum(token_log_probs) / (len(token_log_probs) - 1 or 1))),
        "without the first": lambda token_log_probs: float(np.exp(-np.mean(token_log_probs[1:] or token_log_probs))),
        "rounded": lambda token_log_probs: round(float(np.exp(-np.mean(token_log_probs))), 1),
        "median": lambda token_log_probs: float(np.exp(-np.median(token_log_probs))),
        "number of tokens": lambda token_log_probs: len(token_log_probs),
    },
    "domain.nll_gradient": {
        "twice": lambda logits, target: 2 * slope(logits, target),
        "rows of the vocabulary": lambda logits, target: slope(logits, target) / logits.shape[1],
        "transposed": lambda logits, target: slope(logits, target).T,
        "summed": lambda logits, target: slope(logits, target).sum(0),
        "shifted": lambda logits, target: slope(logits, target.roll(1)),
        "added": lambda logits, target: (
            2 * torch.softmax(logits, -1) * (target != -100)[:, None] / (target != -100).sum() - slope(logits, target)
        ),
        "the loss": lambda logits, target: torch.nn.functional.cross_entropy(logits, target),
        "positive": lambda logits, target: slope(logits, target).abs(),
    },
    "domain.data_mix": {
        "rounded up": lambda samples, general_share: (
            samples - math.ceil(samples * general_share),
            math.ceil(samples * general_share),
        ),
        "shares": lambda samples, general_share: (1 - general_share, general_share),
        "one number": lambda samples, general_share: round(samples * general_share),
        "not rounded": lambda samples, general_share: (samples * (1 - general_share), samples * general_share),
        "the whole and the part": lambda samples, general_share: (samples, round(samples * general_share)),
        "half": lambda samples, general_share: (samples // 2, samples - samples // 2),
    },
    "domain.choose_alpha": {
        "domain loss punished": lambda **i: best(**i, how=lambda d, g, b, w: w * d + max(0.0, g - b)),
        "general before forgotten": lambda **i: best(**i, how=lambda d, g, b, w: d + w * g),
        "the worst": lambda **i: best(**i, how=lambda d, g, b, w: -d - w * max(0.0, g - b)),
        "squared": lambda **i: best(**i, how=lambda d, g, b, w: d + w * max(0.0, g - b) ** 2),
        "subtracted": lambda **i: best(**i, how=lambda d, g, b, w: d - w * max(0.0, g - b)),
        "the first": lambda **i: i["alphas"][0],
        "lists exchanged": lambda **i: best(
            **i | {"domain_losses": i["general_losses"], "general_losses": i["domain_losses"]},
            how=lambda d, g, b, w: d + w * max(0.0, g - b),
        ),
    },
    "domain.curriculum_weights": {
        "beta twice": lambda difficulty, beta: weights(difficulty, 2 * beta),
        "beta squared": lambda difficulty, beta: weights(difficulty, beta**2),
        "log": lambda difficulty, beta: np.log(weights(difficulty, beta)),
        "sums to n": lambda difficulty, beta: weights(difficulty, beta) * len(difficulty),
        "sorted": lambda difficulty, beta: np.sort(weights(difficulty, beta))[::-1],
        "uniform": lambda difficulty, beta: np.ones(len(difficulty)) / len(difficulty),
        "ranks": lambda difficulty, beta: weights(np.argsort(np.argsort(difficulty)), beta),
        "largest is 1": lambda difficulty, beta: weights(difficulty, beta) / weights(difficulty, beta).max(),
    },
    "domain.kl_divergence": {
        "base 10": lambda p, q: kl(p, q, math.log10),
        "a mean": lambda p, q: kl(p, q) / len(p),
        "never refuses": lambda p, q: kl([abs(a) for a in p], [abs(b) for b in q], refuse=False),
        "terms": lambda p, q: [a * math.log(a / b) if a and b else 0.0 for a, b in zip(p, q, strict=True)] if kl(p, q) + 1 else 0,
        "absolute terms": lambda p, q: (
            sum(abs(a * math.log(a / b)) if b > 0 else math.inf for a, b in zip(p, q, strict=True) if a > 0)
            if kl(p, q) + 1
            else 0
        ),
        "assertion": lambda p, q: kl(p, q) if sum(p) < 1.1 and sum(q) < 1.1 and min(p + q) >= 0 else 1 / 0,
        "twice": lambda p, q: 2 * kl(p, q),
        "unweighted": lambda p, q: (
            sum(math.log(a / b) if b > 0 else math.inf for a, b in zip(p, q, strict=True) if a > 0) if kl(p, q) + 1 else 0
        ),
    },
}
