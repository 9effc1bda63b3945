"""From text to numbers and from a configuration to a parameter count: what happens before the first matrix product.

WordPiece (Schuster and Nakajima 2012; used by BERT) cuts a word greedily, the longest known piece first. Byte-pair encoding
(Sennrich et al. 2015, arXiv:1508.07909; used by GPT) starts from single characters and applies the merges it learned, in the
order in which it learned them. Both end with pieces that have a number; they do not end with the same pieces.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
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


def bpe(word: str, merges: Sequence[tuple[str, str]]) -> list[str]:
    """The pieces of one word: of all neighbours, the pair that was learned first is merged; until no pair is known."""
    rank = {tuple(pair): number for number, pair in enumerate(merges)}
    pieces = list(word)
    while len(pieces) > 1:
        first = min(zip(pieces, pieces[1:]), key=lambda pair: rank.get(pair, len(rank)))  # noqa: B905 (neighbours)
        if first not in rank:
            break
        merged, i = [], 0
        while i < len(pieces):
            pair = tuple(pieces[i : i + 2])
            merged.append("".join(pair) if pair == first else pieces[i])
            i += 2 if pair == first else 1
        pieces = merged
    return pieces


def merges_of(tokenizer: Any) -> list[tuple[str, str]]:
    """The merges of a BPE tokenizer of transformers, first learned first. Raises ValueError if it has none."""
    model = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
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
