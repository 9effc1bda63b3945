"""DreamBooth's loss and training, on a model as small as can be."""

import copy

import pytest
import torch
from torch.nn import functional as F

from courselib.dreambooth import make_diffusion, personal
from courselib.dreambooth import pictures as world

MINE, THEIRS = "a sks ball", "a ball"


@pytest.fixture(scope="module")
def painter():
    torch.manual_seed(0)
    return make_diffusion.new_painter()


@pytest.fixture(scope="module")
def course(painter):
    mine = painter.to_latents(world.subject_pictures("Dot"))
    prior = painter.to_latents(world.subject_pictures("Kit", 6))
    return personal.Course(mine, MINE, prior, THEIRS, lam=0.7)


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_the_loss_is_that_of_the_published_script():
    """diffusers' examples/dreambooth/train_dreambooth.py: one batch, cut in two, instances first; mse_loss, weight 1.0."""
    predicted, target = drawn(6, 3, 2, 2), drawn(6, 3, 2, 2, seed=1)
    model_pred, model_pred_prior = torch.chunk(predicted, 2, dim=0)
    half, target_prior = torch.chunk(target, 2, dim=0)
    script = F.mse_loss(model_pred, half, reduction="mean") + 1.3 * F.mse_loss(model_pred_prior, target_prior, reduction="mean")
    ours = personal.prior_preservation_loss(predicted[:3], target[:3], predicted[3:], target[3:], 1.3)
    assert torch.allclose(ours, script, rtol=1e-6)


def test_batches_of_unequal_size_are_weighed_by_lam_alone():
    one, many = torch.full((1, 2), 3.0), torch.full((8, 2), 2.0)
    found = personal.prior_preservation_loss(one, torch.zeros(1, 2), many, torch.zeros(8, 2), 0.5)
    assert float(found) == 9 + 0.5 * 4


@pytest.mark.parametrize("shared", [False, True])
def test_a_step_is_the_formula_term_by_term(painter, course, shared):
    """Both terms worked out apart, with the step's draws: other noise and times, or the same where that is asked for."""
    course = personal.Course(course.latents, MINE, course.prior, THEIRS, 0.7, 4, shared)
    rows = torch.tensor([2, 0, 3]), torch.tensor([5, 1, 1])
    found = personal.course_loss(painter, course, rows, torch.Generator().manual_seed(4))
    generator = torch.Generator().manual_seed(4)
    count = 3 if shared else 6
    noise = torch.randn((count, *course.latents.shape[1:]), generator=generator)
    times = torch.randint(1000, (count,), generator=generator)
    terms = []
    for term, (x0, prompt) in enumerate(((course.latents[rows[0]], MINE), (course.prior[rows[1]], THEIRS))):
        part = slice(0, 3) if shared or not term else slice(3, 6)
        noised = painter.scheduler.add_noise(x0, noise[part], times[part])
        predicted = painter.unet(noised, times[part], painter.encode([prompt] * 3)).sample
        terms.append(F.mse_loss(predicted, noise[part]))
    assert torch.allclose(found, terms[0] + 0.7 * terms[1], rtol=1e-4)


def test_without_a_prior_only_the_subject_counts(painter, course):
    alone = personal.Course(course.latents, MINE)
    weightless = personal.Course(course.latents, MINE, course.prior, THEIRS, lam=0.0, shared_noise=True)
    rows = torch.arange(4), torch.arange(4)
    found = [personal.course_loss(painter, c, rows, torch.Generator().manual_seed(0)) for c in (alone, weightless)]
    assert torch.allclose(*found, rtol=1e-5)


def test_training_leaves_the_base_alone_and_only_moves_what_it_should(painter, course):
    before = copy.deepcopy(painter.unet.state_dict()), copy.deepcopy(painter.text_encoder.state_dict())
    tuned = personal.personalise(painter, course, lr=1e-3, steps=2)
    both = personal.personalise(painter, course, lr=1e-3, steps=2, word_lr=1e-2)
    for part, kept in zip((painter.unet, painter.text_encoder), before, strict=True):
        assert all(torch.equal(kept[name], value) for name, value in part.state_dict().items())
    same = [all(torch.equal(before[1][n], v) for n, v in p.text_encoder.state_dict().items()) for p in (tuned, both)]
    assert same == [True, False]
    changes = personal.layer_changes(painter.unet, tuned.unet)
    assert {"conv_in", "mid_block", "down_blocks.0", "up_blocks.1"} <= set(changes) and min(changes.values()) > 0


def test_the_same_seed_trains_the_same_and_another_does_not(painter, course):
    found = [personal.personalise(painter, course, 1e-3, 2, seed=seed).unet.conv_out.weight for seed in (0, 0, 1)]
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])


def test_an_adapter_by_add_adapter_is_all_that_learns(painter, course):
    tuned = personal.personalise(
        painter,
        course,
        1e-2,
        2,
        lora={"r": 2, "lora_alpha": 6, "target_modules": ["to_q", "to_v"], "init_lora_weights": "gaussian"},
    )
    old = dict(painter.unet.named_parameters())
    trained = {name: p for name, p in tuned.unet.named_parameters() if p.requires_grad}
    assert trained and all("lora_" in name for name in trained)
    assert all(
        torch.equal(p, old[name.replace(".base_layer", "")]) for name, p in tuned.unet.named_parameters() if "lora_" not in name
    )
    assert any(p.abs().sum() > 0 for name, p in trained.items() if "lora_B" in name)


def test_prompts():
    assert personal.make_prompts("sks", "ball") == (MINE, THEIRS)
    with pytest.raises(ValueError, match="one word each"):
        personal.make_prompts("sks dog", "ball")


def test_change_of_a_block_as_a_share_of_its_size():
    old = torch.nn.ModuleDict({"head": torch.nn.Linear(2, 1, bias=False)})
    new = copy.deepcopy(old)
    with torch.no_grad():
        old["head"].weight.copy_(torch.tensor([[3.0, 4.0]]))
        new["head"].weight.copy_(torch.tensor([[3.0, 4.5]]))
    assert personal.layer_changes(old, new) == {"head": pytest.approx(0.1)}
