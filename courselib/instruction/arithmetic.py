"""Sums with and without a scratchpad: what is learned depends on what has to be said first.

A sum of two numbers of two digits is asked, and answered in one of four ways:

    plain        47+85=132       the first digit has to be known before any carry has been worked out
    reversed     47+85=231       the same digits, the last one first: each needs its column and one carry
    scratchpad   47+85=1213132   each column's total, from the right, two digits each (12, 13), and then the answer
    filler       47+85=....132   the control: as many tokens to say before the answer, and nothing in them

Source: Lee et al. 2023, "Teaching arithmetic to small transformers", arXiv:2307.03381.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from courselib.instruction.small import Pair, Words, continue_with, fresh_llama, teach
from courselib.lab import runtime

STYLES = ("plain", "reversed", "scratchpad", "filler")
ALPHABET = Words(tuple("0123456789+=."))
DIGITS = 2
HELD_OUT_SUMS = 200
RATE = 5e-3  # the best of 2.5e-3, 5e-3 and 1e-2 on seeds from 100 on ("rates of sums" in measurements), but for these styles and
RATES: dict[tuple[str, int], float] = {("scratchpad", 250): 1e-2}  # numbers of examples


def column_totals(a: int, b: int) -> list[int]:
    """The total of each column, the carry from its right included, from the right: 47 + 85 -> [12, 13]."""
    totals, carry = [], 0
    for place in range(DIGITS):
        total = a // 10**place % 10 + b // 10**place % 10 + carry
        totals.append(total)
        carry = total // 10
    return totals


def worked(a: int, b: int, style: str) -> str:
    """What is to be said after "a+b=": the digits of the answer, three of them, and what the style puts before. Raises
    ValueError for another style."""
    answer = f"{a + b:0{DIGITS + 1}d}"
    if style == "plain":
        return answer
    if style == "reversed":
        return answer[::-1]
    if style == "scratchpad":
        return "".join(f"{total:02d}" for total in column_totals(a, b)) + answer
    if style == "filler":
        return "." * (2 * DIGITS) + answer
    raise ValueError(f"There is no style {style!r}; there are {', '.join(STYLES)}.")


def sum_problems(n: int, seed: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """`n` sums to learn from and `HELD_OUT_SUMS` others to be tested on; none in both."""
    rng = random.Random(seed)
    drawn = rng.sample(range(10 ** (2 * DIGITS)), n + HELD_OUT_SUMS)
    pairs = [divmod(number, 10**DIGITS) for number in drawn]
    return pairs[:n], pairs[n:]


def row(a: int, b: int, style: str) -> Pair:
    return ALPHABET.ids(f"{a:0{DIGITS}d}+{b:0{DIGITS}d}="), ALPHABET.ids(worked(a, b, style))


def learn_sums(style: str, n: int, seed: int, steps: int = 800, lr: float | None = None) -> nn.Module:
    """A fresh model, trained on `n` sums in one style. Without a rate it takes that of `RATES`, or else `RATE`."""
    train, _ = sum_problems(n, seed)
    model, lr = fresh_llama(ALPHABET.size, seed), RATES.get((style, n), RATE) if lr is None else lr
    teach(model, [row(a, b, style) for a, b in train], steps=steps, seed=seed, lr=lr)
    return model


def sums_right(model: nn.Module, style: str, n: int, seed: int) -> float:
    """The share of the held-out sums that are answered right: of what is said, the answer's digits count."""
    _, test = sum_problems(n, seed)
    said = continue_with(model, [row(a, b, style)[0] for a, b in test], len(worked(0, 0, style)) + 1)
    answers = ["".join(ALPHABET.tokens(ids))[-(DIGITS + 1):] for ids in said]
    right = [answer == worked(a, b, style)[-(DIGITS + 1):] for answer, (a, b) in zip(answers, test, strict=True)]
    return sum(right) / len(right)


def sums(seed: int, style: str, n: int, lr: float | None = None) -> dict[str, float]:
    """One run, for `experiments.run`: the accuracy on held-out sums after learning from `n`."""
    return {"accuracy": sums_right(learn_sums(style, n, seed, lr=lr), style, n, seed)}


def log_p(model: nn.Module, prompts: Sequence[str], answers: Sequence[str]) -> Tensor:
    """log p(answer | prompt) of each, in nats: (prompts,). All have to be equally long."""
    rows = [ALPHABET.ids(prompt + answer) for prompt, answer in zip(prompts, answers, strict=True)]
    ids = torch.tensor(rows, device=runtime.device())
    with torch.no_grad():
        found = model(input_ids=ids).logits.log_softmax(-1)  # (prompts, seq, vocab)
    begin = len(prompts[0])
    return found[:, begin - 1 : -1].gather(-1, ids[:, begin:, None]).sum((1, 2)).cpu()


def followed(seed: int, n: int = 1000) -> dict[str, float]:
    """A model that has learned with a scratchpad reads reasons that somebody else wrote: how likely it then holds which answer.

    Mean log p(a | x, r) in nats. "right": right reasons, right answer. "led astray": the reasons of another sum, and that sum's
    answer. "in spite": the reasons of another sum, and the right answer.
    """
    model, (_, test) = learn_sums("scratchpad", n, seed), sum_problems(n, seed)
    others = [*test[1:], test[0]]
    questions = [f"{a:0{DIGITS}d}+{b:0{DIGITS}d}=" for a, b in test]
    answers = [worked(a, b, "plain") for a, b in test]
    reasons = ["".join(f"{total:02d}" for total in column_totals(a, b)) for a, b in test]
    theirs = [*reasons[1:], reasons[0]]
    right = log_p(model, [q + r for q, r in zip(questions, reasons, strict=True)], answers)
    astray = log_p(model, [q + r for q, r in zip(questions, theirs, strict=True)], [worked(a, b, "plain") for a, b in others])
    spite = log_p(model, [q + r for q, r in zip(questions, theirs, strict=True)], answers)
    return {"right": right.mean().item(), "led astray": astray.mean().item(), "in spite": spite.mean().item(),
            "follows": (astray > spite).double().mean().item()}
