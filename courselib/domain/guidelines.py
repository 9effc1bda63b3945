"""Rules of thumb that are passed on without a source, as they are passed on, and where they contradict one another.

Nothing here is measured. The functions look a rule up so that it can be argued with, and every answer carries its caveat. Two of
the rules cannot both be followed: one wants 10 to 20 % general data in the mix, the other 50 to 90 %.
"""

from __future__ import annotations

import math
from typing import NamedTuple

NO_SOURCE = "no study is known to us that supports these limits"


class Advice(NamedTuple):
    """What a rule says for a size, the range it says it for, and what is to be held against it."""

    says: str
    low: float
    high: float
    against: str


BY_SAMPLES = (  # labelled samples -> strategy
    Advice("write a better prompt", 0, 1e3, "LIMA (Zhou et al. 2023) fine-tuned a 65B model in full on 1,000 samples"),
    Advice("LoRA or adapters", 1e3, 1e4, "other rules of thumb say LoRA from 500 samples on, and full fine-tuning at 100,000"),
    Advice("train the top layers only", 1e4, 1e5, "more data and less to train than the row above: nobody has shown why"),
    Advice("full fine-tuning with a small learning rate", 1e5, 1e6, NO_SOURCE),
    Advice("continued pretraining, then full fine-tuning", 1e6, math.inf,
           "what continued pretraining needs is unlabelled text, whatever the number of labels"),
)
BY_GIGABYTES = (  # size of the domain corpus -> share alpha of domain text in the mix
    Advice("alpha from 0.1 to 0.3", 0, 1, "ascribed to Gururangan et al. 2020, who train on domain text alone (alpha = 1)"),
    Advice("alpha from 0.3 to 0.5", 1, 10, "the same"),
    Advice("alpha from 0.5 to 0.8", 10, math.inf, "the same"),
)
ALPHA_WITHOUT_SIZE = (0.8, 0.9)  # a third rule: "mix 10 to 20 % general data into fine-tuning", at any size
EPOCHS = {  # how many passes, by who says it
    "a rule against forgetting": (1, 3),
    "a rule for small data": (3, 5),
    "Devlin et al. 2019 (BERT), the grid they searched": (2, 4),
    "Ouyang et al. 2022 (InstructGPT), supervised step": (16, 16),
}


def recommend_by_size(samples: int) -> Advice:
    """What the data-size rule says for this many labelled samples. Raises ValueError for fewer than 0."""
    return _look_up(BY_SAMPLES, samples, "samples")


def alpha_by_size(gigabytes: float) -> Advice:
    """What the corpus-size rule says for the share of domain text. Raises ValueError for a negative size."""
    return _look_up(BY_GIGABYTES, gigabytes, "gigabytes")


def _look_up(rules: tuple[Advice, ...], size: float, unit: str) -> Advice:
    if not size >= 0:
        raise ValueError(f"{size} {unit} is no size; it has to be 0 or more.")
    return next(rule for rule in rules if rule.low <= size < rule.high or rule.high == math.inf)
