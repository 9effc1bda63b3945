"""Building everything that is made from the chapters' sources, and telling what is stale.

`build` writes the student notebooks into `chapters/` (they are committed) and, when asked, a class folder for nbgrader with
the instructor's notebooks (never committed: it holds the answers).
"""

from __future__ import annotations

import functools
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder import places
from autograder.exercises import exercises
from autograder.exercises.exercise import AuthorError, Exercise
from autograder.exercises.validating import validated
from autograder.notebooks import edits
from autograder.publishing import chapter, contents

README = places.CHAPTERS.parent / "README.md"
PATH = places.CHAPTERS.parent / "docs" / "path.svg"
CLASS_CONFIG = '''"""nbgrader reads this file. The course's settings come from the installed package; add your own below them."""

from autograder.nbgrader_config import settings

c = get_config()  # noqa: F821 (nbgrader provides it)
settings(c)
'''


def build(folder: Path = places.CHAPTERS, force: bool = False) -> list[Path]:
    """Write the student notebook of every chapter in `folder`; return those that changed.

    For the course's own folder also the README's table of chapters, and the picture of what each builds on.

    Raises:
        AuthorError: for a mistake in the course; and, without `force`, before anything is written, when a notebook there has been
            edited by hand. The sentence names the text to edit instead.
    """
    check_exercises()
    texts = _texts(folder)
    if not force:
        _nothing_by_hand(texts)
    changed = []
    for path, text in texts.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


def stale(folder: Path = places.CHAPTERS) -> list[str]:
    """One sentence for each notebook in `folder` that is not what its source builds today: which cell, and which line to edit."""
    texts = _texts(folder)
    orphans = [path for path in sorted(folder.glob("*.ipynb")) if path not in texts]
    complaints = [f"{path}: no source builds this notebook; remove it" for path in orphans]
    for path, text in texts.items():
        if not path.exists():
            complaints.append(f"{path}: missing; run `course build`")
        elif path.read_text(encoding="utf-8") != text:
            complaints.append(_difference(path, text))
    return complaints


def _difference(path: Path, text: str) -> str:
    if path.suffix != ".ipynb":
        return f"{path}: differs from what its source builds; run `course build`"
    by_hand = _by_hand(path)
    if by_hand:
        return by_hand
    built, found = nbformat.reads(text, as_version=4), nbformat.read(path, as_version=4)
    known = {cell.id: (cell.cell_type, cell.source) for cell in found.cells}
    for cell in built.cells:
        if known.get(cell.id) != (cell.cell_type, cell.source):
            at = f"{_source(path)}:{chapter.cell_lines(_source(path))[cell.id]}"
            return f"{path}: the cell {edits.name_of(cell)} is not what {at} makes today; run `course build`"
    return f"{path}: holds cells, outputs or settings that its source does not make; run `course build`"


def _nothing_by_hand(texts: dict[Path, str]) -> None:
    for path, text in texts.items():
        if path.suffix == ".ipynb" and path.exists() and path.read_text(encoding="utf-8") != text:
            by_hand = _by_hand(path)
            if by_hand:
                raise AuthorError(by_hand)


def _by_hand(path: Path) -> str:
    """The sentence about a notebook that hands have edited; empty when a build made all of it."""
    force = "`course build --force` overwrites it"
    try:
        notebook = nbformat.read(path, as_version=4)
    except Exception:  # nbformat meets a broken file with many kinds of exceptions
        return f"{path}:1: this is no notebook that a build made, nor any other; {force}"
    index = edits.first_edit(notebook)
    if index is None:
        return ""
    what = f"{path} was edited by hand in its cell {edits.name_of(notebook.cells[index])}"
    lines = chapter.cell_lines(_source(path))
    line = next((lines[cell.id] for cell in reversed(notebook.cells[: index + 1]) if cell.get("id") in lines), 1)
    return f"{_source(path)}:{line}: {what}. It is built from this text: put the change here; {force}"


def _source(notebook: Path) -> Path:
    """The text that a chapter's notebook is built from, whether it lies beside it or in a class folder."""
    beside = notebook.with_suffix(".md")
    return beside if beside.exists() else places.CHAPTERS / beside.name


def student_texts(folder: Path = places.CHAPTERS) -> dict[Path, str]:
    """The text of every student notebook, by the path it belongs to. Writes nothing."""
    sources = chapter.chapter_sources(folder)
    if folder == places.CHAPTERS:
        chapter.every_exercise_stands_in_one_chapter(sources)
    return {path.with_suffix(".ipynb"): notebook_text(chapter.student_notebook(path)) for path in sources}


def _texts(folder: Path) -> dict[Path, str]:
    """Everything that is built and committed, by path."""
    texts = student_texts(folder)
    if folder == places.CHAPTERS and README.exists():
        texts[README] = contents.with_table(README.read_text(encoding="utf-8"))
        texts[PATH] = contents.picture()
    return texts


@functools.cache  # it takes seconds, and a process has one set of exercises
def check_exercises() -> None:
    """Validate every exercise: an author's mistake stops the build here."""
    for exercise_id in exercises:
        exercise = exercises[exercise_id]
        if isinstance(exercise, Exercise):
            validated(exercise)


def build_class(folder: Path, chapters: Path = places.CHAPTERS, force: bool = False) -> list[Path]:
    """Make or refresh an nbgrader course folder: `source/<chapter>/<chapter>.ipynb` and, if absent, `nbgrader_config.py`.

    Raises `AuthorError` as `build` does: an instructor's own changes there are not overwritten without `force`.
    """
    sources = chapter.chapter_sources(chapters)
    texts = {folder / "source" / p.stem / f"{p.stem}.ipynb": notebook_text(chapter.class_notebook(p)) for p in sources}
    if not force:
        _nothing_by_hand(texts)
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    config = folder / "nbgrader_config.py"
    if not config.exists():
        config.write_text(CLASS_CONFIG, encoding="utf-8")
    return list(texts)


def notebook_text(notebook: NotebookNode) -> str:
    """A notebook as nbformat writes it, with the newline that nbformat leaves out at the end."""
    return nbformat.writes(notebook, version=4) + "\n"
