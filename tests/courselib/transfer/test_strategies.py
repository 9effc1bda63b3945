"""What each strategy trains, keeps and forgets, on small BERTs and (once) on the real encoder."""

import gc
import weakref

import pytest
import torch
from torch import nn
from transformers import BertConfig, BertModel

from courselib.lab.models import SentenceClassifier
from courselib.lab.training import fit
from courselib.transfer import race, strategies

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
    assert [race.topic(text) for text in texts] == [1, 3, 0, 1]
    features = torch.tensor([[1.0, 0.1], [0.0, 1.0], [0.1, 1.0], [1.0, 0.0]])
    assert race.topic_accuracy(features, texts) == 0.5  # the two bistros find each other, the others do not


def test_a_model_on_meta_is_counted_as_the_same_model_here():
    """So that a model too large for this machine can be asked. Without a mask, for on meta none can be looked at."""
    ids = torch.zeros(2, 9, dtype=torch.long)
    here = BertModel(BertConfig(num_hidden_layers=2, **CONFIG), add_pooling_layer=False)
    with torch.device("meta"):
        there = BertModel(BertConfig(num_hidden_layers=2, **CONFIG), add_pooling_layer=False)
    counted = [strategies.activation_bytes(model, {"input_ids": ids.to(model.device)}) for model in (here, there)]
    assert counted[0] == counted[1] > 0


def test_counting_activations_keeps_nothing_alive():
    """Saved tensors that know their graph would hold the graph that holds them: one model would stay for each count."""
    model = small()
    strategies.activation_bytes(model, batch()[0])
    gone = weakref.ref(model.encoder.embeddings.word_embeddings.weight)
    del model
    gc.collect()
    assert gone() is None


def test_bert_base_does_not_fit_into_8_gb_with_long_texts():
    """Static memory 1.74 GB; 16 texts of 512 tokens keep 12.7 GB more, and 16 of 64 tokens under 1."""
    with torch.device("meta"):
        model = BertModel(BertConfig(), add_pooling_layer=False)
    long, short = (strategies.activation_bytes(model, {"input_ids": torch.zeros(16, n, dtype=torch.long, device="meta")})
                   for n in (512, 64))
    assert 12e9 < long < 13.5e9 and 0.5e9 < short < 1e9
