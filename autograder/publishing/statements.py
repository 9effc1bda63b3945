"""The statement of an exercise is the docstring of its answer. Here it is filled anew, as wide as a laptop shows a cell.

Authors write lines as long as the rest of the course has them; in a notebook, students would have to scroll sideways.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator

WIDTH = 96  # columns, with the indentation: JupyterLab beside its file browser on 1,280 pixels shows some more
_ITEM = re.compile(r"(- |\w+(, \w+)*: )")  # "rank: how many ..." begins a line of its own
_BESIDE = re.compile(r" {3,}")  # "x: (n, d).   y: (n,)."


def filled(source: str) -> str:
    """The source of functions and classes, their docstrings filled to `WIDTH` columns; no word is changed.

    A line that ended because it was full goes on with the next; one that ended before that was meant to.
    """
    lines = source.splitlines()
    documented = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.ClassDef)
                  and ast.get_docstring(node) is not None]  # fmt: skip
    for node in sorted(documented, key=lambda node: -node.lineno):
        text = node.body[0]
        first, last = text.lineno - 1, text.end_lineno or text.lineno
        if max(map(len, lines[first:last])) > WIDTH:
            lines[first:last] = _docstring(lines[first:last], " " * text.col_offset)
    return "\n".join(lines)


def _docstring(lines: list[str], indent: str) -> list[str]:
    body, closing = lines[:-1], lines[-1].strip()
    if closing != '"""':  # it ends behind the last word
        body, closing = [*lines[:-1], lines[-1].rstrip().removesuffix('"""')], ""
    found = [line for paragraph in _paragraphs(body) for line in _lines(paragraph)]
    end = found[-1] + '"""'
    if closing or len(found) > 1 or len(end) > WIDTH:
        return [*found, indent + '"""']
    return [end]


def _paragraphs(lines: list[str]) -> Iterator[list[str]]:
    """Lines that belong together, joined where a line went on because it was full."""
    paragraph: list[str] = []
    for line in lines:
        word, before = line.split(" ", len(line) - len(line.lstrip()))[-1].split(" ")[0], paragraph[-1] if paragraph else ""
        goes_on = before.strip() and line.strip() and not _ITEM.match(line.strip()) and _indent(line) == _indent(before)
        if paragraph and not (goes_on and len(before) + 1 + len(word) > WIDTH):
            yield paragraph
            paragraph = []
        paragraph.append(line)
    if paragraph:
        yield paragraph


def _lines(paragraph: list[str]) -> list[str]:
    if max(map(len, paragraph)) <= WIDTH:
        return paragraph
    indent = " " * _indent(paragraph[0])
    text = " ".join(line.strip() for line in paragraph)
    return [line for item in _BESIDE.split(text) if item
            for line in textwrap.wrap(item, WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False,
                                      break_on_hyphens=False)]  # fmt: skip


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
