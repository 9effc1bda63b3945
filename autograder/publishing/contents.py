"""What the README shows of the chapters: a table with what each asks of a reader, and a picture of what builds on what."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

from autograder.exercises.exercise import AuthorError
from autograder.places import CHAPTERS
from autograder.publishing import syllabus
from autograder.publishing.chapter import exercise_ids

BEGIN, END = "<!-- contents: made by `course build` -->", "<!-- end of contents -->"
FENCED = re.compile(r"^(`{3,})[^\n]*\n.*?^\1[ \t]*$", re.DOTALL | re.MULTILINE)


def table(folder: Path = CHAPTERS) -> str:
    """The README's table of chapters: ideas, words to read (code is not counted), and exercises."""
    lines = ["| chapter | ideas | words | exercises |", "|---|---|--:|--:|"]
    for name, ideas in syllabus.read(folder)["chapters"].items():
        path = folder / f"{name}.md"
        if path.exists():
            cells = [f"[{name}]({folder.name}/{name}.ipynb)", ideas, f"{words_of(path):,}", str(len(exercise_ids(path)))]
        else:
            cells = [name, ideas, "to come", ""]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def words_of(path: Path) -> int:
    """The words of a chapter's text, its code left out."""
    return len(FENCED.sub("", path.read_text(encoding="utf-8")).split())


def with_table(readme: str, folder: Path = CHAPTERS) -> str:
    """The README's text with its table of chapters made anew. Raises `AuthorError` when its marks are missing."""
    if BEGIN not in readme or END not in readme:
        raise AuthorError(f"README.md:1: the marks {BEGIN!r} and {END!r} are missing, so the contents have no place")
    before, rest = readme.split(BEGIN, 1)
    return f"{before}{BEGIN}\n{table(folder)}\n{END}{rest.split(END, 1)[1]}"


# ---------------------------------------------------------------------------------------------------------------------
# The picture: a column for each length of the way that leads to a chapter

BOX, COLUMN, ROW, MARGIN = (190, 36), 226, 54, 16


def picture(folder: Path = CHAPTERS) -> str:
    """An SVG of the chapters and what each builds on; one that is not written yet has a dashed border."""
    read = syllabus.read(folder)
    needs = {name: read["needs"].get(name, []) for name in read["chapters"]}
    columns: dict[int, list[str]] = {}
    for name in needs:
        columns.setdefault(_depth(name, needs), []).append(name)
    tallest = max(map(len, columns.values()))
    corner = {
        name: (MARGIN + column * COLUMN, MARGIN + round((row + (tallest - len(names)) / 2) * ROW))
        for column, names in columns.items() for row, name in enumerate(names)
    }
    width, height = 2 * MARGIN + max(columns) * COLUMN + BOX[0], 2 * MARGIN + tallest * ROW - (ROW - BOX[1])
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="14">',
        "<title>The chapters, and what each builds on</title>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    lines += [_line(corner[first], corner[name]) for name, before in needs.items() for first in before]
    lines += [_box(name, corner[name], (folder / f"{name}.md").exists()) for name in needs]
    return "\n".join([*lines, "</svg>"]) + "\n"


def _depth(name: str, needs: dict[str, list[str]], above: tuple[str, ...] = ()) -> int:
    """The longest way to a chapter. Raises `AuthorError` when chapters need one another in a circle."""
    if name in above:
        raise AuthorError(f"syllabus.yml: the chapters {', '.join(above)} need one another in a circle")
    return max((1 + _depth(first, needs, (*above, name)) for first in needs[name]), default=0)


def _line(start: tuple[int, int], end: tuple[int, int]) -> str:
    (x, y), (u, v) = (start[0] + BOX[0], start[1] + BOX[1] // 2), (end[0], end[1] + BOX[1] // 2)
    middle = (x + u) // 2
    return f'<path d="M{x},{y} C{middle},{y} {middle},{v} {u},{v}" fill="none" stroke="#777" stroke-width="1.5"/>'


def _box(name: str, corner: tuple[int, int], written: bool) -> str:
    (x, y), (width, height) = corner, BOX
    number, _, title = name.partition("_")
    border, colour = ("", "black") if written else (' stroke-dasharray="5 4"', "#555")
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="white" stroke="{colour}"{border}/>'
        f'<text x="{x + width // 2}" y="{y + height // 2 + 5}" text-anchor="middle" fill="{colour}">'
        f"{escape(number + ' ' + title.replace('_', ' '))}</text>"
    )
