"""Chapter 07: wrong answers that no exercise declares."""

import torch
from torch.nn import functional as F


def kl(p, q):
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum()


def surrogate(ratio, advantage, low, high):
    return -torch.minimum(ratio * advantage, ratio.clamp(low, high) * advantage)


def advantages(rewards, values, gamma, lam, *, sign=1.0, late=0, drop_rewards=False):
    delta = (0 if drop_rewards else rewards) + gamma * values[1:] - values[:-1]
    out, running = torch.zeros_like(delta), 0.0
    for t in range(len(delta) - 1, -1, -1):
        running = delta[t] + gamma * lam * running
        out[t] = running
    return sign * out.roll(late)


def margins(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta):
    return beta * (policy_chosen - policy_rejected - reference_chosen + reference_rejected)


def token_log_p(logits, input_ids, response_mask):
    """(batch, seq - 1), zero where no response is predicted."""
    log_p = logits[:, :-1].log_softmax(-1).gather(2, input_ids[:, 1:, None]).squeeze(2)
    return log_p * response_mask[:, 1:]


def gradient(logits, reference, chosen, rejected, beta, *, mean=True, picked=None):
    out = torch.zeros_like(logits)
    for pair in zip(chosen, rejected, strict=True):
        won, lost = pair if picked is None else picked(*pair)
        push = beta * torch.sigmoid(-beta * (logits[won] - reference[won] - logits[lost] + reference[lost]))
        out[won] -= push
        out[lost] += push
    return out / len(chosen) if mean else out


def token_kl(student, teacher):
    log_s, log_t = student.log_softmax(-1), teacher.log_softmax(-1)
    return (log_s.exp() * (log_s - log_t)).sum(-1)


def simpo(chosen, rejected, beta, gamma):
    return -F.logsigmoid(beta * (chosen - rejected) - gamma)


WRONG = {
    "preference.preferred_probability": {
        "in percent": lambda chosen, rejected: 100 * torch.sigmoid(chosen - rejected),
        "the log": lambda chosen, rejected: F.logsigmoid(chosen - rejected),
        "the odds": lambda chosen, rejected: (chosen - rejected).exp(),
        "the difference": lambda chosen, rejected: chosen - rejected,
        "tanh": lambda chosen, rejected: torch.tanh(chosen - rejected),
        "at twice the difference": lambda chosen, rejected: torch.sigmoid(2 * (chosen - rejected)),
        "rounded": lambda chosen, rejected: torch.sigmoid(chosen - rejected).mul(100).round() / 100,
    },
    "preference.reward_loss": {
        "bits": lambda chosen, rejected: -F.logsigmoid(chosen - rejected).mean().item() / 0.6931471805599453,
        "one a pair": lambda chosen, rejected: -F.logsigmoid(chosen - rejected),
        "halved": lambda chosen, rejected: -F.logsigmoid(chosen - rejected).mean().item() / 2,
        "chosen alone": lambda chosen, rejected: -F.logsigmoid(chosen).mean().item(),
        "both alone": lambda chosen, rejected: -(F.logsigmoid(chosen) + F.logsigmoid(-rejected)).mean().item(),
    },
    "preference.best_policy": {
        "not normalised": lambda reference, reward, beta: reference * (reward / beta).exp(),
        "the log": lambda reference, reward, beta: (reference.log() + reward / beta).log_softmax(-1),
        "the reference": lambda reference, reward, beta: reference,
        "minus the reward": lambda reference, reward, beta: (reference.log() - reward / beta).softmax(-1),
        "all over beta": lambda reference, reward, beta: ((reference.log() + reward) / beta).softmax(-1),
        "in percent": lambda reference, reward, beta: 100 * (reference.log() + reward / beta).softmax(-1),
    },
    "preference.objective": {
        "reward alone": lambda policy, reference, reward, beta: (policy * reward).sum().item(),
        "the other sign": lambda policy, reference, reward, beta: beta * kl(policy, reference) - (policy * reward).sum(),
        "beta forgotten": lambda policy, reference, reward, beta: (policy * reward).sum() - kl(policy, reference),
        "divided by beta": lambda policy, reference, reward, beta: (policy * reward).sum() - kl(policy, reference) / beta,
        "a mean": lambda policy, reference, reward, beta: ((policy * reward).sum() - beta * kl(policy, reference)) / len(policy),
        "of the reference": lambda policy, reference, reward, beta: (reference * reward).sum() - beta * kl(policy, reference),
    },
    "preference.clipped_loss": {
        "one a token": lambda ratio, advantage, epsilon: surrogate(ratio, advantage, 1 - epsilon, 1 + epsilon),
        "twice the clip": lambda ratio, advantage, epsilon: surrogate(ratio, advantage, 1 - 2 * epsilon, 1 + 2 * epsilon).mean(),
        "clipped from below only": lambda ratio, advantage, epsilon: surrogate(ratio, advantage, 1 - epsilon, None).mean(),
        "the advantage alone": lambda ratio, advantage, epsilon: -advantage.mean(),
        "the median": lambda ratio, advantage, epsilon: surrogate(ratio, advantage, 1 - epsilon, 1 + epsilon).median(),
    },
    "preference.predict_slope": {
        "the ratio": lambda ratio, advantage, epsilon: ratio,
        "the loss": lambda ratio, advantage, epsilon: -min(
            ratio * advantage, min(max(ratio, 1 - epsilon), 1 + epsilon) * advantage),
        "only its sign": lambda ratio, advantage, epsilon: float(advantage < 0) - float(advantage > 0),
    },
    "preference.ppo_loss": {
        "no entropy": lambda policy_loss, value_loss, entropy, value_weight, entropy_weight:
            policy_loss + value_weight * value_loss,
        "no value": lambda policy_loss, value_loss, entropy, value_weight, entropy_weight: policy_loss - entropy_weight * entropy,
        "no weights": lambda policy_loss, value_loss, entropy, value_weight, entropy_weight: policy_loss + value_loss - entropy,
        "the policy alone": lambda policy_loss, value_loss, entropy, value_weight, entropy_weight: policy_loss,
    },
    "preference.gae": {
        "the other sign": lambda rewards, values, gamma, lam: advantages(rewards, values, gamma, lam, sign=-1.0),
        "a step late": lambda rewards, values, gamma, lam: advantages(rewards, values, gamma, lam, late=1),
        "without rewards": lambda rewards, values, gamma, lam: advantages(rewards, values, gamma, lam, drop_rewards=True),
        "turned round": lambda rewards, values, gamma, lam: advantages(rewards, values, gamma, lam).flip(0),
        "the first alone": lambda rewards, values, gamma, lam: advantages(rewards, values, gamma, lam)[0],
        "exchanged factors": lambda rewards, values, gamma, lam: advantages(rewards, values, lam, gamma),
    },
    "preference.dpo_loss": {
        "the other sign": lambda **i: F.logsigmoid(margins(**i)).mean(),
        "one a pair": lambda **i: -F.logsigmoid(margins(**i)),
        "divided by beta": lambda **i: -F.logsigmoid(margins(**i) / i["beta"] ** 2).mean(),
        "bits": lambda **i: -F.logsigmoid(margins(**i)).mean() / 0.6931471805599453,
        "the mean inside": lambda **i: -F.logsigmoid(margins(**i).mean()),
        "the margin alone": lambda **i: -margins(**i).mean(),
    },
    "preference.group_advantages": {
        "the other sign": lambda rewards: (rewards.mean(1, True) - rewards) / (rewards.std(1, keepdim=True) + 1e-4),
        "not centred": lambda rewards: rewards / (rewards.std(1, keepdim=True) + 1e-4),
        "transposed": lambda rewards: ((rewards - rewards.mean(1, True)) / (rewards.std(1, keepdim=True) + 1e-4)).T,
        "one a group": lambda rewards: rewards.mean(1) / (rewards.std(1) + 1e-4),
        "as they are": lambda rewards: rewards,
    },
    "preference.sequence_log_probs": {
        "the other sign": lambda **i: -token_log_p(**i).sum(1),
        "one number": lambda **i: token_log_p(**i).sum(),
        "a token each": lambda **i: token_log_p(**i),
        "the probability": lambda **i: token_log_p(**i).sum(1).exp(),
        "over the batch": lambda **i: token_log_p(**i).sum(1) / len(i["logits"]),
        "over the row": lambda **i: token_log_p(**i).mean(1),
    },
    "preference.dpo_gradient": {
        "the sum": lambda **i: gradient(**i, mean=False),
        "exchanged": lambda **i: gradient(**i, picked=lambda won, lost: (lost, won)),
        "half": lambda **i: gradient(**i) / 2,
        "the logits less it": lambda **i: i["logits"] - gradient(**i),
        "zeros": lambda **i: torch.zeros_like(i["logits"]),
    },
    "preference.simpo_loss": {
        "one a pair": lambda chosen, rejected, chosen_length, rejected_length, beta, gamma: simpo(
            chosen / chosen_length, rejected / rejected_length, beta, gamma),
        "no gamma": lambda chosen, rejected, chosen_length, rejected_length, beta, gamma: simpo(
            chosen / chosen_length, rejected / rejected_length, beta, 0.0).mean(),
        "no beta": lambda chosen, rejected, chosen_length, rejected_length, beta, gamma: simpo(
            chosen / chosen_length, rejected / rejected_length, 1.0, gamma).mean(),
        "swapped": lambda chosen, rejected, chosen_length, rejected_length, beta, gamma: simpo(
            rejected / rejected_length, chosen / chosen_length, beta, gamma).mean(),
        "the other sign": lambda chosen, rejected, chosen_length, rejected_length, beta, gamma: -simpo(
            chosen / chosen_length, rejected / rejected_length, beta, gamma).mean(),
    },
    "preference.on_policy_loss": {
        "the other sign": lambda student_logits, teacher_logits, mask: -(
            token_kl(student_logits, teacher_logits) * mask).sum() / mask.sum(),
        "the sum": lambda student_logits, teacher_logits, mask: (token_kl(student_logits, teacher_logits) * mask).sum(),
        "one a position": lambda student_logits, teacher_logits, mask: token_kl(student_logits, teacher_logits) * mask,
        "bits": lambda student_logits, teacher_logits, mask: (
            token_kl(student_logits, teacher_logits) * mask).sum() / mask.sum() / 0.6931471805599453,
        "over responses": lambda student_logits, teacher_logits, mask: (
            token_kl(student_logits, teacher_logits) * mask).sum() / len(mask),
    },
}
