"""Shapes by name and from configs: what they read, and the sentence for what they do not."""

import dataclasses
import json

import pytest
import torch
import transformers

from courselib.lora.spending import kept_bytes
from courselib.qlora.llama_shape import LlamaShape
from courselib.qlora.memory import kept_by_layers
from courselib.qlora.shapes import SHAPES, shape_of
from tests.helpers import shaped_models

LLAMA = {"model_type": "llama", "vocab_size": 10, "hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 1,
         "num_attention_heads": 2, "tie_word_embeddings": True}  # fmt: skip


def test_the_courses_own_model_is_the_one_that_is_there():
    from courselib.lab.models.causal import FOLDER

    assert shape_of(FOLDER) == SHAPES["course"] and SHAPES["course"].linear + SHAPES["course"].other == 1_803_904


def test_a_name_a_file_a_folder_or_a_dict(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(LLAMA))
    assert shape_of(tmp_path) == shape_of(tmp_path / "config.json") == LlamaShape(10, 8, 16, 1, 2, 2, untied=False)
    assert shape_of("bert-base") is SHAPES["bert-base"]


def test_a_bert_says_its_head_and_its_dropout():
    base, config = SHAPES["bert-base"], transformers.BertConfig().to_dict()
    assert shape_of(config) == base
    for head, classes in (("BertForMaskedLM", None), ("BertForPreTraining", None), ("BertForSequenceClassification", 2)):
        assert shape_of(config | {"architectures": [head]}) == dataclasses.replace(base, classes=classes)
    three = transformers.BertConfig(num_labels=3, hidden_dropout_prob=0.0, max_position_embeddings=40).to_dict()
    assert shape_of(three) == dataclasses.replace(base, classes=3, positions=40)  # attention's is left
    assert not shape_of(three | {"attention_probs_dropout_prob": 0.0}).dropout


@pytest.mark.parametrize("kind", ["Mistral", "Qwen2"])
def test_models_that_are_built_like_a_llama_keep_what_it_keeps(kind):
    ids = torch.randint(0, 100, (2, 24))

    def both(layers):
        config = getattr(transformers, f"{kind}Config")(
            vocab_size=100, hidden_size=64, intermediate_size=176, num_attention_heads=4, num_key_value_heads=2, head_dim=16,
            num_hidden_layers=layers)  # fmt: skip
        model = shaped_models.made(getattr(transformers, f"{kind}ForCausalLM")(config), "lora")
        ours = kept_by_layers(shape_of(config.to_dict()), "lora", 2, 24, 4, 4)
        return kept_bytes(model, lambda m: m(input_ids=ids, labels=ids).loss), ours

    (torch_two, two), (torch_one, one) = both(2), both(1)
    assert torch_two - torch_one == two - one


@pytest.mark.parametrize("config, says", [
    ("no-such-model", "none of course, bert-base"),
    (LLAMA | {"model_type": "t5"}, "one of llama, mistral, qwen2, bert; 't5' came"),
    ({"vocab_size": 3}, "None came"),
    ({"model_type": "llama", "num_attention_heads": 2, "hidden_size": 4}, "no 'vocab_size'; expected one of a llama"),
    ({"model_type": "bert", "vocab_size": 3}, "no 'hidden_size'; expected one of a bert"),
    (LLAMA | {"head_dim": 128}, "heads of 4 numbers"),
])  # fmt: skip
def test_what_is_not_understood_is_said(config, says):
    with pytest.raises(ValueError, match=says):
        shape_of(config)


def test_a_file_that_is_no_json(tmp_path):
    (tmp_path / "config.json").write_text("{not")
    with pytest.raises(ValueError, match="is no JSON"):
        shape_of(tmp_path)
