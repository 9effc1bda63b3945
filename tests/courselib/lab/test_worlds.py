"""The worlds: exact figures against samples, one derivation a text, splits that share nothing they should not."""

import math
import re
import runpy
import statistics
from collections import Counter

import pytest

from courselib.lab.data import worlds
from courselib.lab.data.grammar import grammar, kl
from courselib.lab.data.worlds import NAMES, PROSE, correct, refuse_leak, reviews, world
from courselib.lab.data.worlds.instructions import ASKS, KINDS, NUMBERS, OPPOSITES

N = 1200
EACH = [(name, split) for name in NAMES for split in ("train", "test")]


@pytest.fixture(scope="module")
def drawn():
    """Samples of every world and split, with their log-probabilities: drawn once."""
    texts = {(name, split): world(name).texts(N, split, seed=11) for name, split in EACH}
    return {key: [(text, world(key[0]).grammar(key[1]).log_prob(text)) for text in found] for key, found in texts.items()}


def near(exact, values):
    """Whether the mean of samples is within four standard errors of the exact value, and the test is sharp."""
    error = statistics.stdev(values) / math.sqrt(len(values))
    assert error < 0.05 * exact
    return abs(statistics.fmean(values) - exact) < 4 * error


@pytest.mark.parametrize("name, split", EACH)
def test_entropy_and_length_agree_with_samples(drawn, name, split):
    g = world(name).grammar(split)
    assert near(g.entropy(), [-log_p for _, log_p in drawn[name, split]])
    assert near(g.length(), [len(re.findall(r"\n|[\w'-]+|[.,?!:;]", text)) for text, _ in drawn[name, split]])
    assert 0.3 < g.entropy("token") < 1.5


@pytest.mark.parametrize("name, split", EACH)
def test_every_text_has_exactly_one_derivation(drawn, name, split):
    g = world(name).grammar(split)
    assert {g.derivations(text) for text, _ in drawn[name, split]} == {1}
    assert all(math.isfinite(log_p) for _, log_p in drawn[name, split])


@pytest.mark.parametrize("p", PROSE)
@pytest.mark.parametrize("q", PROSE)
def test_kl_between_prose_worlds_is_finite_large_and_agrees_with_samples(drawn, p, q):
    mine, other = world(p).grammar(), world(q).grammar()
    if p == q:
        assert kl(mine, other) == 0
        return
    ratios = [log_p - other.log_prob(text) for text, log_p in drawn[p, "train"]]
    assert near(kl(mine, other), ratios)
    assert kl(mine, other, "token") > 0.5  # the best model of q has at least exp(0.5) times the perplexity on p


def test_worlds_of_test_reviews_and_of_instructions_lie_apart():
    for other in (world("reviews").grammar("train"), world("general").grammar()):
        assert kl(world("reviews").grammar("test"), other) == math.inf
    assert kl(world("instructions").grammar("test"), world("instructions").grammar("train")) == math.inf
    for name in ("general", "clinical", "legal"):  # held out by seed: the distribution is one
        assert world(name).grammar("test") == world(name).grammar("train")
    with pytest.raises(ValueError, match="same rules"):
        kl(world("instructions").grammar(), world("general").grammar())


@pytest.mark.parametrize("name", PROSE)
def test_each_world_is_mostly_its_own_kind_and_has_some_of_every_other(name):
    g = world(name).grammar()
    chances = dict(zip((piece[0] for piece in g.rules["text"]), g.probabilities["text"], strict=True))
    own = chances["{praise}"] + chances["{blame}"] if name == "reviews" else chances[f"{{{name}}}"]
    assert own == pytest.approx(0.97)
    assert min(chances.values()) >= 0.005 - 1e-12


def test_the_vocabulary_is_of_a_size_that_small_models_can_learn():
    words = set().union(*(world(name).grammar().words for name in NAMES))
    assert 400 <= len(words) <= 1250
    for name in PROSE:
        seen = set().union(*(world(name).grammar().tokens(text) for text in world(name).texts(N)))
        assert len(seen) > 120, name


def test_texts_are_written_as_english_is(drawn):
    for (name, _), found in drawn.items():
        for text, _ in found:
            assert re.fullmatch(r"[A-Z].*[.!]", text, re.S), text
            assert not re.search(r" [.,?!:]|  |[.!?] [a-z0-9]|\b[Aa] [aeio]|\b[Aa]n [b-df-gj-np-tv-z]", text), text
            assert ("\n" in text) == (name == "instructions")
            sentences = re.split(r"(?<=[.!?]) ", text)
            assert name != "general" or len(set(sentences)) == len(sentences), text  # nothing is said twice


# Splits


def test_labels_of_reviews_are_balanced_and_follow_from_the_words():
    words = {half: [set(part.replace("/", " ").split()) for part in rule.split("||")]
             for half, rule in (("good", reviews.SPLIT_RULES["good"]), ("bad", reviews.SPLIT_RULES["bad"]))}  # fmt: skip
    for split, i in (("train", 0), ("test", 1)):
        texts, labels = world("reviews").labelled(301, split, seed=4)
        assert len(texts) == len(labels) == 301 and sum(labels) == 151
        g = world("reviews").grammar(split)
        blame, praise = g.at("blame"), g.at("praise")
        for text, label in zip(texts, labels, strict=True):
            right, wrong = (praise, blame) if label else (blame, praise)
            assert right.derivations(text) == 1 and wrong.derivations(text) == 0
            assert not words["bad" if label else "good"][i] & set(g.tokens(text))


def loaded(split):
    """The words that carry sentiment in a split."""
    slots = ("good", "bad", "liked", "hated", "moved_well", "moved_badly")
    return set(" ".join(reviews.SPLIT_RULES[slot].split("||")[split == "test"] for slot in slots).replace("/", " ").split())


def test_reviews_share_no_word_of_sentiment_no_relative_of_one_and_no_frame():
    train, test = loaded("train"), loaded("test")
    assert not train & test
    assert not [(a, b) for a in train for b in test if a[:5] == b[:5] or a.removeprefix("dis") == b.removeprefix("dis")]
    found = {split: world("reviews").labelled(800, split)[0] for split in ("train", "test")}
    for split, mine, others in (("train", train, test), ("test", test, train)):
        tokens = Counter(token for text in found[split] for token in world("reviews").grammar(split).tokens(text))
        assert mine <= set(tokens), mine - set(tokens)
        assert not others & set(tokens)
    neutral = {"film": reviews.RULES["film"], "film_part": reviews.RULES["film_part"], "product": reviews.RULES["product"],
               "product_part": reviews.RULES["product_part"], "person": worlds.general.RULES["person"],
               "relative": worlds.general.RULES["relative"]}  # fmt: skip
    blanks = sorted((word.strip() for rule in neutral.values() for word in re.split(r"/|\|\|", rule)), key=len, reverse=True)

    def frames(split):
        """Sentences with a sentiment word, all fillers blanked out."""
        sentences = {s for text in found[split] for s in re.split(r"(?<=[.!?]) ", text)}
        kept = [s for s in sentences if loaded(split) & set(re.findall(r"[a-z]+", s.lower()))]
        blanked = {re.sub("|".join(rf"\b{word}\b" for word in [*blanks, *loaded(split)]), "_", s) for s in kept}
        return {re.sub(r"\b[Aa]n?\b", "a", s) for s in blanked}

    assert len(frames("train")) >= 10 and len(frames("test")) >= 12
    assert not frames("train") & frames("test")


def test_instructions_share_no_instruction_no_template_and_no_computed_task():
    pairs = {split: world("instructions").pairs(4000, split) for split in ("train", "test")}
    asked = {split: {instruction for instruction, _ in found} for split, found in pairs.items()}
    assert not asked["train"] & asked["test"]
    templates = {split: {re.split(r":| \w+\.$", one)[0] for one in found} for split, found in asked.items()}
    assert not templates["train"] & templates["test"]
    assert len(templates["train"]) == 2 * len(ASKS) and len(templates["test"]) == len(ASKS)
    tasks = ["sum of|add these|total", "subtract|take the second|difference", "larger|bigger|greater", "reverse|backwards",
             "alphab|first letter|dict"]  # fmt: skip
    for task in tasks:
        operands = {  # "two and three" and "three and two" are one sum
            split: {" ".join(sorted(re.findall(r"\w+", one.split(": ")[1]))) for one in found if re.search(task, one, re.I)}
            for split, found in asked.items()
        }
        assert len(operands["train"]) > 40 and len(operands["test"]) > 8, task
        assert not operands["train"] & operands["test"], task


def answer(instruction):
    """The right answer, worked out again from the instruction alone; None for lists of three."""
    task, _, rest = instruction.rstrip(".").partition(": ")
    task, words = task.lower(), re.split(r", | and | or ", rest)
    twins = OPPOSITES | {b: a for a, b in OPPOSITES.items()}
    number = [NUMBERS.index(word) if word in NUMBERS else None for word in words]
    if "opposite" in task:
        return twins[words[0]]
    if re.search("kind|sort of thing", task):
        return next(kind for kind, things in KINDS.values() if words[0] in things)
    if re.search("add|sum|total", task):
        return NUMBERS[sum(number)]
    if re.search("subtract|take|difference", task):
        return NUMBERS[number[0] - number[1]]
    if re.search("larger|bigger|greater", task):
        return NUMBERS[max(number)]
    if re.search("reverse|backwards", task):
        return ", ".join(reversed(words))
    if re.search("alphabet|letter|dictionary", task):
        return ", ".join(sorted(words))
    if re.search("count|how many|number of words", task):
        return NUMBERS[len(words)]
    if re.search("twice|two times|three times", task):
        return ", ".join(words * (3 if "three" in task else 2))
    return None


def test_responses_are_right_and_wrong_ones_are_told_apart():
    for split in ("train", "test"):
        pairs = world("instructions").pairs(600, split, seed=2)
        for i, (instruction, response) in enumerate(pairs):
            expected = answer(instruction)
            if expected is None:
                kinds = re.search(r"\w+(?=\.$)", instruction)[0]
                things = re.findall(r"\w+", response.lower().replace(" and ", " "))
                assert len(set(things)) == 3 and set(things) <= set(KINDS[kinds][1])
            else:
                assert response.rstrip(".").lower() == expected, instruction
            if i < 150:
                assert correct(instruction, response) and correct(instruction, f" {response[0].lower()}{response[1:-1]} ")
                other = pairs[i - 1][1]
                right = answer(instruction) == other.rstrip(".").lower() or (expected is None and other.count(" and "))
                assert right or not correct(instruction, other)
                assert not correct(instruction, "") and not correct(instruction, response + " " + response)


def test_a_list_of_three_may_be_any_three_but_not_the_same_twice():
    assert correct("List three fruits.", "Plum, apple and pear.")
    assert not correct("List three fruits.", "Plum, apple and plum.")
    assert not correct("List three fruits.", "Plum, apple and hammer.")


# Seeds and refusals


@pytest.mark.parametrize("name", NAMES)
def test_seeds_reproduce_and_differ(name):
    w = world(name)
    assert w.texts(20, seed=1) == w.texts(30, seed=1)[:20]
    assert w.texts(20, seed=1) != w.texts(20, seed=2)
    assert w.texts(20, "train", seed=1) != w.texts(20, "test", seed=1)


@pytest.mark.parametrize("name", NAMES)
def test_train_and_test_share_no_text(name):
    train, test = world(name).train_test(3000, 400, seed=0)
    assert len(train) == 3000 and len(test) == 400
    assert not set(train) & set(test)


def test_a_split_that_would_leak_is_refused(monkeypatch):
    with pytest.raises(ValueError, match="2 texts are in training and test, for example 'b'"):
        refuse_leak(["a", "b", "c"], ["c", "d", "b"])
    assert refuse_leak(iter("ab"), iter("cd")) == (["a", "b"], ["c", "d"])
    monkeypatch.setattr(worlds, "_prose", lambda name, split: grammar({"text": ["yes.", "no."]}))
    with pytest.raises(ValueError, match="would leak"):
        world("general").train_test(50, 5)


def test_the_table_of_exact_figures_is_printed(capsys):
    runpy.run_module("courselib.lab.data.worlds", run_name="__main__")
    printed = capsys.readouterr().out
    for name in NAMES:
        assert f"{world(name).grammar('test').entropy('token'):.4f}" in printed
    assert f"{kl(world('clinical').grammar(), world('general').grammar(), 'token'):.4f}" in printed


def test_impossible_requests_are_refused_in_a_sentence():
    for ask, says in [
        (lambda: world("medical"), "no world 'medical'; there are 'general', 'clinical'"),
        (lambda: world("general").texts(5, "dev"), "no split 'dev'; there are 'train', 'test'"),
        (lambda: world("general").texts(0), "at least 1"),
        (lambda: world("legal").labelled(4), "no labels"),
        (lambda: world("legal").pairs(4), "no instructions"),
        (lambda: correct("Write a poem.", "No."), "is not an instruction"),
    ]:
        with pytest.raises(ValueError, match=says):
            ask()
