"""Chapter 04: wrong answers that no exercise declares."""

import torch


def l2(theta, theta_s, lam):
    return float(lam / 2 * ((theta - theta_s) ** 2).sum())


def ewc(theta, theta_s, fisher, lam):
    return float(lam / 2 * (fisher * (theta - theta_s) ** 2).sum())


def rest(H, theta_b, theta_s, fisher, lam):
    pull = lam * torch.diag(fisher)
    return torch.linalg.solve(H + pull, H @ theta_b + pull @ theta_s)


def cosine(a, b):
    size = (a @ a * (b @ b)) ** 0.5
    return float(a @ b / size) if size > 0 else 0.0


def flat(grads):
    return torch.cat([g.flatten() for g in grads])


def stop(val_losses, patience):
    best = 0
    for i, loss in enumerate(val_losses):
        if loss < val_losses[best]:
            best = i
        elif i - best == patience:
            return i + 1, best + 1
    return len(val_losses), best + 1


WRONG = {
    "forgetting.l2_sp": {
        "a sum": lambda theta, theta_s, lam: float(lam / 2 * ((theta + theta_s) ** 2).sum()),
        "root": lambda theta, theta_s, lam: l2(theta, theta_s, lam) ** 0.5,
        "one a weight": lambda theta, theta_s, lam: lam / 2 * (theta - theta_s) ** 2,
        "lambda squared": lambda theta, theta_s, lam: l2(theta, theta_s, lam**2),
        "no lambda": lambda theta, theta_s, lam: l2(theta, theta_s, 1.0),
        "the other sign": lambda theta, theta_s, lam: -l2(theta, theta_s, lam),
        "the gradient": lambda theta, theta_s, lam: lam * (theta - theta_s),
        "absolute": lambda theta, theta_s, lam: float(lam / 2 * (theta - theta_s).abs().sum()),
        "theta_s alone": lambda theta, theta_s, lam: float(lam / 2 * (theta_s**2).sum()),
    },
    "forgetting.fisher_diagonal": {
        "unbiased": lambda per_sample_grads: (per_sample_grads**2).sum(0) / max(1, len(per_sample_grads) - 1),
        "root": lambda per_sample_grads: (per_sample_grads**2).mean(0).sqrt(),
        "one number": lambda per_sample_grads: (per_sample_grads**2).mean(),
        "not averaged": lambda per_sample_grads: per_sample_grads**2,
        "the mean": lambda per_sample_grads: per_sample_grads.mean(0),
        "minus": lambda per_sample_grads: -(per_sample_grads**2).mean(0),
        "largest": lambda per_sample_grads: (per_sample_grads**2).max(0).values,
        "kept as a row": lambda per_sample_grads: (per_sample_grads**2).mean(0, keepdim=True),
        "first example": lambda per_sample_grads: per_sample_grads[0] ** 2,
    },
    "forgetting.ewc_penalty": {
        "no lambda": lambda theta, theta_s, fisher, lam: ewc(theta, theta_s, fisher, 1.0),
        "not squared": lambda theta, theta_s, fisher, lam: float(lam / 2 * (fisher * (theta - theta_s).abs()).sum()),
        "fisher inside": lambda theta, theta_s, fisher, lam: float(lam / 2 * ((fisher * (theta - theta_s)) ** 2).sum()),
        "over fisher": lambda theta, theta_s, fisher, lam: float(lam / 2 * ((theta - theta_s) ** 2 / (fisher + 1e-8)).sum()),
        "minus": lambda theta, theta_s, fisher, lam: -ewc(theta, theta_s, fisher, lam),
        "a weight each": lambda theta, theta_s, fisher, lam: lam / 2 * fisher * (theta - theta_s) ** 2,
        "root of fisher": lambda theta, theta_s, fisher, lam: ewc(theta, theta_s, fisher**0.5, lam),
        "difference of sums": lambda theta, theta_s, fisher, lam: float(
            lam / 2 * (fisher * (theta.sum() - theta_s.sum()) ** 2).sum()
        ),
    },
    "forgetting.ewc_optimum": {
        "theta_b": lambda H, theta_b, theta_s, fisher, lam: theta_b,
        "exchanged": lambda H, theta_b, theta_s, fisher, lam: rest(H, theta_s, theta_b, fisher, lam),
        "lambda twice": lambda H, theta_b, theta_s, fisher, lam: rest(H, theta_b, theta_s, fisher, 2 * lam),
        "fisher squared": lambda H, theta_b, theta_s, fisher, lam: rest(H, theta_b, theta_s, fisher**2, lam),
        "H_inverse": lambda H, theta_b, theta_s, fisher, lam: rest(torch.linalg.inv(H), theta_b, theta_s, fisher, lam),
        "not solved": lambda H, theta_b, theta_s, fisher, lam: H @ theta_b + lam * fisher * theta_s,
        "the middle": lambda H, theta_b, theta_s, fisher, lam: (theta_b + theta_s) / 2,
        "weighted by fisher": lambda H, theta_b, theta_s, fisher, lam: (theta_b + lam * fisher * theta_s) / (1 + lam * fisher),
        "minus": lambda H, theta_b, theta_s, fisher, lam: torch.linalg.solve(
            H + lam * torch.diag(fisher), H @ theta_b - lam * fisher * theta_s
        ),
    },
    "forgetting.gradient_cosine": {
        "of the sums of layers": lambda grads_a, grads_b: cosine(
            torch.stack([g.sum() for g in grads_a]), torch.stack([g.sum() for g in grads_b])
        ),
        "the angle": lambda grads_a, grads_b: float(torch.tensor(cosine(flat(grads_a), flat(grads_b))).acos()),
        "distance": lambda grads_a, grads_b: 1 - cosine(flat(grads_a), flat(grads_b)),
        "first layer": lambda grads_a, grads_b: cosine(flat(grads_a[:1]), flat(grads_b[:1])),
        "minus": lambda grads_a, grads_b: -cosine(flat(grads_a), flat(grads_b)),
        "sum of layers": lambda grads_a, grads_b: sum(
            cosine(a.flatten(), b.flatten()) for a, b in zip(grads_a, grads_b, strict=True)
        ),
        "squared": lambda grads_a, grads_b: cosine(flat(grads_a), flat(grads_b)) ** 2,
        "zero divides": lambda grads_a, grads_b: float(
            flat(grads_a) @ flat(grads_b) / (flat(grads_a).norm() * flat(grads_b).norm())
        ),
        "norms of layers": lambda grads_a, grads_b: float(
            (flat(grads_a) @ flat(grads_b)) / (sum(g.norm() for g in grads_a) * sum(g.norm() for g in grads_b)).clamp_min(1e-9)
        ),
    },
    "forgetting.stop_epoch": {
        "exchanged": lambda val_losses, patience: stop(val_losses, patience)[::-1],
        "one early": lambda val_losses, patience: stop(val_losses, patience - 1),
        "never stops": lambda val_losses, patience: (len(val_losses), val_losses.index(min(val_losses)) + 1),
        "the loss": lambda val_losses, patience: (stop(val_losses, patience)[0], min(val_losses)),
        "only the epoch": lambda val_losses, patience: stop(val_losses, patience)[0],
        "both the same": lambda val_losses, patience: (stop(val_losses, patience)[0],) * 2,
        "the largest loss": lambda val_losses, patience: stop([-x for x in val_losses], patience),
        "the last epoch kept": lambda val_losses, patience: (stop(val_losses, patience)[1],) * 2,
    },
}
