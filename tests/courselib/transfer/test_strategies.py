"""What each strategy trains, keeps and forgets, on small BERTs and (once) on the real encoder."""

import pytest
import torch
from torch import nn
from transformers import BertConfig, BertModel

from courselib.lab.models import SentenceClassifier
from courselib.lab.training import fit
from courselib.transfer import strategies

CONFIG = dict(vocab_size=50, hidden_size=16, num_attention_heads=2, intermediate_size=32)


def small(layers=3):
    torch.manual_seed(0)
    return SentenceClassifier(BertModel(BertConfig(num_hidden_layers=layers, **CONFIG), add_pooling_layer=False))


def batch():
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, 50, (4, 6), generator=generator)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}, torch.tensor([0, 1, 0, 1])


def loss(model, pair):
    return nn.functional.cross_entropy(model(**pair[0]), pair[1])


def test_blocks_hold_every_parameter_once_from_the_input_up():
    model = small(12)
    stack = strategies.blocks(model)
    assert list(stack) == ["embeddings", *(f"layer.{i}" for i in range(12)), "head"]
    ids = [id(p) for parameters in stack.values() for p in parameters]
    assert len(ids) == len(set(ids)) == len(list(model.parameters()))
    assert strategies.parameter_counts(model)["head"] == 16 * 2 + 2


@pytest.mark.parametrize(
    ("strategy", "trained"),
    [
        ("full", ["embeddings", "layer.0", "layer.1", "layer.2", "head"]), ("feature_extraction", ["head"]),
        ("top_0", ["head"]), ("top_1", ["layer.2", "head"]), ("top_3", ["layer.0", "layer.1", "layer.2", "head"]),
    ],
)
def test_a_strategy_moves_what_it_trains_and_nothing_else(strategy, trained):
    model = small()
    count = strategies.set_trainable(model, strategy)
    assert count == sum(n for name, n in strategies.parameter_counts(model).items() if name in trained)
    model.classifier.weight.data.normal_()  # a head of zeros would send no gradient down
    before = {name: [p.clone() for p in parameters] for name, parameters in strategies.blocks(model).items()}
    fit(model, [batch()], loss, torch.optim.SGD(model.parameters(), lr=0.5), steps=2, progress=False)
    moved = [name for name, parameters in strategies.blocks(model).items()
             if not all(map(torch.equal, parameters, before[name]))]
    assert moved == trained


@pytest.mark.parametrize(
    ("strategy", "complaint"), [("top_4", "only 3 layers"), ("bottom_1", "no strategy"), ("top_-1", "no strategy")],
)
def test_what_does_not_exist_is_refused(strategy, complaint):
    with pytest.raises(ValueError, match=complaint):
        strategies.set_trainable(small(), strategy)


def test_unfrozen_at():
    names = ["embeddings", "layer.0", "layer.1", "head"]
    assert [len(strategies.unfrozen_at(step, 2, names)) for step in range(1, 10)] == [1, 1, 2, 2, 3, 3, 4, 4, 4]
    assert strategies.unfrozen_at(3, 2, names) == ["layer.1", "head"]
    for step, every in [(0, 1), (1, 0)]:
        with pytest.raises(ValueError, match="at least 1"):
            strategies.unfrozen_at(step, every, names)


def test_gradual_unfreezing_trains_each_block_from_its_step_on():
    model = small(2)
    model.classifier.weight.data.normal_()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    gradual = strategies.GradualUnfreezing(model, every=2)
    first = {}
    last = {name: [p.clone() for p in parameters] for name, parameters in strategies.blocks(model).items()}

    def watch(state):
        for name, parameters in strategies.blocks(model).items():
            if name not in first and not all(map(torch.equal, parameters, last[name])):
                first[name] = state.number

    fit(model, [batch()], loss, optimizer, steps=8, callbacks=[gradual, watch], progress=False)
    assert first == {"head": 1, "layer.1": 3, "layer.0": 5, "embeddings": 7}
    counts = strategies.parameter_counts(model)
    assert gradual.history[:4] == [counts["head"]] * 2 + [counts["head"] + counts["layer.1"]] * 2
    assert gradual.history[7] == sum(counts.values())


def test_static_memory_is_sixteen_bytes_a_trained_parameter_and_four_a_frozen_one():
    model = small()
    trained = strategies.set_trainable(model, "top_1")
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    fit(model, [batch()], loss, optimizer, steps=1, progress=False)
    total = sum(p.numel() for p in model.parameters())
    assert strategies.static_bytes(model, optimizer) == 4 * total + 12 * trained


def test_activations_fall_with_what_is_frozen():
    model, kept = small(), []
    for strategy in ("full", "top_2", "top_1", "feature_extraction"):
        strategies.set_trainable(model, strategy)
        kept.append(strategies.activation_bytes(model, batch()[0]))
    assert kept == sorted(kept, reverse=True) and len(set(kept)) == 4
    assert kept[-1] <= 4 * (4 * 16) + 8 * 4 * 6 * 4  # the sentence vectors and little else


def test_topics():
    texts = ["The soup in this cafe was superb.", "Its battery felt dire.", "I loved this film.", "What a charming bistro!"]
    assert [strategies.topic(text) for text in texts] == [1, 3, 0, 1]
    features = torch.tensor([[1.0, 0.1], [0.0, 1.0], [0.1, 1.0], [1.0, 0.0]])
    assert strategies.topic_accuracy(features, texts) == 0.5  # the two bistros find each other, the others do not


def test_the_real_encoder_one_seed(pretrained):
    frozen, full = (strategies.finetune(name, 0) for name in ("feature_extraction", "full"))
    assert frozen["trained"] == 384 * 2 + 2 and full["share"] == 1.0
    assert frozen["accuracy"] > 0.65 and full["accuracy"] > 0.7
    assert frozen["topic"] > full["topic"]
    assert full["static"] == pytest.approx(16 * 22_566_146 / 1e6)
    head, encoder = 384 * 2 + 2, 22_566_146 - (384 * 2 + 2)
    assert frozen["static"] == pytest.approx((4 * encoder + 16 * head) / 1e6, abs=1e-4)  # moments too: its optimizer has stepped
    # six sentences of about ten tokens through six layers: 2 to 50 kB a token and layer
    assert 6 * 10 * 6 * 2e3 < full["activations"] * 1e6 < 6 * 20 * 6 * 5e4
    assert 0 < frozen["activations"] < full["activations"] / 20  # nothing below the head is kept
    with pytest.raises(ValueError, match="'magic'"):
        strategies.finetune("magic", 0)
