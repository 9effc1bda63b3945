"""How much LoRA saves, counted exactly.

A full update of a weight matrix (d_out, d_in) trains d_out * d_in numbers. LoRA trains two thin factors,
B (d_out, rank) and A (rank, d_in), so rank * (d_out + d_in) numbers: exactly, nothing is rounded.
Always say what a saving is a saving *of*. A share that remains is not the share removed; trained parameters
are not memory; one matrix is not the whole model.

Paper: Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models", arXiv:2106.09685, sections 1 and
4.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from numbers import Integral

WEIGHT_BYTES = 4  # one float32 weight
TRAINING_BYTES = 12  # what each trained weight adds: its gradient and AdamW's two moments, float32


def parameter_count(d_out: int, d_in: int, rank: int) -> int:
    """Numbers in one LoRA adapter of a (d_out, d_in) matrix: rank * (d_out + d_in).

    Source: Hu et al. 2021, section 4.2. Raises ValueError unless all three are whole numbers >= 1.
    """
    _whole(d_out=d_out, d_in=d_in, rank=rank)
    return rank * (d_out + d_in)


def remaining_share(d_out: int, d_in: int, rank: int) -> float:
    """Adapter parameters / matrix parameters: the share that is *still trained* (768, 768, 8 -> 0.0208)."""
    return parameter_count(d_out, d_in, rank) / (d_out * d_in)


def reduction_share(d_out: int, d_in: int, rank: int) -> float:
    """1 - remaining share: the share that is *no longer trained* (768, 768, 8 -> 0.9792)."""
    return 1 - remaining_share(d_out, d_in, rank)


def reduction_factor(d_out: int, d_in: int, rank: int) -> float:
    """Matrix parameters / adapter parameters: "how many times fewer" (512, 512, 8 -> 32)."""
    return d_out * d_in / parameter_count(d_out, d_in, rank)


def attention_budget(hidden: int, layers: int, matrices: int, rank: int) -> tuple[int, float]:
    """What LoRA on `matrices` square (hidden, hidden) projections in each of `layers` layers adds.

    Returns the added parameters, and their share of the adapted matrices (not of the whole model).
    BERT-base, 4 matrices, rank 16 -> (1,179,648, 0.041667). Raises ValueError unless all are whole numbers >=
    1.
    """
    _whole(hidden=hidden, layers=layers, matrices=matrices, rank=rank)
    added = layers * matrices * parameter_count(hidden, hidden, rank)
    return added, added / (layers * matrices * hidden * hidden)


def multi_task_ratio(d_out: int, d_in: int, rank: int, tasks: int) -> float:
    """How many times more parameters `tasks` full copies store than one base with `tasks` adapters.

        tasks * d_out * d_in / (d_out * d_in + tasks * rank * (d_out + d_in))

    512, 512, 8, 3 -> 2.742857. The base is stored once either way, so few tasks gain little: the ratio climbs
    from below 1 (one task: the adapter comes on top) towards `reduction_factor` and never reaches it.
    """
    _whole(tasks=tasks)
    adapter = parameter_count(d_out, d_in, rank)
    return tasks * d_out * d_in / (d_out * d_in + tasks * adapter)


def tasks_for_ratio(d_out: int, d_in: int, rank: int, ratio: float) -> int:
    """Fewest tasks at which `multi_task_ratio` reaches `ratio` (512, 512, 8, 24 -> 96 tasks).

    Solves tasks * full = ratio * (full + tasks * adapter) in exact fractions, and rounds up.
    Raises ValueError when the ratio is not positive, or at or above its limit `reduction_factor`.
    """
    full, adapter = d_out * d_in, parameter_count(d_out, d_in, rank)
    if not 0 < ratio < full / adapter:
        raise ValueError(
            f"the ratio should lie above 0 and below {full / adapter:g}, its limit for ({d_out}, {d_in}) at "
            f"rank {rank}, but {ratio} came. Try a smaller ratio or a smaller rank."
        )
    exact = Fraction(ratio)
    return math.ceil(exact * full / (full - exact * adapter))


def adamw_memory(parameters: int, trainable: int | None = None) -> int:
    """Static bytes of float32 training with AdamW: 4 for every weight, 12 more for each trained one.

    The 12 are the gradient and AdamW's first and second moment, 4 bytes each. Activations come on top: they
    grow with the batch, and LoRA saves little of them. `parameters` counts all weights, adapters included;
    `trainable` defaults to all of them. 175e9 -> 2.8e12 bytes = 2.8 TB (decimal units). Raises ValueError for
    negative or fractional counts, or more trainable weights than weights.
    """
    trainable = parameters if trainable is None else trainable
    if parameters % 1 or trainable % 1 or not 0 <= trainable <= parameters:
        raise ValueError(
            "expected whole numbers with 0 <= trainable <= parameters, but "
            f"parameters={parameters} and trainable={trainable} came. The adapters count as parameters too."
        )
    return WEIGHT_BYTES * int(parameters) + TRAINING_BYTES * int(trainable)


@dataclass(frozen=True)
class GPT3Reduction:
    """LoRA on GPT-3 175B in numbers; see `gpt3_reduction`."""

    rank: int
    added_parameters: int  # trained by LoRA in the whole model
    per_matrix: float  # times fewer, for one adapted matrix
    whole_model: float  # times fewer, against all 175 billion parameters


def gpt3_reduction(rank: int = 4) -> GPT3Reduction:
    """LoRA on the query and value matrices of GPT-3 175B: 96 layers, d = 12,288.

    At rank 4 one matrix trains 1,536 times fewer numbers (6,144 times is rank 1). The whole model trains
    9,272 times fewer, since most of its matrices get no adapter at all: 175e9 / (96 * 2 * 4 * 2 * 12,288),
    that is 175e9 / 18,874,368. This is the "10,000 times" of the abstract of Hu et al. 2021.
    """
    d, layers, parameters = 12_288, 96, 175_000_000_000
    added, _ = attention_budget(d, layers, matrices=2, rank=rank)
    return GPT3Reduction(rank, added, reduction_factor(d, d, rank), parameters / added)


def _whole(**counts: int) -> None:
    for name, value in counts.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
            raise ValueError(f"{name} should be a whole number of at least 1, but {value!r} came.")
