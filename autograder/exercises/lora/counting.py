"""Exercises of chapter 08 that count: parameters, shares, tasks, bytes."""

from __future__ import annotations

import numpy as np

import solutions.lora as answers
from autograder.exercises.draws import integer
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

# --- parameter_count --------------------------------------------------------------------------------------------------


def parameter_count_cases(rng: np.random.Generator) -> list[Case]:
    d_out, d_in, rank = 64 * integer(rng, 2, 9), 64 * integer(rng, 10, 20), integer(rng, 3, 12)
    return [
        Case("d_out 512, d_in 512, rank 8", {"d_out": 512, "d_in": 512, "rank": 8}, "square"),
        Case(f"d_out {d_out}, d_in {d_in}, rank {rank}", {"d_out": d_out, "d_in": d_in, "rank": rank}, "rectangular"),
        Case("d_out 3072, d_in 768, rank 1", {"d_out": 3072, "d_in": 768, "rank": 1}, "rectangular"),
    ]


parameter_count = Exercise(
    id="lora.parameter_count",
    answer=answers.lora_parameter_count,
    cases=parameter_count_cases,
    parts=[Part("square matrix", 1, on="square"), Part("rectangular matrix", 1, on="rectangular")],
    misconceptions=[
        Misconception(
            "whole_matrix", lambda d_out, d_in, rank: d_out * d_in,
            "This counts W0, which stays frozen. Count what is added: A has r rows of length d_in, B has d_out rows of length r.",
        ),
        Misconception(
            "base_too", lambda d_out, d_in, rank: d_out * d_in + rank * (d_out + d_in),
            "You counted the frozen matrix along with the pair. The question is what LoRA adds.",
        ),
        Misconception(
            "one_factor", lambda d_out, d_in, rank: rank * d_in,
            "This is A alone. B has d_out × r numbers of its own.",
        ),
        Misconception(
            "other_factor", lambda d_out, d_in, rank: rank * d_out,
            "This is B alone. A has r × d_in numbers of its own.",
        ),
        Misconception(
            "saved", lambda d_out, d_in, rank: d_out * d_in - rank * (d_out + d_in),
            "This is how many numbers LoRA saves. The question is how many it adds.",
        ),
        Misconception(
            "factor", lambda d_out, d_in, rank: d_out * d_in / (rank * (d_out + d_in)),
            "This is how many times fewer numbers LoRA trains. The question is how many it adds.",
        ),
        Misconception(
            "assumes_square", lambda d_out, d_in, rank: 2 * rank * d_in,
            "2·r·d_in holds for a square matrix only. B has d_out rows, not d_in.",
            earns=1,
        ),
        Misconception(
            "assumes_square_too", lambda d_out, d_in, rank: 2 * rank * d_out,
            "2·r·d_out holds for a square matrix only. The rows of A have d_in entries, not d_out.",
            earns=1,
        ),
        Misconception(
            "product_of_shapes", lambda d_out, d_in, rank: rank * d_out * d_in,
            "You multiplied where the pair adds: two thin matrices have r·d_in + d_out·r numbers, not r·d_out·d_in.",
        ),
    ],
)

# --- attention_budget -------------------------------------------------------------------------------------------------


def attention_budget_cases(rng: np.random.Generator) -> list[Case]:
    drawn = (64 * integer(rng, 5, 16), integer(rng, 3, 9), integer(rng, 2, 3), integer(rng, 3, 24))
    cases = []
    for label, (hidden, layers, matrices, rank) in {"BERT-base": (768, 12, 4, 16), "another model": drawn}.items():
        inputs = {"hidden": hidden, "layers": layers, "matrices": matrices, "rank": rank}
        cases.append(Case(f"{label}: hidden {hidden}, {layers} layers, {matrices} matrices, rank {rank}", inputs))
    return cases


def _budget(added: int, hidden: int, layers: int, matrices: int) -> tuple[int, float]:
    return added, added / (layers * matrices * hidden * hidden)


attention_budget = Exercise(
    id="lora.attention_budget",
    answer=answers.lora_attention_budget,
    cases=attention_budget_cases,
    parts=[Part("added parameters", 1, of=0), Part("share", 1, of=1)],
    misconceptions=[
        Misconception(
            "reduction", lambda hidden, layers, matrices, rank: (layers * matrices * rank * 2 * hidden, 1 - 2 * rank / hidden),
            "Your second value is the reduction, what is saved. Asked is the share that remains to be trained. "
            "The two are mixed up in many texts: 2.08 % remaining is a reduction of 97.92 %.",
            earns=1,
        ),
        Misconception(
            "percent", lambda hidden, layers, matrices, rank: (layers * matrices * rank * 2 * hidden, 200 * rank / hidden),
            "Your share is a percentage. Return a fraction: 0.0417, not 4.17.",
            earns=1,
        ),
        Misconception(
            "one_factor",
            lambda hidden, layers, matrices, rank: _budget(layers * matrices * rank * hidden, hidden, layers, matrices),
            "Both values are half of what they should be: each adapted matrix gets an A and a B.",
        ),
        Misconception(
            "one_layer",
            lambda hidden, layers, matrices, rank: _budget(matrices * rank * 2 * hidden, hidden, 1, matrices),
            "You counted one layer. The share is the same for one layer and for all, but the number of parameters is not.",
            earns=1,
        ),
        Misconception(
            "one_matrix", lambda hidden, layers, matrices, rank: _budget(layers * rank * 2 * hidden, hidden, layers, 1),
            "You counted one matrix a layer. The share is the same for one and for all, but the number of parameters is not.",
            earns=1,
        ),
        Misconception(
            "factor", lambda hidden, layers, matrices, rank: (layers * matrices * rank * 2 * hidden, hidden / (2 * rank)),
            "Your second value is how many times fewer are trained. The share is the other way up: added / adapted.",
            earns=1,
        ),
        Misconception(
            "share_of_the_sum",
            lambda hidden, layers, matrices, rank: (layers * matrices * rank * 2 * hidden, 2 * rank / (hidden + 2 * rank)),
            "Your share is of the adapted matrices and the pairs together. Asked is the share of the adapted matrices alone.",
            earns=1,
        ),
        Misconception(
            "swapped", lambda hidden, layers, matrices, rank: (2 * rank / hidden, layers * matrices * rank * 2 * hidden),
            "Both values are right, in the wrong order: the number of added parameters comes first, then the share.",
        ),
    ],
)

# --- multi_task_ratio -------------------------------------------------------------------------------------------------


def multi_task_cases(rng: np.random.Generator) -> list[Case]:
    drawn = {"d_out": 64 * integer(rng, 3, 9), "d_in": 64 * integer(rng, 10, 16), "rank": integer(rng, 3, 12),
             "tasks": integer(rng, 4, 40)}
    return [
        Case("512 × 512, rank 8, 3 tasks", {"d_out": 512, "d_in": 512, "rank": 8, "tasks": 3}, "several"),
        Case("{d_out} × {d_in}, rank {rank}, {tasks} tasks".format(**drawn), drawn, "several"),
        Case("768 × 768, rank 4, one task", {"d_out": 768, "d_in": 768, "rank": 4, "tasks": 1}, "one"),
    ]


multi_task_ratio = Exercise(
    id="lora.multi_task_ratio",
    answer=answers.lora_multi_task_ratio,
    cases=multi_task_cases,
    parts=[Part("several tasks", 2, on="several"), Part("one task", 1, on="one")],
    misconceptions=[
        Misconception(
            "base_forgotten",
            lambda d_out, d_in, rank, tasks: d_out * d_in / (rank * (d_out + d_in)),
            "You forgot the frozen matrix, which has to be stored once. What you computed is the limit for infinitely many tasks "
            "(32 for 512 × 512 and rank 8), and it is often printed as if three tasks reached it.",
        ),
        Misconception(
            "base_every_time",
            lambda d_out, d_in, rank, tasks: d_out * d_in / (d_out * d_in + rank * (d_out + d_in)), earns=1,
            says="You stored the frozen matrix once for every task. All tasks share one; only the pairs multiply.",
        ),
        Misconception(
            "upside_down",
            lambda d_out, d_in, rank, tasks: (d_out * d_in + tasks * rank * (d_out + d_in)) / (tasks * d_out * d_in),
            "Your ratio is upside down: full copies go on top, so that a saving is a number above 1.",
        ),
        Misconception(
            "base_in_full_too",
            lambda d_out, d_in, rank, tasks: (tasks + 1) * d_out * d_in / (d_out * d_in + tasks * rank * (d_out + d_in)),
            "You gave full fine-tuning an extra copy. It keeps one matrix for each task; the original is not needed to run them.",
        ),
        Misconception(
            "one_pair",
            lambda d_out, d_in, rank, tasks: tasks * d_out * d_in / (d_out * d_in + rank * (d_out + d_in)), earns=1,
            says="You stored one pair for all tasks. The frozen matrix is shared, but every task has a pair of its own.",
        ),
        Misconception(
            "one_full_copy",
            lambda d_out, d_in, rank, tasks: d_out * d_in / (d_out * d_in + tasks * rank * (d_out + d_in)), earns=1,
            says="You stored one full matrix for all tasks. Full fine-tuning ends in another matrix for each of them.",
        ),
        Misconception(
            "saved_share",
            lambda d_out, d_in, rank, tasks: 1 - 1 / tasks - rank * (d_out + d_in) / (d_out * d_in),
            "This is the share that LoRA saves. Asked is a ratio: what full fine-tuning stores over what LoRA stores.",
        ),
    ],
)

# --- static_memory ----------------------------------------------------------------------------------------------------


def static_memory_cases(rng: np.random.Generator) -> list[Case]:
    parameters = 1_000_000 * integer(rng, 200, 900)
    return [
        Case("BERT-base, everything trained", {"parameters": 109_483_778, "trainable": 109_483_778}, "full"),
        Case("BERT-base with LoRA", {"parameters": 109_780_228, "trainable": 296_450}, "lora"),
        Case(f"{parameters:,} parameters, 1 % trained", {"parameters": parameters, "trainable": parameters // 100}, "lora"),
    ]


static_memory = Exercise(
    id="lora.static_memory",
    answer=answers.lora_static_memory,
    cases=static_memory_cases,
    parts=[Part("full fine-tuning", 1, on="full"), Part("LoRA", 1, on="lora")],
    misconceptions=[
        Misconception(
            "trainable_only", lambda parameters, trainable: 16 * trainable / 1e9, earns=1,
            says="You counted the trainable parameters only. The frozen ones need no gradient and no moments, but "
            "they still have to "
            "be stored. Forgetting them is how LoRA comes to be advertised with '99.7 % less memory'.",
        ),
        Misconception(
            "everything_sixteen", lambda parameters, trainable: 16 * parameters / 1e9, earns=1,
            says="This is full fine-tuning in both cases. A frozen parameter takes 4 bytes: no gradient, no moments.",
        ),
        Misconception(
            "no_gradient", lambda parameters, trainable: (4 * parameters + 8 * trainable) / 1e9,
            says="You gave a trained parameter 12 bytes in all. It has 16: 4 for itself, and 12 for its gradient and two "
            "moments. Either the gradient is missing, or you took the 12 for everything (4 · frozen + 12 · trained).",
        ),
        Misconception(
            "gibibytes", lambda parameters, trainable: (4 * parameters + 12 * trainable) / 2**30,
            says="These are GiB (2^30 bytes). The exercise asks for GB of 10^9 bytes.",
        ),
        Misconception(
            "bytes", lambda parameters, trainable: 4 * parameters + 12 * trainable,
            "These are bytes, and the number of them is right. Divide by 10^9 for GB.",
        ),
        Misconception(
            "weights_twice", lambda parameters, trainable: (4 * parameters + 16 * trainable) / 1e9,
            "You stored the trained weights twice: `parameters` contains them already, so add 12 bytes each, not 16.",
        ),
        Misconception(
            "frozen_gradients", lambda parameters, trainable: (8 * parameters + 8 * trainable) / 1e9, earns=1,
            says="You gave the frozen parameters a gradient. What is not trained needs none: 4 bytes each, for the weight.",
        ),
    ],
)
