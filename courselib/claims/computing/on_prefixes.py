"""Prompts and prefixes: where they stand, how many numbers they have, and what they do to attention."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch

from courselib.claims.computed import Computed, computes
from courselib.claims.computing.on_adapter_counts import bert_with_lora, weights_of_bert
from courselib.peft_family.bottleneck import bottleneck_parameters
from courselib.peft_family.prefix import prefix_attention, prefix_parameters, prefix_share
from courselib.peft_family.prompts import prompt_parameters


@cache
def trained_in_bert(kind: str, length: int) -> int:
    """What peft trains in a BERT-base with a "prompt" or a "prefix" of so many vectors."""
    from peft import PrefixTuningConfig, PromptTuningConfig, get_peft_model
    from transformers import BertConfig, BertModel

    config = {"prompt": PromptTuningConfig, "prefix": PrefixTuningConfig}[kind]
    with torch.device("meta"):
        model = get_peft_model(BertModel(BertConfig()), config(task_type="FEATURE_EXTRACTION", num_virtual_tokens=length))
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


@cache
def small_llama() -> Any:
    """A Llama of two layers with random weights, and a batch of token ids: (model, ids)."""
    from courselib.instruction.small import fresh_llama

    return fresh_llama(40, 0).eval(), torch.randint(0, 40, (2, 7), generator=torch.Generator().manual_seed(0))


@computes("pf-form")
def _where_a_prefix_stands() -> Computed:
    from courselib.peft_family.prefix import Prefixed

    model, ids = small_llama()
    layers = model.config.num_hidden_layers
    prefix = Prefixed(model, 3)
    read = prefix.keys_and_values(1)
    more = prefix(input_ids=ids).logits.shape[1] - ids.shape[1]  # 3, if the vectors stood before the input
    return Computed(more == 3, {"layers": layers, "layers with keys of the prefix": len(read), "positions more": more})


@computes("pf-vs-prompt")
def _prompt_and_prefix() -> Computed:
    from courselib.peft_family.prefix import Prefixed
    from courselib.peft_family.prompts import SoftPrompt

    model, _ = small_llama()
    layers, width = model.config.num_hidden_layers, model.config.hidden_size
    prompt, prefix = SoftPrompt(model, 3).vectors.numel(), Prefixed(model, 3).numbers.numel()
    return Computed(prompt == 3 * width and prefix == 2 * layers * 3 * width, {"prompt": prompt, "prefix": prefix})


@computes("pf-count")
def _numbers_of_a_prefix() -> Computed:
    in_peft = trained_in_bert("prefix", 10)
    assert in_peft == prefix_parameters(12, 10, 768)
    return Computed(in_peft == 10 * 768 * 12, {"in peft": in_peft, "l d L": 10 * 768 * 12})


@computes("pt2-count")
def _numbers_of_p_tuning_v2() -> Computed:
    in_peft = trained_in_bert("prefix", 20)
    return Computed(in_peft == 12 * 20 * 768, {"in peft": in_peft, "L l d": 12 * 20 * 768})


@computes("pt2-form")
def _length_in_every_layer() -> Computed:
    from courselib.peft_family.prefix import Prefixed

    model, ids = small_llama()
    lengths: list[int] = []
    hooks = [layer.register_forward_hook(lambda _m, _i, out: lengths.append((out[0] if isinstance(out, tuple) else out).shape[1]))
             for layer in model.model.layers]
    with torch.no_grad():
        Prefixed(model, 3)(input_ids=ids)
    for hook in hooks:
        hook.remove()
    as_said = [ids.shape[1] + 3 * (i + 1) for i in range(len(lengths))]
    figures = {"after the last layer": lengths[-1], "by the recursion": as_said[-1]}
    return Computed(lengths == as_said, figures)


@computes("pf-context")
def _room_in_the_context() -> Computed:
    from courselib.peft_family.prompts import SoftPrompt

    model, ids = small_llama()
    seen: list[int] = []
    hook = model.model.layers[0].register_forward_hook(
        lambda _m, _i, out: seen.append((out[0] if isinstance(out, tuple) else out).shape[1]))
    with torch.no_grad():
        SoftPrompt(model, 3)(input_ids=ids)
    hook.remove()
    return Computed(seen[0] == ids.shape[1] + 3, {"tokens": ids.shape[1], "positions with a prompt of 3": seen[0]})


@computes("pf-len")
def _usual_prefixes() -> Computed:
    shares = [100 * prefix_parameters(12, length, 768) / weights_of_bert() for length in (10, 20)]
    return Computed(0.1 < shares[0] < shares[1] < 1, {"length 10, %": shares[0], "length 20, %": shares[1]})


@computes("prm-count")
def _numbers_of_a_prompt() -> Computed:
    in_peft = trained_in_bert("prompt", 20)
    return Computed(in_peft == 20 * 768 == prompt_parameters(20, 768), {"in peft": in_peft})


def _attention() -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(n, 8, generator=generator, dtype=torch.float64) for n in (6, 6, 6, 3, 3))  # q, k, v, P_K, P_V


@computes("uni-form")
def _what_a_prefix_adds() -> Computed:
    q, k, v, prefix_k, prefix_v = _attention()
    before = (q @ k.T / 8**0.5).softmax(1) @ v
    added = [prefix_attention(q, k, value, prefix_k, prefix_v) - (q @ k.T / 8**0.5).softmax(1) @ value for value in (v, 2 * v)]
    share = prefix_share(q, k, prefix_k)
    mixture = (1 - share) * before + share * ((q @ prefix_k.T / 8**0.5).softmax(1) @ prefix_v)
    exact = float((prefix_attention(q, k, v, prefix_k, prefix_v) - mixture).abs().max())
    depends = float((added[0] - added[1]).abs().max())  # what is added depends on the old answer: it is turned down by g
    return Computed(depends < 1e-9, {"apart from the mixture": exact, "share of the prefix": share.mean().item()})


@computes("uni-table")
def _column_of_counts() -> Computed:
    said = {"prefix": 10 * 12 * 768, "P-tuning v2": 12 * 10 * 768, "prompt": 10 * 768}
    prefix, prompt = (trained_in_bert(kind, 10) for kind in ("prefix", "prompt"))
    found = {"prefix": prefix, "P-tuning v2": prefix, "prompt": prompt}
    return Computed(said == found, {f"{name}, found over said": found[name] / said[name] for name in said})


@computes("q-class-prefix")
def _family_of_prefix_tuning() -> Computed:
    from peft import LoraConfig, PrefixTuningConfig, PromptTuningConfig

    kinds = [config(task_type="CAUSAL_LM").is_prompt_learning if config is LoraConfig else
             config(task_type="CAUSAL_LM", num_virtual_tokens=3).is_prompt_learning
             for config in (PrefixTuningConfig, PromptTuningConfig, LoraConfig)]
    apart = kinds[0] != kinds[1]  # that prefixes are no soft prompts
    names = ("prefix", "prompt", "LoRA")
    return Computed(apart, {f"{name} is prompt learning": float(kind) for name, kind in zip(names, kinds, strict=True)})


@computes("m-adapter-table")
def _three_rows_of_a_table() -> Computed:
    everything = weights_of_bert()
    adapter, lora, prefix = (100 * n / everything for n in (
        24 * bottleneck_parameters(768, 64), bert_with_lora()[0], trained_in_bert("prefix", 10)))
    inside = 1 <= adapter <= 5 and 0.1 <= lora <= 1 and 0.01 <= prefix <= 0.1
    return Computed(inside, {"adapters of 64, %": adapter, "LoRA, rank 8, %": lora, "prefix of 10, %": prefix})
