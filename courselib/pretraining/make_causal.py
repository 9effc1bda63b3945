"""Making the course's own language model again: `python -m courselib.pretraining.make_causal`.

The causal model reads documents of the generated `general` world, whose entropy is known exactly, and a quarter of the time
English prose that comes with every Python. The recipe is resumable: it writes its state every `SAVE_EVERY` steps, and the
same command goes on from there. Which windows a step reads depends on the step's number alone, so an interrupted run reads
what an uninterrupted one would have read.
"""

from __future__ import annotations

import csv
import json
import math
import platform
import time
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from courselib.lab import runtime
from courselib.lab.data import prose, worlds
from courselib.lab.data.windows import Windows, token_stream
from courselib.lab.models.causal import FOLDER, log_likelihood, next_token_loss
from courselib.lab.models.tokenizer import train_tokenizer
from courselib.lab.training import Step, fit

SEED, STEPS, WARMUP, BATCH, WINDOW, PEAK = 0, 1200, 100, 16, 128, 3e-3
SHARES = (12, 4)  # windows of a batch from the general world, and from English prose, of which there is less
SAVE_EVERY = 200
WORLD_DOCUMENTS, HELD_OUT = 12_000, 200
SHAPE = dict(  # every linear width a multiple of 64: bitsandbytes on some CPUs is wrong otherwise
    hidden_size=128, intermediate_size=384, num_hidden_layers=6, num_attention_heads=2, num_key_value_heads=2,
    max_position_embeddings=512, tie_word_embeddings=True,
)


def training_texts() -> tuple[list[str], list[str]]:
    """The training documents of the general world, and of English prose."""
    return worlds.world("general").texts(WORLD_DOCUMENTS, "train", SEED), prose.english("train")


def causal(folder: Path = FOLDER, steps: int = STEPS) -> None:
    """Pretrain the causal model and write it to `folder`, with its tokenizer, its loss curve and a model card."""
    from transformers import LlamaConfig, LlamaForCausalLM

    print(runtime.start(SEED))
    begun = time.perf_counter()
    folder.mkdir(parents=True, exist_ok=True)
    general, english = training_texts()
    tokenizer = train_tokenizer([*general[:3000], *english], longest=SHAPE["max_position_embeddings"])
    end = tokenizer.eos_token_id
    streams = [token_stream(tokenizer, texts) for texts in (general, english)]
    print(f"{len(tokenizer):,} tokens; the general world gives {len(streams[0]):,}, English prose {len(streams[1]):,}")

    ends = {"bos_token_id": end, "eos_token_id": end, "pad_token_id": tokenizer.pad_token_id}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **SHAPE, **ends)).to(runtime.device())
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    done, curve = _resume(folder, model, optimizer)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: learning_rate(done + step, steps))
    if done < steps:
        def keep(step: Step) -> None:
            curve.append((done + step.number, step.loss))
            if step.number % SAVE_EVERY == 0 or step.number == step.steps:
                _save_state(folder, model, optimizer, done + step.number, curve)

        windows = Windows(streams, SHARES, WINDOW, SEED, done)
        fit(model, windows, next_token_loss, optimizer, steps=steps - done, scheduler=schedule, max_grad_norm=1.0,
            callbacks=[keep])
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    _write_card(folder, model, tokenizer, curve, time.perf_counter() - begun)
    for leftover in folder.glob("state.*"):
        leftover.unlink()
    print(f"Written to {folder}.")


def learning_rate(step: int, steps: int) -> float:
    """Share of the peak learning rate: linear warm-up, then half a cosine down to a tenth."""
    if step < WARMUP:
        return (step + 1) / WARMUP
    return 0.55 + 0.45 * math.cos(math.pi * min(1.0, (step - WARMUP) / max(1, steps - WARMUP)))


def _save_state(folder: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, step: int, curve: list) -> None:
    """Model, moments and curve, each file written whole before it takes its place; the step's file comes last."""
    moments = {f"{i}.{k}": v.contiguous() for i, s in optimizer.state_dict()["state"].items() for k, v in s.items()}
    weights = {name: parameter.detach().contiguous() for name, parameter in model.named_parameters()}
    for name, tensors in {"model": weights, "moments": moments}.items():
        save_file(tensors, folder / f"state.{name}.part")
        (folder / f"state.{name}.part").replace(folder / f"state.{name}.safetensors")
    (folder / "state.part").write_text(json.dumps({"step": step, "curve": curve}), encoding="utf-8")
    (folder / "state.part").replace(folder / "state.json")


def _resume(folder: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> tuple[int, list]:
    """Puts back what `_save_state` wrote; returns the steps done and the curve so far, or 0 and an empty one."""
    if not (folder / "state.json").exists():
        return 0, []
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    model.load_state_dict(load_file(folder / "state.model.safetensors"), strict=False)  # lm_head is the tied embedding
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in load_file(folder / "state.moments.safetensors").items():
        index, name = key.split(".")
        moments.setdefault(int(index), {})[name] = value
    packed = optimizer.state_dict()
    optimizer.load_state_dict({"state": moments, "param_groups": packed["param_groups"]})
    print(f"Going on from step {state['step']}.")
    return state["step"], [tuple(point) for point in state["curve"]]


def _write_card(folder: Path, model: torch.nn.Module, tokenizer: object, curve: list, seconds: float) -> None:
    with (folder / "loss.csv").open("w", newline="", encoding="utf-8") as file:
        rows = [("step", "loss in nats a token"), *((n, f"{loss:.4f}") for n, loss in curve[9::10])]
        csv.writer(file, lineterminator="\n").writerows(rows)
    rows = []
    for name in ("general", "clinical"):
        texts, truth = worlds.world(name).texts(HELD_OUT, "test", SEED), worlds.world(name).grammar("test")
        words = sum(len(truth.tokens(text)) for text in texts)
        nats = -sum(log_likelihood(model, tokenizer, texts)) / words
        exact = -sum(truth.log_prob(text) for text in texts) / words
        rows.append(f"| {name} | {exact:.3f} | {nats:.3f} | {math.exp(nats):.1f} |")
    card = CARD.format(
        parameters=sum(p.numel() for p in model.parameters()), shape=SHAPE, vocabulary=len(tokenizer), seed=SEED,
        steps=len(curve), tokens=len(curve) * BATCH * WINDOW, peak=PEAK, warmup=WARMUP, batch=BATCH, window=WINDOW,
        minutes=seconds / 60, machine=platform.machine(), threads=torch.get_num_threads(), torch=torch.__version__,
        table="\n".join(rows), held_out=HELD_OUT,
    )
    (folder / "README.md").write_text(card, encoding="utf-8")


CARD = """# The course's causal language model

A Llama of {parameters:,} parameters with a byte-level vocabulary of {vocabulary:,}.
`python -m courselib.pretraining.make_causal` makes it, and writes this card.

- **Data**: three quarters documents of the generated world `general`, one quarter English prose that comes with Python (the
  help topics of `pydoc`). Nothing else.
- **Recipe**: AdamW, peak learning rate {peak}, {warmup} steps of warm-up, then a cosine; {steps} steps of {batch} windows of
  {window} tokens ({tokens:,} tokens); seed {seed}. The loss curve is in `loss.csv`.
- **Shape**: {shape}
- **Made in** {minutes:.0f} minutes of the last run on {machine}, {threads} thread(s), torch {torch}.

What it can do, on {held_out} fresh documents each, in nats a word (the end of the text counted with it):

| world | what the text really holds (exact) | this model | perplexity a word |
|---|---|---|---|
{table}

Use it for the course's experiments. It knows nothing about the world, medicine or law.
"""

if __name__ == "__main__":
    causal()
