"""A world of small pictures in which everything is known: a shape of one colour, solid or hollow, somewhere on a light ground.

A picture is (3, 16, 16) with values from -1 to 1. It is made of four attributes and Gaussian noise on every pixel, so the
probability of each combination of attributes, given a picture, can be computed exactly (`courselib.dreambooth.looking`).
Two combinations of shape and colour are held out: no training picture shows them. And there are *subjects*, looks that the world
does not have: what a DreamBooth is to learn from four pictures.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

SIZE, WIDTH = 16, 8  # pixels of a picture's side, and of a shape's
NOISE = 0.05  # standard deviation, on a scale from -1 to 1
GROUND = 0.8
SHAPES = ("ball", "box", "tent", "star")
COLOURS = {"red": (0.8, -0.8, -0.8), "green": (-0.7, 0.4, -0.7), "blue": (-0.8, -0.5, 0.9), "yellow": (0.9, 0.7, -0.8)}
STYLES = ("solid", "hollow")
SUBJECTS = {  # name: (shape, colour of the upper half, colour of the lower half)
    "Dot": ("ball", (0.5, -0.8, 0.7), (-0.9, -0.9, -0.9)),  # purple above, black below
    "Kit": ("box", (-0.8, 0.6, 0.8), (0.9, 0.1, -0.8)),  # light blue above, orange below
}
LOOKS = (*itertools.product(COLOURS, STYLES), *((name, "subject") for name in SUBJECTS))
PLACES = tuple(itertools.product((0, 1, 2, 6, 7, 8), repeat=2))  # (row, column) of a shape's upper left corner
HELD_OUT = (("star", "yellow"), ("tent", "blue"))
RARE = ("sks", "zwx", "olis")  # words that stand in few captions, and mean nothing there
WORDS = ("a", *SHAPES, *COLOURS, *STYLES, "top", "bottom", "left", "right", *RARE)


@dataclass(frozen=True)
class Thing:
    """What a picture shows: indices into SHAPES, LOOKS and PLACES."""

    shape: int
    look: int
    place: int

    @property
    def words(self) -> tuple[str, str, str, str, str]:
        """(style, colour, shape, "top" or "bottom", "left" or "right")"""
        (colour, style), (row, column) = LOOKS[self.look], PLACES[self.place]
        return style, colour, SHAPES[self.shape], "top" if row < 4 else "bottom", "left" if column < 4 else "right"


def mask(shape: str, hollow: bool = False) -> Tensor:
    """The pixels of a shape: (8, 8), True where it has colour. A hollow one is two pixels less all round."""
    y, x = torch.meshgrid(*2 * [torch.arange(WIDTH) - (WIDTH - 1) / 2], indexing="ij")
    inside = {
        "ball": lambda r: x**2 + y**2 <= (r + 0.3) ** 2,
        "box": lambda r: (x.abs() <= r) & (y.abs() <= r),
        "tent": lambda r: (y <= r) & (x.abs() <= (y + r) / 2 + 0.5) & (y >= -r),
        "star": lambda r: (
            (x.abs() + y.abs() <= r) | ((torch.minimum(x.abs(), y.abs()) <= 0.5) & (torch.maximum(x.abs(), y.abs()) <= r))
        ),
    }[shape]
    whole = inside(3.5)
    if not hollow:
        return whole
    smaller = inside(1.5)
    if shape == "tent":  # its middle lies low
        smaller = (y <= 1.5) & (y >= -0.5) & (x.abs() <= (y + 3.5) / 2 - 1)
    return whole & ~smaller


def template(thing: Thing) -> Tensor:
    """The picture of a thing without noise: (3, 16, 16)."""
    picture = torch.full((3, SIZE, SIZE), GROUND)
    name, style = LOOKS[thing.look]
    row, column = PLACES[thing.place]
    where = picture[:, row : row + WIDTH, column : column + WIDTH]
    upper, lower = SUBJECTS[name][1:] if style == "subject" else 2 * [COLOURS[name]]
    filled = mask(SHAPES[thing.shape], style == "hollow")
    for half, colour in ((slice(0, WIDTH // 2), upper), (slice(WIDTH // 2, WIDTH), lower)):
        where[:, half][:, filled[half]] = torch.tensor(colour)[:, None]
    return picture


def templates() -> Tensor:
    """All of them: (shapes, looks, places, 3, 16, 16)."""
    counts = len(SHAPES), len(LOOKS), len(PLACES)
    return torch.stack([template(Thing(*at)) for at in np.ndindex(*counts)]).view(*counts, 3, SIZE, SIZE)


def noisy(pictures: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Templates (..., 3, 16, 16) with the world's noise on them, as photographs of them would be."""
    return pictures + NOISE * torch.randn(pictures.shape, generator=generator)


def draw_things(count: int, rng: np.random.Generator) -> list[Thing]:
    """Things of the world, all combinations equally often but for those held out; no subjects."""
    allowed = [(s, k) for s, shape in enumerate(SHAPES) for k, (colour, style) in enumerate(LOOKS)
               if style != "subject" and (shape, colour) not in HELD_OUT]  # fmt: skip
    picks = rng.integers(len(allowed), size=count)
    return [Thing(*allowed[pick], int(place)) for pick, place in zip(picks, rng.integers(len(PLACES), size=count), strict=True)]


def caption(thing: Thing, rng: np.random.Generator, keep: float = 0.5, rare: float = 0.02, empty: float = 0.1) -> str:
    """A caption: the shape, each other attribute with probability `keep`; with a rare word at times; at times nothing at all."""
    if rng.random() < empty:
        return ""
    style, colour, shape, row, column = thing.words
    told = [word if rng.random() < keep else "" for word in (style, colour, row, column)]
    rare_word = str(rng.choice(RARE)) if rng.random() < rare else ""
    return " ".join(word for word in ("a", rare_word, *told[:2], shape, *told[2:]) if word)


def subject_pictures(name: str, count: int = 4, seed: int = 0) -> Tensor:
    """The few pictures there are of a subject, all of them on the left: (count, 3, 16, 16).

    Raises ValueError for a name that is none of SUBJECTS.
    """
    if name not in SUBJECTS:
        raise ValueError(f"There is no subject {name!r}; there are {', '.join(SUBJECTS)}.")
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    left = [i for i, (_, column) in enumerate(PLACES) if column < 4]
    shape, look = SHAPES.index(SUBJECTS[name][0]), LOOKS.index((name, "subject"))
    at = rng.choice(left, size=count, replace=False)
    return noisy(torch.stack([template(Thing(shape, look, int(place))) for place in at]), generator)
