"""Four starts of the same task: what each is, that runs repeat, and how a learning curve is read."""

import math

import pytest
import torch

from courselib.lab.models import tokenise
from courselib.transfer import sample_efficiency
from courselib.transfer.sample_efficiency import RECIPES, StartRecipe, fresh_classifier, labels_needed, learn

SHORT = StartRecipe(lr=1e-3, head_lr=3e-3, epochs=1, least=2)


def test_a_curve_is_read_over_the_logarithm_of_the_labels():
    curve = {64: 0.6, 256: 0.8, 1024: 0.9}
    assert labels_needed(curve, 0.8) == pytest.approx(256)
    assert labels_needed(curve, 0.7) == pytest.approx(128)  # half the way from 64 to 256, in doublings
    assert labels_needed(curve, 0.85) == pytest.approx(512)
    assert labels_needed(curve, 0.5) == 64  # the curve begins above it
    assert labels_needed(curve, 0.95) == math.inf
    assert labels_needed({1024: 0.9, 64: 0.6, 256: 0.8}, 0.7) == pytest.approx(128)  # in any order
    assert labels_needed({64: 0.6, 128: 0.5, 256: 0.7}, 0.6) == 64  # the first time it gets there
    with pytest.raises(ValueError, match="empty"):
        labels_needed({}, 0.5)


def test_steps_are_rounds_but_not_too_few():
    recipe = StartRecipe(lr=1.0, head_lr=1.0, epochs=3, least=10)
    assert [recipe.steps(n) for n in (16, 17, 160, 161)] == [10, 10, 30, 33]


def test_what_each_start_is(pretrained):
    sizes = {start: sum(p.numel() for p in fresh_classifier(start, pretrained).parameters()) for start in RECIPES}
    head = 384 * 2 + 2
    assert sizes == {
        "pretrained": 22_565_376 + head, "same": 22_565_376 + head, "small": 4_237_824 + 258, "words": 30_522 * 64 + 130,
    }  # fmt: skip
    known = fresh_classifier("pretrained", pretrained).encoder
    assert all(torch.equal(a, b) for a, b in zip(known.parameters(), pretrained.model.parameters(), strict=True))
    fresh = fresh_classifier("same", pretrained).encoder.state_dict()
    for name, value in pretrained.model.state_dict().items():
        if value.dim() > 1 and value.is_floating_point():
            assert not torch.allclose(fresh[name], value, atol=1e-3), name
    with pytest.raises(ValueError, match="'scratch'.*pretrained, same, small, words"):
        fresh_classifier("scratch", pretrained)


def test_word_vectors_know_no_order_and_no_padding(pretrained):
    torch.manual_seed(0)
    model = fresh_classifier("words", pretrained).eval()
    torch.nn.init.normal_(model.classifier.weight)
    texts = ["the dog bites the old man", "the old man bites the dog", "fine"]
    with torch.no_grad():
        together = model(**tokenise(pretrained.tokenizer, texts))
        alone = model(**tokenise(pretrained.tokenizer, texts[2:]))
    torch.testing.assert_close(together[0], together[1])
    torch.testing.assert_close(together[2:], alone)


def test_a_seed_repeats_a_run_and_the_encoder_is_left_alone(pretrained, monkeypatch):
    monkeypatch.setattr(sample_efficiency, "TEST_TEXTS", 40)
    before = [p.clone() for p in pretrained.model.parameters()]
    first = [learn(start, 16, 3, pretrained, recipe=SHORT) for start in ("pretrained", "small")]
    assert first == [learn(start, 16, 3, pretrained, recipe=SHORT) for start in ("pretrained", "small")]
    assert all(torch.equal(a, b) for a, b in zip(before, pretrained.model.parameters(), strict=True))
    assert all(0 <= accuracy <= 1 for accuracy in first)


def test_words_are_learned_when_there_are_many_labels(pretrained):
    """1024 labels and a recipe half as long: more than a coin, less than what pretraining gives for 64."""
    assert learn("words", 1024, 0, pretrained, recipe=StartRecipe(lr=1e-2, head_lr=1e-2, epochs=10, least=160)) > 0.8
