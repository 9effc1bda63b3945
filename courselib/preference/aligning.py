"""DPO and PPO on the causal model, from one reference, with one training loop.

    align_dpo()   pairs of responses; the reference's log-probabilities are computed once
    align_ppo()   rollouts of the policy itself, a reward for each, a value for each token, a KL to the reference within the
    reward

Both train all weights of a copy of the reference. `divergence_of` estimates KL(policy || reference) a response, from samples of
the policy.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from courselib.lab import runtime
from courselib.lab.models import Pretrained
from courselib.lab.rates import falling_rate
from courselib.lab.training import Step, fit
from courselib.preference.direct import Margins, dpo, margins_of, response_log_probs
from courselib.preference.ppo import clipped_surrogate, generalised_advantages, k3, shaped_rewards, total_loss, whitened
from courselib.preference.reward_model import PairBatches
from courselib.preference.rollouts import Responses, rollouts
from courselib.preference.taste import Comparisons

Scorer = Callable[[Responses], Tensor]


@torch.no_grad()
def frozen_log_probs(model: nn.Module, batch: Responses | PairBatches, size: int = 256) -> Tensor:
    """`response_log_probs` of all rows without gradients: (n, seq - 1)."""
    parts = zip(batch.ids.split(size), batch.mask.split(size), batch.response.split(size), strict=True)
    return torch.cat([response_log_probs(model, *part) for part in parts])


def divergence_of(model: nn.Module, reference: nn.Module, responses: Responses) -> float:
    """KL(model || reference) a response in nats, from responses of `model`: k3 of every token, summed over each response."""
    log_p, log_ref = frozen_log_probs(model, responses), frozen_log_probs(reference, responses)
    return (k3(log_p, log_ref) * responses.response[:, 1:]).sum(1).mean().item()


def align_dpo(
    start: Pretrained, prompts: Sequence[str], pairs: Comparisons, *, beta: float = 0.3, lr: float = 1.2e-4, epochs: int = 1,
    batch: int = 32, seed: int = 0, loss: Callable[[Margins, float], Tensor] = dpo,
    callbacks: Sequence[Callable[[Step], Any]] = (),
) -> nn.Module:
    """A copy of `start`'s model trained on preferences by DPO, or by another `loss(margins, beta)` of its family."""
    runtime.set_seed(seed)
    model = copy.deepcopy(start.model)
    batches = PairBatches(start.tokenizer, prompts, pairs, batch, seed)
    log_ref = frozen_log_probs(start.model, batches)  # (2 pairs, seq - 1)
    steps = epochs * -(-len(pairs.chosen) // batch)

    def of(model: Any, batch: tuple[Tensor, ...]) -> Tensor:
        ids, mask, response, rows = batch
        return loss(margins_of(response_log_probs(model, ids, mask, response), log_ref[rows], response), beta)

    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.0)
    fit(model, batches, of, optimizer, steps=steps, scheduler=falling_rate(optimizer, 4, steps, 0.9), max_grad_norm=1.0,
        callbacks=callbacks, progress=False)
    return model


class ActorCritic(nn.Module):
    """A causal model with a second head: the value of every position, from a hidden state that the first head reads too."""

    def __init__(self, causal: nn.Module) -> None:
        super().__init__()
        self.policy = copy.deepcopy(causal)
        self.value_head = nn.Linear(causal.config.hidden_size, 1, device=causal.device)
        nn.init.zeros_(self.value_head.weight)
        nn.init.zeros_(self.value_head.bias)

    def forward(self, batch: Responses) -> tuple[Tensor, Tensor, Tensor]:
        """log p of the tokens, the values of the positions that predict them, the entropy there; each (n, seq - 1)."""
        hidden = self.policy.base_model(input_ids=batch.ids, attention_mask=batch.mask).last_hidden_state[:, :-1]
        counted = batch.response[:, 1:].bool()
        log_all = self.policy.get_output_embeddings()(hidden[counted]).log_softmax(-1)  # (counted, vocab)
        log_p, entropy = hidden.new_zeros(counted.shape), hidden.new_zeros(counted.shape)
        log_p[counted] = log_all.gather(-1, batch.ids[:, 1:][counted][:, None]).squeeze(-1)
        entropy[counted] = -(log_all.exp() * log_all).sum(-1)
        return log_p, self.value_head(hidden).squeeze(-1) * counted, entropy


@dataclass(frozen=True)
class Experience:
    """Rollouts with what was known when they were made: (n, seq - 1) each, and the scores (n,)."""

    responses: Responses
    log_old: Tensor
    advantages: Tensor
    returns: Tensor
    scores: Tensor
    log_ratio: Tensor  # (n,): log p - log p_ref of whole responses


@dataclass(frozen=True)
class PPOSettings:
    """Of a run on the causal model. `beta` weighs the KL within the reward; `epochs` updates are made on every batch of
    rollouts."""

    beta: float = 0.1
    lr: float = 1e-3
    steps: int = 20
    rollouts: int = 48
    epochs: int = 2
    epsilon: float = 0.2
    lam: float = 0.95
    value_weight: float = 0.1
    entropy_weight: float = 0.0


def experience(actor: ActorCritic, reference: nn.Module, tokenizer: Any, score: Scorer, prompts: list[str], seed: int,
               settings: PPOSettings) -> Experience:
    """Rollouts of the actor and all that PPO needs to learn from them."""
    responses = rollouts(actor.policy, tokenizer, prompts, seed)
    mask = responses.response[:, 1:]
    with torch.no_grad():
        log_old, values, _ = actor(responses)
        log_ref = frozen_log_probs(reference, responses)
        scores = score(responses)
        rewards = shaped_rewards(scores, log_old, log_ref, mask, settings.beta)
        after = torch.cat([values, values.new_zeros(len(values), 1)], 1)  # (n, seq): nothing comes after the last token
        advantages = generalised_advantages(rewards, after, 1.0, settings.lam)
    return Experience(responses, log_old, whitened(advantages, mask), advantages + values, scores,
                      (log_old - log_ref).sum(1))


def align_ppo(
    start: Pretrained, prompts: Sequence[str], score: Scorer, settings: PPOSettings = PPOSettings(), *, seed: int = 0,
    watch: Callable[[int, ActorCritic, Experience], Any] | None = None,
) -> nn.Module:
    """A copy of `start`'s model trained by PPO on `score(responses)` (n,). `watch(step, actor, experience)` sees each batch of
    rollouts."""
    runtime.set_seed(seed)
    actor = ActorCritic(start.model)
    asked = [prompts[i % len(prompts)] for i in range(settings.rollouts)]

    def batches() -> Iterator[Experience]:
        for number in range(settings.steps):
            found = experience(actor.eval(), start.model, start.tokenizer, score, asked, 10_000 * seed + number, settings)
            if watch is not None:
                watch(number, actor, found)
            yield from [found] * settings.epochs

    def loss(actor: Any, batch: Experience) -> Tensor:
        mask = batch.responses.response[:, 1:]
        log_p, values, entropy = actor(batch.responses)
        surrogate = clipped_surrogate((log_p - batch.log_old).exp(), batch.advantages, settings.epsilon)
        value = (values - batch.returns).square()
        policy, value, entropy = ((x * mask).sum() / mask.sum() for x in (surrogate, value, entropy))
        return total_loss(policy, value, entropy, settings.value_weight, settings.entropy_weight)

    steps = settings.steps * settings.epochs
    optimizer = torch.optim.AdamW(actor.parameters(), lr=settings.lr, weight_decay=0.0)
    fit(actor, batches(), loss, optimizer, steps=steps, scheduler=falling_rate(optimizer, 4, steps, 0.5), max_grad_norm=1.0,
        progress=False)
    return actor.policy
