"""Entities: the spans of transformers' pipeline, tags that follow the pieces of words, and a tagger that beats chance."""

import pytest
import torch
from transformers import pipeline

from courselib import pretraining
from courselib.lab.models import Pretrained
from courselib.pretraining.tagging import FRAMES, NAMES, TAGS, Tagged, tagged_batch, token_tags


def test_aggregation_by_hand():
    spans = pretraining.aggregate_entities(["B-PER", "I-PER", "O", "B-LOC", "B-LOC", "I-ORG", "I-ORG", "O", "I-PER"])
    assert [tuple(span) for span in spans] == [("PER", 0, 2), ("LOC", 3, 4), ("LOC", 4, 5), ("ORG", 5, 7), ("PER", 8, 9)]
    assert pretraining.aggregate_entities([]) == pretraining.aggregate_entities(["O", "O"]) == []


def test_aggregation_is_the_pipelines_whatever_a_model_says(pretrained):
    """An untrained tagger says wild things, which is what aggregation has to cope with."""
    wild = pretraining.train_tagger(pretrained, sentences=16, steps=1, layers=0)
    torch.manual_seed(0)
    wild.model.classifier.weight.data.normal_(std=0.5)
    simple = pipeline("ner", model=wild.model, tokenizer=wild.tokenizer, aggregation_strategy="simple")
    seen = set()
    for sentence in pretraining.tagged_sentences(40, "test", seed=5):
        inputs = wild.tokenizer(sentence.text, return_tensors="pt", return_offsets_mapping=True)
        offsets = inputs.pop("offset_mapping")[0].tolist()[1:-1]
        with torch.no_grad():
            best = wild.model(**inputs).logits[0, 1:-1].argmax(-1).tolist()
        tags = [TAGS[i] for i in best]
        seen |= {(before, tag) for before, tag in zip(tags, tags[1:], strict=False)}
        ours = [(e.kind, offsets[e.start][0], offsets[e.end - 1][1]) for e in pretraining.aggregate_entities(tags)]
        assert ours == [(e["entity_group"], e["start"], e["end"]) for e in simple(sentence.text)]
    assert any(a[2:] != b[2:] and b[0] == "I" for a, b in seen) and any(b[0] == "B" and a[2:] == b[2:] for a, b in seen)


def test_splits_share_no_name_and_no_frame():
    assert not set(FRAMES["train"]) & set(FRAMES["test"])
    for kind in ("PER", "ORG", "LOC"):
        train, test = ({name.strip() for name in NAMES[split, kind].split(",")} for split in ("train", "test"))
        assert not train & test
    with pytest.raises(ValueError, match="no split"):
        pretraining.tagged_sentences(1, "validation")


def test_tags_follow_the_pieces_of_words(pretrained):
    text = "fatima ali left sony."
    characters = ["B-PER"] * 6 + ["I-PER"] * 4 + ["O"] * 6 + ["B-ORG"] * 4 + ["O"]
    tokens = pretrained.tokenizer.tokenize(text)
    tags = [TAGS[i] if i >= 0 else None for i in token_tags(pretrained.tokenizer, Tagged(text, characters))]
    assert tags[0] is tags[-1] is None and len(tags) == len(tokens) + 2
    for token, tag in zip(tokens, tags[1:-1], strict=True):
        assert not (token.startswith("##") and tag.startswith("B-"))
    spans = pretraining.aggregate_entities(tags[1:-1])
    assert [span.kind for span in spans] == ["PER", "ORG"]


def test_generated_sentences_and_their_tags_fit(pretrained):
    for sentence in pretraining.tagged_sentences(60, "train", seed=1):
        assert len(sentence.text) == len(sentence.tags) and sentence.text == sentence.text.lower()
        names = {name.strip() for (split, _), names in NAMES.items() if split == "train" for name in names.split(",")}
        for span in pretraining.aggregate_entities(sentence.tags):
            words = sentence.text[span.start : span.end]
            assert any(name.startswith(words) or words in name for name in names)
    tokens, labels = tagged_batch(pretrained.tokenizer, pretraining.tagged_sentences(5, "train"))
    assert tokens["input_ids"].shape == labels.shape
    assert (labels[tokens["attention_mask"] == 0] == -100).all()


def test_a_tagger_learns_and_leaves_the_encoder_alone(pretrained):
    before = {name: weight.clone() for name, weight in pretrained.model.state_dict().items()}
    tagger = pretraining.train_tagger(pretrained, sentences=160, steps=20)
    assert isinstance(tagger, Pretrained) and tagger.model.config.id2label[1] == "B-PER"
    assert all(torch.equal(before[name], weight) for name, weight in pretrained.model.state_dict().items())
    scores = pretraining.entity_scores(tagger.model, tagger.tokenizer, pretraining.tagged_sentences(60, "test"))
    untrained = pretraining.train_tagger(pretrained, sentences=16, steps=1)
    chance = pretraining.entity_scores(untrained.model, untrained.tokenizer, pretraining.tagged_sentences(60, "test"))
    assert scores["f1"] > 0.35 > chance["f1"]
