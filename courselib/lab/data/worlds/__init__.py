"""Five worlds of generated text, written for this course, whose probabilities, entropies and distances are exact.

`world("general")`, `"clinical"`, `"legal"` and `"reviews"` are prose. They share one grammar and differ only in its
probabilities: each writes mostly documents of its own kind, and now and then one of another kind, in plain words; the
words and turns of phrase of the trade are rare outside it. So the KL divergence between any two of them is finite and
exact, and large. `world("instructions")` has instructions and checkable responses, on a grammar of its own.

Splits. Reviews: training and test share no word of praise or blame and no frame that carries one. Instructions: they
share no template, and no sum, difference, comparison or word order. There, training and test are two grammars, and
KL(test || train) is infinite.
The other worlds have one grammar; the test split is other draws from it, from another stream of random numbers.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from courselib.lab.data.grammar import Grammar, grammar, reweighted
from courselib.lab.data.worlds import clinical, general, instructions, legal, reviews

PROSE = ("general", "clinical", "legal", "reviews")
NAMES = (*PROSE, "instructions")
SPLITS = ("train", "test")

_MODULES = {"general": general, "clinical": clinical, "legal": legal, "reviews": reviews}
_KINDS = {"general": "general", "clinical": "clinical", "legal": "legal", "praise": "reviews", "blame": "reviews"}
ELSEWHERE = 0.01  # how likely a document of each other world is
TRADE = 0.005  # how much rarer a trade's own words are outside it


@dataclass(frozen=True)
class World:
    """A source of text: `world("general")`. Texts have no end mark and no line break, except in instructions."""

    name: str

    def grammar(self, split: str = "train") -> Grammar:
        """What the texts of a split are drawn from: `.log_prob(text)`, `.entropy()`, `.length()` are exact."""
        _known(split, SPLITS, "split")
        return _instructions(split) if self.name == "instructions" else _prose(self.name, split)

    def texts(self, n: int, split: str = "train", seed: int = 0) -> list[str]:
        """`n` independent draws. Among many, some may be equal: that is what the probabilities mean.

        The first texts do not depend on `n`. Raises ValueError if `n` is below 1 or the split unknown.
        """
        return self._draw(n, split, seed, "text")

    def labelled(self, n: int, split: str = "train", seed: int = 0) -> tuple[list[str], list[int]]:
        """Reviews and their labels (1 praise, 0 blame), in turn. Raises ValueError in worlds without labels."""
        if self.name != "reviews":
            raise ValueError(f"The world {self.name!r} has no labels; world('reviews') has.")
        halves = self._draw(n - n // 2, split, seed, "praise"), self._draw(n - n // 2, split, seed, "blame")
        return [halves[i % 2][i // 2] for i in range(n)], [1 - i % 2 for i in range(n)]

    def pairs(self, n: int, split: str = "train", seed: int = 0) -> list[tuple[str, str]]:
        """Instructions, each with a right response. Raises ValueError in worlds that have none."""
        if self.name != "instructions":
            raise ValueError(f"The world {self.name!r} has no instructions; world('instructions') has.")
        return [tuple(text.split("\n")) for text in self.texts(n, split, seed)]

    def train_test(self, n_train: int, n_test: int, seed: int = 0) -> tuple[list[str], list[str]]:
        """Texts of both splits, none of which is in both.

        A test text that training happens to have is passed over. (Short strays of other worlds do meet. What is left
        is no longer quite a fair draw: to estimate the entropy, use `texts(n, "test")`.) Raises ValueError if too few
        are left, which only tiny worlds would allow.
        """
        train = self.texts(n_train, "train", seed)
        known = set(train)
        test = [text for text in self.texts(2 * n_test, "test", seed) if text not in known][:n_test]
        if len(test) < n_test:
            raise ValueError(
                f"This split would leak: {n_train} training texts hold most of what {self.name!r} can say, and only "
                f"{len(test)} of {n_test} test texts are new. Take fewer training texts, or a richer world."
            )
        return train, test

    def _draw(self, n: int, split: str, seed: int, start: str) -> list[str]:
        if n < 1:
            raise ValueError(f"{n} texts were asked for; ask for at least 1.")
        rng, source = random.Random(f"{self.name} {split} {start} {seed}"), self.grammar(split).at(start)
        return [source.sample(rng) for _ in range(n)]


def world(name: str) -> World:
    """The world of that name: 'general', 'clinical', 'legal', 'reviews' or 'instructions'. ValueError otherwise."""
    return World(_known(name, NAMES, "world"))


def correct(instruction: str, response: str) -> bool:
    """Whether a response is right: whether the grammar of instructions can pair the two (in either split).

    Capitals at the start, space around it and the final full stop are forgiven. Raises ValueError for an
    instruction that the world never gives: what is right is then not known.
    """
    asked, answered = _judge()
    if not asked.derivations(instruction):
        raise ValueError(f"{instruction!r} is not an instruction of this world; take one from world('instructions').pairs.")
    said = response.strip().removesuffix(".")
    return bool(said) and answered.derivations(f"{instruction}\n{said[0].upper()}{said[1:]}.") > 0


def refuse_leak(train: Iterable[str], test: Iterable[str]) -> tuple[list[str], list[str]]:
    """Both, as lists, if no text is in both. Otherwise ValueError: a test on what was trained on measures memory."""
    train, test = list(train), list(test)
    if both := set(train) & set(test):
        raise ValueError(
            f"This split would leak: {len(both)} texts are in training and test, for example {min(both)!r}. "
            "Take both from `train_test` of one world, or leave out of the test what is in training."
        )
    return train, test


@cache
def _shared() -> tuple[Grammar, dict[str, int], dict[str, str]]:
    """The rules of all prose worlds, how many alternatives of each come before its "||", and whose rule it is."""
    rules, heads, homes = {"text": [f"{{{kind}}}" for kind in _KINDS]}, {}, {}
    for home, module in _MODULES.items():
        for name, alternatives in (module.RULES | getattr(module, "SPLIT_RULES", {})).items():
            head, _, tail = (instructions.cut(half) if half.strip() else [] for half in alternatives.partition("||"))
            rules[name], heads[name], homes[name] = head + tail, len(head), home
    return grammar(rules), heads, homes


@cache
def _prose(name: str, split: str) -> Grammar:
    base, heads, homes = _shared()
    others = ELSEWHERE * (len(PROSE) - 1)
    share = {kind: (1 - others if home == name else ELSEWHERE) for kind, home in _KINDS.items()}
    weights = {"text": [share[kind] / (2 if kind in ("praise", "blame") else 1) for kind in _KINDS]}
    test = split == "test" and name == "reviews"  # elsewhere a review is a stray, and one of the training kind
    for rule, home in homes.items():
        head, tail = heads[rule], len(base.rules[rule]) - heads[rule]
        if rule in reviews.SPLIT_RULES:
            weights[rule] = [float(not test)] * head + [float(test)] * tail
        elif home != name:
            weights[rule] = [1.0] * head + [TRADE] * tail if tail else [1.0] * head
    return reweighted(base, weights)


@cache
def _instructions(split: str) -> Grammar:
    halves = instructions.split_rules()
    train, test = float(split == "train"), float(split == "test")
    weights = {name: [train] * len(a) + [test] * len(b) for name, (a, b) in halves.items() if b}
    return reweighted(grammar({name: a + b for name, (a, b) in halves.items()}), weights)


@cache
def _judge() -> tuple[Grammar, Grammar]:
    """The grammar of all instructions alone, and of all instructions with their right responses."""
    rules = {name: a + b for name, (a, b) in instructions.split_rules().items()}
    asked = {name: list(dict.fromkeys(option.split("\n")[0] for option in options)) for name, options in rules.items()}
    return grammar(asked), grammar(rules)


def _known(name: str, names: tuple[str, ...], what: str) -> str:
    if name not in names:
        raise ValueError(f"There is no {what} {name!r}; there are {', '.join(map(repr, names))}.")
    return name
