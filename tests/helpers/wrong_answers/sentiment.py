"""Chapter 02b: wrong answers that no exercise declares."""

import math

import torch


def pad(sequences, max_length, pad_id, cut=None, width=None, mask=1):
    cut = cut or (lambda s: s if len(s) <= max_length else s[: max_length - 1] + s[-1:])
    rows = [cut(s) for s in sequences]
    longest = width or max(map(len, rows))
    return (
        torch.tensor([s + [pad_id] * (longest - len(s)) for s in rows]),
        mask * torch.tensor([[1] * len(s) + [0] * (longest - len(s)) for s in rows]),
    )


def mix(vectors, labels, weight, order):
    targets = torch.eye(2)[torch.tensor(labels)]
    return weight * vectors + (1 - weight) * vectors[order], weight * targets + (1 - weight) * targets[order]


def scores(tn, fp, fn, tp):
    p, r = tp / (tp + fp) if tp + fp else 0.0, tp / (tp + fn) if tp + fn else 0.0
    return (tp + tn) / (tn + fp + fn + tp), p, r, 2 * p * r / (p + r) if p + r else 0.0


def groups(names, layers, highest, lowest, weight_decay, *, up=0, head=1):
    factor = (lowest / highest) ** (1 / (layers - 1))
    rates = []
    for name in names:
        depth = layers if name.startswith("emb") else layers - 1 - int(name.split("layer.")[1].split(".")[0])
        rates.append(highest * factor ** (depth + up))
    return rates, [0.0 if n.endswith("bias") or "LayerNorm" in n else weight_decay for n in names]


def plan(examples, lr, batch, epochs, warmup_steps, weight_decay):
    total = math.ceil(examples / batch) * epochs
    return (
        int(2e-5 <= lr <= 5e-5),
        int(16 <= batch <= 32),
        int(3 <= epochs <= 5),
        int(warmup_steps <= 0.1 * total),
        int(0.01 <= weight_decay <= 0.1),
    )


def split(groups, order, share):
    test = set()
    for group in order:
        if sum(g in test for g in groups) >= share * len(groups):
            break
        test.add(group)
    return [int(g in test) for g in groups]


def ramp(step, warmup, total, peak):
    return peak * step / warmup if step < warmup else peak * max(0.0, (total - step) / (total - warmup))


def clip(grads, max_norm, p=2):
    norm = float(torch.cat(grads).norm(p))
    return [g * (max_norm / norm if norm > max_norm else 1.0) for g in grads], norm


WRONG = {
    "sentiment.pad_batch": {
        "the tail kept": lambda sequences, max_length, pad_id: pad(
            sequences, max_length, pad_id, lambda s: s if len(s) <= max_length else s[:1] + s[-max_length + 1 :]
        ),
        "width before cutting": lambda sequences, max_length, pad_id: pad(
            sequences, max_length, pad_id, width=max(map(len, sequences))
        ),
        "lists": lambda sequences, max_length, pad_id: tuple(sequences),
        "mask and ids exchanged": lambda **i: pad(**i)[::-1],
        "ids alone": lambda **i: pad(**i)[0],
        "never cut": lambda sequences, max_length, pad_id: pad(sequences, 10**6, pad_id),
        "a mask of truths": lambda **i: (pad(**i)[0], pad(**i)[1].bool()),
        "mask of 2": lambda **i: pad(**i, mask=2),
        "pad_id ignored": lambda sequences, max_length, pad_id: pad(sequences, max_length, -100),
    },
    "sentiment.mixup": {
        "targets 1-D": lambda vectors, labels, weight, order: (
            mix(vectors, labels, weight, order)[0],
            mix(vectors, labels, weight, order)[1][:, 1],
        ),
        "only the partner": lambda vectors, labels, weight, order: mix(vectors, labels, 0.0, order),
        "a plain mean": lambda vectors, labels, weight, order: mix(vectors, labels, 0.5, order),
        "columns of targets exchanged": lambda vectors, labels, weight, order: (
            mix(vectors, labels, weight, order)[0],
            mix(vectors, labels, weight, order)[1].flip(1),
        ),
        "weight squared": lambda vectors, labels, weight, order: mix(vectors, labels, weight**2, order),
        "not weighted": lambda vectors, labels, weight, order: (
            vectors + vectors[order],
            torch.eye(2)[labels] + torch.eye(2)[labels][order],
        ),
        "neighbour": lambda vectors, labels, weight, order: mix(vectors, labels, weight, [*range(1, len(labels)), 0]),
    },
    "sentiment.f1_from_confusion": {
        "percent": lambda **i: tuple(100 * s for s in scores(**i)),
        "precision and recall exchanged": lambda **i: (scores(**i)[0], scores(**i)[2], scores(**i)[1], scores(**i)[3]),
        "half F1": lambda **i: (*scores(**i)[:3], scores(**i)[3] / 2),
        "geometric": lambda **i: (*scores(**i)[:3], (scores(**i)[1] * scores(**i)[2]) ** 0.5),
        "accuracy without tn": lambda tn, fp, fn, tp: (tp / (tn + fp + fn + tp), *scores(tn, fp, fn, tp)[1:]),
        "rounded": lambda **i: tuple(round(s, 2) for s in scores(**i)),
        "divides by zero": lambda tn, fp, fn, tp: (
            (tp + tn) / (tn + fp + fn + tp),
            tp / (tp + fp),
            tp / (tp + fn),
            scores(tn, fp, fn, tp)[3],
        ),
        "error rate": lambda **i: (1 - scores(**i)[0], *scores(**i)[1:]),
        "only F1": lambda **i: scores(**i)[3],
    },
    "sentiment.confidence": {
        "log-probability": lambda logits: (logits.argmax(1), logits.log_softmax(1).max(1).values),
        "least likely": lambda logits: (logits.argmin(1), logits.softmax(1).min(1).values),
        "all probabilities": lambda logits: (logits.argmax(1), logits.softmax(1)),
        "exchanged": lambda logits: (logits.softmax(1).max(1).values, logits.argmax(1)),
        "percent": lambda logits: (logits.argmax(1), 100 * logits.softmax(1).max(1).values),
        "classes from one": lambda logits: (logits.argmax(1) + 1, logits.softmax(1).max(1).values),
        "mean confidence": lambda logits: (logits.argmax(1), logits.softmax(1).max(1).values.mean()),
        "exp alone": lambda logits: (logits.argmax(1), logits.exp().max(1).values),
        "rounded": lambda logits: (logits.argmax(1), logits.softmax(1).max(1).values.round(decimals=1)),
        "axis 0": lambda logits: (logits.argmax(0), logits.softmax(0).max(0).values),
    },
    "sentiment.parameter_groups": {
        "one layer off": lambda **i: groups(**i, up=1),
        "exchanged": lambda **i: groups(**i)[::-1],
        "all the highest": lambda **i: ([i["highest"]] * len(i["names"]), groups(**i)[1]),
        "decay inverted": lambda **i: (groups(**i)[0], [i["weight_decay"] - d for d in groups(**i)[1]]),
        "embeddings highest": lambda **i: (
            [i["highest"] if n.startswith("emb") else r for n, r in zip(i["names"], groups(**i)[0], strict=True)],
            groups(**i)[1],
        ),
        "decay only on LayerNorm": lambda **i: (
            groups(**i)[0],
            [i["weight_decay"] if "LayerNorm" in n else 0.0 for n in i["names"]],
        ),
        "ascending": lambda **i: (sorted(groups(**i)[0]), groups(**i)[1]),
        "lists of pairs": lambda **i: list(zip(*groups(**i), strict=True)),
    },
    "sentiment.hyperparameters": {
        "inverted": lambda **i: tuple(1 - x for x in plan(**i)),
        "all within": lambda **i: (1, 1, 1, 1, 1),
        "truths": lambda **i: tuple(bool(x) for x in plan(**i)),
        "one number": lambda **i: all(plan(**i)),
        "warm-up of 1 %": lambda **i: (
            *plan(**i)[:3],
            int(i["warmup_steps"] <= 0.01 * math.ceil(i["examples"] / i["batch"]) * i["epochs"]),
            plan(**i)[4],
        ),
        "warm-up of epochs": lambda **i: (*plan(**i)[:3], int(i["warmup_steps"] <= i["epochs"]), plan(**i)[4]),
        "batch up to 64": lambda **i: (plan(**i)[0], int(16 <= i["batch"] <= 64), *plan(**i)[2:]),
        "four values": lambda **i: plan(**i)[:4],
    },
    "sentiment.group_split": {
        "the other way round": lambda groups, order, share: split(groups, order[::-1], share),
        "one group": lambda groups, order, share: [int(g == order[0]) for g in groups],
        "share of training": lambda groups, order, share: split(groups, order, 1 - share),
        "the rows": lambda groups, order, share: [i for i, t in enumerate(split(groups, order, share)) if t],
        "truths": lambda groups, order, share: [bool(t) for t in split(groups, order, share)],
        "one group more": lambda groups, order, share: (
            lambda t: [
                int(x or g == next((o for o in order if o not in {h for h, y in zip(groups, t, strict=True) if y}), None))
                for g, x in zip(groups, t, strict=True)
            ]
        )(split(groups, order, share)),
        "everything": lambda groups, order, share: [1] * len(groups),
        "first rows": lambda groups, order, share: [int(i < share * len(groups)) for i in range(len(groups))],
    },
    "sentiment.warmup_lr": {
        "warm-up rounded up": lambda step, warmup, total, peak: ramp(step, math.ceil(warmup), total, peak),
        "product of ramps": lambda step, warmup, total, peak: (
            peak * min(1.0, step / (warmup or 1)) * max(0.0, (total - step) / total)
        ),
        "cosine": lambda step, warmup, total, peak: (
            peak * step / warmup
            if step < warmup
            else peak * 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / (total - warmup))))
        ),
        "zero warm-up divides": lambda step, warmup, total, peak: min(
            peak * step / warmup, peak * max(0.0, (total - step) / (total - warmup))
        ),
        "half the peak": lambda step, warmup, total, peak: ramp(step, warmup, total, peak / 2),
        "peak only": lambda step, warmup, total, peak: peak,
        "falling only": lambda step, warmup, total, peak: peak * max(0.0, (total - step) / total),
        "step from one": lambda step, warmup, total, peak: ramp(step + 1, warmup, total, peak),
        "warm-up and total exchanged": lambda step, warmup, total, peak: ramp(step, total, warmup, peak),
    },
    "sentiment.clip_by_norm": {
        "largest entry": lambda grads, max_norm: clip(grads, max_norm, float("inf")),
        "sum of entries": lambda grads, max_norm: clip(grads, max_norm, 1),
        "max_norm returned": lambda grads, max_norm: (clip(grads, max_norm)[0], max_norm),
        "never clipped": lambda grads, max_norm: (grads, clip(grads, max_norm)[1]),
        "norm squared": lambda grads, max_norm: (clip(grads, max_norm)[0], clip(grads, max_norm)[1] ** 2),
        "normalised to 1": lambda grads, max_norm: ([g / (clip(grads, 1.0)[1] or 1) for g in grads], clip(grads, 1.0)[1]),
        "exchanged": lambda grads, max_norm: clip(grads, max_norm)[::-1],
        "upside down": lambda grads, max_norm: (
            [g * max(1.0, clip(grads, max_norm)[1] / max_norm) for g in grads],
            clip(grads, max_norm)[1],
        ),
    },
}
