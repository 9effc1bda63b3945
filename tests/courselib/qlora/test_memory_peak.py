"""The peak of a training step, foretold, against torch's own count: of a small model, and of large ones that do not exist."""

import dataclasses

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from courselib import lora
from courselib.lab import runtime
from courselib.qlora import layer as four_bits
from courselib.qlora.double import DoubleQuantized
from courselib.qlora.finetuning import QUANTISED
from courselib.qlora.layer import FourBitLinear, quantize_model
from courselib.qlora.memory import SHAPES, LlamaShape, peak_memory

METHODS = pytest.mark.parametrize("method, dtype, size", [
    ("full", torch.float32, 4), ("lora", torch.bfloat16, 2), ("qlora", torch.bfloat16, 2),
])  # fmt: skip


def llama(shape):
    from transformers import LlamaConfig, LlamaForCausalLM

    runtime.quiet()
    return LlamaForCausalLM(LlamaConfig(
        vocab_size=shape.vocabulary, hidden_size=shape.width, intermediate_size=shape.inner, num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads, num_key_value_heads=shape.kv_heads, tie_word_embeddings=False,
    ))  # fmt: skip


def watched():
    """torch's MemTracker. It hangs a hook on every parameter, also on a frozen one, and so needs telling."""
    from torch.distributed._tools.mem_tracker import MemTracker

    class Quiet(MemTracker):
        def _track_module_params_and_buffers(self, module, install_grad_hooks=True):
            return super()._track_module_params_and_buffers(module, install_grad_hooks=False)

    return Quiet()


def counted(model, ids):
    """Bytes at the peak of the second step, by torch's count. AdamW is fused, as a GPU has it: nothing comes and goes in it."""
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], fused=True)
    tracker = watched()
    tracker.track_external(model, optimizer)
    with tracker:
        for step in range(2):
            loss = model(input_ids=ids, labels=ids).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            del loss
            if step == 0:
                tracker.reset_mod_stats()
    snapshot = next(iter(tracker.get_tracker_snapshot("peak").values()))
    return next(count for kind, count in snapshot.items() if str(kind).endswith("Total"))


def foretold(shape, method, size, batch, length, rank):
    moments = 2 * size if method == "full" else 8
    return peak_memory(shape, method, batch, length, rank=rank, weight_bytes=size, size=size, moments=moments).total


@METHODS
def test_the_peak_of_a_small_model_is_within_five_percent_of_what_torch_counts(method, dtype, size):
    torch.manual_seed(0)
    shape = LlamaShape(500, 128, 384, 2, 4, 4)
    model, ids = llama(shape).to(dtype).train(), torch.randint(0, 500, (4, 64))
    if method == "qlora":
        quantize_model(model, QUANTISED)
    if method != "full":
        lora.add_lora(model, QUANTISED, 4, 4)
    assert foretold(shape, method, size, 4, 64, 4) == pytest.approx(counted(model, ids), rel=0.05)


@METHODS
@pytest.mark.parametrize("name", ["tinyllama-1.1b", "llama-7b"])
def test_and_of_four_layers_of_large_ones_whose_numbers_nobody_has(name, method, dtype, size, monkeypatch):
    """Tensors without contents, of the true widths; of what is quantised, the codes and constants are there, empty too."""
    shape = dataclasses.replace(SHAPES[name], layers=4)
    with torch.device("meta"):
        model = llama(shape).to(dtype).train()
        if method == "qlora":
            for path in [p for p, m in model.named_modules() if isinstance(m, nn.Linear) and p.split(".")[-1] in QUANTISED]:
                parent, _, child = path.rpartition(".")
                setattr(model.get_submodule(parent), child, hollow(model.get_submodule(path)))
        if method != "full":
            lora.add_lora(model, QUANTISED, 16, 16)
    monkeypatch.setattr(four_bits, "dequantize_packed", lambda packed, *_: torch.empty(2 * packed.numel()))
    monkeypatch.setattr(DoubleQuantized, "constants", lambda self: torch.empty(len(self.codes)))
    with FakeTensorMode():
        for module in model.modules():
            for name_, p in module._parameters.items():
                if p is not None:
                    module._parameters[name_] = nn.Parameter(torch.empty(p.shape, dtype=p.dtype), requires_grad=p.requires_grad)
            for name_, b in module._buffers.items():
                module._buffers[name_] = torch.empty(b.shape, dtype=b.dtype)
        total = counted(model, torch.zeros(1, 512, dtype=torch.long))
    assert foretold(shape, method, size, 1, 512, 16) == pytest.approx(total, rel=0.05)


def hollow(layer):
    """A `FourBitLinear` of this layer's size with nothing in it."""
    with torch.device("cpu"):
        four = FourBitLinear(nn.Linear(64, 64, bias=False))
    weights = layer.weight.numel()
    four.in_features, four.out_features = layer.in_features, layer.out_features
    four.weight = nn.Parameter(torch.empty(weights // 2, dtype=torch.uint8), requires_grad=False)
    blocks = weights // 64
    four.double = DoubleQuantized(torch.empty(blocks, dtype=torch.uint8), torch.empty(-(-blocks // 256)), torch.empty(()), 256)
    return four
