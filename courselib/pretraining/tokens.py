"""From text to numbers and from a configuration to a parameter count: what happens before the first matrix product.

WordPiece (Schuster and Nakajima 2012; used by BERT) cuts a word greedily, the longest known piece first. Byte-pair encoding
(Sennrich et al. 2015, arXiv:1508.07909) starts from single characters and applies the merges it learned, in the order in which it
learned them; GPT-2 starts from the bytes of the text instead, each written as one character, so that no text is unknown. Both end
with pieces that have a number; they do not end with the same pieces.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any


def wordpiece(word: str, vocabulary: Collection[str], longest: int = 100) -> list[str]:
    """The pieces of one word: the longest known beginning, then the longest known "##rest", and so on; else ["[UNK]"].

    A word of more than `longest` characters is unknown, as in BERT.
    """
    pieces, begin = [], 0
    while begin < len(word) <= longest:
        for end in range(len(word), begin, -1):
            piece = ("##" if begin else "") + word[begin:end]
            if piece in vocabulary:
                break
        else:
            return ["[UNK]"]
        pieces.append(piece)
        begin = end
    return pieces or ["[UNK]"]


def pair_counts(words: Mapping[tuple[str, ...], int]) -> Counter[tuple[str, str]]:
    """How often each pair of neighbouring pieces occurs in a text: words, cut into pieces, with how often each word occurs."""
    counts: Counter[tuple[str, str]] = Counter()
    for pieces, often in words.items():
        for pair in zip(pieces, pieces[1:]):  # noqa: B905 (neighbours)
            counts[pair] += often
    return counts


def merge_pair(pieces: Sequence[str], pair: tuple[str, str]) -> tuple[str, ...]:
    """The pieces of a word after every occurrence of `pair` has become one piece, from left to right."""
    merged, i = [], 0
    while i < len(pieces):
        found = tuple(pieces[i : i + 2]) == tuple(pair)
        merged.append("".join(pair) if found else pieces[i])
        i += 2 if found else 1
    return tuple(merged)


def train_bpe(words: Mapping[str, int], merges: int) -> list[tuple[str, str]]:
    """The merges that byte-pair encoding learns, first learned first: again and again, the most frequent pair becomes a piece.

    words: how often each word occurs.   merges: how many to learn; it stops earlier when no word has two pieces left. Of pairs
    that are equally frequent the one whose pieces are older wins, as in the library `tokenizers`; single characters are older
    than all that is merged, in the order of their code points. Source: Sennrich et al. 2015, algorithm 1.
    """
    cut = {tuple(word): often for word, often in words.items()}
    age = {character: number for number, character in enumerate(sorted(set("".join(words))))}
    learned: list[tuple[str, str]] = []
    while len(learned) < merges and (counts := pair_counts(cut)):
        best = min(counts, key=lambda pair: (-counts[pair], age[pair[0]], age[pair[1]]))
        learned.append(best)
        age.setdefault("".join(best), len(age))
        cut = {merge_pair(pieces, best): often for pieces, often in cut.items()}  # two words never come to the same pieces
    return learned


def bpe(word: str, merges: Sequence[tuple[str, str]]) -> list[str]:
    """The pieces of one word: of all neighbours, the pair that was learned first is merged; until no pair is known."""
    rank = {tuple(pair): number for number, pair in enumerate(merges)}
    pieces = tuple(word)
    while len(pieces) > 1:
        first = min(zip(pieces, pieces[1:]), key=lambda pair: rank.get(pair, len(rank)))  # noqa: B905 (neighbours)
        if first not in rank:
            break
        pieces = merge_pair(pieces, first)
    return list(pieces)


def merges_of(tokenizer: Any) -> list[tuple[str, str]]:
    """The merges of a BPE tokenizer of transformers or of tokenizers, first learned first. Raises ValueError if it has none."""
    model = json.loads(getattr(tokenizer, "backend_tokenizer", tokenizer).to_str())["model"]
    if model["type"] != "BPE":
        raise ValueError(f"This tokenizer's kind is {model['type']}, which has no merges; byte-pair encoding has.")
    return [tuple(pair) if isinstance(pair, list) else tuple(pair.split(" ")) for pair in model["merges"]]


def bert_parameters(config: Any) -> dict[str, int]:
    """How many numbers each part of a `BertModel` has, from its configuration alone. Their sum is the model's size."""
    d, wide = config.hidden_size, config.intermediate_size
    norm = 2 * d  # a scale and a shift
    attention = 4 * (d * d + d) + norm  # query, key, value, output
    feedforward = (d * wide + wide) + (wide * d + d) + norm
    return {
        "word embeddings": config.vocab_size * d,
        "position and type embeddings": (config.max_position_embeddings + config.type_vocab_size) * d + norm,
        f"attention, {config.num_hidden_layers} layers": config.num_hidden_layers * attention,
        f"feed-forward, {config.num_hidden_layers} layers": config.num_hidden_layers * feedforward,
        "pooler": d * d + d,
    }
