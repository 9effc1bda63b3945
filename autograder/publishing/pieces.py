"""A chapter's source text in pieces: prose, code cells and markers of exercises, each with the line where it stands.

The text is MyST. Where a piece begins and ends is for the MyST parser to say, not for a pattern: a marker or a cell that is only
quoted, inside a longer fence, is prose.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from jupytext.myst import get_parser, myst_to_notebook

from autograder.exercises.exercise import AuthorError


@dataclass(frozen=True)
class Piece:
    """`line` counts from 1 and is that of the text's first line, or of a marker; `fence` is where the piece begins.

    `exercise` is the id that a marker names, and None for prose and code.
    """

    line: int
    fence: int
    text: str
    code: bool = False
    tags: tuple[str, ...] = ()
    exercise: str | None = None


def pieces(path: Path) -> list[Piece]:
    """The pieces of a chapter, in order. Raises `AuthorError` with file and line for what cannot be read."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    fences = {token.map[0] + 1: token for token in get_parser().parse(text + "\n") if token.type == "fence" and not token.level}
    markers = {line: token for line, token in fences.items() if re.match(r"\{exercise\}(\s|$)", token.info.strip())}
    for line, token in markers.items():
        if token.content.strip():
            raise AuthorError(f"{path}:{line}: a marker of an exercise is empty; this one holds {token.content.strip()[:40]!r}")
        lines[line - 1] = f"{token.markup}{{code-cell}}"  # for jupytext; all lines keep their numbers
    try:
        notebook = myst_to_notebook("\n".join(lines), add_source_map=True)
    except Exception as error:  # jupytext meets a broken cell with several kinds of exceptions, and names its line
        sentence = " ".join(str(error).split())
        at = re.search(r"at line (\d+)", sentence)
        raise AuthorError(f"{path}:{at[1] if at else 1}: {sentence}") from None
    found = []
    for cell, start in zip(notebook.cells, notebook.metadata["source_map"], strict=True):
        if start in markers and cell.cell_type == "code":
            found.append(Piece(start, start, "", exercise=markers[start].info.strip().removeprefix("{exercise}").strip()))
        elif cell.cell_type == "code":
            first = fences[start].map[1] - len(cell.source.split("\n"))  # the closing fence, and up by the text's lines
            found.append(Piece(first, start, cell.source, True, tuple(cell.metadata.get("tags", []))))
        else:
            first = next(at for at, line in enumerate(lines[start:], start + 1) if line.strip())
            found.append(Piece(first, first, cell.source))
    return found
