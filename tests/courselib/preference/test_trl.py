"""Held against trl: the reward model's loss, DPO and its relatives with their gradients, and GRPO's clipped loss.

One file: trl is slow to import, and its trainers are slow to make, so each is made once and told another loss.
"""

import copy

import pytest
import torch

from courselib.lab import models
from courselib.preference.bradley_terry import pairwise_loss
from courselib.preference.direct import dpo, dpo_of_means, hinge, ipo, margins_of, response_log_probs
from courselib.preference.groups import group_loss

PAIRS = [  # unequal lengths, so that sums are not means, and padding
    ("Anna", " made lentil stew two days ago.", " has a small garden."),
    ("Omar", " went to Porto Verde.", " joined the water polo club at the age of nine."),
    ("My", " uncle lives near the coast.", " printer stopped working."),
]
ROWS = {"prompt": [p for p, _, _ in PAIRS], "chosen": [c for _, c, _ in PAIRS], "rejected": [r for _, _, r in PAIRS]}


def tiny(seed, base):
    """A small Llama with the course's tokenizer; its weights are random and not the reference's."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    return LlamaForCausalLM(LlamaConfig(
        vocab_size=len(base.tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        pad_token_id=base.tokenizer.pad_token_id, bos_token_id=0, eos_token_id=0, initializer_range=0.2,
    ))


@pytest.fixture(scope="module")
def base():
    return models.load("causal")


@pytest.fixture(scope="module")
def trainer(base, tmp_path_factory):
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    args = DPOConfig(
        output_dir=str(tmp_path_factory.mktemp("dpo")), use_cpu=True, bf16=False, report_to=[], per_device_train_batch_size=3,
        gradient_checkpointing=False, disable_tqdm=True, disable_dropout=True,
    )
    return DPOTrainer(tiny(0, base), ref_model=tiny(1, base), args=args, train_dataset=Dataset.from_dict(ROWS),
                      processing_class=base.tokenizer)


def grads(model):
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


@pytest.mark.parametrize("loss_type, beta, smoothing, ours", [
    ("sigmoid", 0.1, 0.0, lambda m, b: dpo(m, b)),
    ("sigmoid", 0.5, 0.0, lambda m, b: dpo(m, b)),
    ("robust", 0.1, 0.1, lambda m, b: dpo(m, b, 0.1)),
    ("robust", 0.5, 0.3, lambda m, b: dpo(m, b, 0.3)),
    ("hinge", 0.1, 0.0, lambda m, b: hinge(m, b)),
    ("ipo", 0.1, 0.0, lambda m, b: ipo(m, b, of_means=True)),
    ("ipo", 0.5, 0.0, lambda m, b: ipo(m, b, of_means=True)),
    ("sigmoid_norm", 0.5, 0.0, lambda m, b: dpo_of_means(m, b)),
])
def test_dpo_and_its_relatives_agree_with_trl(trainer, loss_type, beta, smoothing, ours):
    trainer.loss_types, trainer.loss_weights, trainer.beta, trainer.label_smoothing = [loss_type], [1.0], beta, smoothing
    batch = next(iter(trainer.get_train_dataloader()))
    policy, reference = copy.deepcopy(trainer.model), trainer.ref_model
    trainer.model.zero_grad()
    theirs = trainer.compute_loss(trainer.model, dict(batch))
    theirs.backward()
    ids, mask, response = batch["input_ids"], batch["attention_mask"], batch["completion_mask"]
    with torch.no_grad():
        log_ref = response_log_probs(reference, ids, mask, response)
    policy.zero_grad()
    loss = ours(margins_of(response_log_probs(policy, ids, mask, response), log_ref, response), beta)
    loss.backward()
    assert len({int(n) for n in response.sum(1)}) > 2  # lengths differ
    assert loss.item() == pytest.approx(theirs.item(), rel=4e-6, abs=4e-6)
    a, b = grads(policy), grads(trainer.model)
    assert (a - b).norm() <= 4e-6 * b.norm() and b.norm() > 1e-3


@pytest.mark.parametrize("margin, center", [(0.0, 0.0), (0.5, 0.0), (0.0, 0.01)])
def test_reward_loss_agrees_with_trl(margin, center):
    from types import SimpleNamespace

    from trl import RewardTrainer

    torch.manual_seed(0)
    rewards = torch.randn(10, 1) * 5
    inputs = {"input_ids": torch.zeros(10, 3, dtype=torch.long), "attention_mask": torch.ones(10, 3, dtype=torch.long)}
    if margin:
        inputs["margin"] = torch.full((5,), margin)

    class Metrics(dict):
        def __missing__(self, key):
            return self.setdefault(key, [])

    fake = SimpleNamespace(
        model=SimpleNamespace(training=False), args=SimpleNamespace(center_rewards_coefficient=center or None),
        accelerator=SimpleNamespace(gather=lambda x: x, gather_for_metrics=lambda x: x), _metrics={"eval": Metrics()},
        _total_train_tokens=0, _tp_size=1,
    )
    theirs = RewardTrainer.compute_loss(fake, lambda **_: SimpleNamespace(logits=rewards.clone()), inputs)
    chosen, rejected = rewards.squeeze(-1).chunk(2)
    assert pairwise_loss(chosen, rejected, margin, center).item() == pytest.approx(theirs.item(), rel=1e-7)


@pytest.mark.parametrize("loss_type", ["grpo", "bnpo", "dr_grpo"])
@pytest.mark.parametrize("beta", [0.0, 0.2])
def test_grpo_agrees_with_trl(loss_type, beta):
    from types import SimpleNamespace

    from trl import GRPOTrainer

    torch.manual_seed(0)
    rows, T = 4, 6
    log_p = torch.randn(rows, T).requires_grad_()
    log_old, log_ref = log_p.detach() + 0.4 * torch.randn(rows, T), log_p.detach() + 0.4 * torch.randn(rows, T)
    mask = (torch.arange(T)[None] < torch.tensor([6, 2, 4, 1])[:, None]).float()
    advantages = torch.randn(rows)

    class Metrics(dict):
        def __missing__(self, key):
            return self.setdefault(key, [])

    model = SimpleNamespace(training=True)
    fake = SimpleNamespace(
        model=model, _get_per_token_logps_and_entropies=lambda *a, **k: (log_p, torch.zeros(rows, T), None), beta=beta,
        aux_loss_enabled=False, top_entropy_quantile=1.0, off_policy_mask_threshold=None, importance_sampling_level="token",
        loss_type=loss_type, epsilon_low=0.2, epsilon_high=0.2, use_vllm=False, vllm_importance_sampling_correction=False,
        args=SimpleNamespace(use_bias_correction_kl=False, delta=None), current_gradient_accumulation_steps=1,
        max_completion_length=T, _entropy_bonus_enabled=False, _metrics={"train": Metrics()},
        accelerator=SimpleNamespace(gather=lambda x: x, reduce=lambda x, reduction: x, num_processes=1),
    )
    inputs = {
        "prompt_ids": torch.zeros(rows, 2, dtype=torch.long), "prompt_mask": torch.ones(rows, 2),
        "completion_ids": torch.zeros(rows, T), "completion_mask": mask,
        "advantages": advantages, "old_per_token_logps": log_old, "ref_per_token_logps": log_ref,
    }
    theirs = GRPOTrainer._compute_loss(fake, model, inputs)
    ours = group_loss(log_p, log_old, advantages, mask, beta=beta, log_ref=log_ref, how=loss_type, longest=T)
    (a,), (b,) = torch.autograd.grad(ours, log_p), torch.autograd.grad(theirs, log_p)
    assert ours.item() == pytest.approx(theirs.item(), rel=3e-7, abs=3e-7)
    assert (a - b).abs().max() <= 3e-7 and b.abs().max() > 1e-3


def test_the_trainers_that_the_chapter_names():
    import trl

    for name in ("RewardTrainer", "DPOTrainer", "KTOTrainer", "GRPOTrainer", "RLOOTrainer"):
        assert hasattr(trl, name)
    assert not hasattr(trl, "PPOTrainer")
