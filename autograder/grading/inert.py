"""What students wrote, made harmless before it goes out: into a page that an instructor opens, a spreadsheet, a terminal.

Nothing of it runs there. Text that a spreadsheet would take for a formula stays text, characters that steer a terminal are
shown by their numbers, and Markdown keeps what makes it readable (tables, code, formulas, pictures that are in it) and loses
scripts, event handlers, frames, forms, styles, and addresses that fetch or run something.
"""

from __future__ import annotations

import unicodedata
from typing import Any

import bleach
from jinja2 import pass_context
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

TAGS = frozenset([
    "a", "abbr", "b", "blockquote", "br", "code", "dd", "del", "details", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4", "h5",
    "h6", "hr", "i", "img", "li", "ol", "p", "pre", "s", "span", "strong", "sub", "summary", "sup", "table", "tbody", "td",
    "tfoot", "th", "thead", "tr", "u", "ul",
])  # fmt: skip
EVERYWHERE = frozenset(["class", "id", "title", "alt", "align", "colspan", "rowspan", "start"])
PICTURES = ("data:image/png;", "data:image/jpeg;", "data:image/gif;", "data:image/webp;")  # an SVG may hold scripts
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")


@pass_context
def markdown(context: Any, source: str) -> str:
    """Markdown as HTML without anything active: what nbconvert's pages use in the place of its own `markdown2html`."""
    attachments = dict(context.get("cell", {}).get("attachments", {}))
    return clean(MarkdownWithMath(renderer=_Renderer(escape=False, attachments=attachments)).render(source))


def clean(html: str) -> str:
    """HTML without anything active. Text inside stays, tags that are not known are shown as text."""
    return bleach.clean(html, tags=TAGS, attributes=_may, protocols=["http", "https", "mailto", "data"], strip_comments=True)


class _Renderer(IPythonRenderer):
    def _embed_image_or_attachment(self, src: str) -> str:
        if src.startswith("attachment:") and src.removeprefix("attachment:") not in self.attachments:
            return ""  # nbconvert would give up on the whole page
        return super()._embed_image_or_attachment(src)


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
