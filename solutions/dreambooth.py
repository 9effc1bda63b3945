"""Model answers of chapter 11."""

import math
from collections.abc import Callable

import torch
from torch import Tensor


def dreambooth_alpha_bar(betas: Tensor) -> Tensor:
    """The share of the signal's variance that is left after t small steps, for every t. Step t replaces a share betas[t] of the
    variance by noise, so it keeps 1 - betas[t].

    betas: (T,), each between 0 and 1.   Returns (T,); the first entry is that after the first step.
    """
    return torch.cumprod(1 - betas, dim=0)


def dreambooth_add_noise(x0: Tensor, noise: Tensor, alpha_bar: Tensor) -> Tensor:
    """x_t of each example in one go: its share alpha_bar of the variance is signal, the rest is noise.

    x0, noise: (n, ...), of any number of dimensions.   alpha_bar: (n,), one level for each example.   Returns (n, ...).
    """
    level = alpha_bar.view(-1, *[1] * (x0.dim() - 1))
    return level**0.5 * x0 + (1 - level) ** 0.5 * noise


def dreambooth_predict_x0(x_t: Tensor, noise: Tensor, alpha_bar: Tensor) -> Tensor:
    """What the clean example must have been, if `noise` is the noise that is in x_t.

    x_t, noise: (n, ...).   alpha_bar: (n,), one level for each example, above 0.   Returns (n, ...).
    """
    level = alpha_bar.view(-1, *[1] * (x_t.dim() - 1))
    return (x_t - (1 - level) ** 0.5 * noise) / level**0.5


def dreambooth_ddim_step(x_t: Tensor, noise: Tensor, alpha_bar_t: float, alpha_bar_s: float) -> Tensor:
    """One step of DDIM without a draw (eta = 0), from level t to the cleaner level s.

    x_t: (n, ...).   noise: the network's prediction at level t, (n, ...).   At alpha_bar_s = 1 the result is the predicted clean
    example. Nothing is clipped. Returns x_s, (n, ...).
    """
    clean = (x_t - math.sqrt(1 - alpha_bar_t) * noise) / math.sqrt(alpha_bar_t)
    return math.sqrt(alpha_bar_s) * clean + math.sqrt(1 - alpha_bar_s) * noise


def dreambooth_guided_noise(conditional: Tensor, unconditional: Tensor, scale: float) -> Tensor:
    """Classifier-free guidance: from the prediction without a prompt towards the one with it, `scale` times the way.

    conditional, unconditional: (n, ...).   scale 0 is without the prompt, 1 with it, and more goes beyond.   Returns (n, ...).
    """
    return unconditional + scale * (conditional - unconditional)


def dreambooth_prior_preservation_loss(
    predicted: Tensor, noise: Tensor, prior_predicted: Tensor, prior_noise: Tensor, lam: float
) -> float:
    """DreamBooth's loss: the mean squared error on the subject's batch, plus lam times that on the prior's batch.

    predicted, noise: (n, ...).   prior_predicted, prior_noise: (m, ...), where m may differ from n.
    """
    subject = (predicted - noise).pow(2).mean()
    prior = (prior_predicted - prior_noise).pow(2).mean()
    return float(subject + lam * prior)


def dreambooth_mend_loss(predicted: Tensor, noise: Tensor, lam: float) -> float:
    """The same loss from one batch that holds both, as scripts have it: the first half are the subject's pictures, the second
    half the prior's. The function in the cell above runs, and is wrong. Write it right.

    predicted, noise: (2n, ...).
    """
    subject, prior = ((predicted - noise) ** 2).chunk(2)
    return float(subject.mean() + lam * prior.mean())


def dreambooth_drift(before: Tensor, after: Tensor) -> float:
    """How far a prompt's pictures have moved: KL(before ‖ after) in nats.

    before, after: (outcomes,), probabilities that add up to one. `before` may hold zeros: an outcome that never came adds
    nothing. `after` holds none.
    """
    came = before > 0
    return float((before[came] * torch.log(before[came] / after[came])).sum())


def dreambooth_sampler(denoise: Callable[[Tensor, float], Tensor], x: Tensor, alpha_bar: Tensor) -> Tensor:
    """Draws from a diffusion model. You are given pure noise and a network; return clean examples.

    denoise(x_t, level): the noise that is in x_t, if its level is `level`, a number of alpha_bar.   x: (n,), standard normal.
    alpha_bar: (T,), falling from nearly 1 to nearly 0. Use as many of its levels as you like. Returns (n,).
    """
    levels = alpha_bar.flip(0).tolist()
    for here, there in zip(levels, [*levels[1:], 1.0], strict=True):
        noise = denoise(x, here)
        clean = (x - math.sqrt(1 - here) * noise) / math.sqrt(here)
        x = math.sqrt(there) * clean + math.sqrt(1 - there) * noise
    return x


def dreambooth_training_loss(
    denoise: Callable[[Tensor, Tensor, str], Tensor], mine: Tensor, prior: Tensor, alpha_bar: Tensor, lam: float
) -> Tensor:
    """The loss of one step of DreamBooth, to be differentiated: the judge trains a small model with it, many steps.

    denoise(x_t, levels, prompt): the predicted noise, (n,), for x_t and levels (n,) and a prompt: "a sks ball" is the subject's,
    "a ball" the class's.   mine: (n,), the subject's examples.   prior: (m,), made for "a ball" before the training.
    alpha_bar: (T,), the levels to draw from, all equally often.   lam: the weight of the prior's term.
    """
    terms = []
    for clean, prompt in ((mine, "a sks ball"), (prior, "a ball")):
        level = alpha_bar[torch.randint(len(alpha_bar), (len(clean),))]
        noise = torch.randn(len(clean))
        noised = level.sqrt() * clean + (1 - level).sqrt() * noise
        terms.append((denoise(noised, level, prompt) - noise).square().mean())
    return terms[0] + lam * terms[1]


def dreambooth_choose_lambda(lams: list[float], fidelity: Tensor, drift: Tensor, naive: Tensor, t: float, share: float) -> float:
    """Which λ to take, from measurements: of those that keep the subject surely enough, the one with the least mean drift.

    fidelity, drift: (λs, seeds).   naive: (seeds,), the fidelity without a prior, with the same seeds. A λ keeps the subject if
    the lower end of the interval of fidelity - share · naive, taken seed by seed, is at least 0: mean - t · s / √n, s divided by
    n - 1. Returns the λ, or 0.0 (no prior) if none keeps the subject.
    """
    gap = fidelity - share * naive  # (lams, seeds)
    low = gap.mean(dim=1) - t * gap.std(dim=1) / math.sqrt(gap.shape[1])
    sure = [i for i in range(len(lams)) if low[i] >= 0]
    return lams[min(sure, key=lambda i: drift[i].mean())] if sure else 0.0


def dreambooth_predict_looks(mine: int, prior: int, steps: int, batch: int, lam: float) -> tuple[float, float, float]:
    """A training of `steps` steps, each with `batch` of the subject's pictures, of which there are `mine`, and `batch` of the
    prior's, of which there are `prior`; all equally often. The loss is mean over the one + lam · mean over the other. Predict:

    how often each of the subject's pictures is looked at, how often each of the prior's, and how many times the weight of the
    subject's term the prior's term has in the loss.
    """
    return steps * batch / mine, steps * batch / prior, lam


def dreambooth_prior_against_drift() -> str:
    """A friend has fine-tuned a model on four pictures of a dog with the prompt "a sks dog", and now "a dog" brings that dog
    only. You advise prior preservation; the friend objects: "I could as well give 'sks' a rarer name, or train for fewer steps.
    And your second term uses the noised pictures of the first, so what does it add?"

    Answer in five to eight sentences. Why does "a dog" drift although it is not the prompt that was trained? What does the second
    term do, with which pictures, which prompt and whose noise? What do rarer words and fewer steps do, and what not? What does
    the prior cost, and what does it not protect? Lean on numbers of this chapter.
    """
    return """
The rare word shares everything with the class's word but one vector: the same network, the same attention, and the word "dog"
stands in both prompts. What lowers the loss on four pictures moves weights that "a dog" uses as well, so it brings that dog
too: by more than a nat, in the chapter's measurement. The second term is the same denoising loss on pictures that the model
itself made for "a dog" before the training, with the class's prompt. It has noise and time steps of its own; it does not see
the subject's noised pictures, as its pictures are others. It asks the model to go on doing for "a dog" what it did, and is up
to weights a bound on the KL divergence from what the model brought before. A rarer word only decides where the subject is
put; with a common word that word is lost besides, but the class drifts either way. Fewer steps drift less and learn the
subject less: that is moving along the trade, not out of it. The price of the prior is about twice the computation, the
pictures that have to be made first, and more steps until the subject is as good; λ says how much of each. It protects the
prompt that it is made for. What it holds of other words is what they share with it, so measure them too.
"""
