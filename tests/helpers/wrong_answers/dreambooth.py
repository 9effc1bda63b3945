"""Chapter 11: wrong answers that no exercise declares."""

import math

import torch


def beside(level, x):
    return level.reshape(-1, *[1] * (x.dim() - 1))


def noised(x0, noise, alpha_bar, whole):
    a = beside(alpha_bar, x0)
    return whole(a.sqrt() * x0 + (1 - a).sqrt() * noise)


def clean(x_t, noise, alpha_bar):
    a = beside(alpha_bar, x_t)
    return (x_t - (1 - a).sqrt() * noise) / a.sqrt()


def ddim(x_t, noise, t, s, clean=1.0, back=1.0):
    x0 = (x_t - math.sqrt(1 - t) * noise) / math.sqrt(t)
    return clean * math.sqrt(s) * x0 + back * math.sqrt(1 - s) * noise


def prior_loss(predicted, noise, prior_predicted, prior_noise, lam, *, power=2, whole=lambda v: v, weight=lambda lam: lam):
    a, b = ((p - n).abs().pow(power).mean() for p, n in ((predicted, noise), (prior_predicted, prior_noise)))
    return float(whole(a + weight(lam) * b))


def kl(p, q):
    return float(torch.xlogy(p, p / q).sum())


WRONG = {
    "dreambooth.alpha_bar": {
        "turned round": lambda betas: (1 - betas).cumprod(0).flip(0),
        "negated": lambda betas: -(1 - betas).cumprod(0),
        "squared": lambda betas: (1 - betas).cumprod(0) ** 2,
        "the last alone": lambda betas: (1 - betas).prod(),
        "in percent": lambda betas: 100 * (1 - betas).cumprod(0),
    },
    "dreambooth.add_noise": {
        "noise taken off": lambda x0, noise, alpha_bar: noised(x0, -noise, alpha_bar, lambda x: x),
        "other sign": lambda x0, noise, alpha_bar: noised(x0, noise, alpha_bar, lambda x: -x),
        "doubled": lambda x0, noise, alpha_bar: noised(x0, noise, alpha_bar, lambda x: 2 * x),
        "the picture": lambda x0, noise, alpha_bar: x0,
        "rounded": lambda x0, noise, alpha_bar: noised(x0, noise, alpha_bar, lambda x: x.round(decimals=1)),
        "exchanged": lambda x0, noise, alpha_bar: noised(noise, x0, alpha_bar, lambda x: x),
    },
    "dreambooth.predict_x0": {
        "as it came": lambda x_t, noise, alpha_bar: x_t,
        "the noise": lambda x_t, noise, alpha_bar: noise,
        "other sign": lambda x_t, noise, alpha_bar: -clean(x_t, noise, alpha_bar),
        "halved": lambda x_t, noise, alpha_bar: clean(x_t, noise, alpha_bar) / 2,
    },
    "dreambooth.ddim_step": {
        "noise taken off": lambda x_t, noise, alpha_bar_t, alpha_bar_s: ddim(x_t, noise, alpha_bar_t, alpha_bar_s, back=-1.0),
        "other sign": lambda x_t, noise, alpha_bar_t, alpha_bar_s: -ddim(x_t, noise, alpha_bar_t, alpha_bar_s),
        "stays": lambda x_t, noise, alpha_bar_t, alpha_bar_s: x_t,
        "doubled": lambda x_t, noise, alpha_bar_t, alpha_bar_s: 2 * ddim(x_t, noise, alpha_bar_t, alpha_bar_s),
    },
    "dreambooth.guided_noise": {
        "with the prompt": lambda conditional, unconditional, scale: conditional,
        "without": lambda conditional, unconditional, scale: unconditional,
        "negated": lambda conditional, unconditional, scale: -(unconditional + scale * (conditional - unconditional)),
        "divided": lambda conditional, unconditional, scale: (unconditional + scale * (conditional - unconditional)) / scale,
    },
    "dreambooth.prior_preservation_loss": {
        "absolute": lambda **i: prior_loss(**i, power=1),
        "halved": lambda **i: prior_loss(**i, whole=lambda v: v / 2),
        "negated": lambda **i: prior_loss(**i, whole=lambda v: -v),
        "root": lambda **i: prior_loss(**i, whole=lambda v: v.sqrt()),
        "without the prior": lambda **i: prior_loss(**i, weight=lambda lam: 0.0),
        "λ squared": lambda **i: prior_loss(**i, weight=lambda lam: lam**2),
    },
    "dreambooth.mend_loss": {
        "negated": lambda predicted, noise, lam: -float((predicted - noise).chunk(2)[0].square().mean()
                                                        + lam * (predicted - noise).chunk(2)[1].square().mean()),
        "halved": lambda predicted, noise, lam: float((predicted - noise).chunk(2)[0].square().mean()
                                                      + lam * (predicted - noise).chunk(2)[1].square().mean()) / 2,
        "nothing": lambda predicted, noise, lam: 0.0,
    },
    "dreambooth.drift": {
        "negated": lambda before, after: -kl(before, after),
        "both ways": lambda before, after: kl(before, after) + kl(after, before.clamp_min(1e-9)),
        "root": lambda before, after: kl(before, after) ** 0.5,
        "nothing": lambda before, after: 0.0,
        "in percent": lambda before, after: 100 * kl(before, after),
    },
    "dreambooth.choose_lambda": {
        "always one": lambda lams, fidelity, drift, naive, t, share: 1.0,
        "the largest": lambda lams, fidelity, drift, naive, t, share: max(lams),
        "its place": lambda lams, fidelity, drift, naive, t, share: float(drift.mean(1).argmin()),
    },
    "dreambooth.predict_looks": {
        "all of it": lambda mine, prior, steps, batch, lam: (steps * batch, steps * batch, lam),
        "other way round": lambda mine, prior, steps, batch, lam: (steps * batch / prior, steps * batch / mine, lam),
    },
}  # fmt: skip
