"""Grammars: what is called exact must equal what enumerating every text gives."""

import math
import os
import random
import subprocess
import sys
from collections import Counter
from itertools import product

import pytest

from autograder import places
from courselib.lab.data.grammar import grammar, kl, reweighted
from courselib.lab.data.spelling import read, spell

# Names used twice in a text, nested, of unequal length and unequal odds; sentence starts; "a" and "an".
RULES = {
    "text": ["{who} sees {who}.", "{who} sleeps, and {who} sees {who} {where}!", "Anna sleeps {where}."],
    "who": ["the {animal}", "a {animal}", "Anna"],
    "animal": ["cat", "owl", "old {bird}"],
    "bird": ["owl of {place}", "emu"],
    "where": ["in {place}", "here"],
    "place": ["Rome", "the sea"],
}
P = grammar(RULES, {"text": [3, 1, 2], "who": [1, 5, 2], "animal": [0.1, 0.2, 0.4], "bird": [1, 3], "place": [7, 3]})
Q = reweighted(P, {"text": [1, 1, 5], "who": [4, 1, 1], "animal": [1, 6, 1], "where": [2, 9]})


def derivations(g, piece):
    """Every (tokens, probability) a name can become, one for each derivation: the slow and certain way."""
    if not piece.startswith("{"):
        return [([piece], 1.0)]
    found = []
    for p, alternative in zip(g.probabilities[piece[1:-1]], g.rules[piece[1:-1]], strict=True):
        for parts in product(*(derivations(g, part) for part in alternative)):
            found.append((sum((tokens for tokens, _ in parts), []), p * math.prod(q for _, q in parts)))
    return found


def everything(g):
    """{text: probability}, by enumeration."""
    texts = Counter()
    for tokens, p in derivations(g, f"{{{g.start}}}"):
        texts[spell(tokens)] += p
    return texts


ALL_P, ALL_Q = everything(P), everything(Q)


def test_enumerated_probabilities_agree_and_sum_to_one():
    assert len(ALL_P) > 1000
    logs = {text: P.log_prob(text) for text in ALL_P}
    assert math.fsum(map(math.exp, logs.values())) == pytest.approx(1, abs=1e-12)
    for text, p in ALL_P.items():
        assert logs[text] == pytest.approx(math.log(p), abs=1e-10)
    assert {P.derivations(text) for text in ALL_P} == {1}


def test_entropy_length_and_kl_equal_enumeration():
    entropy = -math.fsum(p * math.log(p) for p in ALL_P.values())
    length = math.fsum(p * len(P.tokens(text)) for text, p in ALL_P.items())
    assert P.entropy() == pytest.approx(entropy, rel=1e-12)
    assert P.length() == pytest.approx(length, rel=1e-12)
    assert P.entropy("token") == pytest.approx(entropy / length, rel=1e-12)
    forward = math.fsum(p * math.log(p / ALL_Q[text]) for text, p in ALL_P.items())
    assert kl(P, Q) == pytest.approx(forward, rel=1e-12)
    assert kl(P, Q, "token") == pytest.approx(forward / length, rel=1e-12)
    backward = math.fsum(q * math.log(q / ALL_P[text]) for text, q in ALL_Q.items())
    assert kl(Q, P) == pytest.approx(backward, rel=1e-12)
    assert abs(forward - backward) > 0.1  # so that swapped arguments cannot pass


def test_values_worked_by_hand():
    g = grammar({"text": ["{w} {w}.", "stop."], "w": ["go", "run"]}, {"text": [3, 1], "w": [1, 3]})
    # "Go run.": 3/4 * 1/4 * 3/4. Length: 3/4 of the texts have 3 tokens, 1/4 have 2.
    assert math.exp(g.log_prob("Go run.")) == pytest.approx(9 / 64)
    assert g.length() == pytest.approx(2.75)
    choice = math.log(4) - 0.75 * math.log(3)  # the entropy of (1/4, 3/4): once for text, 2 * 3/4 times for w
    assert g.entropy() == pytest.approx(2.5 * choice)
    # KL to a fair coin for w: 1.5 uses of log 2 - choice; the odds of text are the same.
    assert kl(g, reweighted(g, {"w": [1, 1]})) == pytest.approx(1.5 * (math.log(2) - choice))
    assert g.uses == pytest.approx({"text": 1, "w": 1.5})


def test_samples_have_the_frequencies_of_their_probabilities():
    g = P.at("who")
    texts, n, rng = everything(g), 20_000, random.Random(3)
    assert sum(texts.values()) == pytest.approx(1)
    counts = Counter(g.sample(rng) for _ in range(n))
    assert set(counts) <= set(texts)
    for text, p in texts.items():
        assert abs(counts[text] - n * p) < 4.5 * math.sqrt(n * p), text


def test_ambiguity_is_counted_and_its_probability_summed():
    g = grammar({"text": ["{a} {b}", "{b} {b} y", "{a} z"], "a": ["x", "x y"], "b": ["y", "y y", "x"]}, {"b": [2, 1, 1]})
    # "X y y": a = "x" with b = "y y", a = "x y" with b = "y", and b = "x", b = "y" before the last y
    assert g.derivations("X y y") == 3
    assert math.exp(g.log_prob("X y y")) == pytest.approx(1 / 3 * (1 / 2 * 1 / 4 + 1 / 2 * 1 / 2 + 1 / 4 * 1 / 2))
    twins = grammar({"text": ["{both} {both}"], "both": ["{a} z", "{b} z"], "a": ["x"], "b": ["x", "y"]})
    assert twins.derivations("X z x z") == 4 and twins.derivations("X z y z") == 2
    texts = everything(g)
    for text, p in texts.items():
        assert math.exp(g.log_prob(text)) == pytest.approx(p)
        assert g.derivations(text) == sum(spell(tokens) == text for tokens, _ in derivations(g, "{text}"))
    true = -math.fsum(p * math.log(p) for p in texts.values())
    assert g.entropy() > true + 0.1  # as said: an upper bound


@pytest.mark.parametrize("text", [
    "", "the cat sees Anna.", "The cat sees anna.", "The cat sees Anna", "The cat sees  Anna.", "The cat sees Anna .",
    "A owl sees Anna.", "An cat sees Anna.", "The cat sees Anna. The cat sees Anna.", "The dog sees Anna.",
    "The Cat sees Anna.", "The cat sees Anna.\n",
])  # fmt: skip
def test_other_texts_have_probability_zero(text):
    assert P.log_prob(text) == -math.inf
    assert P.derivations(text) == 0


def test_what_has_weight_zero_does_not_happen():
    never = reweighted(P, {"animal": [1, 0, 1]})
    assert P.derivations("The owl sees Anna.") == 1
    assert never.derivations("The owl sees Anna.") == 0 and never.log_prob("The owl sees Anna.") == -math.inf
    assert math.isfinite(never.entropy())
    assert kl(P, never) == math.inf
    assert 0 < kl(never, P) < math.inf
    assert kl(P, P) == 0
    unreachable = reweighted(P, {"who": [0, 0, 1]})  # no animals: what they would be does not matter
    assert kl(unreachable, reweighted(unreachable, {"animal": [0, 0, 1]})) == 0
    assert "animal" not in unreachable.uses and "bird" not in unreachable.uses


def test_spelling_can_be_undone():
    tokens = ["a", "owl", "says", ":", "a", "hour", ",", "a", "unit", ".", "a", "unimpressive", "bee", "?", "\n", "Anna",
              "says", ".", "the", "bee", ".", "I", "am"]  # fmt: skip
    text, words = spell(tokens), frozenset(tokens)
    assert text == "An owl says: an hour, a unit. An unimpressive bee?\nAnna says. The bee. I am"
    assert read(text, words) == tokens


def test_long_texts_do_not_underflow():
    g = grammar({"text": [" ".join(["{w}"] * 2000)], "w": ["yes", "no"]})
    assert g.log_prob(g.sample(random.Random(0))) == pytest.approx(-2000 * math.log(2))


@pytest.mark.parametrize("rules, weights, says", [
    ({"text": ["{a}"], "a": ["{b} x"], "b": ["{a}", "y"]}, None, "leads back to itself"),
    ({"text": ["{nobody} sleeps"]}, None, "'nobody'"),
    ({"start": ["x"]}, None, "'text'"),
    ({"text": ["x", ""]}, None, "empty alternative"),
    ({"text": []}, None, "empty alternative"),
    ({"text": ["x y", "x  y"]}, None, "twice"),
    ({"text": ["an x", "a x"]}, None, "twice"),
    ({"text": ["x", "it costs $5"]}, None, "no word, mark"),
    ({"text": ["may I", "in May"]}, None, "with and without a capital"),
    ({"text": ["x", "y"]}, {"text": [1]}, "2 alternatives, but 1 weights"),
    ({"text": ["x", "y"]}, {"test": [1, 1]}, "'test'"),
    ({"text": ["x", "y"]}, {"text": [1, -1]}, "not negative"),
    ({"text": ["x", "y"]}, {"text": [0, 0]}, "not all 0"),
    ({"text": ["x", "y"]}, {"text": [1, math.nan]}, "finite"),
])  # fmt: skip
def test_impossible_grammars_are_refused_in_a_sentence(rules, weights, says):
    with pytest.raises(ValueError, match=says.replace("$", r"\$")):
        grammar(rules, weights)


def test_impossible_requests_are_refused_in_a_sentence():
    with pytest.raises(ValueError, match="same rules"):
        kl(P, grammar({"text": ["x"]}))
    with pytest.raises(ValueError, match="same rules"):
        kl(P, P.at("who"))
    with pytest.raises(ValueError, match="no rule 'dog'"):
        P.at("dog")
    for ask in (P.entropy, lambda per: kl(P, Q, per)):
        with pytest.raises(ValueError, match="'text' or per 'token'"):
            ask("word")


def test_a_seed_gives_the_same_text_whatever_the_hash_seed():
    paths = os.pathsep.join([str(places.ROOT), os.path.dirname(__file__)])
    code = "import random; from test_grammar import P; print([P.sample(random.Random(i)) for i in range(20)])"
    runs = {subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": paths, "PYTHONHASHSEED": h}, capture_output=True,
                           text=True, check=True).stdout for h in ("1", "2")}  # fmt: skip
    assert runs == {str([P.sample(random.Random(i)) for i in range(20)]) + "\n"}
