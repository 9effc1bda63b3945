"""Model answers of chapter 07. A reward is a number for a whole response; losses are to be minimised."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def preference_preferred_probability(chosen: Tensor, rejected: Tensor) -> Tensor:
    """With which probability is the first of two responses preferred to the second, under the model of Bradley and Terry?

    chosen, rejected: the rewards, of one shape; they may be as large as ±1000.   Returns a tensor of that shape.
    """
    return torch.sigmoid(chosen - rejected)


def preference_reward_loss(chosen: Tensor, rejected: Tensor) -> float:
    """The loss that a reward model is trained with: the mean negative log-likelihood of the preferences that were observed.

    chosen, rejected: (n,), the rewards of the response that won and of the one that lost, as large as ±1000.
    """
    return -F.logsigmoid(chosen - rejected).mean().item()


def preference_best_policy(reference: Tensor, reward: Tensor, beta: float) -> Tensor:
    """The policy that maximises expected reward minus beta times KL(policy || reference).

    reference: (actions,), probabilities above 0.   reward: (actions,).   beta: above 0, and as small as 0.001.
    Returns (actions,), probabilities.
    """
    return (reference.log() + reward / beta).softmax(-1)


def preference_objective(policy: Tensor, reference: Tensor, reward: Tensor, beta: float) -> float:
    """The objective of RLHF on a table: the expected reward of `policy` minus beta times KL(policy || reference), in nats.

    policy, reference, reward: (actions,).   policy may hold zeros, reference holds none.
    """
    kl = (torch.xlogy(policy, policy) - policy * reference.log()).sum()
    return ((policy * reward).sum() - beta * kl).item()


def preference_clipped_loss(ratio: Tensor, advantage: Tensor, epsilon: float) -> float:
    """PPO's clipped loss, to be minimised: the mean over all entries.

    ratio: π_θ / π_old of each token.   advantage: of the same shape.   The ratio is clipped to 1 ± epsilon.
    """
    clipped = ratio.clamp(1 - epsilon, 1 + epsilon)
    return -torch.minimum(ratio * advantage, clipped * advantage).mean().item()


def preference_ppo_loss(
    policy_loss: float, value_loss: float, entropy: float, value_weight: float, entropy_weight: float
) -> float:
    """The whole loss of PPO, to be minimised.

    policy_loss: the clipped loss, which is itself to be minimised.   value_loss: the squared error of the value network.
    entropy: that of the policy, which should not collapse.   The two weights are above 0.
    """
    return policy_loss + value_weight * value_loss - entropy_weight * entropy


def preference_gae(rewards: Tensor, values: Tensor, gamma: float, lam: float) -> Tensor:
    """Generalised advantage estimates of one episode (Schulman et al., 2016).

    rewards: (T,).   values: (T + 1,), the last of them the value after the last step.   Returns (T,).
    """
    delta = rewards + gamma * values[1:] - values[:-1]
    advantages, later = torch.zeros_like(delta), 0.0
    for t in range(len(delta) - 1, -1, -1):
        later = delta[t] + gamma * lam * later
        advantages[t] = later
    return advantages


def preference_dpo_loss(
    policy_chosen: Tensor, policy_rejected: Tensor, reference_chosen: Tensor, reference_rejected: Tensor, beta: float
) -> float:
    """The loss of DPO, the mean over pairs. Stable, however large the log-ratios are.

    Each (pairs,): the log-probability of a whole response, summed over its tokens, under the policy or under the reference.
    """
    margin = (policy_chosen - reference_chosen) - (policy_rejected - reference_rejected)
    return -F.logsigmoid(beta * margin).mean().item()


def preference_group_advantages(rewards: Tensor) -> Tensor:
    """GRPO's advantages: in each group the rewards minus the group's mean, divided by the group's standard deviation plus 1e-4.

    rewards: (groups, samples), samples of one prompt in a row. The standard deviation divides by samples - 1.
    Returns (groups, samples).
    """
    centred = rewards - rewards.mean(dim=1, keepdim=True)
    return centred / (rewards.std(dim=1, keepdim=True) + 1e-4)


def preference_predict_slope(ratio: float, advantage: float, epsilon: float) -> float:
    """The slope of PPO's clipped loss of one token with respect to its ratio, d loss / d ratio. Predict it: no autograd.

    ratio: not exactly at 1 ± epsilon.   advantage: not 0.
    """
    stopped = ratio > 1 + epsilon if advantage > 0 else ratio < 1 - epsilon
    return 0.0 if stopped else -advantage


def preference_dpo_step(
    W: Tensor, reference: Tensor, x: Tensor, chosen: Tensor, rejected: Tensor, beta: float, lr: float
) -> Tensor:
    """One step of gradient descent on the loss of DPO, for a policy that is linear in its features: softmax(x @ W).

    W: (features, actions), the policy now.   reference: of the same shape, the policy it started from, frozen.
    x: (pairs, features), the prompts.   chosen, rejected: (pairs,), the numbers of the actions that were compared.
    Returns the new W, and leaves the inputs as they were. Autograd may be used. The step is run again and again on fresh
    preferences, and what the policy then earns and how far it has gone are measured on other prompts.
    """
    W = W.clone().requires_grad_()
    log_ratio = (x @ W).log_softmax(dim=-1) - (x @ reference).log_softmax(dim=-1)  # (pairs, actions)
    margin = log_ratio.gather(1, chosen[:, None]) - log_ratio.gather(1, rejected[:, None])
    (gradient,) = torch.autograd.grad(-F.logsigmoid(beta * margin).mean(), W)
    return (W - lr * gradient).detach()


def preference_policy_step(W: Tensor, x: Tensor, actions: Tensor, rewards: Tensor, lr: float) -> Tensor:
    """One step that makes a policy softmax(x @ W) earn more, from groups of actions that it has drawn itself.

    W: (features, actions).   x: (groups, features), the prompts.   actions: (groups, samples), what was drawn for each prompt.
    rewards: (groups, samples). Some prompts pay far more than others, whatever is done: what counts is which of the
    actions of a prompt paid more than the others did.
    Returns the new W, and leaves the inputs as they were. Autograd may be used. The step is run again and again; what the policy
    then earns is measured on other prompts.
    """
    advantage = rewards - rewards.mean(dim=1, keepdim=True)
    W = W.clone().requires_grad_()
    log_p = (x @ W).log_softmax(dim=-1).gather(1, actions)  # (groups, samples)
    (gradient,) = torch.autograd.grad(-(advantage * log_p).mean(), W)
    return (W - lr * gradient).detach()


def preference_sequence_log_probs(logits: Tensor, input_ids: Tensor, response_mask: Tensor) -> Tensor:
    """log p(response | prompt) of each row, as DPO needs it.

    logits: (batch, seq, vocab), as a causal model returns them.   input_ids: (batch, seq), prompt, response and padding.
    response_mask: (batch, seq), 1 on the response's tokens and 0 on those of the prompt and on padding.   Returns (batch,).
    """
    token_log_p = logits[:, :-1].log_softmax(dim=-1).gather(2, input_ids[:, 1:, None]).squeeze(2)  # (batch, seq - 1)
    return (token_log_p * response_mask[:, 1:]).sum(dim=1)


def preference_dpo_gradient(
    logits: Tensor, reference: Tensor, chosen: list[int], rejected: list[int], beta: float
) -> Tensor:
    """The gradient of DPO's loss with respect to the logits of a policy softmax(logits), by hand: no autograd.

    logits, reference: (actions,), the second the logits of the frozen reference.
    chosen, rejected: the numbers of the actions of each pair.   The loss is the mean over the pairs.   Returns (actions,).
    """
    found = torch.zeros_like(reference)
    for won, lost in zip(chosen, rejected, strict=True):
        margin = (logits[won] - reference[won]) - (logits[lost] - reference[lost])  # the two normalisers cancel
        push = beta * torch.sigmoid(-beta * margin) / len(chosen)
        found[won] -= push
        found[lost] += push
    return found


def preference_simpo_loss(
    chosen: Tensor, rejected: Tensor, chosen_length: Tensor, rejected_length: Tensor, beta: float, gamma: float
) -> float:
    """The loss of SimPO, the mean over pairs: DPO without a reference, on log-probabilities a token, and with a margin.

    The margin of a pair is beta · (mean log-probability of the chosen - that of the rejected) - gamma.
    chosen, rejected: (pairs,), log-probabilities of whole responses, summed over tokens.   The lengths: (pairs,), in tokens.
    """
    margin = beta * (chosen / chosen_length - rejected / rejected_length) - gamma
    return -F.logsigmoid(margin).mean().item()


def preference_on_policy_loss(student_logits: Tensor, teacher_logits: Tensor, mask: Tensor) -> float:
    """The loss of on-policy distillation: KL(student ‖ teacher) of the next token, the mean over the counted positions of the
    batch.

    student_logits, teacher_logits: (batch, T, vocab), at positions that the student itself has written.
    mask: (batch, T), 1 where a position counts.
    """
    log_s, log_t = student_logits.log_softmax(dim=-1), teacher_logits.log_softmax(dim=-1)
    kl = (log_s.exp() * (log_s - log_t)).sum(dim=-1)  # (batch, T)
    return ((kl * mask).sum() / mask.sum()).item()


def preference_choose_method() -> str:
    """A bank wants its assistant to write the letters that its customers prefer. There are 6,000 clicks on pairs of letters, from
    last year's assistant; clerks can judge 50 letters a week; and a program can say for certain whether the amounts in a letter
    are right. "We train a reward model on the clicks, run PPO without a KL term, because the KL holds back the reward, and stop
    when the reward no longer rises."

    What would you do, in which order, and what would you watch? Write six to nine sentences. Support at least three of your
    choices by a measurement of this chapter, and say of one of them why it may not carry over.
    """
    return """
I would begin with DPO on the 6,000 clicks: in the chapter it won four of five comparisons with the reference, needed neither a
reward model nor samples while training, and came within a few points of PPO with a KL; it is the cheaper control for all that
follows. Its β and rate I would choose by judged letters, not by its loss, with the KL to last year's assistant beside it. For the
amounts I would not use clicks at all: a program can check them, so groups of samples and a verifiable reward (GRPO) apply; in the
chapter that raised held-out accuracy by some fifteen points while a coin for a checker destroyed what was known, and imitation of
the right samples gained as much, which is simpler still and comes first. If a reward model is used, then with a KL. "Stop when
the reward no longer rises" is the worst rule: the reward is the proxy, and the chapter's worst run had a higher proxy than the
same seed with a KL, while its truth was near the bottom. So the 50 letters a week go to judging fresh samples of the current
policy, and I stop when that falls; length and the KL I watch daily. I would also look for what clicks reward beside quality: the
chapter's annotator paid for words, the reward model learned exactly that, and refreshing it with the same annotator's clicks made
answers longer and worse. What may not carry over is when a policy leaves its language: that was a model of two million weights,
a handful of prompts and one rate, and a large one may hold much longer, or find subtler ways.
"""
