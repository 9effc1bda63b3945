"""What the methods beside LoRA train, where they stand, and what they change in use."""

from __future__ import annotations

from functools import cache

import torch
from torch import nn

from courselib.claims.computed import Computed, computes
from courselib.claims.computing.on_adapter_counts import near, static_bytes_of_bert, weights_of_bert
from courselib.claims.computing.on_adapter_layers import filled_layer, forward_flops
from courselib.lora.counting import attention_budget, gpt3_reduction
from courselib.lora.spending import step_flops
from courselib.peft_family.bottleneck import Bottleneck, add_bottlenecks, bottleneck_parameters
from courselib.qlora.memory import peak_memory
from courselib.qlora.shapes import SHAPES


def shares_of_lora() -> dict[str, float]:
    """LoRA's trained share in percent, of models and ranks that are in use."""
    llama = SHAPES["llama-7b"]
    all_linear = 16 * llama.layers * sum(a + b for a, b in llama.matrices)
    return {
        "GPT-3, rank 4": 100 / gpt3_reduction(4).whole_model,
        "Llama 7B, rank 8": 100 * attention_budget(4096, 32, 2, 8)[0] / (llama.linear + llama.other),
        "Llama 7B, rank 16, all layers": 100 * all_linear / (llama.linear + llama.other),
        "BERT-base, rank 8": 100 * attention_budget(768, 12, 2, 8)[0] / weights_of_bert(),
    }


@computes("q-01pct")
def _at_most_a_thousandth() -> Computed:
    return Computed(all(share <= 0.1 for share in shares_of_lora().values()), shares_of_lora())


@computes("ov-lora-pct")
def _three_ranges_at_once() -> Computed:
    shares = shares_of_lora().values()
    inside = [sum(low <= share <= high for share in shares) for low, high in ((0.1, 1), (0, 0.1), (0.01, 1))]
    names = ("0.1 to 1 %", "up to 0.1 %", "0.01 to 1 %")
    figures = {f"of four cases inside {name}": n for name, n in zip(names, inside, strict=True)}
    return Computed(inside == [len(shares)] * 3, figures)


@computes("p0-ratio")
def _a_hundredth_of_a_percent_to_one() -> Computed:
    return Computed(all(0.01 <= share <= 1 for share in shares_of_lora().values()), shares_of_lora())


@computes("q-optionB-peft")
def _frozen_and_yet_tuned() -> Computed:
    layer = filled_layer()
    frozen = not layer.base_layer.weight.requires_grad
    x = torch.randn(5, 12, dtype=torch.float64)
    changed = not torch.allclose(layer(x), layer.base_layer(x))
    return Computed(not (frozen and changed), {"base frozen": float(frozen), "function changed": float(changed)})


@computes("ov-table-col")
def _two_questions_at_once() -> Computed:
    from courselib.instruction.small import fresh_llama
    from courselib.instruction.stages import LINEAR_LAYERS
    from courselib.lora.inject import add_lora, trainable_report

    full, lora = fresh_llama(40, 0), add_lora(fresh_llama(40, 0), LINEAR_LAYERS, 4)
    ids = torch.arange(12).view(2, 6)
    losses = [model(input_ids=ids, labels=ids).loss.item() for model in (full, lora)]  # one objective, the same loss at the start
    trained = [trainable_report(model).trainable for model in (full, lora)]
    fixed = trained[0] == trained[1]  # does the objective say how much is trained?
    return Computed(abs(losses[0] - losses[1]) < 1e-5 and fixed, {"trained, full": trained[0], "trained, LoRA": trained[1]})


@computes("ov-adapter-pct")
@computes("ad-12")
def _adapters_in_bert() -> Computed:
    one = 12 * bottleneck_parameters(768, 64)
    shares = [100 * n * one / weights_of_bert() for n in (1, 2)]
    return Computed(1 <= shares[0] < shares[1] < 5 and near(one, 1.2e6, 0.02),
                    {"one a layer": one, "one a layer, %": shares[0], "two a layer, %": shares[1]})


@computes("ov-light")
def _size_after_merging() -> Computed:
    layer, x = filled_layer(64, 64), torch.randn(8, 64, dtype=torch.float64)
    plain, beside, numbers = forward_flops(layer.base_layer, x), forward_flops(layer, x), layer.base_layer.weight.numel()
    layer.merge()
    smaller = layer.base_layer.weight.numel() < numbers or forward_flops(layer, x) < plain
    return Computed(smaller, {"operations, plain": plain, "merged": forward_flops(layer, x), "not merged": beside})


@computes("ov-nogpu")
def _what_still_has_to_fit() -> Computed:
    full, lora = static_bytes_of_bert()
    seven = peak_memory(SHAPES["llama-7b"], "lora", 1, 512).total / 1e9
    return Computed(seven <= 8, {"7B with LoRA, 16 bits, GB": seven, "BERT, full, GB": full / 1e9, "BERT, LoRA, GB": lora / 1e9})


@computes("ov-peft-main")
def _memory_more_than_operations() -> Computed:
    from courselib.lora.inject import add_lora

    full, lora = static_bytes_of_bert()
    model = nn.Sequential(*(nn.Linear(256, 256) for _ in range(6)))
    operations = step_flops(model, _loss)
    less = 100 * (1 - step_flops(add_lora(model, [str(i) for i in range(6)], 8), _loss) / operations)
    memory = 100 * (1 - lora / full)
    return Computed(memory > 50 and less > 0, {"memory less, %": memory, "operations less, %": less})


def _loss(model: nn.Module) -> torch.Tensor:
    return model(torch.ones(32, 256)).square().mean()


@cache
def places_of_adapters() -> list[str]:
    """The paths of Houlsby's adapters in a BERT of two layers."""
    from transformers import BertConfig, BertModel

    model = BertModel(BertConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, vocab_size=50))
    add_bottlenecks(model, ("attention.output.dense", "output.dense"), 4)
    return [name for name, module in model.named_modules() if isinstance(module, Bottleneck)]


@computes("ov-adapter-between")
def _inside_a_block() -> Computed:
    found = places_of_adapters()
    inside = sum("layer." in name for name in found)
    return Computed(inside == 0, {"adapters": len(found), "inside a block": inside})


@computes("ad-place")
def _behind_attention() -> Computed:
    found = places_of_adapters()
    behind = sum("attention" in name for name in found)
    return Computed(behind > 0, {"adapters": len(found), "behind attention": behind, "behind the MLP": len(found) - behind})


@computes("p0-full-vs-peft")
def _changes_beside_the_weights() -> Computed:
    layer, x = filled_layer(), torch.randn(5, 12, dtype=torch.float64)
    W = layer.base_layer.weight + layer.delta_weight()
    apart = (layer(x) - nn.functional.linear(x, W, layer.base_layer.bias)).abs().max().item()
    return Computed(apart < 1e-10, {"LoRA apart from θ + Δθ": apart})


@computes("ad-form")
def _detour_with_a_residual() -> Computed:
    torch.manual_seed(0)
    adapter, h = Bottleneck(48, 8, std=0.1), torch.randn(5, 48)
    by_formula = h + adapter.up(torch.relu(adapter.down(h)))
    apart = (adapter(h) - by_formula).abs().max().item()
    start = (Bottleneck(48, 8)(h) - h).abs().max().item()
    return Computed(apart < 1e-5 and start == 0, {"apart": apart, "moved at the start": start})


@computes("ad-count")
def _numbers_of_an_adapter() -> Computed:
    exact = sum(p.numel() for p in Bottleneck(768, 64).parameters())
    right = near(98_304, exact, 0.01) and exact == bottleneck_parameters(768, 64)
    return Computed(right, {"exact": exact, "without biases": 2 * 64 * 768})


@computes("ad-lora-count")
def _adapter_beside_lora() -> Computed:
    lora = attention_budget(768, 12, 4, 16)[0]
    return Computed(lora == 12 * 4 * 16 * (768 + 768), {"LoRA, rank 16": lora, "adapters of 64, no biases": 12 * 2 * 768 * 64})


@computes("ad-latency")
def _operations_that_stay() -> Computed:
    x = torch.randn(8, 64)
    plain, behind = nn.Linear(64, 64), nn.Sequential(nn.Linear(64, 64), Bottleneck(64, 8))
    layer = filled_layer(64, 64)
    layer.merge()
    more = 100 * (forward_flops(behind, x) / forward_flops(plain, x) - 1)
    merged = 100 * (forward_flops(layer, x.double()) / forward_flops(plain, x) - 1)
    return Computed(more > 0 and merged == 0, {"adapter, % more": more, "LoRA merged, % more": merged})


@computes("q-95pct")
@computes("z1-peft-perf")
def _gains_in_the_race() -> Computed:
    from courselib.lab.measured import kept

    runs = {(run["setting"], run["seed"]): run["gain"] for run in kept("peft_race")["runs"]}
    full = {seed: gain for (name, seed), gain in runs.items() if name == "full, no embeddings"}
    names = {name for name, _ in runs if "tuning" not in name and not name.startswith("full")}
    shares = {name: 100 * sum(runs[name, seed] / gain for seed, gain in full.items()) / len(full) for name in names}
    figures = {f"{name}, % of full's gain": shares[name] for name in ("LoRA", "adapter", "prefix")}
    return Computed(any(share >= 95 for share in shares.values()), figures | {"the best": max(shares.values())})
