"""Whole runs on the causal model, from sampled pairs to a win rate: what the chapter shows once and the report of effects five
times.

One reference, one annotator, one reward model; then DPO on the pairs, or PPO on the reward model: with a KL, without one, without
a clip either, or without a KL and with a reward model that is learned anew from what the policy says by then.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import torch

from courselib.lab.models import Pretrained
from courselib.preference.aligning import ActorCritic, Experience, PPOSettings, align_dpo, align_ppo, divergence_of
from courselib.preference.reward_model import RewardModel, train_reward_model
from courselib.preference.rollouts import Responses, rollouts
from courselib.preference.taste import TEST_PROMPTS, TRAIN_PROMPTS, Comparisons, compared, true_rewards, win_rate, word_counts

PAIRS, ASKED = 640, 600
KL = PPOSettings(beta=0.2, lr=2e-4)
RUNS = {  # how PPO is held; "refreshed" learns its reward model anew every REFRESH steps
    "KL": KL,
    "no KL": replace(KL, beta=0.0),
    "no KL, no clip": replace(KL, beta=0.0, epsilon=1e9),
    "refreshed": replace(KL, beta=0.0),
}
REFRESH, FRESH = 5, 240


@dataclass
class Material:
    """What everything of one seed starts from: pairs of the reference, clicked by the annotator, and answers to compare with."""

    start: Pretrained
    seed: int
    prompts: list[str]
    pairs: Comparisons
    reference: Responses  # ASKED answers to prompts that nothing is trained on


def material(start: Pretrained, seed: int, pairs: int = PAIRS, asked: int = ASKED) -> Material:
    """Draws the pairs and the reference's answers."""
    prompts, clicked = preferences_of(start.model, start, pairs, 3 * seed)
    test = [TEST_PROMPTS[i % len(TEST_PROMPTS)] for i in range(asked)]
    return Material(start, seed, prompts, clicked, rollouts(start.model, start.tokenizer, test, 3 * seed + 1))


def preferences_of(model: Any, start: Pretrained, pairs: int, seed: int) -> tuple[list[str], Comparisons]:
    """Prompts, and pairs of a model's responses to them, clicked by the annotator."""
    prompts = [TRAIN_PROMPTS[i % len(TRAIN_PROMPTS)] for i in range(pairs)]
    texts = rollouts(model, start.tokenizer, prompts * 2, seed).texts
    return prompts, compared(texts[:pairs], texts[pairs:], seed)


def reward_model_of(given: Material) -> RewardModel:
    """One pass over the pairs."""
    return train_reward_model(given.start, given.prompts, given.pairs, epochs=1, seed=given.seed)


@dataclass
class Judged:
    """A policy against the reference on prompts that nothing was trained on. Rates are shares; `kl` is nats a response."""

    win: float
    truth: float
    proxy: float
    words: float
    kl: float
    texts: list[str] = field(repr=False)


def judged(model: Any, given: Material, reward_model: RewardModel) -> Judged:
    """Samples as many answers as the reference gave, and compares them with its."""
    test = [TEST_PROMPTS[i % len(TEST_PROMPTS)] for i in range(len(given.reference.texts))]
    said = rollouts(model, given.start.tokenizer, test, 3 * given.seed + 2)
    return Judged(
        win_rate(said.texts, given.reference.texts), true_rewards(said.texts).mean().item(),
        reward_model.score(said).mean().item(),
        word_counts(said.texts).mean().item(), divergence_of(model, given.start.model, said), said.texts,
    )


@dataclass
class Watched:
    """What is seen of PPO's own rollouts, one value a step: the reward model's score, the truth, the words, the KL (k1)."""

    proxy: list[float] = field(default_factory=list)
    truth: list[float] = field(default_factory=list)
    words: list[float] = field(default_factory=list)
    kl: list[float] = field(default_factory=list)
    texts: list[list[str]] = field(default_factory=list, repr=False)

    def see(self, found: Experience, scores: torch.Tensor) -> None:
        texts = found.responses.texts
        self.proxy.append(scores.mean().item())
        self.truth.append(true_rewards(texts).mean().item())
        self.words.append(word_counts(texts).mean().item())
        self.kl.append(found.log_ratio.mean().item())
        self.texts.append(texts)


def ppo_run(given: Material, reward_model: RewardModel, how: str, settings: PPOSettings | None = None) -> tuple[Any, Watched]:
    """PPO held in one of RUNS: the policy, and what was seen on the way. The proxy watched is always the *first* reward model."""
    state = {"scorer": reward_model, "prompts": given.prompts, "pairs": given.pairs}
    seen = Watched()

    def watch(step: int, actor: ActorCritic, found: Experience) -> None:
        seen.see(found, found.scores if state["scorer"] is reward_model else reward_model.score(found.responses))
        if how == "refreshed" and step and step % REFRESH == 0:
            prompts, fresh = preferences_of(actor.policy, given.start, FRESH, 100_000 + 1000 * given.seed + step)
            old = state["pairs"]
            state["prompts"] = [*prompts, *state["prompts"]]
            state["pairs"] = Comparisons(
                [*fresh.chosen, *old.chosen], [*fresh.rejected, *old.rejected],
                torch.cat([fresh.chosen_score, old.chosen_score]), torch.cat([fresh.rejected_score, old.rejected_score]),
            )
            state["scorer"] = train_reward_model(given.start, state["prompts"], state["pairs"], epochs=1, seed=given.seed)

    policy = align_ppo(
        given.start, TRAIN_PROMPTS, lambda responses: state["scorer"].score(responses), settings or RUNS[how], seed=given.seed,
        watch=watch,
    )
    return policy, seen


def dpo_run(given: Material, **how: Any) -> Any:
    """DPO on the same pairs."""
    return align_dpo(given.start, given.prompts, given.pairs, seed=given.seed, **how)
