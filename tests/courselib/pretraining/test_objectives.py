"""The losses: the numbers of transformers, their gradient by autograd, and where it reaches."""

import math

import pytest
import torch
from transformers import BertConfig, BertForMaskedLM, BertForPreTraining, LlamaConfig, LlamaForCausalLM

from courselib import pretraining
from courselib.lab.data import prose
from courselib.pretraining import IGNORE

SMALL = dict(vocab_size=40, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)


@pytest.fixture
def ids():
    torch.manual_seed(0)
    return torch.randint(5, 40, (3, 9))


def some_labels(ids):
    return ids.masked_fill(torch.rand(ids.shape) < 0.6, IGNORE)


def test_mlm_loss_is_that_of_transformers(ids):
    model, labels = BertForMaskedLM(BertConfig(**SMALL)).eval(), some_labels(ids)
    with torch.no_grad():
        out = model(input_ids=ids, labels=labels)
    assert torch.equal(pretraining.mlm_loss(out.logits, labels), out.loss)


def test_mlm_loss_of_no_labels_is_refused(ids):
    with pytest.raises(ValueError, match="No position"):
        pretraining.mlm_loss(torch.zeros(3, 9, 40), torch.full_like(ids, IGNORE))


def test_clm_loss_is_that_of_transformers_and_has_n_minus_1_terms(ids):
    model = LlamaForCausalLM(LlamaConfig(**SMALL)).eval()
    with torch.no_grad():
        out = model(input_ids=ids, labels=ids)
    assert pretraining.clm_loss(out.logits, ids).item() == pytest.approx(out.loss.item(), rel=1e-6)
    uniform = torch.zeros(2, 5, 40)
    assert pretraining.clm_loss(uniform, ids[:2, :5]).item() == pytest.approx(math.log(40))
    changed = torch.zeros(1, 4, 40)
    changed[0, -1] = torch.randn(40)  # the last logits answer for a token that is not there
    assert pretraining.clm_loss(changed, ids[:1, :4]).item() == pytest.approx(math.log(40))


def test_nsp_and_mlm_together_are_berts_loss(ids):
    model, labels = BertForPreTraining(BertConfig(**SMALL)).eval(), some_labels(ids)
    follows = torch.tensor([0, 1, 1])
    with torch.no_grad():
        out = model(input_ids=ids, labels=labels, next_sentence_label=follows)
    ours = pretraining.mlm_loss(out.prediction_logits, labels) + pretraining.nsp_loss(out.seq_relationship_logits, follows)
    assert ours.item() == pytest.approx(out.loss.item(), rel=1e-6)


def test_the_gradient_by_hand_is_autograds(ids):
    logits = torch.randn(9, 40, dtype=torch.float64, requires_grad=True)
    labels = some_labels(ids)[0]
    labels[0] = 7
    torch.nn.functional.cross_entropy(logits, labels, ignore_index=IGNORE).backward()
    by_hand = pretraining.loss_gradient(logits.detach(), labels)
    assert torch.allclose(by_hand, logits.grad, atol=1e-12)
    assert (by_hand[labels == IGNORE] == 0).all()
    assert by_hand.sum(-1).abs().max() < 1e-12  # up and down cancel


def test_without_a_label_the_logits_have_no_gradient_and_the_vectors_that_were_read_have_one(ids):
    model, labels = BertForMaskedLM(BertConfig(**SMALL)).eval(), torch.full_like(ids[:1], IGNORE)
    labels[0, 3] = 7
    read = model.bert.embeddings.word_embeddings(ids[:1]).detach().requires_grad_()
    out = model(inputs_embeds=read)
    out.logits.retain_grad()
    pretraining.mlm_loss(out.logits, labels).backward()
    others = labels[0] == IGNORE
    assert (out.logits.grad[0, others] == 0).all() and out.logits.grad[0, 3].norm() > 0.1
    assert (read.grad[0].norm(dim=-1) > 0).all()


def test_padding_is_not_asked_for_and_a_batch_is_the_mean_over_tokens(ids):
    torch.manual_seed(2)
    model, real = LlamaForCausalLM(LlamaConfig(**SMALL)).eval(), torch.ones_like(ids)
    real[0, 4:] = real[1, 7:] = 0
    labels = pretraining.clm_labels(ids, real)
    assert (labels[real == 0] == IGNORE).all() and torch.equal(labels[real == 1], ids[real == 1])
    with torch.no_grad():
        out = model(input_ids=ids, attention_mask=real, labels=labels)
        lengths = real.sum(1).tolist()
        rows = [ids[i : i + 1, :n] for i, n in enumerate(lengths)]
        summed = sum((row.shape[1] - 1) * float(pretraining.clm_loss(model(input_ids=row).logits, row)) for row in rows)
    ours = pretraining.clm_loss(out.logits, labels).item()
    assert ours == pytest.approx(out.loss.item(), rel=1e-6)
    assert ours == pytest.approx(summed / (sum(lengths) - 3), rel=1e-5)
    assert abs(ours - pretraining.clm_loss(out.logits, ids).item()) > 1e-3


def test_sentences_of_a_paragraph_stand_side_by_side_in_it():
    text = "This is the first of them. And this one comes after it! Short one. After the short one nothing counts."
    assert pretraining.consecutive_sentences(text) == ["This is the first of them.", "And this one comes after it!"]
    for paragraph in prose.english("train", 20_000)[0].split("\n\n"):
        assert " ".join(pretraining.consecutive_sentences(paragraph)) in paragraph


def test_labels_of_a_sequence():
    assert pretraining.labels_per_sequence("clm", 128) == 127
    assert pretraining.labels_per_sequence("mlm", 128) == pytest.approx(19.2)
    with pytest.raises(ValueError, match="no objective"):
        pretraining.labels_per_sequence("nsp", 128)


def test_pairs_are_half_and_half_and_say_the_truth():
    documents = [[f"{name}{i}" for i in range(4)] for name in "ABCDE"] + [["alone"]]
    pairs = pretraining.nsp_pairs(documents, 200, seed=3)
    assert sum(pair.label == 0 for pair in pairs) == 100
    for first, second, label in pairs:
        assert "alone" not in (first, second)
        assert (first[0] == second[0]) == (label == 0)
        if label == 0:
            assert int(second[1:]) == int(first[1:]) + 1
    assert pairs == pretraining.nsp_pairs(documents, 200, seed=3) != pretraining.nsp_pairs(documents, 200, seed=4)
    assert [p.label for p in pairs[:20]] != [0, 1] * 10  # the order tells nothing


def test_pairs_need_two_documents():
    with pytest.raises(ValueError, match="two documents"):
        pretraining.nsp_pairs([["a", "b"], ["alone"]], 4)
