"""Chapter 12: wrong answers that no exercise declares."""

import math

import torch


def differences(right_a, right_b):
    return right_a.double() - right_b.double()


def sorted_steps(p_values):
    return p_values.sort().values * torch.arange(len(p_values), 0, -1)


def runs(text, n):
    words = [word.strip(".,!?") for word in text.lower().split()]
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


def shares(train, test, n, share=lambda found: sum(found) / len(found) if found else 0.0):
    known = {run for text in train for run in runs(text, n)}
    return torch.tensor([float(share([run in known for run in runs(text, n)])) for text in test])


WRONG = {
    "strategy.paired_interval": {
        "variance for deviation": lambda right_a, right_b, z: (
            differences(right_a, right_b).mean().item(),
            z * differences(right_a, right_b).var().item() / math.sqrt(len(right_a))),
        "in points": lambda right_a, right_b, z: (
            100 * differences(right_a, right_b).mean().item(),
            100 * z * differences(right_a, right_b).std().item() / math.sqrt(len(right_a))),
        "without the quantile": lambda right_a, right_b, z: (
            differences(right_a, right_b).mean().item(), differences(right_a, right_b).std().item() / math.sqrt(len(right_a))),
        "divided by the number": lambda right_a, right_b, z: (
            differences(right_a, right_b).mean().item(), z * differences(right_a, right_b).std().item() / len(right_a)),
    },
    "strategy.predict_widening": {
        "one more": lambda correlation: 1 + 1 / math.sqrt(1 - correlation),
        "negated": lambda correlation: -1 / math.sqrt(1 - correlation),
        "in percent": lambda correlation: 100 / math.sqrt(1 - correlation),
    },
    "strategy.corrected": {
        "as they were": lambda p_values: p_values,
        "divided": lambda p_values: p_values / len(p_values),
        "turned round": lambda p_values: (
            sorted_steps(p_values).cummax(0).values.clamp(max=1.0)[p_values.argsort().argsort()].flip(0)),
    },
    "strategy.find_leak": {
        "in percent": lambda train, test, n: 100 * shares(train, test, n),
        "what is new": lambda train, test, n: 1 - shares(train, test, n),
        "how many": lambda train, test, n: shares(train, test, n, sum),
        "turned round": lambda train, test, n: shares(train, test, n).flip(0),
    },
    "strategy.mend_choice": {
        "counted from one": lambda log_p, lengths, asked: int(torch.stack([
            row[asked:n].mean() for row, n in zip(log_p, lengths.tolist(), strict=True)]).argmax()) + 1,
        "the longest": lambda log_p, lengths, asked: int(lengths.argmax()),
    },
    "strategy.choose": {
        "counted from one": lambda accuracy, lost, memory, stored, tasks, limits, margin, t: int(accuracy.mean(1).argmax()) + 1,
        "least lost": lambda accuracy, lost, memory, stored, tasks, limits, margin, t: int(lost.mean(1).argmin()),
        "least memory": lambda accuracy, lost, memory, stored, tasks, limits, margin, t: int(memory.argmin()),
    },
    "strategy.hyperparameters": {
        "all of a head": lambda: {
            "learning_rate": 1e-2, "batch_size": 256, "warmup_share": 0.0, "weight_decay": 0.0, "epochs": 100},
    },
}  # fmt: skip
