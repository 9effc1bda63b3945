"""The student bundle: what a class hands out. Everything a student needs, and no answer.

It holds the student notebooks, `courselib`, the half of `autograder` that knows no solutions, the public cases as data, and what
sets the environment up. The half is whole rooms and a few files, a list of what goes in and not of what stays out.
"""

from __future__ import annotations

import datetime
import os
import shutil
import tempfile
from pathlib import Path

from autograder import places
from autograder.exercises import exercises
from autograder.exercises.drawing import draw
from autograder.exercises.exercise import Exercise
from autograder.judging.trial import PUBLIC_SEED, save
from autograder.notebooks import due
from autograder.publishing import build, chapter

HALF = (  # five files, and three rooms whole
    "__init__.py", "checking.py", "commands.py", "nbgrader_config.py", "places.py",
    "asking/**/*", "judging/**/*", "notebooks/**/*",
)
TOP = (
    "pyproject.toml", "requirements*.lock", "environment.yml", "install/environment.py", ".gitignore", "LICENSE*",
)


def release(target: Path, chapters: Path = places.CHAPTERS, dates: dict[str, datetime.datetime] | None = None) -> list[Path]:
    """Write the student bundle into `target` and return its files, relative to it.

    `dates` says when which chapter is due; each check says it then. An earlier bundle there is replaced; what others laid beside
    it (a `workbook/`, a `.git`) stays.

    Raises:
        FileExistsError: when `target` holds something that is not a bundle.
        AuthorError: when the course does not build.
    """
    if target.exists() and not _may_be_replaced(target):
        raise FileExistsError(f"{target} holds something else than a student bundle: give the name of a new or an empty folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".release-") as place:
        fresh = Path(place)
        _fill(fresh, chapters)
        if dates:
            due.write(fresh / "chapters", dates)
        files = sorted(path.relative_to(fresh) for path in fresh.rglob("*") if path.is_file())
        target.mkdir(exist_ok=True)
        for new in sorted(fresh.iterdir()):  # nothing old is removed before everything new is there
            if new.is_dir():
                shutil.rmtree(target / new.name, ignore_errors=True)
            os.replace(new, target / new.name)
    return files


def _fill(target: Path, chapters: Path) -> None:
    notebooks = build.student_texts(chapters)
    ids = [i for path in chapter.chapter_sources(chapters) for i in chapter.exercise_ids(path)]
    for exercise in (exercises[i] for i in ids):
        if isinstance(exercise, Exercise):
            save(draw(exercise, PUBLIC_SEED), target / "autograder" / "public")
    for path, text in notebooks.items():
        _write(target / "chapters" / path.name, text)
    shutil.copytree(places.CHAPTERS / "measured", target / "chapters" / "measured")  # what takes longer than a chapter may
    shutil.copytree(places.ROOT / "courselib", target / "courselib", ignore=shutil.ignore_patterns("__pycache__", "*.pyc", ".*"))
    autograder = places.ROOT / "autograder"
    for pattern in HALF:
        for path in sorted(autograder.glob(pattern)):
            if path.is_file() and "__pycache__" not in path.parts:
                _copy(path, target / "autograder" / path.relative_to(autograder))
    for pattern in TOP:
        for path in sorted(places.ROOT.glob(pattern)):
            _copy(path, target / path.relative_to(places.ROOT))
    for name in ("README.md", "Makefile", ".github/workflows/check.yml"):
        _copy(Path(__file__).with_name("student") / name, target / name)


def _may_be_replaced(target: Path) -> bool:
    if not target.is_dir():
        return False
    is_bundle = (target / "autograder" / "public").is_dir() and not (target / "autograder" / "exercises").exists()
    return is_bundle or not any(target.iterdir())


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
