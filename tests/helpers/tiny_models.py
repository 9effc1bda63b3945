"""A tiny BERT and a tiny Llama, built from their configurations, for tests that hold our LoRA beside peft's."""

import re

import torch
from torch import nn
from transformers import BertConfig, BertForSequenceClassification, LlamaConfig, LlamaForCausalLM

IDS = torch.tensor([[2, 5, 9, 3, 0], [2, 7, 3, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1, 0], [1, 1, 1, 0, 0]])


def bert() -> nn.Module:
    torch.manual_seed(0)
    config = BertConfig(vocab_size=20, hidden_size=12, num_hidden_layers=2, num_attention_heads=2,
                        intermediate_size=16, max_position_embeddings=16, num_labels=3)
    return BertForSequenceClassification(config).eval()


def llama() -> nn.Module:
    torch.manual_seed(0)
    config = LlamaConfig(vocab_size=20, hidden_size=16, num_hidden_layers=2, num_attention_heads=4,
                         num_key_value_heads=2, intermediate_size=24, max_position_embeddings=16)
    return LlamaForCausalLM(config).eval()


def logits(model: nn.Module) -> torch.Tensor:
    return model(input_ids=IDS, attention_mask=MASK).logits


def fill_B(model: nn.Module, name: str = "default", seed: int = 2) -> None:
    """The same B != 0 in ours and in peft's."""
    torch.manual_seed(seed)
    for _, parameter in sorted((re.sub("^base_model.model.", "", key), p) for key, p in model.named_parameters()
                               if f"lora_B.{name}." in key):
        parameter.data.normal_()


def close(a: torch.Tensor, b: torch.Tensor) -> bool:
    return bool((a.detach() - b.detach()).abs().max() <= 1e-6 * max(1, float(b.detach().abs().max())))
