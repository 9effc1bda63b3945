"""A step of DPO beside trl's: the same loss and gradients, and what it costs.

    python benchmarks/preference.py [--pairs 30]

A step is the loss of one batch and its backward pass: the policy's forward pass with gradients, the reference's without. Both
sides get the same batch, the same two Llamas of the course's size, float32, one thread. Every round runs all contenders one after
another, in rotating order, and only ratios within a round are compared: processor time, for the machine may be shared. "trl
again" says what noise alone does here.

"ours, two rows" reads chosen and rejected as two rows, as trl does; "ours" reads both responses of a pair in one row with a block
mask, so that a prompt is computed once. Ours turns only those positions into logits that predict a response's token; trl's step
also computes the metrics that it logs, which flatters us. Target: ratio <= 0.50, loss and gradients within 4e-6.
"""

import argparse
import copy
import gc
import math
import statistics
import tempfile
import time
from typing import Any

import torch
from torch import Tensor, nn

from courselib.lab import models, runtime
from courselib.preference.direct import Margins, dpo, margins_of, response_log_probs
from courselib.preference.shared_prompt import share_prompts, shared_log_probs

BATCH, BETA = 8, 0.1
PROMPT, CHOSEN, REJECTED = 40, 24, 16  # words, about as many tokens


def trainer_of(tokenizer: Any, policy: nn.Module, reference: nn.Module) -> Any:
    """trl's trainer around copies of both models, with made-up text of the lengths above."""
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    words = ("walked", "along", "the", "river", "to", "old", "bridge", "and", "had", "bread", "honey", "while", "choir", "sang")

    def said(start: int, count: int) -> str:
        return " " + " ".join(words[(start + i) % len(words)] for i in range(count))

    rows = {name: [said(7 * i + shift, count + i % 3) for i in range(BATCH)]
            for shift, (name, count) in enumerate({"prompt": PROMPT, "chosen": CHOSEN, "rejected": REJECTED}.items())}
    args = DPOConfig(
        output_dir=tempfile.mkdtemp(), use_cpu=True, bf16=False, report_to=[], per_device_train_batch_size=BATCH,
        gradient_checkpointing=False, disable_tqdm=True, disable_dropout=True, beta=BETA,
    )
    return DPOTrainer(copy.deepcopy(policy), ref_model=copy.deepcopy(reference), args=args, train_dataset=Dataset.from_dict(rows),
                      processing_class=tokenizer)


def our_step(policy: nn.Module, reference: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    """Loss of the batch, each prompt read once; gradients are left in the policy."""
    rows = share_prompts(batch["input_ids"], batch["attention_mask"], batch["completion_mask"])
    with torch.no_grad():
        log_ref = shared_log_probs(reference, rows)
    one = torch.ones(BATCH)
    loss = dpo(Margins(*(shared_log_probs(policy, rows) - log_ref).chunk(2), one, one), BETA)
    loss.backward()
    return loss.detach()


def two_row_step(policy: nn.Module, reference: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    """The same with chosen and rejected in rows of their own."""
    inputs = batch["input_ids"], batch["attention_mask"], batch["completion_mask"]
    with torch.no_grad():
        log_ref = response_log_probs(reference, *inputs)
    loss = dpo(margins_of(response_log_probs(policy, *inputs), log_ref, inputs[2]), BETA)
    loss.backward()
    return loss.detach()


def trl_step(trainer: Any, batch: dict[str, Tensor]) -> Tensor:
    """The same by trl."""
    loss = trainer.compute_loss(trainer.model, dict(batch))
    loss.backward()
    return loss.detach()


def gradient(model: nn.Module) -> Tensor:
    """All gradients in one vector, in float64."""
    return torch.cat([p.grad.flatten().double() for p in model.parameters() if p.grad is not None])


def median_interval(ordered: list[float]) -> tuple[float, float]:
    """A 95 % confidence interval for the median, from order statistics."""
    n, reach = len(ordered), 0.98 * math.sqrt(len(ordered))
    return ordered[max(0, math.floor(n / 2 - reach))], ordered[min(n - 1, math.ceil(n / 2 + reach))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=30, help="rounds to time (at least 10)")
    rounds = max(10, parser.parse_args().pairs)
    torch.set_num_threads(1)
    runtime.quiet()
    start = models.load("causal")
    policy = copy.deepcopy(start.model)
    with torch.no_grad():
        for p in policy.parameters():
            p.add_(0.01 * torch.randn_like(p))  # as if some steps had been made
    first, second = (trainer_of(start.tokenizer, policy, start.model) for _ in range(2))
    batch = next(iter(first.get_train_dataloader()))
    ours, theirs = our_step(policy, start.model, batch), trl_step(first, batch)
    a, b = gradient(policy), gradient(first.model)
    shape = " x ".join(map(str, batch["input_ids"].shape))
    print(f"DPO, {BATCH} pairs, {shape} tokens, {int(batch['completion_mask'].sum())} of them responses, vocabulary "
          f"{policy.config.vocab_size}; torch {torch.__version__}")
    apart = ((a - b).norm() / b.norm()).item()
    print(f"loss: ours {ours.item():.7f}, trl {theirs.item():.7f}; relative difference of the gradients {apart:.1e}")

    contenders = {
        "trl": (lambda: trl_step(first, batch), first.model), "ours": (lambda: our_step(policy, start.model, batch), policy),
        "ours, two rows": (lambda: two_row_step(policy, start.model, batch), policy),
        "trl again": (lambda: trl_step(second, batch), second.model),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    gc.disable()
    for number in range(rounds + 2):
        names = list(contenders)
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            step, model = contenders[name]
            model.zero_grad()
            begun = time.process_time()
            step()
            if number > 1:  # two rounds to warm up
                seconds[name].append(time.process_time() - begun)
    for name in contenders:
        ratios = sorted(x / y for x, y in zip(seconds[name], seconds["trl"], strict=True))
        low, high = median_interval(ratios)
        print(f"  {name:<15} {1e3 * statistics.median(seconds[name]):7.1f} ms   ratio {statistics.median(ratios):.3f}   "
              f"[{low:.3f}, {high:.3f}]")


if __name__ == "__main__":
    main()
