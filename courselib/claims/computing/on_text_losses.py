"""Chapters 01 and 03: the losses of a text, their means, their gradients, and the order of the texts."""

import torch
from torch.nn import functional as F

from courselib.claims.computed import Computed, computes
from courselib.domain import curriculum
from courselib.domain import loss as text_loss
from courselib.pretraining import objectives
from courselib.transfer.maximum_likelihood import mean_nll, mle_conditional, mle_marginal

LENGTHS = (5, 2, 4)


def _logits(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@computes("z2-px")
def _frequencies_are_likeliest() -> Computed:
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(0, 4, (200,), generator=generator)
    y = (x + torch.randint(0, 2, (200,), generator=generator)) % 3
    marginal, conditional = mle_marginal(x, 4), mle_conditional(x, y, 4, 3)
    others = [(torch.rand(4, generator=generator).double().softmax(0), torch.rand(4, 3, generator=generator).double().softmax(1))
              for _ in range(20)]
    gains = [max(mean_nll(marginal, x) - mean_nll(p, x), mean_nll(conditional, x, y) - mean_nll(q, x, y)) for p, q in others]
    return Computed(max(gains) <= 0, {"gain of the best other table": max(0.0, *gains)})


@computes("cpt-chain")
def _joint_and_product() -> Computed:
    joint = _logits(3, 3, 3).flatten().softmax(0).view(3, 3, 3)  # any distribution over texts of three tokens
    first, second = joint.sum((1, 2)), joint.sum(2) / joint.sum((1, 2))[:, None]
    third = joint / joint.sum(2, keepdim=True)
    off = float((joint.log() - (first.log()[:, None, None] + second.log()[:, :, None] + third.log())).abs().max())
    return Computed(off < 1e-9, {"joint minus product": off})


@computes("cpt-nll")
def _mean_over_positions() -> Computed:
    logits, ids = _logits(6, 9), torch.tensor([1, 8, 0, 3, 3, 2])
    off = abs(float(text_loss.clm_nll(logits, ids) - F.cross_entropy(logits[:-1], ids[1:])))
    return Computed(off < 1e-9, {"difference from torch": off})


@computes("cpt-corpus")
def _a_mean_of_means() -> Computed:
    documents = [-_logits(n).abs() for n in LENGTHS]
    by_document, by_token = (float(text_loss.corpus_nll(documents, kind)) for kind in ("document", "token"))
    weights = text_loss.token_weights(LENGTHS, "document")
    as_said = sum(-float(d.mean()) for d in documents) / len(documents)
    return Computed(abs(by_document - as_said) < 1e-9, {
        "mean over documents": by_document, "mean over tokens": by_token,
        "weight of a token of 2 beside one of 5": weights[1] / weights[0]})


@computes("cpt-grad")
def _the_lost_length() -> Computed:
    documents = [_logits(n, 7).requires_grad_() for n in LENGTHS]
    log_p = [logits.log_softmax(-1)[:, 0] for logits in documents]
    right = torch.autograd.grad(text_loss.corpus_nll(log_p, "document"), documents, retain_graph=True)
    said = torch.autograd.grad(-sum(p.sum() for p in log_p) / len(log_p), documents)
    ratios = [float(b.norm() / a.norm()) for a, b in zip(right, said, strict=True)]
    return Computed(max(abs(ratio - 1) for ratio in ratios) < 0.01, {
        f"factor for a document of {n}": ratio for n, ratio in zip(LENGTHS, ratios, strict=True)})


@computes("cpt-softmax-grad")
def _softmax_minus_onehot() -> Computed:
    logits = _logits(4, 6).requires_grad_()
    target = torch.tensor([5, 0, 2, 2])
    F.cross_entropy(logits, target).backward()
    off = float((logits.grad - text_loss.nll_gradient(logits.detach(), target)).abs().max())
    return Computed(off < 1e-9, {"difference from autograd": off})


@computes("cpt-curr-form")
def _what_a_growing_beta_draws() -> Computed:
    difficulty = torch.linspace(0, 1, 10_001).tolist()
    means = {beta: curriculum.expected_difficulty(difficulty, beta) for beta in (0, 1, 20)}
    return Computed(means[20] > means[0], {
        "mean difficulty at β 0": means[0], "at β 1": means[1], "at β 20": means[20]})


@computes("cpt-curr-start")
def _no_beta() -> Computed:
    weights = curriculum.weights([0.0, 0.3, 1.0, 9.0], 0.0)
    return Computed(weights.max() - weights.min() < 1e-12, {"largest weight divided by smallest": weights.max() / weights.min()})


@computes("m-clm-loss")
def _terms_of_a_sum() -> Computed:
    logits, ids = _logits(1, 8, 5), torch.tensor([[1, 2, 3, 4, 0, 1, 2, 3]])
    terms = len(text_loss.token_log_probs(logits[0], ids[0]))
    total = -float(text_loss.token_log_probs(logits[0], ids[0]).sum())
    mean = float(objectives.clm_loss(logits, ids))
    return Computed(abs(total - terms * mean) < 1e-9, {"terms of 8 tokens": total / mean, "their sum": total})


@computes("m-efficiency")
def _labels_in_one_pass() -> Computed:
    causal, masked = (objectives.labels_per_sequence(kind, 128) for kind in ("clm", "mlm"))
    return Computed(masked > causal, {"causal labels of 128": causal, "masked labels of 128": masked})
