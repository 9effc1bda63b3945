"""What students wrote, made harmless before it goes out: into a page that an instructor opens, a spreadsheet, a terminal.

Nothing of it runs there. Text that a spreadsheet would take for a formula stays text, characters that steer a terminal are
shown by their numbers, and Markdown keeps what makes it readable (tables, code, formulas, pictures that are in it) and loses
scripts, event handlers, frames, forms, styles, and addresses that fetch or run something. Formulas become MathML here, so that a
page needs no script for them; they join the text after it was cleaned, made by our converter from tags that are listed.
"""

from __future__ import annotations

import html
import secrets
import unicodedata
from collections.abc import Collection
from typing import Any
from xml.etree import ElementTree

import bleach
from jinja2 import pass_context
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from autograder.publishing.mathml import mathml

TAGS = frozenset([
    "a", "abbr", "b", "blockquote", "br", "code", "dd", "del", "details", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4", "h5",
    "h6", "hr", "i", "img", "li", "ol", "p", "pre", "s", "span", "strong", "sub", "summary", "sup", "table", "tbody", "td",
    "tfoot", "th", "thead", "tr", "u", "ul",
])  # fmt: skip
EVERYWHERE = frozenset(["class", "id", "title", "alt", "align", "colspan", "rowspan", "start"])
PICTURES = ("data:image/png;", "data:image/jpeg;", "data:image/gif;", "data:image/webp;")  # an SVG may hold scripts
MATH = frozenset([
    "math", "menclose", "merror", "mfrac", "mi", "mmultiscripts", "mn", "mo", "mover", "mpadded", "mphantom",
    "mprescripts", "mroot", "mrow", "ms", "mspace", "msqrt", "mstyle", "msub", "msubsup", "msup", "mtable", "mtd",
    "mtext", "mtr", "munder", "munderover",
])  # fmt: skip
MATH_ATTRIBUTES = frozenset([
    "accent", "accentunder", "class", "columnalign", "display", "displaystyle", "fence", "form", "height", "largeop",
    "linethickness", "lspace", "mathvariant", "maxsize", "minsize", "movablelimits", "notation", "rspace",
    "scriptlevel", "separator", "stretchy", "symmetric", "voffset", "width",
])  # fmt: skip
LONGEST = 10_000  # characters of a formula
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")


@pass_context
def markdown(context: Any, source: str) -> str:
    """Markdown as HTML without anything active: what nbconvert's pages use in the place of its own `markdown2html`."""
    attachments = dict(context.get("cell", {}).get("attachments", {}))
    renderer = _Renderer(escape=False, attachments=attachments)
    rendered = MarkdownWithMath(renderer=renderer).render(source)
    page = clean(rendered, renderer.formulas)  # a heading's formula would stand in its anchor too
    for place, formula in renderer.formulas.items():
        page = page.replace(place, formula)
    return page


def clean(page: str, text_only: Collection[str] = ()) -> str:
    """HTML without anything active. Text inside stays, tags that are not known are shown as text.

    `text_only`: words that may stand in the text and in no attribute.
    """

    def may(tag: str, name: str, value: str) -> bool:
        return _may(tag, name, value) and not any(word in value for word in text_only)

    return bleach.clean(page, tags=TAGS, attributes=may, protocols=["http", "https", "mailto", "data"], strip_comments=True)


class _Renderer(IPythonRenderer):
    """Leaves a place where a formula was, a word that nobody can guess, and keeps what belongs there."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self.formulas: dict[str, str] = {}

    def block_math(self, body: str) -> str:
        return self._place(body, display=True)

    def inline_math(self, body: str) -> str:
        return self._place(body, display=False)

    def latex_environment(self, name: str, body: str) -> str:
        return self._place(f"\\begin{{{name}}}{body}\\end{{{name}}}", display=True)

    def _place(self, tex: str, display: bool) -> str:
        place = f"formula{secrets.token_hex(16)}"
        self.formulas[place] = _formula(tex, display)
        return place

    def _embed_image_or_attachment(self, src: str) -> str:
        if src.startswith("attachment:") and src.removeprefix("attachment:") not in self.attachments:
            return ""  # nbconvert would give up on the whole page
        return super()._embed_image_or_attachment(src)


def _formula(tex: str, display: bool) -> str:
    """A formula as MathML without anything active; as it was typed, where it cannot be set."""
    try:
        made = ElementTree.fromstring(mathml(tex[:LONGEST], display))
        if len(tex) > LONGEST or any(element.tag not in MATH for element in made.iter()):
            raise ValueError
    except (ValueError, ElementTree.ParseError):
        return f"<code>{html.escape(tex)}</code>"
    for element in made.iter():
        for name in set(element.attrib) - MATH_ATTRIBUTES:
            del element.attrib[name]
    return ElementTree.tostring(made, encoding="unicode")


def _may(tag: str, name: str, value: str) -> bool:
    if tag == "img" and name == "src":
        return value.lower().startswith(PICTURES)  # one that has to be fetched tells its server who looks
    if tag == "a" and name == "href":
        return not value.strip().lower().startswith("data:")
    return name in EVERYWHERE


def visible(text: str) -> str:
    """The text on one line, with each character that steers something written as its number: `\\x1b` for an escape."""
    return "".join(ascii(c)[1:-1] if unicodedata.category(c)[0] == "C" else c for c in text)


def cell(text: str) -> str:
    """A cell for a spreadsheet: visible, and text even where it looks like a formula."""
    return visible("'" + text if text.lstrip()[:1] in FORMULA and text.strip() and not _is_number(text) else text)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
