"""A mini MLM and a mini CLM, trained side by side: one architecture, one stream of sentences, two objectives.

Both are BERT's layers at width 64 (`BertConfig`). The masked model looks both ways. The causal one has the triangular mask, and
is otherwise the same. They read sentences of `courselib.pretraining.mat`, fresh ones at every step, so nothing is memorised, and
both are asked the same question: a blank in the middle of a sentence, whose exact distribution is known.

A causal model cannot read what stands right of a blank, but it has a probability for every whole sentence. So by Bayes' rule
p(word | rest) is p(sentence with that word) over the sum of it for all words: as good an answer, at the price of one pass a word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from courselib.lab import runtime
from courselib.lab.rates import falling_rate
from courselib.lab.training import Step, fit
from courselib.pretraining.masking import IGNORE, mlm_corrupt
from courselib.pretraining.mat import LENGTH, SPECIAL, exact, mat_grammar, mat_sample, mat_tokenizer
from courselib.pretraining.objectives import mlm_loss

KINDS = ("mlm", "clm", "clm, few labels")
BATCH, RATE, WARMUP = 32, 0.15, 20
# The best by the sentences to 1 nat, with seeds and blanks that no chapter uses, of 2, 3, 4.5, 6, 10, 15 and 25 thousandths, and
# 20 and 40 for the causal one. With all chosen words hidden, and with 40 % chosen, 6 thousandths were the best of the first four.
LEARNING_RATES = {"mlm": 4.5e-3, "clm": 2e-2, "clm, few labels": 1e-2}
PLACES = (2, 3, 4, 7, 9, 11)  # of a sentence's 14 tokens: the words that have alternatives


def mini_model(kind: str, seed: int = 0) -> nn.Module:
    """An untrained two-layer model of about 80,000 parameters for the language of `mat`. ValueError for an unknown kind."""
    from transformers import BertConfig, BertForMaskedLM, BertLMHeadModel

    if kind not in KINDS:
        raise ValueError(f"There is no objective {kind!r} here; there are {', '.join(map(repr, KINDS))}.")
    runtime.set_seed(seed)
    config = BertConfig(
        vocab_size=len(mat_tokenizer()), hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128,
        max_position_embeddings=LENGTH, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, pad_token_id=0,
        is_decoder=kind != "mlm", use_cache=False,
    )
    return (BertForMaskedLM if kind == "mlm" else BertLMHeadModel)(config).to(runtime.device())


@dataclass(frozen=True)
class Blanks:
    """Sentences with one hidden word each, and the exact answer: `ids` (n, 14), `places` (n,), `answers` (n, vocab)."""

    ids: Tensor
    places: Tensor
    answers: Tensor


def blanks(n: int, seed: int = 0) -> Blanks:
    """`n` blanks, evenly over the places of a sentence where there is a choice."""
    ids = mat_sample(n, 10_000 + seed)
    places = torch.tensor([PLACES[i % len(PLACES)] for i in range(n)])
    visible = torch.ones_like(ids, dtype=torch.bool)
    visible[torch.arange(n), places] = False
    return Blanks(ids, places, exact(ids, visible)[torch.arange(n), places])


@torch.no_grad()
def answer(model: nn.Module, kind: str, asked: Blanks) -> Tensor:
    """The model's distribution for every blank, `(n, vocab)`: read off by a masked model, by Bayes' rule from a causal one."""
    model.eval()
    rows, words = torch.arange(len(asked.ids)), torch.arange(len(mat_tokenizer()))
    if kind == "mlm":
        ids = asked.ids.clone()
        ids[rows, asked.places] = mat_tokenizer().mask_token_id
        return model(input_ids=ids.to(model.device)).logits.cpu()[rows, asked.places].double().softmax(-1)
    words = words[len(SPECIAL) :]  # no sentence has a special token inside
    out = torch.zeros(len(rows), len(mat_tokenizer()), dtype=torch.float64)
    for row, place in enumerate(asked.places.tolist()):
        tried = asked.ids[row].repeat(len(words), 1)  # (words, 14): the sentence with every word in turn
        tried[:, place] = words
        log_p = model(input_ids=tried.to(model.device)).logits[:, place - 1 : -1].cpu().log_softmax(-1)
        log_p = log_p.gather(-1, tried[:, place:, None]).squeeze(-1).sum(-1)  # what stands left of the blank is the same for all
        out[row, words] = log_p.double().softmax(-1)
    return out


def kl_to_exact(answers: Tensor, exact_answers: Tensor) -> float:
    """The mean KL(exact || model) in nats a blank: 0 for a model that knows the language. Both `(n, vocab)`."""
    log_q = answers.clamp_min(1e-30).log()
    return float((torch.special.xlogy(exact_answers, exact_answers) - exact_answers * log_q).sum(-1).mean())


@dataclass
class MiniRun:
    """A trained model, its loss at every step, and (sentences read, KL to the exact answers) wherever it was asked."""

    kind: str
    model: nn.Module
    losses: list[float]
    asked: list[tuple[int, float]] = field(default_factory=list)


def train_mini(
    kind: str, steps: int, seed: int = 0, *, asked: Blanks | None = None, ask_at: Sequence[int] = (), rate: float = RATE,
    shares: tuple[float, float] = (0.8, 0.1), lr: float | None = None, decay: bool = False, until: float | None = None,
) -> MiniRun:
    """Trains a mini model for `steps` batches of 32 fresh sentences; with `asked`, blanks are put to it at the steps `ask_at`.

    "clm, few labels" is the causal model with the loss at a random `rate` of its positions instead of at all: what it loses by
    that is what labels are worth. All kinds read the same sentences for the same seed. `rate` is the share that is chosen, and
    `shares` what becomes of it: hidden, and swapped. `lr` is the learning rate, `LEARNING_RATES[kind]` by default. With `decay`
    it falls to zero by the last step, which ends in a better model; without, what is measured on the way does not depend on
    `steps`. Training ends when an answer is within `until` nats.
    """
    model = mini_model(kind, seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATES[kind] if lr is None else lr, fused=True)
    schedule = falling_rate(optimizer, WARMUP, steps, 1.0 if decay else 0.0)
    draw = torch.Generator().manual_seed(seed)
    run = MiniRun(kind, model, [])

    def loss(model: nn.Module, ids: Tensor) -> Tensor:
        read, labels = ids, ids
        if kind == "mlm":
            special = (ids == mat_tokenizer().cls_token_id) | (ids == mat_tokenizer().sep_token_id)
            mask_id, size = mat_tokenizer().mask_token_id, len(mat_tokenizer())
            read, labels = mlm_corrupt(
                ids, special, mask_id, size, rate=rate, mask_share=shares[0], random_share=shares[1], generator=draw
            )
        elif kind == "clm, few labels":
            labels = ids.masked_fill(torch.rand(ids.shape, generator=draw) >= rate, IGNORE)
        logits = model(input_ids=read.to(model.device)).logits
        labels = labels.to(model.device)
        return mlm_loss(logits, labels) if kind == "mlm" else mlm_loss(logits[:, :-1], labels[:, 1:])

    def ask(step: Step) -> bool:
        if asked is None or step.number not in ask_at:
            return False
        run.asked.append((step.number * BATCH, kl_to_exact(answer(step.model, kind, asked), asked.answers)))
        return until is not None and run.asked[-1][1] <= until

    batches = mat_sample(steps * BATCH, seed).split(BATCH)
    run.losses = fit(
        model, batches, loss, optimizer, steps=steps, scheduler=schedule, max_grad_norm=1.0, callbacks=[ask], progress=False
    )
    return run


def sentences_to_reach(asked: list[tuple[int, float]], nats: float) -> float:
    """How many sentences were read when the KL first fell to `nats`, straight between the measured points on log axes.

    Infinite if it never did. Raises ValueError if it was below from the first point on: then the question was put too late.
    """
    points = torch.tensor(asked, dtype=torch.float64)
    below = (points[:, 1] <= nats).nonzero().flatten()
    if not len(below):
        return float("inf")
    if below[0] == 0:
        raise ValueError(f"At the first point, {asked[0][0]} sentences, the KL is {asked[0][1]:.3f} already; ask earlier.")
    (x0, y0), (x1, y1) = points[below[0] - 1].log().tolist(), points[below[0]].log().tolist()
    return float(torch.tensor(x0 + (x1 - x0) * (torch.tensor(nats).log().item() - y0) / (y1 - y0)).exp())


class Factor(NamedTuple):
    """How many times as much, with the ends of its interval; prints as "1.5 (1.2 to 1.9) times"."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.2f} ({self.low:.2f} to {self.high:.2f}) times"


def times_as_many(these: Sequence[float], those: Sequence[float], comparisons: int = 1) -> Factor:
    """How many times as many `these` are as `those`, pair by pair (a pair a seed): the geometric mean and its interval.

    The interval is Student's t on the logarithms of the ratios. It holds in 95 % of cases for all `comparisons` of one experiment
    together (Bonferroni: each at 1 - 0.05 / comparisons). It covers the seeds, and nothing else. Raises ValueError for fewer than
    two pairs, and for values that are infinite or not above zero.
    """
    pairs = np.array([these, those], dtype=float)
    if pairs.shape[1] < 2 or not np.isfinite(pairs).all() or (pairs <= 0).any():
        raise ValueError(f"A factor needs two pairs or more of finite numbers above zero; {list(these)} and {list(those)} came.")
    ratios = np.log(pairs[0] / pairs[1])
    from scipy.special import stdtrit  # the t distribution's quantile

    half = stdtrit(len(ratios) - 1, 1 - 0.025 / comparisons) * ratios.std(ddof=1) / np.sqrt(len(ratios))
    return Factor(*np.exp([ratios.mean(), ratios.mean() - half, ratios.mean() + half]).tolist())


def least_loss(kind: str, rate: float = RATE, n: int = 300, seed: int = 0) -> float:
    """The mean loss of a perfect model, in nats a label: what no training can get below.

    For "clm" the entropy of a sentence over the 13 tokens that are predicted. For "mlm" the average over `n` sentences of which a
    random `rate` of the words is hidden, all of them by [MASK]; for "mlm" it is thus an estimate.
    """
    if kind == "clm":
        return mat_grammar().entropy("text") / (LENGTH - 1)
    ids, draw = mat_sample(n, 20_000 + seed), torch.Generator().manual_seed(seed)
    hidden = torch.rand(ids.shape, generator=draw) < rate
    hidden[:, [0, -1]] = False  # [CLS] and [SEP] are never chosen
    right = exact(ids, ~hidden).gather(-1, ids[..., None]).squeeze(-1)  # (n, 14)
    return float(-right[hidden].log().mean())
