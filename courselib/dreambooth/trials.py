"""One trial: a subject is learned; what became of it, of its class and of other words, the exact observer reads off."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from courselib.dreambooth import looking
from courselib.dreambooth import pictures as world
from courselib.dreambooth.painter import Painter
from courselib.dreambooth.personal import Course, make_prior, make_prompts, personalise
from courselib.dreambooth.sampling import paint

STEPS, PRIOR, WORD_LR, LORA_RANK = 480, 200, 1e-2, 8
COUNT = {"before": 192, "subject": 128, "class": 96, "red boxes": 32}  # pictures painted to observe with
LORA = {"r": LORA_RANK, "lora_alpha": LORA_RANK, "init_lora_weights": "gaussian", "target_modules": [
    "to_q", "to_k", "to_v", "to_out.0", "conv1", "conv2", "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2"
]}  # fmt: skip

# Chosen on seeds that are reported nowhere (`tuned` in benchmarks/effects/dreambooth.py); that of LoRA on one of them alone.
RATES = {"naive": 5e-4, "prior": 2e-3, "LoRA": 1e-2}


def course_of(
    base: Painter, subject: str, seed: int, lam: float, prior: Tensor | None = None, word: str = "sks",
) -> Course:  # fmt: skip
    """What a way trains on: four pictures of the subject, drawn with `seed`, and for lam > 0 `prior` or what the base paints."""
    prompt, class_prompt = make_prompts(word, world.SUBJECTS[subject][0])
    mine = base.to_latents(world.subject_pictures(subject, 4, seed))
    if not lam:
        return Course(mine, prompt)
    prior = make_prior(base, class_prompt, PRIOR, seed) if prior is None else prior
    return Course(mine, prompt, base.to_latents(prior), class_prompt, lam)


def before_of(base: Painter, shapes: Sequence[str] = world.SHAPES, seed: int = 10**6) -> dict[str, Tensor]:
    """What the base paints for each shape's word: shape -> (pictures, 3, 16, 16)."""
    return {shape: paint(base, [f"a {shape}"] * COUNT["before"], seed=seed + i) for i, shape in enumerate(shapes)}


def observed(painter: Painter, subject: str, before: dict[str, Tensor], seed: int, word: str = "sks") -> dict[str, float]:
    """Fidelity of the subject's prompt, and the drift of the words in `before`.

    "drift" is that of the subject's class, in nats; "other words" the mean of all others; "red boxes" how probable red is, solid
    or hollow, in pictures of "a red box": a word that the subject has nothing to do with, unless "red" was taken for its name.
    """
    shape = world.SUBJECTS[subject][0]
    mine = paint(painter, [f"a {word} {shape}"] * COUNT["subject"], seed=2 * seed)
    drifts = {
        name: looking.drift_of(pictures, paint(painter, [f"a {name}"] * COUNT["class"], seed=10**7 + seed), name)
        for name, pictures in before.items()
    }
    others = [value for name, value in drifts.items() if name != shape]
    boxes = looking.look_at(paint(painter, ["a red box"] * COUNT["red boxes"], seed=10**8 + seed)).posterior.sum((1, 3)).mean(0)
    red = sum(float(share) for share, (colour, _) in zip(boxes, world.LOOKS, strict=True) if colour == "red")
    found = {"fidelity": looking.fidelity(mine, subject), "drift": drifts[shape], "red boxes": red}
    return found | ({"other words": sum(others) / len(others)} if others else {})


def trial(
    base: Painter, subject: str, seed: int, lr: float, before: dict[str, Tensor], *, lam: float = 0.0, steps: int = STEPS,
    word: str = "sks", lora: bool = False,
) -> dict[str, float]:  # fmt: skip
    """Learns a subject in one way, and returns what is `observed`. With `lora` an adapter of the U-Net, and no word's vector."""
    course = course_of(base, subject, seed, lam, word=word)
    tuned = personalise(base, course, lr, steps, seed, **({"lora": LORA} if lora else {"word_lr": WORD_LR}))
    return observed(tuned, subject, before, seed, word=word)
