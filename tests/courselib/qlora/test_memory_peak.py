"""The peak of a training step, foretold, against torch's own count: of small models, and of large ones that do not exist."""

import dataclasses

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F

from courselib import lora
from courselib.qlora import layer as four_bits
from courselib.qlora.bert_shape import BertShape
from courselib.qlora.double import DoubleQuantized
from courselib.qlora.layer import FourBitLinear
from courselib.qlora.llama_shape import LlamaShape
from courselib.qlora.memory import peak_memory
from courselib.qlora.shapes import SHAPES
from tests.helpers import shaped_models

METHODS = pytest.mark.parametrize("method, dtype, size", [
    ("full", torch.float32, 4), ("lora", torch.bfloat16, 2), ("qlora", torch.bfloat16, 2),
])  # fmt: skip
RANK = 16


def watched():
    """torch's MemTracker. It hangs a hook on every parameter, also on a frozen one, and so needs telling."""
    from torch.distributed._tools.mem_tracker import MemTracker

    class Quiet(MemTracker):
        def _track_module_params_and_buffers(self, module, install_grad_hooks=True):
            return super()._track_module_params_and_buffers(module, install_grad_hooks=False)

    return Quiet()


def counted(model, texts, accumulated=False):
    """Bytes at the peak of the second step, by torch's count. AdamW is fused, as a GPU has it: nothing comes and goes in it."""
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], fused=True)
    tracker = watched()
    tracker.track_external(model, optimizer)
    with tracker:
        for _ in range(2):
            for _ in range(1 + accumulated):
                tracker.reset_mod_stats()  # it wants that between two forward passes
                loss = model(**texts).loss
                loss.backward()
                del loss
            optimizer.step()
            optimizer.zero_grad()
    snapshot = next(iter(tracker.get_tracker_snapshot("peak").values()))
    return next(count for kind, count in snapshot.items() if str(kind).endswith("Total"))


def foretold(shape, method, size, batch, length, **options):
    moments = 2 * size if method == "full" else 8
    peak = peak_memory(shape, method, batch, length, rank=RANK, weight_bytes=size, size=size, moments=moments, **options)
    return peak.total


@pytest.fixture
def hollow_model(monkeypatch):
    """Models without contents, of the true widths: of what is quantised codes and constants are there, empty too."""
    monkeypatch.setattr(four_bits, "dequantize_packed", lambda packed, *_: torch.empty(2 * packed.numel()))
    monkeypatch.setattr(DoubleQuantized, "constants", lambda self: torch.empty(len(self.codes)))

    def make(shape, method, dtype):
        if getattr(shape, "fused", False):
            monkeypatch.setattr(F, "dropout", shaped_models.dropout_of_a_gpu)
        with torch.device("meta"):
            model = shaped_models.plain(shape).to(dtype).train()
            paths = shaped_models.linear_in_blocks(model)
            for path in paths if method == "qlora" else ():
                parent, _, child = path.rpartition(".")
                setattr(model.get_submodule(parent), child, hollow(model.get_submodule(path)))
            return model if method == "full" else lora.add_lora(model, paths, RANK, RANK)

    return make


def hollow(layer):
    """A `FourBitLinear` of this layer's size with nothing in it."""
    with torch.device("cpu"):
        four = FourBitLinear(nn.Linear(64, 64, bias=False))
    weights = layer.weight.numel()
    four.in_features, four.out_features, four.bias = layer.in_features, layer.out_features, layer.bias
    four.weight = nn.Parameter(torch.empty(weights // 2, dtype=torch.uint8), requires_grad=False)
    blocks = weights // 64
    four.double = DoubleQuantized(torch.empty(blocks, dtype=torch.uint8), torch.empty(-(-blocks // 256)), torch.empty(()), 256)
    return four


def counted_hollow(model, texts_of, accumulated=False):
    """`counted`, with every weight a fake one: torch follows shapes and sizes, and computes nothing."""
    with FakeTensorMode():
        for module in model.modules():
            for name, p in module._parameters.items():
                if p is not None:
                    module._parameters[name] = nn.Parameter(torch.empty(p.shape, dtype=p.dtype), requires_grad=p.requires_grad)
            for name, b in module._buffers.items():
                module._buffers[name] = torch.empty(b.shape, dtype=b.dtype)
        model.tie_weights()
        return counted(model, texts_of(), accumulated)


@METHODS
@pytest.mark.parametrize("shape", [LlamaShape(500, 128, 384, 2, 4, 4), BertShape(500, 128, 384, 2, 4, fused=False)])
def test_the_peak_of_a_small_model_is_within_five_percent_of_what_torch_counts(shape, method, dtype, size):
    """Real weights and real numbers, on this CPU."""
    torch.manual_seed(0)
    model, texts = shaped_models.made(shaped_models.plain(shape), method, dtype, RANK), shaped_models.texts(shape, 6, 64)
    assert foretold(shape, method, size, 6, 64) == pytest.approx(counted(model, texts), rel=0.05)


@METHODS
@pytest.mark.parametrize("name, batch, length, options", [
    ("tinyllama-1.1b", 1, 512, {}), ("tinyllama-1.1b", 4, 512, {}), ("tinyllama-1.1b", 8, 512, {"checkpointing": True}),
    ("llama-7b", 1, 512, {}), ("bert-base", 2, 384, {}), ("bert-base", 16, 256, {"checkpointing": True}),
    ("bert-base", 8, 128, {"accumulated": True}), ("bert-large", 4, 256, {}),
])  # fmt: skip
def test_and_of_two_layers_of_large_ones_whose_numbers_nobody_has(
    name, batch, length, options, method, dtype, size, hollow_model
):
    shape = dataclasses.replace(SHAPES[name], layers=2)  # torch's bookkeeping takes minutes for many
    model = hollow_model(shape, method, dtype)
    if "checkpointing" in options:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    total = counted_hollow(model, lambda: shaped_models.texts(shape, batch, length), "accumulated" in options)
    assert foretold(shape, method, size, batch, length, **options) == pytest.approx(total, rel=0.05)


@pytest.mark.parametrize("method, dtype, size", [
    ("full", torch.float32, 4), ("full", torch.bfloat16, 2), ("lora", torch.float32, 4), ("qlora", torch.bfloat16, 2),
])  # fmt: skip
@pytest.mark.parametrize("how", [{"classes": None}, {"fused": False}])
def test_and_of_a_bert_with_another_head_and_with_a_cpus_kernels(how, method, dtype, size, hollow_model):
    shape = dataclasses.replace(SHAPES["bert-base"], layers=2, **how)
    total = counted_hollow(hollow_model(shape, method, dtype), lambda: shaped_models.texts(shape, 3, 320))
    assert foretold(shape, method, size, 3, 320) == pytest.approx(total, rel=0.05)


def test_and_of_a_whole_bert_base(hollow_model):
    """All twelve layers, in full; with adapters that takes minutes, and the layers above are the same."""
    shape = SHAPES["bert-base"]
    total = counted_hollow(hollow_model(shape, "full", torch.float32), lambda: shaped_models.texts(shape, 8, 128))
    assert foretold(shape, "full", 4, 8, 128) == pytest.approx(total, rel=0.05)
