"""Instructions and responses. What is asked can be checked: every instruction says which responses are right.

Test instructions are worded in templates that no training instruction uses, and no sum, difference, comparison or
word order is asked in both splits. Shared are what can only be known (opposites, kinds of things and what belongs to
them), and what to count and to repeat.
"""

from __future__ import annotations

import hashlib
from itertools import permutations, product

NUMBERS = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
]  # fmt: skip
WORDS = ["tree", "boat", "sun", "door", "river", "cloud", "lamp", "stone", "bell"]
OPPOSITES = {
    "hot": "cold", "big": "small", "early": "late", "open": "closed", "full": "empty", "light": "dark",
    "wet": "dry", "rich": "poor", "young": "old", "fast": "slow", "loud": "quiet", "strong": "weak",
    "near": "far", "hard": "soft", "left": "right", "clean": "dirty",
}  # fmt: skip
KINDS = {  # the plural of each kind: what a thing of this kind is, and some of them
    "fruits": ("a fruit", ["apple", "pear", "plum", "cherry", "grape", "banana", "lemon"]),
    "animals": ("an animal", ["horse", "sheep", "goat", "rabbit", "tiger", "camel", "otter"]),
    "tools": ("a tool", ["hammer", "saw", "drill", "spanner", "chisel", "rake", "shovel"]),
    "colours": ("a colour", ["red", "green", "yellow", "purple", "orange", "brown", "pink"]),
    "instruments": ("an instrument", ["violin", "flute", "piano", "drum", "trumpet", "harp", "cello"]),
    "clothes": ("a piece of clothing", ["shirt", "sock", "glove", "scarf", "jacket", "hat", "belt"]),
}

# How each kind of task is asked: in training || in testing.
ASKS = {
    "opposite": "give the opposite of this word / name the word that means the opposite || turn this word into its opposite",
    "kind": "say what kind of thing this is / what sort of thing is this || sort this into its kind",
    "sum": "add these numbers / work out the sum of these numbers || find the total of these numbers",
    "difference": "subtract the second number from the first / take the second number away || find the difference",
    "larger": "name the larger number / choose the bigger of these || tell me which number is greater",
    "reverse": "write these words in reverse order / reverse the order of these words || repeat these words backwards",
    "alphabet": "put these words in alphabetical order / sort these words by first letter || arrange these as in a dictionary",
    "count": "count these words / how many words are here || give the number of words",
    "repeat_two": "write this word twice / repeat this word two times || say this word two times in a row",
    "repeat_three": "write this word three times / repeat this word three times || say this word three times in a row",
    "three": "list three / name three || think of three",
}


def split_rules() -> dict[str, tuple[list[str], list[str]]]:
    """For each name the alternatives for training and those for testing; if there are none for testing, all are shared."""
    rules = {f"ask_{task}": tuple(cut(half) for half in asks.split("||")) for task, asks in ASKS.items()}
    rules["text"] = ([f"{{{task}}}" for task in ASKS], [])
    rules["opposite"] = ([_task("opposite", a, b) for pair in OPPOSITES.items() for a, b in permutations(pair)], [])
    rules["kind"] = ([_task("kind", thing, kind) for kind, things in KINDS.values() for thing in things], [])
    rules["three"] = ([f"{{ask_three}} {kinds}.\n{{three_{kinds}}}." for kinds in KINDS], [])
    rules |= {f"three_{kinds}": ([f"{a}, {b} and {c}" for a, b, c in permutations(things, 3)], [])
              for kinds, (_, things) in KINDS.items()}  # fmt: skip
    rules["word"] = (WORDS, [])
    rules["count"] = ([_task("count", ", ".join(["{word}"] * n), NUMBERS[n]) for n in range(1, 6)], [])
    for times, n in (("two", 2), ("three", 3)):
        rules[f"repeat_{times}"] = ([_task(f"repeat_{times}", word, ", ".join([word] * n)) for word in WORDS], [])

    upto = range(11)
    computed = {
        "sum": [(f"{NUMBERS[a]} and {NUMBERS[b]}", NUMBERS[a + b]) for a, b in product(upto, upto)],
        "difference": [(f"{NUMBERS[a]} and {NUMBERS[b]}", NUMBERS[a - b]) for a, b in product(range(21), upto) if a >= b],
        "larger": [(f"{NUMBERS[a]} or {NUMBERS[b]}", NUMBERS[max(a, b)]) for a, b in permutations(range(21), 2)],
        "reverse": [(", ".join(words), ", ".join(words[::-1])) for words in permutations(WORDS, 3)],
        "alphabet": [(", ".join(words), ", ".join(sorted(words))) for words in permutations(WORDS, 3)],
    }
    for task, operands in computed.items():
        halves: tuple[list[str], list[str]] = ([], [])
        for operand, answer in operands:
            halves[_held_out(operand)].append(_task(task, operand, answer))
        rules[task] = halves
    return rules


def _task(task: str, operand: str, answer: str) -> str:
    return f"{{ask_{task}}}: {operand}.\n{answer}."


def _held_out(operand: str) -> bool:
    """Whether only the test asks this: one operand in five, whatever the order of its parts."""
    parts = " ".join(sorted(operand.replace(",", "").split()))
    return hashlib.sha256(parts.encode()).digest()[0] % 5 == 0


def cut(alternatives: str) -> list[str]:
    """The alternatives of a rule written with "/" between them."""
    return [" ".join(option.split()) for option in alternatives.split("/")]
