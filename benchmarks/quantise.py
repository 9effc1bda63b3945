"""NF4 beside bitsandbytes: the same bits, and what quantising and dequantising a matrix costs.

    python benchmarks/quantise.py [--rounds 30] [--size 4096]

Seconds are the processor's, not the clock's. A shared machine is noisy all the same, so every round runs all contenders one after
another, in rotating order, and only ratios within a round are compared. The table gives the median ratio and a 95 % interval for
it. "bitsandbytes again" is the same call once more: how far its ratio lies from 1 is what noise alone does here.

Targets, 4096 x 4096, float32, one thread: quantise <= 0.50, dequantise <= 1.00, all bits equal.
"""

import argparse
import gc
import statistics
import time
from collections.abc import Callable

import torch
from lora import median_interval

from courselib.lab import runtime
from courselib.qlora.blocks import dequantize_packed, pack_codes, quantize_blocks
from courselib.qlora.levels import nf4_levels

BLOCK = 64
TARGETS = {"quantise": 0.5, "dequantise": 1.0}


def contenders(W: torch.Tensor) -> dict[str, dict[str, Callable[[], object]]]:
    """Job -> name -> a call of no arguments. Ours packs too, since theirs does."""
    import bitsandbytes.functional as theirs

    levels = nf4_levels()
    packed, state = theirs.quantize_4bit(W, blocksize=BLOCK, quant_type="nf4")

    def quantise() -> object:
        codes, absmax = quantize_blocks(W, levels, BLOCK)
        return pack_codes(codes), absmax

    def their_quantise() -> object:
        return theirs.quantize_4bit(W, blocksize=BLOCK, quant_type="nf4")

    def dequantise() -> object:
        return dequantize_packed(packed.view(-1), state.absmax, levels, BLOCK).view(W.shape)

    def their_dequantise() -> object:
        return theirs.dequantize_4bit(packed, state)

    return {
        "quantise": {"bitsandbytes": their_quantise, "ours": quantise, "bitsandbytes again": their_quantise},
        "dequantise": {"bitsandbytes": their_dequantise, "ours": dequantise, "bitsandbytes again": their_dequantise},
    }


def equal_bits(W: torch.Tensor) -> bool:
    """Whether codes, constants and values are theirs, bit for bit."""
    calls = contenders(W)
    (packed, absmax), (their_packed, state) = calls["quantise"]["ours"](), calls["quantise"]["bitsandbytes"]()
    values = torch.equal(calls["dequantise"]["ours"](), calls["dequantise"]["bitsandbytes"]())
    return torch.equal(packed, their_packed.view(-1)) and torch.equal(absmax, state.absmax) and values


def timing(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, tuple[float, float, float, float]]:
    """Name -> (median milliseconds, median ratio to bitsandbytes, and the ends of its interval)."""
    names, seconds = list(calls), {name: [] for name in calls}
    for call in calls.values():
        call()
    gc.collect()
    gc.disable()
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            begin = time.process_time()
            calls[name]()
            seconds[name].append(time.process_time() - begin)
    gc.enable()
    found = {}
    for name in names:
        ratios = sorted(a / b for a, b in zip(seconds[name], seconds["bitsandbytes"], strict=True))
        found[name] = 1e3 * statistics.median(seconds[name]), statistics.median(ratios), *median_interval(ratios)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--size", type=int, default=4096, help="width and height, a multiple of 64")
    options = parser.parse_args()
    torch.set_num_threads(1)
    runtime.quiet()
    import bitsandbytes

    W = torch.randn(options.size, options.size, generator=torch.Generator().manual_seed(0))
    print(f"NF4, {options.size} x {options.size}, blocks of {BLOCK}, float32, one thread; torch {torch.__version__}, "
          f"bitsandbytes {bitsandbytes.__version__}")
    print(f"codes, constants and values: {'the same bits' if equal_bits(W) else 'DIFFERENT'}")
    for job, calls in contenders(W).items():
        found = timing(calls, max(10, options.rounds))
        for name, (milliseconds, ratio, low, high) in found.items():
            reached = f"   target {TARGETS[job]:.2f}: {'yes' if ratio <= TARGETS[job] else 'no'}" if name == "ours" else ""
            print(f"  {job:10} {name:<20} {milliseconds:8.1f} ms   ratio {ratio:.3f}   [{low:.3f}, {high:.3f}]{reached}")


if __name__ == "__main__":
    main()
