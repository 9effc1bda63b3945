"""LoRA beside peft: the same numbers, and what a forward and backward pass costs.

    python benchmarks/lora.py [--pairs 100]

Timing on a shared machine is noisy, so every round runs all contenders one after another, in rotating order,
and only ratios within a round are compared. The table gives the median ratio and a 95 % interval for it.
"peft again" is a second, identical peft layer: how far its ratio lies from 1 is what noise alone does here.
"frozen linear alone" is the floor: LoRA on top of it cannot be faster.

Target: ratio <= 1.00 and differences <= 1e-6 (8 x 128 tokens, d = 768, rank 8, float32, one thread).
"""

import argparse
import copy
import gc
import math
import statistics
import time

import torch
from torch import Tensor, nn

from courselib.lab import runtime
from courselib.lora import LinearLoRA

BATCH, TOKENS, D, RANK, ALPHA = 8, 128, 768, 8, 16


def peft_layer(base: nn.Linear, rank: int, alpha: float, rslora: bool = False) -> nn.Module:
    """peft's own LoRA layer around a frozen copy of `base`: peft freezes it only when given a whole model."""
    from peft import LoraConfig
    from peft.tuners.lora.layer import Linear

    config = LoraConfig(r=rank, lora_alpha=alpha, use_rslora=rslora)
    frozen = copy.deepcopy(base).requires_grad_(False)
    return Linear(frozen, "default", config, r=rank, lora_alpha=alpha)


def layers(rslora: bool = False, seed: int = 0) -> tuple[LinearLoRA, nn.Module]:
    """(ours, peft's), from the same seed and with the same B != 0."""
    torch.manual_seed(seed)
    base = nn.Linear(D, D)
    torch.manual_seed(seed + 1)
    ours = LinearLoRA(copy.deepcopy(base), RANK, ALPHA, rslora=rslora)
    torch.manual_seed(seed + 1)
    theirs = peft_layer(base, RANK, ALPHA, rslora)
    B = torch.randn(D, RANK) / D**0.5
    for layer in (ours, theirs):
        layer.lora_B["default"].weight.data.copy_(B)
    return ours, theirs


def one_pass(layer: nn.Module, x: Tensor, grad: Tensor) -> float:
    """Seconds of one forward and backward pass."""
    x.grad = None
    for parameter in layer.parameters():
        parameter.grad = None
    start = time.perf_counter()
    layer(x).backward(grad)
    return time.perf_counter() - start


def timing(pairs: int, x_needs_grad: bool) -> None:
    """Prints one row for each contender."""
    ours, theirs = layers()
    contenders = {"peft": theirs, "ours": ours, "peft again": layers()[1]}
    if x_needs_grad:  # without it there is nothing to differentiate in a frozen layer
        contenders["frozen linear alone"] = copy.deepcopy(ours.base_layer)
    x = torch.randn(BATCH, TOKENS, D, requires_grad=x_needs_grad)
    grad = torch.randn(BATCH, TOKENS, D)
    names, seconds = list(contenders), {name: [] for name in contenders}
    for layer in contenders.values():
        for _ in range(5):
            one_pass(layer, x, grad)
    gc.collect()
    gc.disable()
    for round_ in range(pairs):
        turn = round_ % len(names)
        for name in names[turn:] + names[:turn]:
            seconds[name].append(one_pass(contenders[name], x, grad))
    gc.enable()
    for name in names:
        ratios = sorted(a / b for a, b in zip(seconds[name], seconds["peft"], strict=True))
        low, high = median_interval(ratios)
        print(f"  {name:<20} {1e3 * statistics.median(seconds[name]):7.2f} ms   ratio "
              f"{statistics.median(ratios):.3f}   [{low:.3f}, {high:.3f}]")


def median_interval(ordered: list[float]) -> tuple[float, float]:
    """A 95 % confidence interval for the median, from order statistics: no shape of the noise is assumed."""
    n = len(ordered)
    reach = 0.98 * math.sqrt(n)
    return ordered[max(0, math.floor(n / 2 - reach))], ordered[min(n - 1, math.ceil(n / 2 + reach))]


def results(layer: nn.Module, x: Tensor, grad: Tensor) -> dict[str, Tensor]:
    """Everything a LoRA layer computes, in float64, so that comparing adds no rounding of its own."""
    x = x.clone().requires_grad_()
    h = layer(x)
    h.backward(grad)
    A, B = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    out = {"forward": h, "gradient of x": x.grad, "gradient of lora_A": A.grad, "gradient of lora_B": B.grad}
    layer.merge()
    out["merged weight"] = layer.base_layer.weight
    return {name: tensor.detach().double() for name, tensor in out.items()}


def numbers() -> None:
    """Prints how far our float32 numbers are from peft's, and both from the same computation in float64."""
    ours, theirs = layers()
    same = ours.lora_A["default"].weight.equal(theirs.lora_A["default"].weight)
    print(f"\nInitial lora_A from the same seed: {'the same bits' if same else 'DIFFERENT'}")
    print("\nRelative difference |a - b| / |b|        ours - peft   ours - exact   peft - exact")
    for rslora in (False, True):
        ours, theirs = layers(rslora)
        exact = copy.deepcopy(ours).double()
        x, grad = torch.randn(BATCH, TOKENS, D), torch.randn(BATCH, TOKENS, D)
        a, b = results(ours, x, grad), results(theirs, x, grad)
        c = results(exact, x.double(), grad.double())
        for name in a:
            gaps = [float((p[name] - q[name]).norm() / q[name].norm()) for p, q in ((a, b), (a, c), (b, c))]
            print(f"  {('rsLoRA ' if rslora else '') + name:<36}" + "".join(f"{gap:13.1e}  " for gap in gaps))
    W0 = layers(rslora)[0].base_layer.weight
    ours.unmerge()
    theirs.unmerge()
    left = [float((layer.base_layer.weight - W0).abs().max().detach()) for layer in (ours, theirs)]
    print(f"\nLargest error left in the weight by merge and unmerge: ours {left[0]:.1e}, peft {left[1]:.1e}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=100, help="rounds to time (at least 30)")
    pairs = max(30, parser.parse_args().pairs)
    torch.set_num_threads(1)
    runtime.quiet()
    import peft

    print(f"LoRA, {BATCH} x {TOKENS} tokens, d = {D}, rank {RANK}, float32, one thread; "
          f"torch {torch.__version__}, peft {peft.__version__}")
    numbers()
    for x_needs_grad in (True, False):
        where = "inside a network" if x_needs_grad else "first adapted layer, which needs no gradient of x"
        print(f"\nForward + backward, {where}: median of {pairs} rounds, ratio to peft, 95 % interval")
        timing(pairs, x_needs_grad)


if __name__ == "__main__":
    main()
