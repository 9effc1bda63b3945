"""Two ways to adapt, compared fairly: how much is forgotten when the same has been learned.

"It forgets less" may mean "it was trained less": a plain run with a small learning rate forgets little too. So the plain run is
repeated with several learning rates. That gives a curve in the plane of (domain loss, general loss), which begins at the model
before any training. A method is held against the curve *at its own domain loss*: the null is that it lies on it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def general_at(curve: Sequence[tuple[float, float]], domain: float) -> float:
    """The general loss of a curve of (domain loss, general loss) points where the domain loss is `domain`; straight lines
    between.

    Units are those of the losses. The points may come in any order. Raises ValueError outside the curve, which would be
    guesswork, and for fewer than two points.
    """
    points = np.array(sorted(curve), dtype=float)  # (points, 2)
    if len(points) < 2:
        raise ValueError(f"A curve needs at least two points of (domain loss, general loss), but {len(points)} came.")
    if not points[0, 0] <= domain <= points[-1, 0]:
        raise ValueError(f"The curve goes from a domain loss of {points[0, 0]:.3f} to {points[-1, 0]:.3f} and says nothing about "
                         f"{domain:.3f}: add a run that learns as much.")
    return float(np.interp(domain, *points.T))


def extra_forgetting(curve: Sequence[tuple[float, float]], domain: float, general: float) -> float:
    """How much more general loss a method has than the curve, at the method's own domain loss; negative: it protects."""
    return general - general_at(curve, domain)
