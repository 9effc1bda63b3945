"""The diffusion model: what it can do, that libraries alone open it, how it is made; and one in Stable Diffusion's layout."""

import json

import numpy as np
import pytest
import torch

from courselib.dreambooth import looking, make_diffusion, personal, sampling, trials
from courselib.dreambooth import pictures as world
from courselib.dreambooth.painter import FOLDER, load_painter
from courselib.lab.training import fit


@pytest.fixture(scope="module")
def base():
    return load_painter(FOLDER)


def test_it_paints_what_it_is_asked_for(base):
    asked = {"a red ball": (0, (0, 1)), "a hollow green box": (1, (3,)), "a solid yellow tent": (2, (6,))}
    found = sampling.paint(base, [prompt for prompt in asked for _ in range(12)], steps=15, seed=3)
    seen = looking.look_at(found)
    looks = seen.posterior.sum(-1).view(3, 12, len(world.SHAPES), -1).mean(1)
    for share, (shape, which) in zip(looks, asked.values(), strict=True):
        assert share[shape, list(which)].sum() > 0.6
    assert seen.distance.median() < 0.2  # of world.NOISE for photographs, and 0.6 and more for noise


def test_it_has_never_seen_the_subjects(base):
    found = sampling.paint(base, ["a sks ball"] * 24, steps=15, seed=4)
    assert max(looking.fidelity(found, name) for name in world.SUBJECTS) < 0.1


def test_libraries_open_it_alone_and_compute_the_same(base):
    from diffusers import DDPMScheduler, UNet2DConditionModel
    from transformers import AutoTokenizer, CLIPTextModel

    unet = UNet2DConditionModel.from_pretrained(FOLDER, subfolder="unet").eval()
    text = CLIPTextModel.from_pretrained(FOLDER, subfolder="text_encoder").eval()
    tokenizer = AutoTokenizer.from_pretrained(FOLDER, subfolder="tokenizer")
    scheduler = DDPMScheduler.from_pretrained(FOLDER, subfolder="scheduler")
    ids = tokenizer(["a red ball"], padding="max_length", max_length=make_diffusion.TOKENS, return_tensors="pt").input_ids
    x = torch.randn(1, 12, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        words = text(ids).last_hidden_state
        assert torch.equal(words, base.encode(["a red ball"]))
        assert torch.equal(unet(x, 300, words).sample, base.unet(x, 300, words).sample)
    assert torch.equal(scheduler.alphas_cumprod, base.alpha_bar)
    assert sum(p.numel() for p in unet.parameters()) < 3e6
    assert sum(file.stat().st_size for file in FOLDER.rglob("*") if file.is_file()) < 6e6


def test_pictures_become_latents_and_come_back(base):
    pictures = world.subject_pictures("Dot")
    latents = base.to_latents(pictures)
    assert latents.shape == (4, *base.latent_shape) and base.picture_size == 16
    assert torch.equal(base.to_pictures(latents), pictures.clamp(-1, 1))


def test_the_card_and_the_curve_are_those_of_the_recipe():
    card, curve = (FOLDER / "README.md").read_text(encoding="utf-8"), (FOLDER / "loss.csv").read_text(encoding="utf-8").split()
    assert f"{make_diffusion.STEPS} steps of {make_diffusion.BATCH} pictures" in card.replace("\n", " ").replace("  ", " ")
    assert curve[-1].startswith(f"{make_diffusion.STEPS},") and float(curve[-1].split(",")[1]) < float(curve[5].split(",")[-1])


def test_an_interrupted_training_goes_on_as_if_it_had_not_been(tmp_path, monkeypatch):
    """Six steps in one go, and four, a loss of power, and two: the same weights."""
    monkeypatch.setattr(make_diffusion, "SAVE_EVERY", 4)
    monkeypatch.setattr(make_diffusion, "BATCH", 2)
    monkeypatch.setattr(make_diffusion, "_write_card", lambda *_: None)
    make_diffusion.diffusion(tmp_path / "whole", 6)

    class Off(Exception):
        pass

    def until_five(model, batches, loss, optimizer, **how):
        def stop(step):
            if step.number == 5:
                raise Off

        return fit(model, batches, loss, optimizer, **how | {"callbacks": [*how["callbacks"], stop]})

    with monkeypatch.context() as patched, pytest.raises(Off):
        patched.setattr(make_diffusion, "fit", until_five)
        make_diffusion.diffusion(tmp_path / "cut", 6)
    assert len(json.loads((tmp_path / "cut" / "state.json").read_text())["curve"]) == 4
    make_diffusion.diffusion(tmp_path / "cut", 6)
    a, b = (load_painter(tmp_path / name) for name in ("whole", "cut"))
    assert all(torch.equal(x, y) for x, y in zip(a.unet.parameters(), b.unet.parameters(), strict=True))
    assert not list((tmp_path / "cut").glob("state*"))


def test_what_a_step_sees_depends_on_its_number_alone():
    painter = make_diffusion.new_painter()
    begun, later = iter(make_diffusion.Lessons(painter, 0)), iter(make_diffusion.Lessons(painter, 2))
    third = [next(begun) for _ in range(3)][2]
    first = next(later)
    assert torch.equal(third[0], first[0]) and third[1] == first[1] and torch.equal(third[3], first[3])


def test_a_model_in_stable_diffusions_layout(tmp_path, monkeypatch):
    """Random and tiny, with an autoencoder: loaded by its folder's name at hub scale, personalised, and painted with."""
    from diffusers import AutoencoderKL, UNet2DConditionModel

    ours = make_diffusion.new_painter()
    unet = UNet2DConditionModel(
        sample_size=8, in_channels=4, out_channels=4, block_out_channels=(8, 16), layers_per_block=1, cross_attention_dim=32,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=2, norm_num_groups=4,
    )  # fmt: skip
    vae = AutoencoderKL(
        block_out_channels=(8, 8, 8, 8), down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4, norm_num_groups=4,
    )  # fmt: skip
    for name, part in {"unet": unet, "vae": vae, "text_encoder": ours.text_encoder, "tokenizer": ours.tokenizer}.items():
        part.save_pretrained(tmp_path / name)
    ours.scheduler.from_config(ours.scheduler.config, clip_sample=False).save_pretrained(tmp_path / "scheduler")
    monkeypatch.setenv("COURSE_SCALE", "hub")
    with pytest.raises(ValueError, match="COURSE_DIFFUSION"):
        load_painter()
    monkeypatch.setenv("COURSE_DIFFUSION", str(tmp_path))
    real = load_painter()
    assert real.picture_size == 64 and real.latent_shape == (4, 8, 8)
    prior = personal.make_prior(real, "a ball", 2, steps=2)
    assert prior.shape == (2, 3, 64, 64) and prior.abs().max() <= 1
    mine = torch.nn.functional.interpolate(world.subject_pictures("Dot"), size=64)
    course = personal.Course(real.to_latents(mine), "a sks ball", real.to_latents(prior), "a ball", batch=1)
    tuned = personal.personalise(real, course, 1e-3, 2)
    assert min(personal.layer_changes(real.unet, tuned.unet).values()) > 0


def test_a_model_that_predicts_something_else_is_refused(tmp_path):
    ours = make_diffusion.new_painter()
    ours.scheduler.from_config(ours.scheduler.config, prediction_type="v_prediction").save_pretrained(tmp_path / "scheduler")
    with pytest.raises(ValueError, match="v_prediction"):
        load_painter(tmp_path)


def test_a_little_naive_training_drifts_more_than_the_floor(base):
    """Forty steps: the subject begins to come, for its own prompt and for the class's."""
    before = {"ball": sampling.paint(base, ["a ball"] * 64, steps=10, seed=1)}
    tuned = personal.personalise(base, trials.course_of(base, "Dot", 0, 0.0), 3e-4, 40, word_lr=trials.WORD_LR)
    after = sampling.paint(tuned, ["a ball"] * 32, steps=10, seed=2)
    floor = looking.drift_of(before["ball"], sampling.paint(base, ["a ball"] * 32, steps=10, seed=2), "ball")
    assert looking.drift_of(before["ball"], after, "ball") > floor + 0.5
    assert looking.fidelity(after, "Dot") > 0.1 and np.isfinite(floor)
