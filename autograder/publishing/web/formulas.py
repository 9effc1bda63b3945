r"""A Sphinx extension: every formula becomes MathML when the book is built, which browsers set by themselves.

Nothing is fetched and no script runs: formulas are there when the page is, in print and for screen readers too. A formula that
cannot be converted is a warning, and so stops the build; none is ever left as TeX.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

from autograder.publishing.mathml import mathml


def _visit(translator: HTML5Translator, node: nodes.math | nodes.math_block, display: bool) -> None:
    try:
        made = mathml(node.astext(), display)
    except ValueError as error:
        logging.getLogger(__name__).warning(str(error), location=node)
        made = translator.encode(node.astext())
    number = f'<span class="eqno">({node["number"]})</span>' if display and node.get("number") else ""
    translator.body.append(f'<div class="formula-line">{number}{made}</div>' if display else made)
    raise nodes.SkipNode


def visit_inline(translator: HTML5Translator, node: nodes.math) -> None:
    _visit(translator, node, display=False)


def visit_display(translator: HTML5Translator, node: nodes.math_block) -> None:
    _visit(translator, node, display=True)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_display, None))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
