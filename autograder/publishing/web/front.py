"""The pages around the chapters, as MyST text: the first page, the syllabus, all exercises, how to open a chapter in JupyterLab.

Their own words stand in docs/site/*.md; what is made from the course takes the place of a comment there: <!-- chapters -->.
"""

from __future__ import annotations

import base64
import inspect
import io
import re
from pathlib import Path
from typing import Any

from myst_parser.slugs import github_slugify
from nbformat import NotebookNode

from autograder.exercises import exercises
from autograder.exercises.exercise import Written
from autograder.notebooks.telling import count
from autograder.places import CHAPTERS, ROOT
from autograder.publishing import chapter, syllabus
from autograder.publishing.contents import words_of
from autograder.publishing.web import pages
from autograder.publishing.web.assets import repository

NO_FIGURE = ROOT / "docs" / "check.png"
WIDTH = 560  # pixels of a thumbnail, twice what it takes on the page


def fill(text: str, sources: list[Path], thumbnails: dict[str, str]) -> str:
    """A page's text with every comment that names something of the course replaced by it. `thumbnails`: chapter -> path."""
    made = {
        "chapters": lambda: cards(sources, thumbnails),
        "contents": lambda: contents(sources),
        "syllabus": lambda: tables(sources),
        "exercises": lambda: all_exercises(sources),
        "opening": lambda: opening(sources),
        "colab": colab,
    }
    for name, make in made.items():
        if f"<!-- {name} -->" in text:
            text = text.replace(f"<!-- {name} -->", make())
    return text


def thumbnail(executed: NotebookNode | None) -> bytes | None:
    """A chapter's first figure, made small, as PNG on white; one without figures shows a check. None if it was not executed."""
    from PIL import Image

    if executed is None:
        return None
    found = [base64.b64decode(figure) for figure in pages.figures(executed)] or [NO_FIGURE.read_bytes()]
    with Image.open(io.BytesIO(found[0])) as picture:
        picture = picture.convert("RGBA")
        ground = Image.new("RGBA", picture.size, "white")
        ground.alpha_composite(picture)
        small = ground.convert("RGB").resize((WIDTH, round(WIDTH * picture.height / picture.width)), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    small.save(out, format="png", optimize=True)
    return out.getvalue()


def cards(sources: list[Path], thumbnails: dict[str, str]) -> str:
    """A card a chapter, with its first figure, its ideas, and what it asks of a reader."""
    ideas = syllabus.read(CHAPTERS)["chapters"]
    lines = [":::::{grid} 1 2 2 3", ":gutter: 3", ":class-container: chapter-cards", ""]
    for source in sources:
        lines += [f"::::{{grid-item-card}} {pages.title(source)}", f":link: chapters/{source.stem}", ":link-type: doc"]
        if source.stem in thumbnails:
            said = f"A picture from chapter {source.stem.split('_')[0]}"
            lines += [f":img-top: {thumbnails[source.stem]}", f":img-alt: {said}"]
        lines += ["", ideas.get(source.stem, ""), "", ":::{card-footer}",
                  f"{words_of(source):,} words · {count(len(chapter.exercise_ids(source)), 'exercise')}", ":::", "::::", ""]
    return "\n".join([*lines, ":::::"])


def contents(sources: list[Path]) -> str:
    """Sphinx's table of contents: the chapters, and the pages around them."""
    names = [f"chapters/{source.stem}" for source in sources]
    parts = {"Chapters": names, "Around them": ["syllabus", "exercises", "open", *guides()]}
    return "\n\n".join(
        "\n".join(["```{toctree}", ":hidden:", f":caption: {caption}", "", *listed, "```"]) for caption, listed in parts.items()
    )


def guides() -> dict[str, str]:
    """The pages of docs/, such as the one for teachers: name -> text. Links to what is not in the book are left out."""
    texts = {path.stem: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md"))}
    return {name: re.sub(r"\[([^\]]+)\]\(\.\./[^)]*\)", r"\1", text) for name, text in texts.items()}


def tables(sources: list[Path]) -> str:
    """The syllabus: a table for each chapter, with links to the sections and exercises where a topic is taught."""
    read = syllabus.read(CHAPTERS)
    written = {source.stem for source in sources}
    blocks = []
    for name in read["chapters"]:
        rows = [row for row in read["rows"] if row["chapter"] == name]
        if not rows:
            continue
        heading = next((pages.title(source) for source in sources if source.stem == name), f"{name.replace('_', ' ')} (to come)")
        lines = [f"## {heading}", "", "| | topic | section | exercise, and in `courselib` |", "|--:|---|---|---|"]
        lines += ["| " + " | ".join(_row(row, name in written)) + " |" for row in rows]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _row(row: dict[str, Any], written: bool) -> list[str]:
    page = f"chapters/{row['chapter']}.ipynb"
    section, exercise = row.get("section"), row.get("exercise")
    linked = f"[{_cell(section)}]({page}#{github_slugify(section)})" if section and written else ""
    asked = _link(exercise, page) if exercise and written else ""
    library = row.get("courselib", "").removeprefix("courselib.")
    where = [asked, f"`{library}`" if library else ""]
    return [str(row["number"]), _cell(row["title"]), linked, "<br>".join(filter(None, where))]


def all_exercises(sources: list[Path]) -> str:
    """Every exercise with its points and its first sentence, a table a chapter."""
    blocks = []
    for source in sources:
        lines = [f"## {pages.title(source)}", "", "| exercise | | points |", "|---|---|--:|"]
        for exercise_id in chapter.exercise_ids(source):
            found = exercises[exercise_id]
            text = found.question if isinstance(found, Written) else inspect.getdoc(found.answer) or ""
            first = " ".join(text.strip().split("\n\n")[0].split())
            kind = "*in words* · " if isinstance(found, Written) else ""
            linked = _link(exercise_id, f"chapters/{source.stem}.ipynb")
            lines.append(f"| {linked} | {kind}{_cell(_short(first))} | {found.points:g} |")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def opening(sources: list[Path]) -> str:
    """For each chapter, a place to point at: the address at which a running JupyterLab of the reader shows it."""
    blocks = []
    for source in sources:
        address = f"http://localhost:8888/lab/tree/{source.stem}.ipynb"
        blocks.append(f"(open-{source.stem.lower()})=\n### {pages.title(source)}\n\n[{address}]({address})")
    return "\n\n".join(blocks)


def colab() -> str:
    """What a notebook that is opened in Colab needs first; nothing while the repository has no address."""
    address = repository()
    said = "**In Colab**, whose machines do not have the course, run this cell first:"
    lines = ["```", f"!git clone --depth 1 {address} course", "%cd course", "%pip install -q -e .", "```"]
    return "\n".join([said, "", *lines]) if address else ""


def _link(exercise_id: str, page: str) -> str:
    return f"[`{exercise_id}`]({page}#{github_slugify(f'Exercise {exercise_id}')})"


def _short(text: str, most: int = 160) -> str:
    return text if len(text) <= most else text[:most].rsplit(" ", 1)[0] + " …"


def _cell(text: str) -> str:
    """Text for a cell of a table, as it stands: nothing in it is markup."""
    for sign in "\\|*_$<>[]`{":
        text = text.replace(sign, f"\\{sign}")
    return text
