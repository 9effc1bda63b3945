"""QLoRA on a small language model: the four-bit start, and that merging into the dequantised base is what was trained."""

import pytest
import torch

from courselib.lab.models.encoder import Pretrained
from courselib.lora import habits
from courselib.qlora.finetuning import QUANTISED, four_bit_start, percent_right, qlora_habits
from courselib.qlora.layer import FourBitLinear


@pytest.fixture(scope="module")
def start():
    return habits.small_speaker(steps=4)


def test_the_blocks_have_four_bits_and_the_start_is_left_alone(start):
    quantised = four_bit_start(start)
    found = [m for m in quantised.model.modules() if isinstance(m, FourBitLinear)]
    assert len(found) == habits.LAYERS * len(QUANTISED)
    assert not any(isinstance(m, FourBitLinear) for m in start.model.modules())
    assert isinstance(quantised, Pretrained) and quantised.model.lm_head.weight.dtype == torch.float32


def test_one_seed(start, monkeypatch):
    monkeypatch.setattr(habits, "STEPS", 2)
    monkeypatch.setattr("courselib.lora.habits.learn_habits.__kwdefaults__", {"steps": 2})
    found = qlora_habits(start, four_bit_start(start), 0)
    assert found["into the dequantised base"][0] == pytest.approx(found["QLoRA"][0], abs=1e-4)
    assert found["quantised again"][0] != pytest.approx(found["QLoRA"][0], abs=1e-6)
    assert all(0 <= right <= 100 for _, right in found.values())


def test_percent_right_counts_the_likeliest():
    class Next(torch.nn.Module):
        device = torch.device("cpu")

        def forward(self, input_ids):
            return type("Out", (), {"logits": torch.nn.functional.one_hot((input_ids + 1) % 5, 5).float()})

    assert percent_right(Next(), torch.arange(64) % 5, width=8) == 100
    assert percent_right(Next(), torch.zeros(64, dtype=torch.long), width=8) == 0
