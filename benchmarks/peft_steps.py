"""DoRA and prefix steps beside peft's, and an adapter beside a frozen layer: the same numbers, and what a pass costs.

    python benchmarks/peft_steps.py [--pairs 60]

Every round runs all contenders one after another, in rotating order, and only ratios within a round are compared: the median,
with a 95 % interval. "peft again" is a second, identical layer of peft's: how far it lies from 1 is what noise alone does here.
peft has no bottleneck adapter, so ours stands beside `adapter, plainly`, the same written with torch's modules.
"""

import argparse
import copy
import gc
import statistics
import time
from collections.abc import Callable

import torch
from lora import median_interval, peft_layer
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from courselib.lab import runtime
from courselib.peft_family.bottleneck import Bottleneck
from courselib.peft_family.dora import LinearDoRA
from courselib.peft_family.prefix import Prefixed

BATCH, TOKENS, D, RANK, ALPHA, LENGTH = 8, 128, 768, 8, 16, 10


def dora_layers() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    base = nn.Linear(D, D)
    ours, first, second = LinearDoRA(copy.deepcopy(base), RANK, ALPHA), *(_peft_dora(base) for _ in range(2))
    B = torch.randn(D, RANK) / D**0.5
    ours.lora_B.data.copy_(B)
    for layer in (first, second):
        layer.lora_A["default"].weight.data.copy_(ours.lora_A.data)
        layer.lora_B["default"].weight.data.copy_(B)
    return {"peft": first, "ours": ours, "peft again": second}


def _peft_dora(base: nn.Linear) -> nn.Module:
    from peft import LoraConfig
    from peft.tuners.lora.layer import Linear

    config = LoraConfig(r=RANK, lora_alpha=ALPHA, use_dora=True)
    return Linear(copy.deepcopy(base).requires_grad_(False), "default", config, r=RANK, lora_alpha=ALPHA)


class Plainly(nn.Module):
    """The same adapter from torch's own modules."""

    def __init__(self, adapter: Bottleneck) -> None:
        super().__init__()
        self.inner = nn.Sequential(copy.deepcopy(adapter.down), nn.ReLU(), copy.deepcopy(adapter.up))

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        return h + self.inner(h)


def prefixed_models() -> dict[str, nn.Module]:
    from peft import PrefixTuningConfig, get_peft_model

    torch.manual_seed(0)
    base = LlamaForCausalLM(LlamaConfig(
        vocab_size=512, hidden_size=256, intermediate_size=512, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2,
    ))
    ours = Prefixed(copy.deepcopy(base), LENGTH)
    found = {}
    for name in ("peft", "peft again"):
        found[name] = get_peft_model(copy.deepcopy(base), PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=LENGTH))
        found[name].prompt_encoder["default"].embedding.weight.data.copy_(ours.prefix.data)
    return {"peft": found["peft"], "ours": ours, "peft again": found["peft again"]}


def timed(contenders: dict[str, nn.Module], run: Callable[[nn.Module], torch.Tensor], pairs: int, against: str) -> None:
    """Prints one row for each contender, and how far its output is from that of the first."""
    names, seconds = list(contenders), {name: [] for name in contenders}
    outputs = {name: run(model).detach() for name, model in contenders.items()}
    gc.collect()
    gc.disable()
    for turn in range(pairs):
        at = turn % len(names)
        for name in names[at:] + names[:at]:
            for p in contenders[name].parameters():
                p.grad = None
            begun = time.perf_counter()
            run(contenders[name]).square().mean().backward()
            seconds[name].append(time.perf_counter() - begun)
    gc.enable()
    for name in names:
        ratios = sorted(a / b for a, b in zip(seconds[name], seconds[against], strict=True))
        low, high = median_interval(ratios)
        gap = (outputs[name] - outputs[against]).abs().max().item()
        print(f"  {name:<18} {1e3 * statistics.median(seconds[name]):8.2f} ms   ratio {statistics.median(ratios):.3f}   "
              f"[{low:.3f}, {high:.3f}]   differs by {gap:.0e}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=60, help="rounds to time (at least 20)")
    pairs = max(20, parser.parse_args().pairs)
    torch.set_num_threads(1)
    runtime.quiet()
    x = torch.randn(BATCH, TOKENS, D, requires_grad=True)
    print(f"DoRA, {BATCH} x {TOKENS} tokens, d = {D}, rank {RANK}: forward and backward, ratio to peft")
    timed(dora_layers(), lambda layer: layer(x), pairs, "peft")
    print("LoRA of peft on the same layer, as a measure")
    timed({"peft": peft_layer(nn.Linear(D, D), RANK, ALPHA)}, lambda layer: layer(x), pairs, "peft")
    print(f"Bottleneck adapter, {D} -> 64 -> {D}, ratio to the same written plainly")
    torch.manual_seed(0)
    adapter = Bottleneck(D, 64, std=0.1)
    timed({"adapter, plainly": Plainly(adapter), "ours": adapter}, lambda layer: layer(x), pairs, "adapter, plainly")
    ids = torch.randint(0, 512, (4, 64))
    mask = torch.ones_like(ids)
    print(f"Prefix of {LENGTH} in a Llama of 4 layers, width 256, 4 x 64 tokens, ratio to peft")
    timed(prefixed_models(), lambda model: model(input_ids=ids, attention_mask=mask).logits, pairs, "peft")


if __name__ == "__main__":
    main()
