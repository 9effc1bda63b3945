"""A transformers model of a shape, with random weights, ready to be trained by a method; and texts for it."""

import torch
from torch import nn

from courselib import lora
from courselib.lab import runtime
from courselib.qlora.finetuning import QUANTISED
from courselib.qlora.layer import quantize_model
from courselib.qlora.llama_shape import LlamaShape

LINEAR_IN_A_BERT = ("query", "key", "value", "attention.output.dense", "intermediate.dense", "output.dense")


def plain(shape):
    """The network with its head: a Llama that predicts the next word, a BERT with a classifier or one for masked words."""
    import transformers

    runtime.quiet()
    same = dict(vocab_size=shape.vocabulary, hidden_size=shape.width, intermediate_size=shape.inner,
                num_hidden_layers=shape.layers, num_attention_heads=shape.heads)  # fmt: skip
    if isinstance(shape, LlamaShape):
        config = transformers.LlamaConfig(**same, num_key_value_heads=shape.kv_heads, tie_word_embeddings=not shape.untied)
        return transformers.LlamaForCausalLM(config)
    rate = 0.1 * shape.dropout  # in attention a CPU's fused kernel knows no dropout; a GPU's keeps the same with it and without
    config = transformers.BertConfig(**same, max_position_embeddings=shape.positions, hidden_dropout_prob=rate,
                                     attention_probs_dropout_prob=0 if shape.fused else rate, num_labels=shape.classes or 2)
    return (transformers.BertForMaskedLM if shape.classes is None else transformers.BertForSequenceClassification)(config)


def linear_in_blocks(model):
    """The paths of the linear layers in its blocks: those that get adapters and four bits."""
    names = (*QUANTISED, *LINEAR_IN_A_BERT)
    return [path for path, module in model.named_modules() if isinstance(module, nn.Linear) and path.endswith(names)]


def made(model, method, dtype=torch.float32, rank=4):
    """The model quantised, and with adapters, as the method wants."""
    model, paths = model.to(dtype).train(), linear_in_blocks(model)
    if method == "qlora":
        quantize_model(model, paths)
    return model if method == "full" else lora.add_lora(model, paths, rank, rank)


def texts(shape, batch, length):
    """Tokens and labels, as keywords of the model."""
    ids = torch.randint(0, shape.vocabulary, (batch, length))
    classified = getattr(shape, "classes", None) is not None
    return {"input_ids": ids, "labels": torch.zeros(batch, dtype=torch.long) if classified else ids}


def dropout_of_a_gpu(x, p=0.5, training=True, inplace=False):
    """In the place of `torch.nn.functional.dropout`: keeps a byte a number also on a CPU, as a GPU's kernel does."""
    return torch.native_dropout(x, p, True)[0] if training and p else x
