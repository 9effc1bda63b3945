"""Exercises of chapter 12 on what a number was measured on: a leak, and likelihood that is read wrongly."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

import solutions.strategy as answers
from autograder.exercises.draws import integer, normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

# --- find_leak --------------------------------------------------------------------------------------------------------

WORDS = [
    "the", "a", "river", "light", "door", "old", "green", "small", "walks", "sings", "under", "over", "never", "always", "market",
    "stone", "bird", "rain", "winter", "salt",
]  # fmt: skip


def leak_cases(rng: np.random.Generator) -> list[Case]:
    def text(length: int) -> list[str]:
        return [WORDS[i] for i in rng.integers(len(WORDS), size=length)]

    def written(words: list[str]) -> str:
        out = [words[0].capitalize(), *words[1:]]
        comma = integer(rng, 1, len(out) - 2) if len(out) > 3 else 0
        return " ".join(f"{w}," if i == comma and comma else w for i, w in enumerate(out)) + "."

    train = [text(integer(rng, 9, 14)) for _ in range(6)]
    repeated = ["salt", "rain"] * 4  # "salt rain salt" and "rain salt rain" again and again
    copied, half = list(train[0]), train[1][:6] + ["entirely", "different", "words", "stand", "here"]
    across = train[2][-2:] + train[3][:2]  # would be found if training texts were put one behind another
    again = ["salt", "rain", "sings", *repeated]
    test = [copied, half, [*across, "nothing", "else"], text(12), text(10), again, ["rain"]]
    train = [*train, repeated[:4] + ["ended"], [WORDS[0]]]
    texts = {"train": [written(t) for t in train], "test": [written(t) for t in test]}
    return [Case("runs of 3", {**texts, "n": 3}), Case("runs of 4", {**texts, "n": 4}, "four")]


def _leak(train: list, test: list, n: int, *, how: str = "") -> Tensor:
    def runs(text: str) -> list[tuple[str, ...]]:
        words = [w if how == "marks" else w.strip(".,!?") for w in (text if how == "capitals" else text.lower()).split()]
        m = {"shorter": n - 1}.get(how, n)
        return [tuple(words[i : i + m]) for i in range(len(words) - m + 1)]

    known = {run for text in train for run in runs(text)}
    if how == "joined":
        known = set(runs(" ".join(train)))
    if how == "words":
        known_words = {w for text in train for (w, *_) in [run[:1] for run in _words(text)]}
        return torch.tensor([sum(w in known_words for (w,) in _words(t)) / max(1, len(_words(t))) for t in test])
    if how == "exact":
        return torch.tensor([float(text in train) for text in test])
    shares = []
    for text in test:
        found = runs(text)
        if how == "set":
            found = list(set(found))
        shares.append(sum(r in known for r in found) / len(found) if found else 0.0)
    if how == "any":
        return torch.tensor([float(share > 0) for share in shares])
    return torch.tensor(shares)


def _words(text: str) -> list[tuple[str]]:
    return [(w.strip(".,!?"),) for w in text.lower().split()]


def _wrong_leak(how: str) -> Any:
    return lambda train, test, n: _leak(train, test, n, how=how)


find_leak = Exercise(
    id="strategy.find_leak",
    answer=answers.strategy_find_leak,
    cases=leak_cases,
    parts=[Part("runs of 3", 2, on="main"), Part("runs of 4", 1, on="four")],
    misconceptions=[
        Misconception(
            "whole_texts", _wrong_leak("exact"),
            "You look for whole texts. One comma, or one sentence in front, and the copy is not found: look for runs of words.",
        ),
        Misconception(
            "single_words", _wrong_leak("words"),
            "You look for single words. All texts of one language share those; a leak shows in their order.",
        ),
        Misconception(
            "one_too_short", _wrong_leak("shorter"),
            "Your runs have n - 1 words: range(i, i + n) has n places.",
        ),
        Misconception(
            "marks_kept", _wrong_leak("marks"),
            "A comma or a full stop makes a word another word for you. Take the marks off its ends first.",
        ),
        Misconception(
            "capitals_kept", _wrong_leak("capitals"),
            "The first word of a text is another one for you than the same inside a sentence: compare in small letters.",
        ),
        Misconception(
            "joined", _wrong_leak("joined"),
            "You put the training texts one behind another, and find runs across their borders that stand in none of them.",
        ),
        Misconception(
            "each_once", _wrong_leak("set"),
            "A run that comes twice in a test text counts twice: it is a share of the text, not of its different runs.",
        ),
        Misconception(
            "any_at_all", _wrong_leak("any"),
            "You say whether anything was found. A run may be shared by chance; the share says how much of the text it is.",
        ),
    ],
)  # fmt: skip

# --- mend_choice ------------------------------------------------------------------------------------------------------


def choice_cases(rng: np.random.Generator) -> list[Case]:
    """Question of 4, answers of 2 to 9 tokens. The best a token is no one's best in sum, in question or in padding."""

    def case(label: str, mean: list[float], length: list[int], asked: int, seq: int, padding: list[float]) -> Case:
        log_p = torch.zeros(len(mean), seq)
        question = -2.0 - normal(rng, asked).abs()
        for row, (m, n) in enumerate(zip(mean, length, strict=True)):
            noise = 0.05 * normal(rng, n)
            log_p[row, :asked] = question
            log_p[row, asked : asked + n] = m + noise - noise.mean()
            log_p[row, asked + n :] = padding[row]
        return Case(label, {"log_p": log_p, "lengths": asked + torch.tensor(length), "asked": asked})

    mixed = [
        case("a long answer is the likeliest a token", [-1.0, -0.5, -0.9], [2, 8, 4], 3, 14, [-3.0, -3.0, -3.0]),
        case("a short one is", [-0.6, -1.0, -1.1, -1.2], [3, 6, 9, 4], 4, 14, [-3.0, -0.01, -0.02, -0.01]),
        case("padding that looks likely", [-0.9, -0.4, -0.8], [3, 7, 3], 3, 16, [-0.01, -2.0, -0.02]),
        case("the question decides nothing", [-1.1, -0.7, -0.9, -1.3, -1.0], [2, 5, 9, 3, 4], 6, 16, [-1.0] * 5),
        case("the last of four", [-1.2, -1.4, -1.0, -0.3], [2, 3, 2, 9], 2, 12, [-1.0] * 4),
    ]
    return [mixed[i] for i in rng.permutation(len(mixed))]


def _scored(log_p: Tensor, lengths: Tensor, asked: int, *, over: str = "answer", mean: bool = True, least: bool = False) -> int:
    place = torch.arange(log_p.shape[1])
    kept = (place < lengths[:, None]) & (place >= asked)
    if over == "real":
        kept = place < lengths[:, None]
    if over == "padded":
        kept = (place >= asked).expand(log_p.shape)
    scores = (log_p * kept).sum(1) / (kept.sum(1) if mean else 1)
    return int(scores.argmin() if least else scores.argmax())


mend_choice = Exercise(
    id="strategy.mend_choice",
    answer=answers.strategy_mend_choice,
    cases=choice_cases,
    parts=[Part("choice", 3)],
    misconceptions=[
        Misconception(
            "as_it_was", lambda log_p, lengths, asked: _scored(log_p, lengths, asked, mean=False),
            "This is the version that is wrong: it adds up, and each further token makes an answer less likely, so the "
            "shortest wins.",
        ),
        Misconception(
            "padding_counted", lambda log_p, lengths, asked: _scored(log_p, lengths, asked, over="padded"),
            "You divide, and over padding as well: what comes after `lengths` was never said.",
        ),
        Misconception(
            "question_counted", lambda log_p, lengths, asked: _scored(log_p, lengths, asked, over="real"),
            "You count the question's tokens. They are the same for all answers, and pull a short answer's mean more than a "
            "long one's.",
        ),
        Misconception(
            "least_likely", lambda log_p, lengths, asked: _scored(log_p, lengths, asked, least=True),
            "You took the lowest: log-probabilities are negative, and the likeliest is the one nearest to 0.",
        ),
    ],
)  # fmt: skip
