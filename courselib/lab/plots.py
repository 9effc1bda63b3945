"""One look for every picture of the course: legible on a projector, and to a colour-blind reader.

The palette is Okabe and Ito's (Wong 2011, "Points of view: Color blindness", Nature Methods 8, 441), without its
yellow, which is lost on white. Error bars are 95 % intervals of a mean over seeds, from Student's t, because five
seeds are too few for the normal distribution.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler

if TYPE_CHECKING:
    from ipywidgets import Widget

# blue, orange, green, red, purple, sky blue, black
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000")

HIGHEST = 480  # pixels of an explorer's picture


class Interval(NamedTuple):
    """A mean and the half-width of its 95 % confidence interval; prints as "0.947 ± 0.022"."""

    mean: float
    half_width: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} ± {self.half_width:.3f}"


def interval(values: Sequence[float]) -> Interval:
    """The mean of independent runs and the half-width of its 95 % interval, t(n - 1) * s / sqrt(n).

    Meant for one value a seed. Raises ValueError for fewer than two values, which have no spread, and for values
    that are not finite.
    """
    numbers = np.asarray(values, dtype=float)
    if numbers.ndim != 1 or len(numbers) < 2 or not np.isfinite(numbers).all():
        raise ValueError(f"An interval needs a list of at least two finite numbers, one a seed; got {values!r}.")
    from scipy.special import stdtrit  # the t distribution's quantile

    n = len(numbers)
    half_width = stdtrit(n - 1, 0.975) * numbers.std(ddof=1) / np.sqrt(n)
    return Interval(float(numbers.mean()), float(half_width))


def explorer(draw: Callable[..., plt.Figure], **controls: Widget) -> None:
    """Shows controls and, below them, a picture: `draw(**values of the controls)`, drawn again when one of them changes.

    A control without a description is labelled with its name. The picture is an ordinary output that is updated in place, no
    widget: it is saved with the notebook as it was seen last, and can be read where no kernel runs. It is low enough to stand
    in one window with its controls.
    """
    import ipywidgets
    from IPython.display import Image, display

    def picture() -> Image:
        figure = draw(**{name: control.value for name, control in controls.items()})
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=min(90, HIGHEST / figure.get_figheight()), bbox_inches="tight")
        plt.close(figure)
        return Image(file.getvalue())

    for name, control in controls.items():
        control.description = control.description or name.replace("_", " ")
        control.style.description_width = "initial"
    labels = ", ".join(control.description for control in controls.values())
    static = {"text/plain": f"Controls of the picture, which work where a kernel runs: {labels}"}
    display(ipywidgets.VBox([*controls.values()])._repr_mimebundle_() | static, raw=True)
    shown = display(picture(), display_id=True)
    for control in controls.values():
        control.observe(lambda _: shown.update(picture()), "value")


def use_style() -> None:
    """Makes the course's style matplotlib's default for this notebook."""
    plt.rcParams.update(
        {
            "axes.prop_cycle": cycler(color=COLOURS),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.titlelocation": "left",
            "axes.titlesize": 14,
            "figure.titlesize": 17,  # the point of the picture; panel titles only say what a panel shows
            "axes.labelsize": 14,
            "xtick.labelsize": 13,
            "ytick.labelsize": 13,
            "legend.fontsize": 13,
            "legend.frameon": False,
            "grid.color": "#DDDDDD",
            "lines.linewidth": 2.5,
            "lines.markersize": 8,
            "figure.figsize": (8, 4.5),
            "savefig.dpi": 150,
        }
    )
