"""The benchmark for a GPU, as far as a machine without one can tell: what it builds, that it trains, and what it says."""

import importlib
import math

import pytest
import torch

from autograder import places
from courselib.qlora.llama_shape import LlamaShape
from courselib.qlora.memory import peak_memory
from courselib.qlora.shapes import SHAPES

SMALL = LlamaShape(vocabulary=512, width=256, inner=704, layers=2, heads=4, kv_heads=2)


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(places.ROOT / "benchmarks")
    monkeypatch.setitem(SHAPES, "small", SMALL)
    return importlib.import_module("gpu_memory")


def bytes_of(model):
    """What the frozen weights take, the constants of quantised ones included."""
    found = 0
    for parameter in model.parameters():
        state = getattr(parameter, "quant_state", None)
        found += 0 if parameter.requires_grad else parameter.nbytes
        if state is not None:
            found += state.absmax.nbytes + state.state2.absmax.nbytes
    return found


@pytest.mark.parametrize("method", ["full", "lora", "qlora"])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_what_it_builds_is_what_is_foretold_and_trains(benchmark, method, checkpointing):
    torch.manual_seed(0)
    cpu, run = torch.device("cpu"), benchmark.Run("small", method, 2, 16, checkpointing)
    model = benchmark.made(SMALL, method, cpu, torch.float32)
    foretold = peak_memory(SMALL, method, 2, 16, rank=benchmark.RANK, weight_bytes=4)
    if method != "full":
        assert bytes_of(model) == pytest.approx(foretold.weights, rel=1e-3)
    trained = sum(p.nbytes for p in model.parameters() if p.requires_grad)
    assert trained == (foretold.weights if method == "full" else foretold.adapters)
    four_bits = sum(type(module).__name__ == "Linear4bit" for module in model.modules())
    assert four_bits == (7 * SMALL.layers if method == "qlora" else 0)
    begun = [p.detach().clone() for p in model.parameters() if p.requires_grad]
    loss, seconds = benchmark.train(model, run, cpu, steps=1)
    assert abs(loss - math.log(SMALL.vocabulary)) < 1 and seconds > 0
    assert all((p != b).any() for p, b in zip((p for p in model.parameters() if p.requires_grad), begun, strict=True))


def test_the_largest_run_is_foretold_below_48_gb(benchmark):
    [largest] = [run for run in benchmark.PEAKS if run.name == "llama-65b"]
    assert 35 < benchmark.foretold(largest) < 48


def test_without_a_gpu_it_says_so_in_a_sentence(benchmark, monkeypatch):
    monkeypatch.setattr("sys.argv", ["gpu_memory.py"])
    monkeypatch.setattr(benchmark.runtime, "device", lambda: torch.device("cpu"))
    with pytest.raises(SystemExit, match="no GPU .* `course fits` foretells"):
        benchmark.main()
