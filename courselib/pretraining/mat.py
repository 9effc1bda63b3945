"""The cat on the mat: a language of a few thousand sentences, in which every blank has an exact answer.

Real text never tells what the right distribution of a hidden word is. Here every sentence can be written down with its
probability, so `exact` computes by Bayes' rule what a perfect model would say: about one hidden word, about several, or about
the next. A loss can be held against the least that is possible *for that very question*, for masked and for causal models alike.

The sentences are of one length. Their parts depend on each other in both directions: who acts decides what is done and where, and
the last word depends on the place, four words before it. Everything is drawn with equal odds, so a word is hard only if what
decides it cannot be seen.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from itertools import product
from typing import Any

import torch
from torch import Tensor

from courselib.lab.data.grammar import Grammar, grammar

# who / did / preposition / places of the first and of the second kind / then / preposition / last words of either kind
STORIES = {
    "cat": ("cat kitten", "sat slept lay", "on", ("mat rug", "sofa cushion"), "dreamed thought", "of",
            ("mice rats", "cream fish")),
    "dog": ("dog puppy hound", "ran raced jumped", "across", ("field yard", "beach shore"), "barked growled", "at",
            ("cats geese", "waves crabs")),
    "bird": ("bird sparrow", "flew soared rose", "over", ("roof chimney", "forest hill"), "sang chirped", "about",
             ("smoke rain", "leaves spring")),
    "child": ("child girl boy", "walked hurried went", "to", ("school library", "park playground"), "talked whispered", "about",
              ("books lessons", "games swings")),
    "sailor": ("sailor captain", "sailed rowed drifted", "to", ("harbour port", "island reef"), "talked shouted", "about",
               ("cargo anchors", "treasure pirates")),
    "cook": ("cook baker", "stood worked waited", "in", ("kitchen pantry", "market street"), "dreamed thought", "of",
             ("soup bread", "gold fame")),
}  # fmt: skip
HOW = "old young little big tired happy"
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LENGTH = 14  # twelve words and marks between [CLS] and [SEP]


@cache
def mat_grammar() -> Grammar:
    """The grammar of the sentences: `.entropy("text")` is exact, in nats a sentence."""
    rules: dict[str, list[str]] = {"text": [f"{{{name}}}" for name in STORIES], "how": HOW.split()}
    for name, (who, did, where, places, then, what, last) in STORIES.items():
        rules[name] = [
            f"the {{how}} {{{name}_who}} {{{name}_did}} {where} the {{{name}_place_{kind}}} "
            f"and {{{name}_then}} {what} {{{name}_last_{kind}}}."
            for kind in (0, 1)
        ]
        rules |= {f"{name}_who": who.split(), f"{name}_did": did.split(), f"{name}_then": then.split()}
        for kind in (0, 1):
            rules |= {f"{name}_place_{kind}": places[kind].split(), f"{name}_last_{kind}": last[kind].split()}
    return grammar(rules)


@cache
def mat_tokenizer() -> Any:
    """One token a word, lower case: what is put in is `[CLS] the cat ... . [SEP]`, with BERT's five special tokens."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *sorted(mat_grammar().words)])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(name, vocabulary[name]) for name in ("[CLS]", "[SEP]")]
    )
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), SPECIAL, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=LENGTH, **names)


def mat_texts(n: int, seed: int = 0) -> list[str]:
    """`n` independent sentences. Raises ValueError if `n` is below 1."""
    if n < 1:
        raise ValueError(f"{n} sentences were asked for; ask for at least 1.")
    rng = random.Random(f"mat {seed}")
    return [mat_grammar().sample(rng) for _ in range(n)]


def mat_ids(texts: Sequence[str]) -> Tensor:
    """Sentences as token ids, `(n, 14)`, with [CLS] and [SEP]."""
    return mat_tokenizer()(list(texts), return_tensors="pt")["input_ids"]


@cache
def every_sentence() -> tuple[Tensor, Tensor]:
    """All sentences as ids `(sentences, 14)`, and their probabilities `(sentences,)`, which sum to 1."""
    ids, odds = [], []
    code = mat_tokenizer().get_vocab()
    for who, did, where, places, then, what, last in STORIES.values():
        for kind in (0, 1):
            choices = [HOW.split(), who.split(), did.split(), places[kind].split(), then.split(), last[kind].split()]
            count = 1
            for options in choices:
                count *= len(options)
            for how, w, d, place, t, end in product(*choices):
                words = ["[CLS]", "the", how, w, d, where, "the", place, "and", t, what, end, ".", "[SEP]"]
                ids.append([code[word] for word in words])
                odds.append(1 / (2 * len(STORIES) * count))
    return torch.tensor(ids), torch.tensor(odds, dtype=torch.float64)


def mat_sample(n: int, seed: int = 0) -> Tensor:
    """`n` independent sentences as token ids, `(n, 14)`: for training, much faster than writing and reading `mat_texts`."""
    if n < 1:
        raise ValueError(f"{n} sentences were asked for; ask for at least 1.")
    ids, odds = every_sentence()
    return ids[torch.multinomial(odds, n, replacement=True, generator=torch.Generator().manual_seed(seed))]


def exact(ids: Tensor, visible: Tensor) -> Tensor:
    """What a perfect model says about every position of every sentence: probabilities `(n, 14, vocabulary)`.

    ids: `(n, 14)`.   visible: `(n, 14)`, True where the token is given. The answer is p(x_i | visible tokens); at visible
    positions it is certainty. Raises ValueError for tokens that no sentence of this language has at those places.
    """
    sentences, odds = every_sentence()
    out = torch.empty(*ids.shape, len(mat_tokenizer()), dtype=torch.float64)
    for row, (tokens, given) in enumerate(zip(ids, visible, strict=True)):
        fits = (sentences[:, given] == tokens[given]).all(1)  # (sentences,)
        weight = odds[fits]
        if not len(weight):
            raise ValueError(f"No sentence of this language fits {mat_tokenizer().decode(tokens)!r} at the visible places.")
        candidates = sentences[fits]  # (fitting, 14)
        table = torch.zeros(ids.shape[1], out.shape[-1], dtype=torch.float64)
        table.scatter_add_(1, candidates.T.contiguous(), weight.expand(ids.shape[1], -1).contiguous())
        out[row] = table / weight.sum()
    return out
