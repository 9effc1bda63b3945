"""From the tokens of a grammar to text and back: spaces, capitals, "a" or "an". All of it can be undone exactly.

So a text is as likely as its tokens, and a grammar need not know which of its words begins a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

PIECE = re.compile(r"\{\w+\}|\n|[\w'-]+|[.,?!:;]")
_ENDS = {"\n", ".", "?", "!"}  # the next word gets a capital
_CLINGS = {"\n", ".", ",", "?", "!", ":", ";"}  # no space before it
_CONSONANT_SOUND = ("use", "unit", "uniq", "unif", "unio", "univ", "one", "eu")  # "a useful", though it is spelt with a vowel
_VOWEL_SOUND = ("hour", "honest", "heir")  # "an hour"


def spell(tokens: Sequence[str]) -> str:
    """Write tokens as text: spaces, capitals at sentence starts, and "an" for "a" where it sounds better."""
    text, start = "", True
    for token, after in zip(tokens, [*tokens[1:], ""], strict=True):
        if token == "a" and after.startswith(("a", "e", "i", "o", "u", *_VOWEL_SOUND)):
            token = token if after.startswith(_CONSONANT_SOUND) else "an"
        if text and token not in _CLINGS and not text.endswith("\n"):
            text += " "
        text += token[0].upper() + token[1:] if start else token
        start = token in _ENDS
    return text


def read(text: str, words: frozenset[str]) -> list[str]:
    """Undo `spell`. `words` are those a grammar can say: they tell "Anna" (a name) from "The" (a sentence start)."""
    tokens, start = [], True
    for token in PIECE.findall(text):
        if start and token not in words:
            token = token[0].lower() + token[1:]
        tokens.append("a" if token == "an" else token)
        start = token in _ENDS
    return tokens
