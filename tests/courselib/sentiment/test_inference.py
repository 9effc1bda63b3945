"""Predictions do not depend on the batch; augmentation changes what it says and nothing else; the small experiments are sound."""

import random

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from courselib.lab import classification
from courselib.lab.data import sentiment
from courselib.lab.models import SentenceClassifier, tokenise
from courselib.sentiment import augmentation, inference, overfitting


@pytest.fixture(scope="module")
def model(pretrained):
    torch.manual_seed(0)
    found = SentenceClassifier(pretrained.model)
    nn.init.normal_(found.classifier.weight)
    return found.eval()


def test_answers_do_not_depend_on_the_batch(model, pretrained):
    texts = [" ".join(["good"] * n) for n in (9, 1, 4, 30, 2)]
    one = inference.logits_of(model, pretrained.tokenizer, texts, size=1)
    for size, sort in [(2, True), (2, False), (5, True)]:
        assert torch.allclose(inference.logits_of(model, pretrained.tokenizer, texts, size, sort), one, atol=1e-4)
    with torch.no_grad():
        assert torch.allclose(model(**tokenise(pretrained.tokenizer, texts)).cpu(), one, atol=1e-4)


def test_sorting_computes_less_padding(model, pretrained):
    texts, computed = [" ".join(["good"] * n) for n in (30, 1, 29, 2, 28, 3)], []

    def counting(input_ids, attention_mask):
        computed.append(input_ids.numel())
        return model(input_ids=input_ids, attention_mask=attention_mask)

    cost = {}
    for sort in (True, False):
        computed.clear()
        inference.logits_of(counting, pretrained.tokenizer, texts, 2, sort)
        cost[sort] = sum(computed)
    assert cost == {True: 2 * (4 + 30 + 32), False: 2 * (32 + 31 + 30)}  # two special tokens each
    computed.clear()
    inference.logits_of(counting, pretrained.tokenizer, texts, 2)
    assert sum(computed) == cost[True]  # unless told otherwise


def test_a_prediction_is_the_class_and_its_own_probability(model, pretrained):
    texts = ["a good film", "a bad film"]
    probabilities = inference.logits_of(model, pretrained.tokenizer, texts).softmax(1)
    for (label, confidence), row in zip(inference.predict(model, pretrained.tokenizer, texts), probabilities, strict=True):
        assert label == inference.NAMES[row.argmax()] and confidence == pytest.approx(row.max().item()) and confidence >= 0.5


@pytest.mark.parametrize(("texts", "size"), [("one text", 2), (["a"], 0)])
def test_what_is_no_list_of_texts_is_told(model, pretrained, texts, size):
    with pytest.raises(ValueError, match="takes a list of texts"):
        inference.logits_of(model, pretrained.tokenizer, texts, size)


def test_features_are_what_the_head_sees(model, pretrained):
    texts = ["a good film", "the soup was dreadful, and so was everything else"]
    vectors = classification.sentence_vectors(model, pretrained.tokenizer, texts)
    logits = inference.logits_of(model, pretrained.tokenizer, texts)
    assert torch.allclose(model.classifier(vectors.to(model.classifier.weight.device)).cpu(), logits, atol=1e-4)


def test_deletion_leaves_out_the_share_and_never_everything():
    rng = random.Random(0)
    text = " ".join(map(str, range(10)))
    shares = [1 - len(augmentation.delete(text, 0.3, rng).split()) / 10 for _ in range(2000)]
    assert sum(shares) / 2000 == pytest.approx(0.3, abs=0.02)
    assert augmentation.delete(text, 0.0, rng) == text
    assert augmentation.delete(text, 1.0, rng) in text.split()


def test_swap_and_insertion_keep_every_word():
    rng = random.Random(1)
    text = "the soup was truly good"
    for _ in range(50):
        swapped = augmentation.swap(text, 1, rng).split()
        assert sorted(swapped) == sorted(text.split()) and sum(a != b for a, b in zip(swapped, text.split(), strict=True)) == 2
        inserted = augmentation.insert(text, ["quite"], 2, rng).split()
        assert [word for word in inserted if word != "quite"] == text.split() and len(inserted) == 7
    assert augmentation.swap("alone", 3, rng) == "alone"


def test_synonyms_leave_marks_and_other_words():
    found = augmentation.replace("Good soup, good!", {"good": ["fine"]}, random.Random(0))
    assert found == "fine soup, fine!"


def test_mixup_at_its_ends_and_by_hand():
    vectors, targets = torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.eye(2)
    order = torch.tensor([1, 0])
    assert torch.equal(augmentation.mixup(vectors, targets, 1.0, order)[0], vectors)
    assert torch.equal(augmentation.mixup(vectors, targets, 0.0, order)[1], targets[order])
    mixed, soft = augmentation.mixup(vectors, targets, 0.75, order)
    assert torch.allclose(mixed, torch.tensor([[0.75, 0.5], [0.25, 1.5]]))
    assert torch.allclose(soft, torch.tensor([[0.75, 0.25], [0.25, 0.75]]))


def test_soft_cross_entropy_is_torchs_with_hard_and_soft_targets():
    torch.manual_seed(0)
    logits, labels, soft = torch.randn(6, 3), torch.tensor([0, 2, 1, 1, 0, 2]), torch.rand(6, 3).softmax(1)
    for targets, theirs in [(F.one_hot(labels, 3).float(), labels), (soft, soft)]:
        ours = augmentation.soft_cross_entropy(logits, targets).item()
        assert ours == pytest.approx(F.cross_entropy(logits, theirs).item())


def test_flipped_labels_are_the_share_and_the_seeds():
    labels = [i % 2 for i in range(40)]
    noisy = overfitting.flip_labels(labels, 0.25, seed=1)
    assert sum(a != b for a, b in zip(labels, noisy, strict=True)) == 10
    assert noisy == overfitting.flip_labels(labels, 0.25, seed=1) != overfitting.flip_labels(labels, 0.25, seed=2)
    assert overfitting.flip_labels(labels, 0.0, 0) == labels


def test_the_last_layer_on_ready_states_is_the_whole_model(model, pretrained):
    texts = ["a good film", "the soup was dreadful, and so was everything else"]
    states, mask = overfitting.below_top(model, pretrained.tokenizer, texts)
    with torch.no_grad():
        found = overfitting.TopLayer(model).eval()(states, mask).cpu()
    assert torch.allclose(found, inference.logits_of(model, pretrained.tokenizer, texts), atol=1e-4)


def test_the_sweep_trains_a_copy_and_the_seed_repeats_it(pretrained):
    classifier = SentenceClassifier(pretrained.model)
    sides = []
    for split in ("train", "validation"):
        texts, labels = sentiment.sentences(16, split, seed=0)
        device = classifier.classifier.weight.device
        sides.append((*overfitting.below_top(classifier, pretrained.tokenizer, texts), torch.tensor(labels, device=device)))
    start = overfitting.TopLayer(classifier)
    before = {name: value.clone() for name, value in start.state_dict().items()}
    first = overfitting.last_layer_accuracy(start, *sides, seed=0, epochs=2)
    assert first == overfitting.last_layer_accuracy(start, *sides, seed=0, epochs=2) and first > 0.6
    assert all(torch.equal(before[name], value) for name, value in start.state_dict().items())


def test_the_sweep_s_usual_settings_are_those_it_says(pretrained, monkeypatch):
    """Three epochs of 16, a tenth of warm-up, 5e-4 for the layer and 3e-3 for the head, decay 0.01."""
    seen = {}

    def pretend(model, rows, loss, optimizer, *, steps, scheduler, **_):
        rates = {(round(g["initial_lr"], 9), g["weight_decay"]) for g in optimizer.param_groups}
        seen.update(rates=rates, steps=steps, size=rows.batch_size, third=scheduler.lr_lambdas[0](3))

    monkeypatch.setattr(overfitting, "fit", pretend)
    start = overfitting.TopLayer(SentenceClassifier(pretrained.model))
    texts = ["a good film"] * 160
    states = (*overfitting.below_top(SentenceClassifier(pretrained.model), pretrained.tokenizer, texts), torch.ones(160).long())
    overfitting.last_layer_accuracy(start, states, states, seed=0)
    assert seen["rates"] == {(5e-4, 0.01), (5e-4, 0.0), (3e-3, 0.01), (3e-3, 0.0)}
    assert seen["steps"] == 30 and seen["size"] == 16 and seen["third"] == pytest.approx(1)  # 10 steps an epoch, warm after 3


def test_label_smoothing_shares_out_what_it_takes(monkeypatch):
    targets, real = [], overfitting.soft_cross_entropy
    monkeypatch.setattr(overfitting, "soft_cross_entropy", lambda logits, soft: targets.append(soft) or real(logits, soft))
    overfitting.overfit((torch.randn(2, 3), torch.tensor([0, 1])), {}, seed=0, smoothing=0.2, steps=1)
    assert torch.allclose(targets[0], torch.tensor([[0.9, 0.1], [0.1, 0.9]]))


def test_a_network_that_memorises_noise_overfits():
    torch.manual_seed(0)
    vectors = torch.randn(40, 20)
    labels = (vectors[:, 0] > 0).long()
    noisy = torch.tensor(overfitting.flip_labels(labels.tolist(), 0.25, 0))
    new = torch.randn(400, 20)
    held_out = {"new": (new, (new[:, 0] > 0).long())}
    found = overfitting.overfit((vectors, noisy), held_out, seed=0)
    assert found["step"] == list(range(10, 101, 10)) and len(found["new accuracy"]) == 10
    assert found["train"][-1] < 0.05 and found["new"][-1] > 1.3 * min(found["new"])
    smooth = overfitting.overfit((vectors, noisy), held_out, seed=0, smoothing=0.4)
    assert smooth["new"][-1] < found["new"][-1]
