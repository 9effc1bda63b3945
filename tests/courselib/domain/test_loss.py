"""The loss of continued pretraining: parity with torch and transformers, both normalisers, the gradient by hand."""

import pytest
import torch
from torch.nn import functional as F

from courselib.domain import loss


def _document(length, vocab=7, seed=0):
    draw = torch.Generator().manual_seed(seed)
    logits = torch.randn(length, vocab, generator=draw, dtype=torch.float64)
    return logits, torch.randint(0, vocab, (length,), generator=draw)


def test_one_document_is_torch_cross_entropy_of_shifted_tokens():
    logits, ids = _document(9)
    assert loss.clm_nll(logits, ids).item() == pytest.approx(F.cross_entropy(logits[:-1], ids[1:]).item(), rel=1e-12)
    assert loss.token_log_probs(logits, ids).shape == (8,)
    with pytest.raises(ValueError, match="9 rows of logits and 8 tokens"):
        loss.clm_nll(logits, ids[:-1])
    with pytest.raises(ValueError, match="2 tokens are needed"):
        loss.clm_nll(logits[:1], ids[:1])


def test_the_two_normalisers_by_hand():
    documents = [-torch.tensor(nats) for nats in ([2.6, 1.9, 2.0, 1.7, 2.3], [3.40, 2.33], [2.74, 2.2, 2.6, 2.3])]
    assert loss.corpus_nll(documents, "token").item() == pytest.approx(2.370, abs=1e-6)
    assert loss.corpus_nll(documents, "document").item() == pytest.approx(2.475, abs=1e-6)
    even = [document[:2] for document in documents]
    assert loss.corpus_nll(even, "token").item() == pytest.approx(loss.corpus_nll(even, "document").item())
    with pytest.raises(ValueError, match="'token' or 'document'"):
        loss.corpus_nll(documents, "mean")


def test_token_weights_sum_to_one_and_make_the_losses():
    lengths = [5, 2, 4]
    documents = [-torch.rand(n, dtype=torch.float64) for n in lengths]
    for normaliser in loss.NORMALISERS:
        weights = loss.token_weights(lengths, normaliser)
        assert sum(w * n for w, n in zip(weights, lengths, strict=True)) == pytest.approx(1)
        by_weights = -sum(w * document.sum().item() for w, document in zip(weights, documents, strict=True))
        assert by_weights == pytest.approx(loss.corpus_nll(documents, normaliser).item())
    with pytest.raises(ValueError, match="normaliser"):
        loss.token_weights(lengths, "text")


def test_the_printed_gradient_belongs_to_the_token_mean():
    made = [_document(n + 1, seed=n) for n in (5, 2, 4)]
    logits = [z.requires_grad_() for z, _ in made]
    chosen = [loss.token_log_probs(z, ids) for z, (_, ids) in zip(logits, made, strict=True)]
    right = torch.autograd.grad(loss.corpus_nll(chosen, "document"), logits, retain_graph=True)
    printed = torch.autograd.grad(-sum(c.sum() for c in chosen) / 3, logits)
    ratios = [(b.norm() / a.norm()).item() for a, b in zip(right, printed, strict=True)]
    assert ratios == pytest.approx([5, 2, 4])
    again = [loss.token_log_probs(z, ids) for z, (_, ids) in zip(logits, made, strict=True)]
    token = torch.autograd.grad(loss.corpus_nll(again, "token"), logits)
    mean_length = 11 / 3  # the printed one is the *other* loss's gradient, times this
    assert all(torch.allclose(b, a * mean_length) for a, b in zip(token, printed, strict=True))


@pytest.mark.parametrize("ignored", [(), (1, 4)])
def test_the_gradient_by_hand_is_autograds(ignored):
    logits, target = _document(6)
    target[list(ignored)] = loss.IGNORED
    logits.requires_grad_()
    F.cross_entropy(logits, target).backward()
    found = loss.nll_gradient(logits.detach(), target)
    assert (found - logits.grad).abs().max() < 1e-15
    assert found.sum(1).abs().max() < 1e-15
    assert not found[list(ignored)].any()


def test_the_gradient_of_large_logits_is_finite_and_its_input_untouched():
    logits = torch.tensor([[3000.0, 0.0, -3000.0]])
    assert loss.nll_gradient(logits, torch.tensor([1])).tolist() == [[1.0, -1.0, 0.0]]
    assert logits.tolist() == [[3000.0, 0.0, -3000.0]]
    assert loss.nll_gradient(logits, torch.tensor([-100])).tolist() == [[0.0, 0.0, 0.0]]  # nothing counts: torch's mean is nan
    assert F.cross_entropy(logits, torch.tensor([-100])).isnan()
