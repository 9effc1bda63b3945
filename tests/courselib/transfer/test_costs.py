"""Counts, memory and money, against models that exist and numbers worked by hand."""

import pytest
import torch
from transformers import BertConfig, BertModel

from courselib.lab.models import SentenceClassifier
from courselib.transfer import costs, strategies


def test_one_layer_and_a_stack():
    assert costs.one_layer_counts(512, 512, classes=2, rank=8) == {
        "full": 262_144, "feature extraction": 1_024, "LoRA": 8_192,
    }
    stack = costs.stack_counts(512, layers=4, classes=2, rank=8, top=1)
    assert stack == {"full": 4 * 262_144 + 1_024, "feature extraction": 1_024, "top 1 of 4": 263_168, "LoRA": 4 * 8_192 + 1_024}


def test_bert_base_is_transformers():
    with torch.device("meta"):
        bert = SentenceClassifier(BertModel(BertConfig(), add_pooling_layer=False))
    assert strategies.parameter_counts(bert) == costs.BERT_BASE
    assert costs.BERT_BASE["head"] == 768 * 2 + 2


def test_gpt3_cost():
    assert costs.pretraining_flop(175e9, 300e9) == pytest.approx(3.15e23)
    assert costs.dollars(3.14e23, 28e12, 1.5) == pytest.approx(4.67e6, rel=1e-3)


def test_options_of_bert_base():
    full, top, lora, probe = costs.options(costs.BERT_BASE, tasks=20)
    total = 108_893_186
    assert full.memory_gb == pytest.approx(16 * total / 1e9) and full.stored_gb == pytest.approx(20 * 4 * total / 1e9)
    assert lora.trained == 12 * 2 * 8 * (768 + 768) + 1_538
    assert lora.stored_gb == pytest.approx(4 * (total - 1_538 + 20 * 296_450) / 1e9)
    assert top.trained == 2 * 7_087_872 + 1_538
    assert probe.trained == 1_538
    assert full.memory_gb > top.memory_gb > lora.memory_gb > probe.memory_gb


@pytest.mark.parametrize(
    ("labels", "memory", "tasks", "strategy"),
    [(100_000, 16, 1, "full"), (500, 8, 1, "LoRA"), (3_000, 16, 20, "LoRA"), (100_000, 2, 1, "LoRA"), (1_000, 16, 4, "full")],
)
def test_recommend(labels, memory, tasks, strategy):
    assert costs.recommend(costs.BERT_BASE, labels, memory, tasks)[0] == strategy


def test_recommend_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="quantised"):
        costs.recommend(costs.BERT_BASE, 500, 0.5)
