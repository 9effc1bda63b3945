"""Two ways to adapt, compared fairly: how much is forgotten when the same has been learned.

"It forgets less" may mean "it was trained less": a plain run with a small learning rate forgets little too. So the plain run is
repeated with several learning rates. That gives a curve in the plane of (domain loss, general loss), which begins at the model
before any training. A method is held against the curve *at its own domain loss*: the null is that it lies on it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def general_at(curve: Sequence[tuple[float, float]], domain: float) -> float:
    """The general loss where a curve of (domain loss, general loss) points has the domain loss `domain`: straight lines between.

    Units are those of the losses, and the points may come in any order. A `domain` below the whole curve, learned better than in
    any of its runs, gets the general loss of the run that learned most. That understates what learning so much would have cost,
    so it is hard on the method and not on the null. Raises ValueError above the curve, and for fewer than two points.
    """
    points = np.array(sorted(curve), dtype=float)  # (points, 2)
    if len(points) < 2:
        raise ValueError(f"A curve needs at least two points of (domain loss, general loss), but {len(points)} came.")
    if not domain <= points[-1, 0]:
        raise ValueError(f"The curve begins at a domain loss of {points[-1, 0]:.3f} and says nothing about {domain:.3f}: "
                         "a method that made the domain loss worse has learned nothing to compare.")
    return float(np.interp(domain, *points.T))


def extra_forgetting(curve: Sequence[tuple[float, float]], domain: float, general: float) -> float:
    """How much more general loss a method has than the curve, at the method's own domain loss; negative: it protects."""
    return general - general_at(curve, domain)
