"""Formulas as MathML, which browsers set by themselves: nothing is fetched and no script runs."""

from __future__ import annotations

import re

from math_core import LatexError, LatexToMathML

MACROS = {"substack": r"\begin{matrix}#1\end{matrix}"}
CONVERTER = LatexToMathML(macros=MACROS)
COLOURS = re.compile(r"\x1b\[[\d;]*m")


def mathml(tex: str, display: bool) -> str:
    """A formula as one <math> element. Raises ValueError with a sentence for TeX that is not understood."""
    try:
        made = CONVERTER.convert_with_local_state(tex, displaystyle=display)
    except LatexError as error:
        said = COLOURS.sub("", str(error)).strip().splitlines()[0]
        raise ValueError(f"This formula cannot be set ({said}): {' '.join(tex.split())}") from None
    return made.replace("<math", '<math class="formula"', 1)
