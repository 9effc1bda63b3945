"""Accumulation, checkpointing, half precision, 8-bit moments, paging."""

import pytest
import torch
from torch import nn

from courselib.qlora.paging import PagedMemory, step_with_pages
from courselib.qlora.saving import accumulated_gradient, eight_bit, float16_loss, kept_when_checkpointed


def token_losses(model, batch):
    return model(batch).square().sum(1)


def test_accumulation_by_tokens_is_the_large_batch_and_by_means_is_not():
    torch.manual_seed(0)
    model = nn.Linear(6, 3)
    batches = [torch.randn(n, 6) * scale for n, scale in ((2, 3.0), (9, 1.0), (4, 0.3))]
    whole = accumulated_gradient(model, token_losses, [torch.cat(batches)])
    assert torch.allclose(accumulated_gradient(model, token_losses, batches), whole, atol=1e-6)
    assert (accumulated_gradient(model, token_losses, batches, by_tokens=False) - whole).norm() > 0.2 * whole.norm()
    equal = [torch.randn(5, 6) for _ in range(3)]
    means, tokens = (accumulated_gradient(model, token_losses, equal, by_tokens=by) for by in (False, True))
    assert torch.allclose(means, tokens, atol=1e-6)
    assert all(p.grad is None for p in model.parameters())


def test_checkpointing_keeps_inputs_only_and_computes_the_forward_pass_again():
    torch.manual_seed(0)
    layers = [nn.Sequential(nn.Linear(16, 64), nn.GELU(), nn.Linear(64, 16)) for _ in range(3)]
    x = torch.randn(10, 16)
    found = kept_when_checkpointed(layers, x)
    kept, flops = zip(*(found[name] for name in ("as it is", "checkpointed")), strict=True)
    # three inputs and the last output, which square() keeps; without: also what each GELU saw and what it made
    assert kept[1] == 4 * 10 * 16 * 4 and kept[0] == kept[1] + 3 * 2 * 4 * 10 * 64
    assert flops[1] / flops[0] == pytest.approx(4 / 3)


def test_checkpointing_changes_no_gradient():
    from courselib.qlora.saving import Checkpointed

    torch.manual_seed(0)
    layer, x = nn.Sequential(nn.Linear(4, 4), nn.Tanh()), torch.randn(3, 4, requires_grad=True)
    plain = torch.autograd.grad(layer(x).sum(), [x, *layer.parameters()])
    Checkpointed(layer)(x).sum().backward()
    assert all(torch.equal(a, b.grad) for a, b in zip(plain, [x, *layer.parameters()], strict=True))


def test_float16_loses_what_is_small_and_scaling_brings_it_back():
    gradients = torch.tensor([1e-9, 1e-8, 1e-6, 1.0, 0.0])
    assert float16_loss(gradients) == (0.5, 0.0)  # the smallest that is not zero is 2^-24, 6e-8
    assert float16_loss(gradients, 1024.0) == (0.0, 0.0)
    assert float16_loss(gradients, 1e6) == (0.0, 0.25)


def test_eight_bits_keep_a_moment_to_a_few_percent_whatever_its_size():
    moment = torch.randn(300, 5) * torch.logspace(-6, 2, 300)[:, None]
    again = eight_bit(moment)
    assert again.shape == moment.shape and (again - moment).norm() / moment.norm() < 0.03
    assert torch.equal(eight_bit(torch.zeros(3)), torch.zeros(3))


def test_pages_by_hand():
    card = PagedMemory(2)
    for page in (0, 1, 0, 2, 0, 1):
        card.touch(page)
    assert (card.fetched, card.sent) == (4, 2) and list(card.held) == [0, 1]  # 1 went when 2 came, 2 when 1 came
    card.leave(0)
    assert (card.sent, len(card.held)) == (4, 0)


def test_a_step_moves_what_the_peak_pushes_out_and_nothing_if_there_is_room():
    at = dict(page_gb=0.5, bus_gb_s=10.0, compute_s=1.0)
    assert step_with_pages(8, 8, 8, **at) == (found := step_with_pages(8, 10, 9, **at)) and found.pages == 0
    some = step_with_pages(8, 8, 5, **at)
    assert some.pages == 6 and some.waiting == pytest.approx(1.3) and some.overlapped == 1.0  # three out, three in
    assert step_with_pages(8, 6, 6, **at).pages == 16  # in turn, with less room than pages: every one out and in
