"""An nbgrader course folder as `course build --class-folder` makes it: its settings, and what they lead to."""

from __future__ import annotations

import datetime
import sys
from pathlib import Path

from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config, PyFileConfigLoader

CONFIG = "nbgrader_config.py"


class NoClass(ValueError):
    """The folder is no course folder, or the assignment is not released in it; the text is the sentence to say."""


def settings_of(folder: Path, database: str | None = None) -> tuple[Config, CourseDirectory]:
    """A course folder's settings, and where they say that things lie. `database` overrides what they say of the gradebook.

    Raises `NoClass` with a sentence when it has none.
    """
    folder = folder.resolve()
    if not (folder / CONFIG).is_file():
        raise NoClass(f"{folder} is no class folder, for it has no {CONFIG}: `course build --class-folder DIR` makes one.")
    if str(folder) not in sys.path:
        sys.path.append(str(folder))  # for the class's own plugins, such as a rule for late work; last, so that it hides nothing
    config = PyFileConfigLoader(CONFIG, path=str(folder)).load_config()
    config.CourseDirectory.root = str(folder)
    if database:
        config.CourseDirectory.db_url = database
    return config, CourseDirectory(config=config)


def due_dates(folder: Path) -> dict[str, datetime.datetime]:
    """Assignment -> when it is due (UTC), of those that the class's gradebook has a date for."""
    with Gradebook(settings_of(folder)[1].db_url) as book:
        return {a.name: a.duedate.replace(tzinfo=datetime.UTC) for a in book.assignments if a.duedate is not None}
