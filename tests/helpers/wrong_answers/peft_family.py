"""Chapter 09: wrong answers that no exercise declares."""

import math

import torch


def adapter(h, W_down, b_down, W_up, b_up, *, sign=1.0, scale=1.0, between=torch.relu, twice=False):
    out = between(h @ W_down.T + b_down) @ W_up.T + b_up
    return sign * (h * (2 if twice else 1) + scale * out)


def attend(q, k, v, prefix_k, prefix_v, *, divisor=None, axis=1, weights=False):
    scores = q @ torch.cat([prefix_k, k]).T / (math.sqrt(q.shape[1]) if divisor is None else divisor)
    P = scores.softmax(axis)
    return P if weights else P @ torch.cat([prefix_v, v])


def vera(x, W0, A, B, d, b, *, scale=1.0, sign=1.0, power=1):
    return x @ W0.T + sign * scale * (d**power * (x @ A.T) @ B.T) * b


def total(adapters, weights, *, factor=1.0, turn=False, first=False):
    pairs = list(zip(weights, adapters, strict=True))[: 1 if first else None]
    out = sum(factor * w * s * B @ A for w, (A, B, s) in pairs)
    return out.T if turn else out


def turned(whole, magnitude, order=2):
    return whole / whole.norm(p=order, dim=1, keepdim=True) * magnitude[:, None]


def merged(vectors, density):
    keep = vectors.abs().argsort(dim=1, descending=True)[:, : int(density * vectors.shape[1])]
    kept = torch.zeros_like(vectors).scatter(1, keep, vectors.gather(1, keep))
    agree = (kept.sign() == torch.where(kept.sum(0) >= 0, 1.0, -1.0)).float()
    return (kept * agree).sum(0) / agree.sum(0).clamp(min=1)


WRONG = {
    "peft_family.adapter_parameters": {
        "one bias twice": lambda width, bottleneck: 2 * width * bottleneck + bottleneck,
        "only the width's": lambda width, bottleneck: 2 * width * bottleneck + width,
        "bytes": lambda width, bottleneck: 4 * (2 * width * bottleneck + bottleneck + width),
        "sum": lambda width, bottleneck: 2 * (width + bottleneck),
    },
    "peft_family.adapter_forward": {
        "minus": lambda **i: adapter(**i, sign=-1.0),
        "doubled": lambda **i: adapter(**i, scale=2.0),
        "input twice": lambda **i: adapter(**i, twice=True),
        "tanh": lambda **i: adapter(**i, between=torch.tanh),
        "input back": lambda h, W_down, b_down, W_up, b_up: h,
        "update subtracted": lambda **i: adapter(**i, scale=-1.0),
        "narrow": lambda h, W_down, b_down, W_up, b_up: torch.relu(h @ W_down.T + b_down),
    },
    "peft_family.prefix_parameters": {
        "both and once": lambda layers, length, width: (2 * layers + 1) * length * width,
        "bytes": lambda layers, length, width: 8 * layers * length * width,
        "no length": lambda layers, length, width: 2 * layers * width,
    },
    "peft_family.prefix_attention": {
        "columns": lambda **i: attend(**i, axis=0),
        "divided by d": lambda **i: attend(**i, divisor=i["q"].shape[1]),
        "the weights": lambda **i: attend(**i, weights=True),
        "minus": lambda **i: -attend(**i),
        "doubled": lambda **i: 2 * attend(**i),
        "the values": lambda q, k, v, prefix_k, prefix_v: v,
        "transposed": lambda **i: attend(**i).T,
    },
    "peft_family.adalora_update": {
        "minus": lambda P, lam, Q: -(P * lam) @ Q,
        "doubled": lambda P, lam, Q: 2 * (P * lam) @ Q,
        "the sum of lambda": lambda P, lam, Q: lam.sum() * P @ Q,
    },
    "peft_family.orthogonality": {
        "half": lambda P: 0.5 * (P.T @ P - torch.eye(P.shape[1])).square().sum().item(),
        "minus": lambda P: -(P.T @ P - torch.eye(P.shape[1])).square().sum().item(),
        "twice": lambda P: 2 * (P.T @ P - torch.eye(P.shape[1])).square().sum().item(),
        "trace": lambda P: (P.T @ P - torch.eye(P.shape[1])).trace().item(),
    },
    "peft_family.loraplus_rates": {
        "A twice": lambda lr, ratio: (2 * lr, lr * ratio),
        "plus": lambda lr, ratio: (lr, lr + ratio),
        "minus": lambda lr, ratio: (-lr, -lr * ratio),
    },
    "peft_family.vera_forward": {
        "minus": lambda **i: vera(**i, sign=-1.0),
        "d squared": lambda **i: vera(**i, power=2),
        "doubled": lambda **i: 2 * vera(**i),
        "base alone": lambda x, W0, A, B, d, b: x @ W0.T,
    },
    "peft_family.vera_parameters": {
        "doubled": lambda d_out, d_in, rank: 2 * (d_out + rank),
        "all three": lambda d_out, d_in, rank: d_out + d_in + rank,
        "bytes": lambda d_out, d_in, rank: 4 * (d_out + rank),
    },
    "peft_family.compose": {
        "minus": lambda **i: -total(**i),
        "doubled": lambda **i: total(**i, factor=2.0),
        "transposed": lambda **i: total(**i, turn=True),
        "the first alone": lambda **i: total(**i, first=True),
    },
    "peft_family.dora_weight": {
        "minus": lambda W0, lora_A, lora_B, scaling, magnitude: -turned(W0 + scaling * lora_B @ lora_A, magnitude),
        "sizes squared": lambda W0, lora_A, lora_B, scaling, magnitude: turned(W0 + scaling * lora_B @ lora_A, magnitude**2),
        "LoRA's": lambda W0, lora_A, lora_B, scaling, magnitude: W0 + scaling * lora_B @ lora_A,
        "sum of absolute values": lambda W0, lora_A, lora_B, scaling, magnitude: turned(
            W0 + scaling * lora_B @ lora_A, magnitude, 1
        ),
        "transposed": lambda W0, lora_A, lora_B, scaling, magnitude: turned(W0 + scaling * lora_B @ lora_A, magnitude).T,
        "base back": lambda W0, lora_A, lora_B, scaling, magnitude: W0,
    },
    "peft_family.ties": {
        "a plain mean": lambda vectors, density: vectors.mean(0),
        "a plain sum": lambda vectors, density: vectors.sum(0),
        "the first": lambda vectors, density: vectors[0],
        "minus": lambda vectors, density: -merged(vectors, density),
        "times density": lambda vectors, density: density * merged(vectors, density),
        "zeros": lambda vectors, density: 0 * vectors[0],
    },
}
