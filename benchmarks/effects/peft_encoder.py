"""Chapter 09's methods on the real encoder: what each gets out of 32 labelled sentences, at a rate of its own."""

import copy
import functools
from collections.abc import Sequence

import torch
from measured import Check, Effect, Measured
from peft_family import COSTED, PLACES

from courselib.lab import models, runtime
from courselib.lab.classification import batches, classification_loss, optimizer_for, sentence_vectors
from courselib.lab.data.sentiment import sentences
from courselib.lab.experiments import Table, run
from courselib.lab.models import SentenceClassifier
from courselib.lab.training import fit
from courselib.lora.swaps import gentlest
from courselib.peft_family import race
from courselib.peft_family.adalora import orthogonality_penalty
from courselib.peft_family.allocation import Allocator
from courselib.peft_family.putting import trained_count

TUNING, LABELS, STEPS = (100, 101, 102), 32, 30
HEAD = "head alone"
METHODS = (HEAD, *COSTED)
SIZES = {"LoRA": 8, "DoRA": 8, "AdaLoRA": 8, "VeRA": 256, "adapter": 32, "prefix": 16, "prompt": 16}  # as in the table of costs
TRIED = {  # of the body; the head, which every method trains, keeps its own
    "full": (3e-6, 1e-5, 3e-5, 1e-4, 3e-4),
    "LoRA": (1e-4, 3e-4, 1e-3, 3e-3, 1e-2),
    "DoRA": (1e-4, 3e-4, 1e-3, 3e-3, 1e-2),
    "AdaLoRA": (1e-3, 3e-3, 1e-2, 3e-2, 1e-1),
    "VeRA": (3e-3, 1e-2, 3e-2, 1e-1, 3e-1),
    "(IA)³": (1e-3, 3e-3, 1e-2, 3e-2, 1e-1),
    "adapter": (1e-4, 3e-4, 1e-3, 3e-3, 1e-2),
    "prefix": (1e-3, 3e-3, 1e-2, 3e-2, 1e-1),
    "prompt": (1e-3, 3e-3, 1e-2, 3e-2, 1e-1),
    HEAD: (3e-4, 1e-3, 3e-3, 1e-2, 3e-2),  # the head's own
}


@functools.cache
def encoder() -> models.Pretrained:
    return models.load("encoder")


def learned(seed: int, method: str, lr: float, split: str = "test") -> dict:
    """One method on 32 labelled sentences; accuracy on 200 whose words of praise and blame it never saw."""
    runtime.set_seed(seed)
    model = SentenceClassifier(copy.deepcopy(encoder().model))
    if method == HEAD:
        model.encoder.requires_grad_(False)
    elif method != "full":
        model.encoder = race.put_in(model.encoder, method, SIZES.get(method, 0), **PLACES["encoder"])
    optimizer = optimizer_for(model, lr, lr) if method == HEAD else optimizer_for(model, lr)
    callbacks, loss = [], classification_loss
    if method == "AdaLoRA":
        callbacks = [Allocator(model, SIZES[method] // 2, STEPS, warmup=STEPS // 4, final=STEPS // 4)]

        def loss(model: torch.nn.Module, batch: tuple) -> torch.Tensor:
            return classification_loss(model, batch) + race.ORTHOGONAL * orthogonality_penalty(model)

    runtime.set_seed(seed)  # a method has drawn its start, and all see the same batches
    fit(model, batches(encoder().tokenizer, *sentences(LABELS, "train", seed), size=8), loss, optimizer, steps=STEPS,
        callbacks=callbacks, max_grad_norm=1.0, progress=False)  # fmt: skip
    texts, labels = sentences(200, split, seed)
    with torch.no_grad():
        said = model.classifier(sentence_vectors(model, encoder().tokenizer, texts)).argmax(-1).cpu()
    return {"accuracy": (said == torch.tensor(labels)).double().mean().item(), "trained": trained_count(model)}


def on_the_encoder(seeds: Sequence[int], cache: bool = True, quick: bool = False) -> Measured:
    tried = {name: rates[1:4:2] if quick else rates for name, rates in TRIED.items()}
    settings = {f"{name}, tuning, {lr:g}": {"method": name, "lr": lr, "split": "validation"}
                for name, rates in tried.items() for lr in rates}  # fmt: skip
    tuning = run(learned, settings, TUNING[:2] if quick else TUNING, cache=cache)

    def best(name: str) -> float:
        found = {lr: tuning.column("accuracy", f"{name}, tuning, {lr:g}") for lr in tried[name]}
        return gentlest({lr: sum(values) / len(values) for lr, values in found.items()})

    rates = {name: best(name) for name in METHODS}
    final = run(learned, {name: {"method": name, "lr": lr} for name, lr in rates.items()}, seeds, cache=cache)

    def minus(one: str, other: str) -> list[float]:
        return [100 * (a - b) for a, b in zip(final.column("accuracy", one), final.column("accuracy", other), strict=True)]

    checks = [Check("LoRA minus full fine-tuning, in points", minus("LoRA", "full"), -2)]
    checks += [Check(f"{name} minus the head alone, in points", minus(name, HEAD), 2) for name in METHODS if name != HEAD]
    checks += [Check(f"{name} minus LoRA, in points", minus(name, "LoRA"), 0) for name in ("DoRA", "AdaLoRA")]
    return Measured(
        checks, Table([*tuning.rows, *(row | {"rate": rates[row["setting"]]} for row in final.rows)]),
        columns=("accuracy", "trained", "rate"),
        note="Thirty steps of eight of 32 labelled sentences, 200 test sentences in which no word of praise or blame and no "
        "frame of the training sentences occurs; every method on all linear layers (adapters behind the two that end a half), "
        "its head at chapter 02's rate, the gradient's norm cut at 1. Rates were chosen on seeds 100 to 102 and the validation "
        "split, five a factor of about three apart, the smallest within a point of the best. Two classes: guessing gets 0.5.",
    )  # fmt: skip


EFFECTS = [
    Effect("The family on the encoder",
           "LoRA within 2 points of full fine-tuning; each above the head alone; a variant above LoRA", on_the_encoder,
           data="peft_encoder"),
]  # fmt: skip
