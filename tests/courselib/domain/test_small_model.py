"""The small laboratory: adaptation under different protections, the Fisher information of a language model, the task."""

import copy

import pytest
import torch
from torch.nn import functional as F

from courselib import lora
from courselib.domain import adaptation, small_model, task
from courselib.forgetting import penalties
from courselib.lab.data import worlds
from courselib.lab.data.windows import token_stream
from courselib.lab.models.encoder import Pretrained


@pytest.fixture(scope="module")
def small():
    torch.set_num_threads(1)
    return small_model.small_model(steps=150)


def test_the_small_model_knows_general_text_and_a_little_of_notes(small):
    general, clinical = (adaptation.nats_per_word(small, name, 10) for name in ("general", "clinical"))
    stranger = adaptation.nats_per_word(small_model.small_model(steps=150, notes=0), "clinical", 10)
    assert general + 2 < clinical < stranger - 1
    assert sum(p.numel() for p in small.model.parameters()) < 250_000


def test_the_fisher_is_the_mean_of_squared_gradients_of_the_models_own_tokens(small):
    """For the last norm's weights w the definition can be summed over the whole vocabulary by hand.

    logits_v = e_v . (w * n) with the embedding e_v and the normed state n, so d log p_v / dw = (e_v - mean of e) * n.
    """
    only_norm = Pretrained(copy.deepcopy(small.model), small.tokenizer)
    only_norm.model.requires_grad_(False)
    only_norm.model.model.norm.weight.requires_grad_(True)
    texts, window = worlds.world("general").texts(6), 6
    found = small_model.next_token_fisher(only_norm, texts, window=window, batches=400)
    assert list(found) == ["model.norm.weight"]
    with torch.no_grad():
        pieces = token_stream(small.tokenizer, texts).unfold(0, window, 1)  # (pieces, window)
        state = only_norm.model.model(input_ids=pieces).last_hidden_state.flatten(0, 1)  # (positions, hidden)
        n, embedding = state / only_norm.model.model.norm.weight, small.model.get_input_embeddings().weight
        p = (state @ embedding.T).softmax(-1)  # (positions, vocab)
        exact = (n**2 * (p @ embedding**2 - (p @ embedding) ** 2)).mean(0)  # the variance of e_v, coordinate by coordinate
    assert found["model.norm.weight"].sum().item() == pytest.approx(exact.sum().item(), rel=0.05)
    assert torch.allclose(found["model.norm.weight"], exact, rtol=0.3)


def test_protections_do_what_they_say(small):
    methods = small_model.methods(small)
    start = {name: p.clone() for name, p in small.model.named_parameters()}
    runs = {name: small_model.adapt(small, seed=7, steps=15, documents=150, texts=10, **how) for name, how in methods.items()}
    before = adaptation.nats_per_word(small, "general", 10, seed=1)
    assert runs["plain"].domain < adaptation.nats_per_word(small, "clinical", 10, seed=1) - 1
    for name in ("replay", "EWC"):
        assert runs[name].general < runs["plain"].general
    assert runs["LoRA"].trained == sum(
        small_model.LORA_RANK * (m.in_features + m.out_features)
        for path, m in small.model.named_modules() if path.endswith(small_model.BLOCK)
    )
    assert runs["LoRA + embeddings"].trained == runs["LoRA"].trained + small.model.get_input_embeddings().weight.numel()
    assert adaptation.nats_per_word(small_model.without_adapter(runs["LoRA"].model), "general", 10, seed=1) == before
    assert all(torch.equal(p, start[name]) for name, p in small.model.named_parameters())  # copies were trained


def test_notes_are_learned_from_notes_and_not_from_more_training(small):
    before = adaptation.nats_per_word(small, "clinical", 10)
    how = {"seed": 7, "steps": 15, "documents": 150, "texts": 5}
    notes, general = (small_model.adapt(small, name, **how).model for name in ("clinical", "general"))
    assert adaptation.nats_per_word(notes, "clinical", 10) < before - 1
    assert adaptation.nats_per_word(general, "clinical", 10) > before  # the control gets worse


def test_the_distance_counts_an_adapter_as_the_change_it_makes(small):
    model = copy.deepcopy(small.model)
    assert small_model.moved(model, small.model) == 0
    with torch.no_grad():
        model.model.norm.weight += 0.5  # 64 weights
    assert small_model.moved(model, small.model) == pytest.approx(4)
    assert small_model.moved(model, small.model) == pytest.approx(penalties.distance(model, penalties.anchor(small.model)))
    lora.add_lora(model, ("q_proj",), rank=2, alpha=4)
    for layer in (m for m in model.modules() if isinstance(m, lora.LinearLoRA)):
        torch.nn.init.normal_(layer.lora_B["default"].weight)
    whole = small_model.moved(model, small.model)
    lora.merge(model)
    merged = [m.base_layer.weight for m in model.modules() if isinstance(m, lora.LinearLoRA)]
    old = [p for name, p in small.model.named_parameters() if name.endswith("q_proj.weight")]
    by_merging = sum((a - b).square().sum() for a, b in zip(merged, old, strict=True))
    assert whole**2 == pytest.approx(16 + by_merging.item(), rel=1e-4)


def test_a_curriculum_of_one_kind_is_plain_training(small):
    documents = worlds.world("clinical").texts(60)
    start = adaptation.nats_per_word(small, "clinical", 10)
    read = small_model.read_in_order(small, documents, [len(d) for d in documents], [0.0] * 12)
    assert adaptation.nats_per_word(read, "clinical", 10) < start - 1


def test_no_name_is_labelled_and_tested():
    for seed in range(3):
        (train, train_labels), (test, test_labels) = task.examples(seed)
        assert len(train) == 3 * task.LABELLED_NAMES * len(task.FRAMES) and len(test) == 56
        for label, kind in enumerate(task.KINDS):
            known, named = task.names(kind), []
            for texts, labels in ((train, train_labels), (test, test_labels)):
                of_this_kind = [text for text, y in zip(texts, labels, strict=True) if y == label]
                named.append({name for name in known for text in of_this_kind if text.endswith(name)})
            assert len(named[0]) == 2 and not named[0] & named[1] and named[0] | named[1] == set(known)
    assert task.examples(0) != task.examples(1)
    with pytest.raises(ValueError, match="no kind 'place'"):
        task.names("place")


def test_task_fine_tuning_learns_its_labels_and_leaves_the_start_alone(small):
    weights = {name: p.clone() for name, p in small.model.named_parameters()}
    model = task.learn_terms(small, seed=3)
    train, _ = task.examples(3)
    from courselib.lab import classification

    assert classification.text_accuracy(model, small.tokenizer, *train) > 0.6
    assert 0 <= task.terms_recognised(model, small, 3) <= 1
    head = model.classifier.weight.clone()
    after = task.continue_after_task(model, small, 3, steps=3, documents=150, texts=5)
    assert torch.equal(after.classifier.weight, head) and torch.equal(model.classifier.weight, head)
    ids = torch.arange(10)[None]
    assert not F.mse_loss(after.encoder(ids).last_hidden_state, model.encoder(ids).last_hidden_state) < 1e-6
    assert all(torch.equal(p, weights[name]) for name, p in small.model.named_parameters())
