"""Grammars with probabilities: text whose entropy, and whose distance from other text, is known exactly.

A probabilistic context-free grammar rewrites `{names}` until only words are left, and chooses among a name's
alternatives by fixed probabilities. Here no name may lead back to itself, so every grammar ends, and a text has a
probability that can be computed, not estimated:

- of one text: the inside algorithm (Baker, 1979: Trainable grammars for speech recognition), here from the top
  down, remembering what each name can cover from each position;
- of all texts: if each has one derivation only, the entropy is the sum, over all names, of how often the name is
  expected to be used times the entropy of its choice (Grenander, 1967: Syntax-controlled probabilities). The
  Kullback-Leibler divergence of two grammars with the same rules and other probabilities follows in the same way.

A language model's loss cannot fall below that entropy. So a training curve can be drawn with its floor.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from graphlib import CycleError, TopologicalSorter

from courselib.lab.data.spelling import PIECE, read, spell

Alternative = tuple[str, ...]  # words, marks, and names in braces
Ends = dict[int, tuple[float, int]]  # where a name can end: {position: (log-probability, derivations)}


@dataclass(frozen=True)
class Grammar:
    """A probabilistic grammar without recursion. Make one with `grammar(...)`.

    `rules[name]` are the alternatives of a name, `probabilities[name]` (sum 1) how likely each is. Texts are what
    `start` can become. A token is a word or a mark (a line break is one). The end of a text is none: for a model
    that predicts an end token too, divide the entropy per text by `length() + 1`.

    `entropy` and `kl` are those of the derivations. They are those of the texts if no text has two derivations
    (`derivations(text) == 1`), and upper bounds otherwise.
    """

    rules: Mapping[str, tuple[Alternative, ...]]
    probabilities: Mapping[str, tuple[float, ...]]
    start: str = "text"

    def sample(self, rng: random.Random) -> str:
        """Draw one text. The same state of `rng` gives the same text on any machine."""
        tokens, todo = [], [f"{{{self.start}}}"]
        while todo:
            piece = todo.pop()
            if name := _name(piece):
                todo.extend(reversed(rng.choices(self.rules[name], self.probabilities[name])[0]))
            else:
                tokens.append(piece)
        return spell(tokens)

    def tokens(self, text: str) -> list[str]:
        """The words and marks of a text, as the rules spell them (no sentence capitals; always "a", never "an")."""
        return read(text, self.words)

    def log_prob(self, text: str) -> float:
        """Natural log of the probability of exactly this text, over all its derivations; -inf if it has none."""
        return self._inside(text)[0]

    def derivations(self, text: str) -> int:
        """In how many ways, of positive probability, the grammar can make this text: 0 outside, 1 if unambiguous."""
        return self._inside(text)[1]

    def length(self) -> float:
        """The expected number of tokens (words and marks) of a text."""
        return sum(
            used * p * sum(not _name(piece) for piece in alternative)
            for name, used in self.uses.items()
            for p, alternative in zip(self.probabilities[name], self.rules[name], strict=True)
        )

    def entropy(self, per: str = "text") -> float:
        """The entropy in nats, per "text" or per "token" (that of a text over the expected length).

        Per token it is the least mean loss (sum of losses over number of tokens) any model can reach in the long
        run. Exact for unambiguous grammars: sum over names of expected uses times the entropy of the choice.
        """
        nats = -sum(used * sum(p * math.log(p) for p in self.probabilities[name] if p) for name, used in self.uses.items())
        return _per(per, nats, self)

    def at(self, start: str) -> Grammar:
        """The grammar of what another name can become: for reviews, `at("praise")` makes only praise."""
        if start not in self.rules:
            raise ValueError(f"The grammar has no rule {start!r}. It has {', '.join(sorted(self.rules))}.")
        return replace(self, start=start)

    @cached_property
    def uses(self) -> dict[str, float]:
        """For each name that can occur, how often a derivation is expected to rewrite it (the start: once)."""
        uses = dict.fromkeys(self.rules, 0.0)
        uses[self.start] = 1.0
        for name in reversed(_bottom_up(self.rules)):
            for p, alternative in zip(self.probabilities[name], self.rules[name], strict=True):
                for piece in alternative:
                    if _name(piece):
                        uses[_name(piece)] += uses[name] * p
        return {name: used for name, used in uses.items() if used}

    @cached_property
    def words(self) -> frozenset[str]:
        """Every word and mark in the rules, whatever its probability and wherever the grammar starts."""
        pieces = (piece for options in self.rules.values() for option in options for piece in option)
        return frozenset(piece for piece in pieces if not _name(piece))

    @cached_property
    def _by_first(self) -> dict[str, dict[str, list[tuple[float, Alternative]]]]:
        """For each name and each word that can come first: the possible alternatives, with log-probabilities."""
        table: dict[str, dict[str, list[tuple[float, Alternative]]]] = {}
        for name in _bottom_up(self.rules):
            table[name] = {}
            for p, alternative in zip(self.probabilities[name], self.rules[name], strict=True):
                if p:
                    for word in table.get(_name(alternative[0]), alternative[:1]):
                        table[name].setdefault(word, []).append((math.log(p), alternative))
        return table

    def _inside(self, text: str) -> tuple[float, int]:
        """(log-probability, number of derivations) of a text, by dynamic programming over (name, position)."""
        tokens = self.tokens(text)
        if not tokens or spell(tokens) != text:  # wrong spaces, capitals or articles: not a text of this grammar
            return -math.inf, 0
        known: dict[tuple[str, int], Ends] = {}

        def cover(piece: str, begin: int) -> Ends:
            """Where a word or name that starts at `begin` can end."""
            name = _name(piece)
            if begin == len(tokens) or not name:
                return {begin + 1: (0.0, 1)} if tokens[begin : begin + 1] == [piece] else {}
            if (name, begin) not in known:
                known[name, begin] = {}
                for log_p, alternative in self._by_first[name].get(tokens[begin], ()):
                    reached = {begin: (log_p, 1)}
                    for part in alternative:
                        step: Ends = {}
                        for middle, (log_left, left) in reached.items():
                            for end, (log_right, right) in cover(part, middle).items():
                                _add(step, end, log_left + log_right, left * right)
                        reached = step
                    for end, (log_alternative, ways) in reached.items():
                        _add(known[name, begin], end, log_alternative, ways)
            return known[name, begin]

        return cover(f"{{{self.start}}}", 0).get(len(tokens), (-math.inf, 0))


def grammar(
    rules: Mapping[str, Sequence[str]], weights: Mapping[str, Sequence[float]] | None = None, start: str = "text"
) -> Grammar:
    """A grammar from rules written as text: `{"text": ["the {animal} sleeps.", ...], "animal": ["cat", "dog"]}`.

    `weights[name]` are the odds of the alternatives, in order (they need not sum to 1); without them, all are
    equally likely. Words are written as inside a sentence: "the", not "The". "a" and "an" are one word in rules.

    Raises ValueError if a name has no rule or leads back to itself, if an alternative is empty or there twice, if
    weights do not fit, and if words could not be read back from the text.
    """
    cut = {
        name: tuple(tuple(PIECE.findall(re.sub(r"\ban\b", "a", option))) for option in options)
        for name, options in rules.items()
    }
    if lost := [option for options in rules.values() for option in options if PIECE.sub("", option).strip()]:
        raise ValueError(f"{lost[0]!r} holds characters that are no word, mark or {{name}}; leave them out.")
    pieces = {piece for options in cut.values() for option in options for piece in option}
    if missing := sorted((set(map(_name, pieces)) - {""} | {start}) - set(cut)):
        raise ValueError(f"No rule says what {missing[0]!r} is; add one, or write it without braces if it is a word.")
    for name, options in cut.items():
        if not options or not all(options):
            raise ValueError(f"Rule {name!r} has an empty alternative: each needs at least one word.")
        if len(set(options)) < len(options):
            raise ValueError(f"Rule {name!r} has an alternative twice: two derivations of one text.")
    _bottom_up(cut)
    made = Grammar(cut, {name: tuple(1 / len(options) for _ in options) for name, options in cut.items()}, start)
    if clash := sorted(word for word in made.words if word[0].isupper() and word[0].lower() + word[1:] in made.words):
        raise ValueError(f"{clash[0]!r} is there with and without a capital: at a sentence start they look the same.")
    return reweighted(made, weights or {})


def reweighted(base: Grammar, weights: Mapping[str, Sequence[float]]) -> Grammar:
    """The same rules with other odds for the names in `weights`. Raises ValueError if they do not fit the rules."""
    probabilities = dict(base.probabilities)
    for name, odds in weights.items():
        if len(odds) != len(base.rules.get(name, ())):
            raise ValueError(f"Rule {name!r} has {len(base.rules.get(name, ()))} alternatives, but {len(odds)} weights came.")
        if not all(math.isfinite(w) and w >= 0 for w in odds) or not sum(odds):
            raise ValueError(f"The weights of {name!r} must be finite, not negative, and not all 0; they are {list(odds)}.")
        probabilities[name] = tuple(w / math.fsum(odds) for w in odds)
    return replace(base, probabilities=probabilities)


def kl(p: Grammar, q: Grammar, per: str = "text") -> float:
    """KL(p || q) in nats, per "text" or per "token" of p; infinite if p makes what q never does.

    The sum over names of their expected uses *under p* times the KL of the two choices. Exact if the rules are
    unambiguous. Raises ValueError unless both have the same rules and start.
    """
    if p.start != q.start or p.rules != q.rules:
        raise ValueError("An exact KL needs two grammars of the same rules and start; these differ in more than odds.")
    nats = sum(
        used * a * (math.log(a / b) if b else math.inf)
        for name, used in p.uses.items()
        for a, b in zip(p.probabilities[name], q.probabilities[name], strict=True)
        if a
    )
    return _per(per, nats, p)


def _per(per: str, nats: float, source: Grammar) -> float:
    if per not in ("text", "token"):
        raise ValueError(f"Nats are counted per 'text' or per 'token', not per {per!r}.")
    return nats / (source.length() if per == "token" else 1.0)


def _bottom_up(rules: Mapping[str, tuple[Alternative, ...]]) -> list[str]:
    """The names, each after those it is made of."""
    parts = {name: {_name(piece) for option in options for piece in option} - {""} for name, options in rules.items()}
    try:
        return list(TopologicalSorter(parts).static_order())
    except CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        raise ValueError(f"A name leads back to itself ({circle}): such a grammar might never end.") from None


def _name(piece: str) -> str:
    """The name inside the braces; nothing for a word or mark."""
    return piece[1:-1] if piece[0] == "{" else ""


def _add(table: Ends, end: int, log_p: float, ways: int) -> None:
    """Add a way to reach `end`, summing probabilities in log space."""
    if end in table:
        high, low = max(table[end][0], log_p), min(table[end][0], log_p)
        log_p, ways = high + math.log1p(math.exp(low - high)), table[end][1] + ways
    table[end] = (log_p, ways)
