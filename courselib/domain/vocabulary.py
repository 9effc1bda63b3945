"""What a general vocabulary does to a domain's words, and how to add words to it.

A word piece tokenizer (Wu et al. 2016, arXiv:1609.08144) has whole words for what its own corpus often said and cuts the rest
into pieces. Adding a word gives it one token and one new row in the embedding matrix. What stands in that row decides what the
model understands at first: noise, or the mean of the embeddings of the word's old pieces. (For a causal model, Hewitt 2021,
"Initializing new word embeddings for pretrained language models", shows why the mean of *all* embeddings is already better
than noise. `resize_token_embeddings` of transformers draws around that mean by default today.)
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from courselib.lab.models.classifier import mean_pool, tokenise
from courselib.lab.models.encoder import Pretrained

CLINICAL = (
    "fever", "diabetes", "insulin", "pneumonia", "hypertension", "aspirin", "metformin", "tachycardia", "electrocardiogram",
    "hepatomegaly", "cholecystectomy", "myocardial infarction",
)
STARTS = ("mean", "random")
MEANINGS = {  # an expression, and what a layman would say
    "hypertension": "blood pressure that is too high",
    "tachycardia": "a heart that beats too fast",
    "electrocardiogram": "a recording of the electrical activity of the heart",
    "hepatomegaly": "an enlarged liver",
    "cholecystectomy": "an operation that removes the gall bladder",
    "myocardial infarction": "a heart attack",
    "metformin": "a drug for people with too much sugar in the blood",
    "aspirin": "a common pill against pain and headache",
    "pneumonia": "an infection of the lungs",
    "nephropathy": "a disease of the kidneys",
    "arthralgia": "pain in the joints",
    "dermatitis": "an inflammation of the skin",
}


def pieces(tokenizer: Any, words: Sequence[str]) -> dict[str, list[str]]:
    """The tokens that each word (or expression) is cut into."""
    return {word: tokenizer.tokenize(word) for word in words}


def fertility(tokenizer: Any, texts: Sequence[str]) -> float:
    """Tokens a word, over all texts: 1 would be a vocabulary that has every word whole. Words are what spaces separate."""
    words = sum(len(text.split()) for text in texts)
    if not words:
        raise ValueError("There are no words to count tokens of.")
    return sum(len(tokenizer.tokenize(text)) for text in texts) / words


def extend(pretrained: Pretrained, words: Sequence[str], start: str = "mean", seed: int = 0) -> Pretrained:
    """A copy of an encoder and its tokenizer in which every one of `words` is a single token.

    `start` is what the new embeddings hold: "mean", the mean of the old pieces' embeddings, or "random", normal with the spread
    of the embedding matrix. Words that are one token already are left alone. The model still has to be trained on text
    with these words. Raises ValueError for another start.
    """
    if start not in STARTS:
        raise ValueError(f"A new embedding can start as {' or '.join(map(repr, STARTS))}, not as {start!r}.")
    from tokenizers import AddedToken

    model, tokenizer = copy.deepcopy(pretrained.model), copy.deepcopy(pretrained.tokenizer)
    old = {word: ids for word in words if len(ids := tokenizer(word, add_special_tokens=False)["input_ids"]) > 1}
    tokenizer.add_tokens([AddedToken(word, single_word=True, normalized=True) for word in old])
    before = model.get_input_embeddings().weight.detach().clone()  # (vocab, hidden)
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    after = model.get_input_embeddings().weight.data  # (vocab + new, hidden)
    draw = torch.Generator().manual_seed(seed)
    for word, ids in old.items():
        mean = before[ids].mean(0)
        noise = before.std() * torch.randn(mean.shape, generator=draw).to(mean)
        after[tokenizer.convert_tokens_to_ids(word)] = mean if start == "mean" else noise
    return Pretrained(model, tokenizer)


@torch.no_grad()
def pooled_vectors(pretrained: Pretrained, texts: Sequence[str]) -> Tensor:
    """(texts, hidden): the mean of each text's token vectors, padding left out."""
    model, tokenizer = pretrained
    tokens = tokenise(tokenizer, list(texts))
    return mean_pool(model(**tokens).last_hidden_state, tokens["attention_mask"])


def agreement(a: Pretrained, b: Pretrained, texts: Sequence[str]) -> float:
    """The mean cosine of two encoders' sentence vectors for the same texts: 1 when both read them alike, whatever they read."""
    return F.cosine_similarity(*(pooled_vectors(encoder, texts) for encoder in (a, b))).mean().item()


def description_ranks(pretrained: Pretrained, meanings: Mapping[str, str] = MEANINGS) -> list[int]:
    """For each expression, the rank of its own description among all of them, by cosine: 1 is found at once.

    A blind guess has rank (n + 1) / 2 on average. A small test, but one of understanding.
    """
    left, right = (F.normalize(pooled_vectors(pretrained, texts), dim=-1) for texts in (list(meanings), list(meanings.values())))
    likeness = left @ right.T  # (expressions, descriptions)
    return (likeness >= likeness.diagonal()[:, None]).sum(1).tolist()
