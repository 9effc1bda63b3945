"""Chapter 05: wrong answers that no exercise declares."""

import math

import numpy as np
import torch


def divergence(student_logits, teacher_logits, temperature, power=2, over=None, base=1.0, mean=True):
    p = torch.softmax(teacher_logits / temperature, -1)
    terms = p * (p.clamp_min(1e-30).log() - torch.log_softmax(student_logits / temperature, -1))
    total = terms.sum(-1)
    return float(temperature**power * (total.mean() if mean else total.sum()) / base)


def slope(student_logits, teacher_logits, temperature):
    p, q = torch.softmax(teacher_logits / temperature, -1), torch.softmax(student_logits / temperature, -1)
    return temperature * (q - p) / len(p)


def mix(batch, old_share, rounded=round, refuse=True):
    old = rounded(batch * old_share)
    new = batch - old
    if refuse and (old < 1 or new < 1):
        raise ValueError("both kinds")
    return new, old, old / new


def problems(examples, batch, epochs, warmup_steps, evaluations_per_epoch, patience):
    steps = epochs * math.ceil(examples / batch)
    peak = min(1.0, (steps - 1) / warmup_steps) if warmup_steps else 1.0
    return steps, peak, epochs * evaluations_per_epoch - (1 + patience)


def changes(R):
    return [R[-1, j] - R[j, j] for j in range(len(R) - 1)]


WRONG = {
    "continual.distillation_loss": {
        "bits": lambda **i: divergence(**i, base=math.log(2)),
        "a loss a row": lambda student_logits, teacher_logits, temperature: torch.stack(
            [torch.tensor(divergence(s[None], t[None], temperature)) for s, t in zip(student_logits, teacher_logits, strict=True)]
        ),
        "T cubed": lambda **i: divergence(**i, power=3),
        "divided by T squared": lambda **i: divergence(**i, power=-2),
        "symmetric": lambda student_logits, teacher_logits, temperature: (
            (divergence(student_logits, teacher_logits, temperature) + divergence(teacher_logits, student_logits, temperature))
            / 2
        ),
        "the other sign": lambda **i: -divergence(**i),
        "multiplied by T": lambda student_logits, teacher_logits, temperature: divergence(
            student_logits, teacher_logits, 1 / temperature, power=-2
        ),
        "one plus": lambda **i: 1 + divergence(**i),
        "the first row": lambda student_logits, teacher_logits, temperature: divergence(
            student_logits[:1], teacher_logits[:1], temperature
        ),
    },
    "continual.distillation_gradient": {
        "twice": lambda **i: 2 * slope(**i),
        "T squared kept": lambda student_logits, teacher_logits, temperature: (
            slope(student_logits, teacher_logits, temperature) * temperature
        ),
        "averaged over rows": lambda **i: slope(**i).mean(0),
        "the probabilities": lambda student_logits, teacher_logits, temperature: torch.softmax(student_logits / temperature, -1),
        "T upside down": lambda student_logits, teacher_logits, temperature: slope(
            student_logits, teacher_logits, 1 / temperature
        ),
        "softmax over the batch": lambda student_logits, teacher_logits, temperature: (
            temperature
            * (torch.softmax(student_logits / temperature, 0) - torch.softmax(teacher_logits / temperature, 0))
            / len(student_logits)
        ),
        "absolute": lambda **i: slope(**i).abs(),
    },
    "continual.replay_batch": {
        "rounded up": lambda batch, old_share: mix(batch, old_share, math.ceil),
        "old first": lambda batch, old_share: (mix(batch, old_share)[1], mix(batch, old_share)[0], mix(batch, old_share)[2]),
        "alpha of the whole": lambda batch, old_share: (*mix(batch, old_share)[:2], mix(batch, old_share)[1] / batch),
        "not rounded": lambda batch, old_share: mix(batch, old_share, lambda x: x),
        "None when refused": lambda batch, old_share: mix(batch, old_share) if 1 <= round(batch * old_share) < batch else None,
        "only two": lambda batch, old_share: mix(batch, old_share)[:2],
        "alpha in percent": lambda batch, old_share: (*mix(batch, old_share)[:2], 100 * mix(batch, old_share)[2]),
    },
    "continual.average_accuracy": {
        "percent": lambda R: 100 * float(R[-1].mean()),
        "sum": lambda R: float(R[-1].sum()),
        "a row": lambda R: R[-1],
        "first row": lambda R: float(R[0].mean()),
        "below the diagonal": lambda R: float(R[np.tril_indices(len(R))].mean()),
        "best": lambda R: float(R[-1].max()),
        "median": lambda R: float(np.median(R[-1])),
        "error": lambda R: 1 - float(R[-1].mean()),
    },
    "continual.backward_transfer": {
        "over all i > j": lambda R: float(np.mean([R[i, j] - R[j, j] for i in range(len(R)) for j in range(i)])),
        "percent": lambda R: 100 * float(np.mean(changes(R))),
        "a list": lambda R: changes(R),
        "from the first row": lambda R: float(np.mean([R[-1, j] - R[0, j] for j in range(len(R) - 1)])),
        "absolute": lambda R: abs(float(np.mean(changes(R)))),
        "the worst": lambda R: float(min(changes(R))),
        "with the next stage": lambda R: float(np.mean([R[j + 1, j] - R[j, j] for j in range(len(R) - 1)])),
        "relative": lambda R: float(np.mean([R[-1, j] / R[j, j] - 1 for j in range(len(R) - 1)])),
    },
    "continual.recipe_problems": {
        "patience exact": lambda **i: (*problems(**i)[:2], problems(**i)[2] + 2),
        "two epochs": lambda **i: (problems(**i)[0] * 2, *problems(**i)[1:]),
        "peak in percent": lambda **i: (problems(**i)[0], 100 * problems(**i)[1], problems(**i)[2]),
        "patience in epochs": lambda **i: (
            *problems(**i)[:2],
            i["epochs"] * i["evaluations_per_epoch"] - (1 + i["patience"] * i["evaluations_per_epoch"]),
        ),
        "examples and batch exchanged": lambda **i: problems(**i | {"examples": i["batch"], "batch": i["examples"]}),
        "spare cut at 0": lambda **i: (*problems(**i)[:2], max(0, problems(**i)[2])),
        "warm-up of 0 divides": lambda **i: (
            problems(**i)[0],
            min(1.0, (problems(**i)[0] - 1) / i["warmup_steps"]),
            problems(**i)[2],
        ),
        "steps of one batch": lambda **i: (i["epochs"] * i["examples"], *problems(**i)[1:]),
    },
    "continual.reservoir": {
        "the last ones": lambda stream, capacity, rng: list(stream)[-capacity:],
        "place from one": lambda stream, capacity, rng: list(stream)[1 : capacity + 1],
        "nothing": lambda stream, capacity, rng: [],
        "printed": lambda stream, capacity, rng: print("kept"),
        "raises": lambda stream, capacity, rng: stream[capacity * 100],
    },
}
