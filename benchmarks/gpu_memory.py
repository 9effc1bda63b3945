"""What a training step really holds on a GPU, beside what `courselib.qlora.memory` foretells; and how fast it is.

    python benchmarks/gpu_memory.py                    # all of it; writes chapters/measured/gpu_memory.md
    python benchmarks/gpu_memory.py --only llama-7b    # one shape; prints, and writes nothing

It is meant for a card of 80 GB and ten minutes, and has not met one yet: no table is kept.

Nothing is downloaded: the shapes are those of public models, the weights random. They are made block by block, and each block is
quantised (by bitsandbytes, NF4 with double quantisation) before the next is made, so that 65B never exist in 16 bits. A row that
does not fit says so, and the next one begins. At the end the quickstart and chapter 08 are executed on the card.
"""

from __future__ import annotations

import argparse
import gc
import time
from dataclasses import dataclass

import torch
from torch import nn

from autograder import places
from courselib.lab import measured, runtime
from courselib.lora import add_lora
from courselib.qlora.finetuning import QUANTISED
from courselib.qlora.llama_shape import LlamaShape
from courselib.qlora.memory import GB, peak_memory
from courselib.qlora.shapes import SHAPES

RANK = 16
TARGET = measured.FOLDER / "gpu_memory.md"
STEPS, WARM_UP = 8, 2  # timed, and before that


@dataclass(frozen=True)
class Run:
    """A shape, how it is trained, and texts of `length` tokens in batches of `batch`."""

    name: str
    method: str
    batch: int
    length: int
    checkpointing: bool = False


PEAKS = (
    Run("tinyllama-1.1b", "full", 4, 512), Run("tinyllama-1.1b", "lora", 4, 512), Run("tinyllama-1.1b", "qlora", 4, 512),
    Run("llama-7b", "lora", 1, 512), Run("llama-7b", "qlora", 1, 512), Run("llama-7b", "qlora", 4, 1024, checkpointing=True),
    Run("llama-13b", "qlora", 1, 512), Run("llama-65b", "qlora", 1, 512, checkpointing=True),
)  # fmt: skip


def quantised(layer: nn.Linear) -> nn.Module:
    """The layer in bitsandbytes' four bits, on the device where it is."""
    import bitsandbytes

    new = bitsandbytes.nn.Linear4bit(layer.in_features, layer.out_features, bias=False, compute_dtype=layer.weight.dtype,
                                     quant_type="nf4", compress_statistics=True, device="meta")  # fmt: skip
    weight = bitsandbytes.nn.Params4bit(layer.weight.data, requires_grad=False, quant_type="nf4", compress_statistics=True)
    new.weight = weight.to(layer.weight.device)  # here it is quantised
    return new


def made(shape: LlamaShape, method: str, device: torch.device, dtype: torch.dtype) -> nn.Module:
    """A Llama of this shape with random weights, ready to be trained by the method; LoRA on every linear layer of the blocks.

    Full fine-tuning is in float32, as `peak_memory` has it; the other two keep what is frozen in `dtype`.
    """
    from transformers import LlamaConfig, LlamaForCausalLM
    from transformers.models.llama.modeling_llama import LlamaDecoderLayer

    config = LlamaConfig(vocab_size=shape.vocabulary, hidden_size=shape.width, intermediate_size=shape.inner, num_hidden_layers=0,
                         num_attention_heads=shape.heads, num_key_value_heads=shape.kv_heads,
                         tie_word_embeddings=not shape.untied, use_cache=False)  # fmt: skip
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32 if method == "full" else dtype)
    try:
        with device:
            model = LlamaForCausalLM(config)
            config.num_hidden_layers = model.config.num_hidden_layers = shape.layers
            for place in range(shape.layers):
                block = LlamaDecoderLayer(config, place)
                if method == "qlora":
                    for path, layer in [(p, m) for p, m in block.named_modules() if isinstance(m, nn.Linear)]:
                        parent, _, child = path.rpartition(".")
                        setattr(block.get_submodule(parent), child, quantised(layer))
                model.model.layers.append(block)
    finally:
        torch.set_default_dtype(before)
    return model.train() if method == "full" else add_lora(model.train(), QUANTISED, RANK, RANK)


def train(model: nn.Module, run: Run, device: torch.device, steps: int) -> tuple[float, float]:
    """(loss of the last step, seconds a step), over `steps` steps after those for warming up, with one fused AdamW."""
    if run.checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4, fused=True)
    ids = torch.randint(0, model.config.vocab_size, (run.batch, run.length), device=device)
    for step in range(WARM_UP + steps):
        if step == WARM_UP:
            _wait(device)
            begun = time.perf_counter()
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    value = loss.item()  # waits for the device
    return value, (time.perf_counter() - begun) / steps


def foretold(run: Run) -> float:
    """GB, as `peak_memory` has it."""
    return peak_memory(SHAPES[run.name], run.method, run.batch, run.length, rank=RANK, checkpointing=run.checkpointing).total / GB


def row(run: Run, device: torch.device) -> str:
    """A row of the table: what was foretold, what was held at the peak, and tokens a second."""
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    how = f"{run.name} | {run.method}{', checkpointing' if run.checkpointing else ''} | {run.batch} × {run.length}"
    try:
        _, seconds = train(made(SHAPES[run.name], run.method, device, torch.bfloat16), run, device, STEPS)
    except torch.OutOfMemoryError:
        return f"| {how} | {foretold(run):.2f} | does not fit | – | – |"
    held = torch.cuda.max_memory_allocated(device) / GB
    speed = run.batch * run.length / seconds
    return f"| {how} | {foretold(run):.2f} | {held:.2f} | {foretold(run) / held - 1:+.1%} | {speed:,.0f} |"


def chapter_row(name: str) -> str:
    """A chapter executed on the card: whether every cell ran, and its seconds."""
    from autograder.notebooks.execute import run_notebook
    from autograder.publishing.chapter import source_notebook

    run = run_notebook(source_notebook(places.CHAPTERS / f"{name}.md"))
    said = "; ".join(f"cell {e.index}: {e.name}" for e in run.errors) or "every cell ran"
    return f"| {name} | {said} | {run.seconds:.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=sorted({run.name for run in PEAKS}), help="one shape; then nothing is written")
    only = parser.parse_args().only
    device = runtime.device()
    if device.type != "cuda":
        raise SystemExit("torch sees no GPU of NVIDIA or AMD here, so there is nothing to measure. `course fits` foretells what "
                         "a step would hold on one.")  # fmt: skip
    runtime.quiet()
    card = torch.cuda.get_device_properties(device)
    lines = ["# What a training step holds on a GPU", "",
             f"Made by `python benchmarks/gpu_memory.py` on {card.name}, {card.total_memory / GB:.0f} GB, with torch "
             f"{torch.__version__}. Random weights, rank {RANK}, bfloat16 (full fine-tuning: float32), fused AdamW.", "",
             "| model | method | batch × tokens | foretold, GB | held, GB | foretold is | tokens a second |",
             "|---|---|---|--:|--:|--:|--:|"]  # fmt: skip
    print("\n".join(lines), flush=True)
    for run in PEAKS:
        if only in (None, run.name):
            lines.append(row(run, device))
            print(lines[-1], flush=True)
    if only is None:
        lines += ["", "| chapter on the card | | seconds |", "|---|---|--:|"]
        lines += [chapter_row(name) for name in ("00_quickstart", "08_lora")]
        print("\n".join(lines[-4:]))
        TARGET.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main()
