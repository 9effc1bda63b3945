"""A tiny calculator: a language model of digits that has half learned to add, and a checker that needs no human.

    "27+45=" -> "270"      the sum, three digits, the last one first: so that what is carried is known when it is needed

A Llama of two layers and width 64 over twelve symbols. It is trained on right sums, and stopped while it is wrong often: what it
knows by then it says with hesitation. Whether an answer is right a line of Python says: a verifiable reward. Problems are split
once, so that no held-out sum is ever trained on, with or without an answer. (Reversed digits: Lee et al. 2023, arXiv:2307.03381.)
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from courselib.lab import runtime
from courselib.lab.rates import falling_rate
from courselib.lab.training import Step, fit

PLUS, EQUALS, PROMPT, DIGITS = 10, 11, 6, 3
WIDTH, LAYERS, HEADS = 64, 2, 4
BATCH, RATE = 128, 4e-3


def fresh_calculator(seed: int = 0) -> nn.Module:
    """An untrained model of about 80,000 parameters."""
    from transformers import LlamaConfig, LlamaForCausalLM

    runtime.set_seed(seed)
    config = LlamaConfig(
        vocab_size=12, hidden_size=WIDTH, intermediate_size=2 * WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
        max_position_embeddings=PROMPT + DIGITS, tie_word_embeddings=False, use_cache=False, pad_token_id=None, bos_token_id=None,
        eos_token_id=None,
    )
    return LlamaForCausalLM(config).to(runtime.device())


def problems(part: str, seed: int = 0) -> Tensor:
    """All sums of two numbers below 100, as prompts: (6000, 6) to train on, (2000, 6) each to tune and to test. ValueError
    otherwise."""
    parts = {"train": slice(0, 6000), "tune": slice(6000, 8000), "test": slice(8000, 10_000)}
    if part not in parts:
        raise ValueError(f"There are no problems {part!r}; there are {', '.join(map(repr, parts))}.")
    order = torch.randperm(10_000, generator=torch.Generator().manual_seed(1234 + seed))[parts[part]]
    a, b = order // 100, order % 100
    full = torch.full_like
    return torch.stack([a // 10, a % 10, full(a, PLUS), b // 10, b % 10, full(a, EQUALS)], 1)


def right_answers(prompts: Tensor) -> Tensor:
    """The sums, last digit first: (n, 6) -> (n, 3)."""
    total = 10 * (prompts[:, 0] + prompts[:, 3]) + prompts[:, 1] + prompts[:, 4]
    return torch.stack([total % 10, total // 10 % 10, total // 100], 1)


def verified(prompts: Tensor, answers: Tensor) -> Tensor:
    """The reward: 1 where every digit is right, else 0, (n,)."""
    return (answers == right_answers(prompts)).all(1).float()


def answer_logits(model: nn.Module, prompts: Tensor, answers: Tensor) -> Tensor:
    """Logits of the digits of the answers, (n, 3, vocab): each given the prompt and the digits before it."""
    return model(input_ids=torch.cat([prompts, answers[:, :-1]], 1)).logits[:, PROMPT - 1 :]


def digit_log_probs(model: nn.Module, prompts: Tensor, answers: Tensor) -> Tensor:
    """log p of each digit of the answers, (n, 3)."""
    return answer_logits(model, prompts, answers).log_softmax(-1).gather(-1, answers[..., None]).squeeze(-1)


@torch.no_grad()
def sampled_answers(model: nn.Module, prompts: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """One answer a prompt, (n, 3), at temperature 1; greedy without a generator."""
    said = prompts
    for _ in range(DIGITS):
        logits = model(input_ids=said).logits[:, -1]
        token = logits.argmax(-1, True) if generator is None else torch.multinomial(logits.softmax(-1), 1, generator=generator)
        said = torch.cat([said, token], 1)
    return said[:, PROMPT:]


def solved(model: nn.Module, prompts: Tensor, seed: int | None = 0) -> float:
    """The share of problems that a sampled answer solves; with `seed=None`, a greedy one."""
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    return verified(prompts, sampled_answers(model.eval(), prompts, generator)).mean().item()


def taught_calculator(seed: int = 0, until: float = 0.45, steps: int = 1500) -> nn.Module:
    """A calculator taught with right answers to the training problems until a sampled answer to others is right `until` of the
    time.

    Looked at on 500 problems of "tune", every 20 steps; at most `steps`. Learning to carry comes suddenly, and not at the same
    step for every seed: so it is the accuracy that is fixed here and not the number of steps.
    """
    model = fresh_calculator(seed)
    prompts, looked_at = problems("train"), problems("tune")[:500]
    generator = torch.Generator().manual_seed(seed)

    class Batches:
        def __iter__(self) -> Any:
            yield from prompts[torch.randperm(len(prompts), generator=generator)].split(BATCH)

    def loss(model: Any, batch: Tensor) -> Tensor:
        return -digit_log_probs(model, batch, right_answers(batch)).mean()

    def enough(step: Step) -> bool:
        return step.number % 20 == 0 and solved(step.model, looked_at) >= until

    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.0)
    fit(model, Batches(), loss, optimizer, steps=steps, scheduler=falling_rate(optimizer, 20, steps, 0.5), max_grad_norm=1.0,
        callbacks=[enough], progress=False)
    return model
