"""Named entities: a label for every token, and spans made of the labels.

The labels are B-PER for the first token of a person, I-PER for the others, likewise ORG and LOC, and O outside: the entity types
of CoNLL-2003 (Tjong Kim Sang and De Meulder 2003), with a B at every beginning, as is usual today. B is what tells two neighbours
of one type apart. The sentences here are generated: no name and no frame of the test split occurs in training.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from courselib.lab import runtime
from courselib.lab.models import Pretrained, tokenise
from courselib.lab.training import fit
from courselib.pretraining.masking import IGNORE
from courselib.pretraining.objectives import mlm_loss

TAGS = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")
NAMES = {  # names of one split, parted by commas
    ("train", "PER"): "maria lopez, john, peter schmidt, laura, ahmed hassan, susan miller, ivan, claire dubois, david chen, "
                      "emma, thomas wright, fatima ali, george, anna kowalska, robert jones",
    ("train", "ORG"): "microsoft, toyota, deutsche bank, university of oslo, red cross, boeing, general electric, unicef, sony, "
                      "university of vienna, bank of england, reuters, volkswagen, royal shakespeare company",
    ("train", "LOC"): "paris, london, new york, berlin, san francisco, kenya, rome, los angeles, sweden, hong kong, texas, "
                      "cairo, saudi arabia, vienna",
    ("test", "PER"): "james brown, sofia, michael, yuki tanaka, elena petrova, daniel, olivia martin, carlos, helen clark, "
                     "victor",
    ("test", "ORG"): "google, siemens, world bank, university of toronto, nokia, general motors, oxfam, bank of japan, samsung",
    ("test", "LOC"): "tokyo, madrid, new delhi, chicago, south africa, buenos aires, norway, san diego, athens, mexico city",
}  # fmt: skip
FRAMES = {
    "train": (
        "{PER} works for {ORG} in {LOC}.", "{ORG} opened an office in {LOC}.", "{PER} flew from {LOC} to {LOC}.",
        "yesterday {PER} met {PER}.", "the head of {ORG} is {PER}.", "{PER} was born in {LOC}.", "shares of {ORG} fell.",
        "{ORG} hired {PER} last week.", "it often rains in {LOC}.", "the weather was fine.", "nobody answered the letter.",
        "people in {LOC} like {PER}.", "{PER} wrote a report for {ORG}.", "the train to {LOC} was late.",
    ),
    "test": (
        "{PER} left {ORG} and moved to {LOC}.", "the river runs through {LOC}.", "according to {PER}, {ORG} will grow.",
        "we visited {LOC} with {PER}.", "{ORG} paid {ORG} for the licence.", "{PER} teaches at {ORG}.", "the door was open.",
        "last year {PER} lived in {LOC}.",
    ),
}  # fmt: skip


class Tagged(NamedTuple):
    """A sentence, and for every character the tag it belongs to; a token takes the tag of its first character."""

    text: str
    tags: list[str]


def tagged_sentences(n: int, split: str, seed: int = 0) -> list[Tagged]:
    """`n` sentences of a split, "train" or "test", in lower case. Raises ValueError for another split."""
    if split not in FRAMES:
        raise ValueError(f"There is no split {split!r}; there are 'train' and 'test'.")
    rng, made = random.Random(f"tagging {split} {seed}"), []
    for _ in range(n):
        text, tags = "", []
        for piece in rng.choice(FRAMES[split]).replace("{", "\n{").replace("}", "}\n").split("\n"):
            kind = piece.strip("{}") if piece.startswith("{") else ""
            said = rng.choice(NAMES[split, kind].split(",")).strip() if kind else piece
            text += said
            first = len(said.split(" ")[0]) if kind else 0
            tags += [f"B-{kind}"] * first + [f"I-{kind}"] * (len(said) - first) if kind else ["O"] * len(said)
        made.append(Tagged(text, tags))
    return made


def token_tags(tokenizer: Any, sentence: Tagged) -> list[int]:
    """The tag's number for every token, -100 for [CLS] and [SEP]. Later pieces of a first word are I, not B."""
    encoded = tokenizer(sentence.text, return_offsets_mapping=True)
    numbers, before = [], None
    for (begin, _), word in zip(encoded["offset_mapping"], encoded.word_ids(), strict=True):
        tag = sentence.tags[begin] if word is not None else None
        if tag and tag[0] == "B" and word == before:  # a second piece of the same word
            tag = f"I-{tag[2:]}"
        numbers.append(IGNORE if tag is None else TAGS.index(tag))
        before = word
    return numbers


class Entity(NamedTuple):
    """A span of tokens: `kind` PER, ORG or LOC, from `start` up to but not including `end`."""

    kind: str
    start: int
    end: int


def aggregate_entities(tags: Sequence[str]) -> list[Entity]:
    """The spans that a sequence of tags means, in order.

    A B begins a span. An I goes on with the span before it if that is of the same kind, and begins one otherwise: models do
    predict an I without a B, and what they found should not be lost. This is transformers' "simple" aggregation.
    """
    found: list[Entity] = []
    for place, tag in enumerate(tags):
        begin, _, kind = tag.partition("-")
        if tag == "O":
            continue
        goes_on = found and begin == "I" and found[-1].kind == kind and found[-1].end == place
        if goes_on:
            found[-1] = found[-1]._replace(end=place + 1)
        else:
            found.append(Entity(kind, place, place + 1))
    return found


def train_tagger(
    pretrained: Pretrained, *, sentences: int = 240, steps: int = 30, layers: int = 3, lr: float = 3e-4, head_lr: float = 5e-3,
    seed: int = 0,
) -> Pretrained:
    """A token classifier: a linear layer on every token's vector, and the encoder's last `layers` layers trained along with it.

    `pretrained` is left as it was. The result is a `BertForTokenClassification` and goes into any pipeline.
    """
    from transformers import BertForTokenClassification

    runtime.set_seed(seed)
    config = copy.deepcopy(pretrained.model.config)
    config.id2label = dict(enumerate(TAGS))
    config.label2id = {tag: number for number, tag in enumerate(TAGS)}
    model = BertForTokenClassification(config).to(runtime.device())
    model.bert.load_state_dict(pretrained.model.state_dict())
    model.requires_grad_(False)
    top = model.bert.encoder.layer[len(model.bert.encoder.layer) - layers :]
    top.requires_grad_(True)
    model.classifier.requires_grad_(True)

    def loss(model: nn.Module, batch: tuple[dict[str, Tensor], Tensor]) -> Tensor:
        return mlm_loss(model(**batch[0]).logits, batch[1])  # cross-entropy where there is a label: MLM's sum, another question

    drawn = tagged_sentences(sentences, "train", seed)
    batches = [tagged_batch(pretrained.tokenizer, drawn[i : i + 16]) for i in range(0, sentences, 16)]
    groups = [{"params": list(top.parameters()), "lr": lr}, {"params": model.classifier.parameters(), "lr": head_lr}]
    fit(model, batches, loss, torch.optim.AdamW([g for g in groups if g["params"]]), steps=steps, progress=False)
    return Pretrained(model, pretrained.tokenizer)


def tagged_batch(tokenizer: Any, sentences: Sequence[Tagged]) -> tuple[dict[str, Tensor], Tensor]:
    """Padded inputs for a model, each `(n, seq)`, and the tag's number for every token `(n, seq)`, -100 where there is none."""
    tokens = tokenise(tokenizer, [sentence.text for sentence in sentences])
    width = tokens["input_ids"].shape[1]
    labels = [token_tags(tokenizer, sentence) for sentence in sentences]
    return tokens, torch.tensor([row + [IGNORE] * (width - len(row)) for row in labels], device=runtime.device())


def entity_scores(model: nn.Module, tokenizer: Any, sentences: Sequence[Tagged]) -> dict[str, float]:
    """Precision, recall and F1 of whole entities: a span counts if its kind, its beginning and its end are right."""
    tokens, labels = tagged_batch(tokenizer, sentences)
    with torch.no_grad():
        predicted = model(**tokens).logits.argmax(-1)  # (n, seq)
    right = said = there = 0
    for guess, truth in zip(predicted.tolist(), labels.tolist(), strict=True):
        real = [place for place, label in enumerate(truth) if label != IGNORE]
        spans = [set(aggregate_entities([TAGS[row[place]] for place in real])) for row in (guess, truth)]
        right, said, there = right + len(spans[0] & spans[1]), said + len(spans[0]), there + len(spans[1])
    return {"precision": right / max(said, 1), "recall": right / there, "f1": 2 * right / max(said + there, 1)}
