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
from autograder.exercises.exercise import Exercise
from autograder.exercises.validating import validated
from autograder.publishing import chapter, syllabus

README = places.CHAPTERS.parent / "README.md"
CLASS_CONFIG = '''"""nbgrader reads this file. The course's settings come from the installed package; add your own below them."""

from autograder.nbgrader_config import settings

c = get_config()  # noqa: F821 (nbgrader provides it)
settings(c)
'''


def build(folder: Path = places.CHAPTERS) -> list[Path]:
    """Write the student notebook of every chapter in `folder`; return those that changed. Raises `AuthorError`.

    For the course's own folder also the README's table of contents.
    """
    check_exercises()
    changed = []
    for path, text in _texts(folder).items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


def stale(folder: Path = places.CHAPTERS) -> list[str]:
    """One sentence for each notebook in `folder` that is not what its source builds today."""
    texts = _texts(folder)
    orphans = [path for path in sorted(folder.glob("*.ipynb")) if path not in texts]
    complaints = [f"{path}: no source builds this notebook; remove it" for path in orphans]
    for path, text in texts.items():
        if not path.exists():
            complaints.append(f"{path}: missing; run `course build`")
        elif path.read_text(encoding="utf-8") != text:
            complaints.append(f"{path}: differs from what its source builds; run `course build`")
    return complaints


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
        texts[README] = syllabus.with_contents(README.read_text(encoding="utf-8"))
    return texts


@functools.cache  # it takes seconds, and a process has one set of exercises
def check_exercises() -> None:
    """Validate every exercise: an author's mistake stops the build here."""
    for exercise_id in exercises:
        exercise = exercises[exercise_id]
        if isinstance(exercise, Exercise):
            validated(exercise)


def build_class(folder: Path, chapters: Path = places.CHAPTERS) -> list[Path]:
    """Make or refresh an nbgrader course folder: `source/<chapter>/<chapter>.ipynb` and, if absent, `nbgrader_config.py`."""
    written = []
    for path in chapter.chapter_sources(chapters):
        target = folder / "source" / path.stem / f"{path.stem}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(notebook_text(chapter.source_notebook(path)), encoding="utf-8")
        written.append(target)
    config = folder / "nbgrader_config.py"
    if not config.exists():
        config.write_text(CLASS_CONFIG, encoding="utf-8")
    return written


def notebook_text(notebook: NotebookNode) -> str:
    """A notebook as nbformat writes it, with the newline that nbformat leaves out at the end."""
    return nbformat.writes(notebook, version=4) + "\n"
