"""What a strategy costs, before anything is run: parameters, memory, operations, money.

Counts are exact. Money is an estimate, and each of its assumptions is an argument. Memory is what is there before the first
activation: 4 bytes for a float32 weight and 12 more for each trained one (`courselib.lora.adamw_memory`).
The rule of six operations for a parameter and a token is Kaplan et al. 2020, arXiv:2001.08361, section 2.1.
"""

from __future__ import annotations

from dataclasses import dataclass

from courselib.lora import adamw_memory, attention_budget, parameter_count

BERT_BASE = {"embeddings": 23_837_184, **{f"layer.{i}": 7_087_872 for i in range(12)}, "head": 1_538}
ADAPTER_RANK = 8
SMALL_DATA, MANY_TASKS = 1_000, 5  # where `recommend` changes its mind: rules of thumb, not results


def one_layer_counts(d: int, k: int, classes: int, rank: int) -> dict[str, int]:
    """What is trained if the network is one layer, a matrix `(d, k)` with `classes` outputs behind it, biases left out.

    There is no "partial" here: one layer has no upper quarter.
    """
    return {"full": d * k, "feature extraction": k * classes, "LoRA": parameter_count(d, k, rank)}


def stack_counts(d: int, layers: int, classes: int, rank: int, top: int) -> dict[str, int]:
    """The same for a stack of `layers` matrices `(d, d)`: here the `top` ones can be chosen. Heads are counted throughout."""
    head = d * classes
    return {
        "full": layers * d * d + head, "feature extraction": head,
        f"top {top} of {layers}": top * d * d + head, "LoRA": layers * parameter_count(d, d, rank) + head,
    }


def pretraining_flop(parameters: float, tokens: float) -> float:
    """6 operations for each parameter and token: two forward, four backward. GPT-3: 6 * 175e9 * 300e9 = 3.15e23."""
    return 6 * parameters * tokens


def dollars(flop: float, flop_per_second: float, price_per_hour: float) -> float:
    """The rent for `flop` operations on a card that really does `flop_per_second`, at a price an hour."""
    return flop / flop_per_second / 3600 * price_per_hour


@dataclass(frozen=True)
class Option:
    """One way to train a model: `trained` parameters, static memory in GB, and what all tasks together store, in GB."""

    strategy: str
    trained: int
    memory_gb: float
    stored_gb: float


def options(counts: dict[str, int], tasks: int = 1, hidden: int = 768) -> list[Option]:
    """What each strategy needs for a model whose blocks hold `counts` numbers (bottom up, the head last), float32 and AdamW.

    GB are 10^9 bytes. Activations come on top: they depend on batch and length. Full fine-tuning stores a model for each task;
    the others store the base once and, for each task, what they trained.
    """
    total, head = sum(counts.values()), counts["head"]
    layers = [name for name in counts if name.startswith("layer.")]
    adapters = attention_budget(hidden, len(layers), matrices=2, rank=ADAPTER_RANK)[0]
    top = sum(counts[name] for name in layers[-2:])
    found = []
    for strategy, trained, new in [
        ("full", total, 0), ("top 2 layers", top + head, 0), ("LoRA", adapters + head, adapters), ("feature extraction", head, 0),
    ]:
        memory = adamw_memory(total + new, trained)
        stored = 4 * tasks * total if strategy == "full" else 4 * (total - head + tasks * trained)
        found.append(Option(strategy, trained, memory / 1e9, stored / 1e9))
    return found


def recommend(counts: dict[str, int], labels: int, memory_gb: float, tasks: int = 1) -> tuple[str, str]:
    """A strategy to try first, and why: a rule of thumb of this course, written down so that it can be argued with.

    Half of the memory is kept free for activations. Raises ValueError when not even the frozen model fits.
    """
    fitting = {o.strategy: o for o in options(counts, tasks) if o.memory_gb <= memory_gb / 2}
    if not fitting:
        raise ValueError(f"The weights alone fill more than half of {memory_gb:g} GB. Try a smaller or a quantised model.")
    if tasks >= MANY_TASKS and "LoRA" in fitting:
        copies = 4e-9 * tasks * sum(counts.values())
        return "LoRA", f"one base and {tasks} adapters: {fitting['LoRA'].stored_gb:.2f} GB instead of {copies:.2f}"
    if labels < SMALL_DATA and "LoRA" in fitting:
        return "LoRA", f"{labels} labels; measure feature extraction beside it, and try augmentation"
    if "full" in fitting:
        return "full", f"{fitting['full'].memory_gb:.2f} GB static of {memory_gb:g}, and {labels:,} labels"
    best = next(name for name in ("LoRA", "top 2 layers", "feature extraction") if name in fitting)
    return best, f"full fine-tuning does not fit into half of {memory_gb:g} GB"
