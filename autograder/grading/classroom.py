"""An nbgrader course folder as the grading needs it: its settings, what was released, and what was handed in.

What students hand in is hostile until shown otherwise: a link to somebody else's work or to the gradebook is not followed, a
file that is no regular file is not opened, and a name is taken as it stands or not at all.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from autograder.grading.submission import MOST_BYTES
from autograder.publishing.class_folder import NoClass, settings_of

SECRET = "submission_secret.txt"


@dataclass(frozen=True)
class Submission:
    """What one student handed in. `refused` is the sentence for a file that was not read; then `notebook` is empty."""

    student: str
    notebook: bytes
    timestamp: str | None
    refused: str = ""
    secret: str | None = None  # what nbgrader's exchange needs to give the feedback back to this student only


@dataclass(frozen=True)
class Classroom:
    """One assignment in one course folder."""

    folder: Path
    assignment: str
    config: Config
    directory: CourseDirectory
    released: bytes

    @property
    def journal(self) -> Path:
        return self.folder / ".course" / f"{self.assignment}.jsonl"

    @property
    def database(self) -> str:
        return self.directory.db_url

    def place(self, step: str, student: str = ".") -> Path:
        """The folder of a student's work in `step`: submitted, autograded, release, ..."""
        step_folder = getattr(self.directory, f"{step}_directory")
        return self.folder / self.directory.format_path(step_folder, student, self.assignment)

    def students(self) -> list[str]:
        """Everybody who handed in something for this assignment, in order."""
        return sorted(name for name in self._names() if not _no_name(name))

    def set_aside(self) -> list[str]:
        """A sentence for each folder of a submission that bears no name that a gradebook could hold."""
        return sorted(f"The folder {ascii(name)} in submitted/ was set aside: {why}. Rename it."
                      for name in self._names() if (why := _no_name(name)))  # fmt: skip

    def _names(self) -> list[str]:
        above = self.folder / self.directory.submitted_directory
        return [entry.name for entry in os.scandir(above) if self._handed_in(entry)] if above.is_dir() else []

    def submissions(self) -> Iterator[Submission]:
        """What each of them handed in, read one at a time."""
        for student in self.students():
            yield self.submission(student)

    def submission(self, student: str) -> Submission:
        place, refused, notebook = self.place("submitted", student), "", b""
        stamp, secret = (_note(place / name) for name in ("timestamp.txt", SECRET))
        try:
            notebook = _read(place / f"{self.assignment}.ipynb", MOST_BYTES)
        except FileNotFoundError:
            refused = f"no {self.assignment}.ipynb was handed in"
        except (OSError, ValueError) as error:
            refused = f"{self.assignment}.ipynb was not read: {_why(error)}"
        return Submission(student, notebook, stamp, refused, secret)

    def _handed_in(self, entry: os.DirEntry) -> bool:
        return not entry.name.startswith(".") and os.path.lexists(Path(entry.path) / self.assignment)


def classroom(folder: Path, assignment: str, database: str | None = None) -> Classroom:
    """The course folder at `folder`. `database` overrides what its settings say. Raises `NoClass` with a sentence."""
    folder = folder.resolve()
    if any(character in str(folder) for character in "%?#"):
        raise NoClass(f"{folder}: an address of a database may hold no %, ? or #. Rename the folder, or one above it.")
    config, directory = settings_of(folder, database)
    path = folder / directory.format_path(directory.release_directory, ".", assignment) / f"{assignment}.ipynb"
    if not path.is_file():
        known = sorted(p.parent.name for p in path.parent.parent.glob("*/*.ipynb"))
        there = f"released there: {', '.join(known)}" if known else "nothing is released there"
        raise NoClass(f"{assignment} is not released in {folder} ({there}): run `nbgrader generate_assignment {assignment}`.")
    return Classroom(folder, assignment, config, directory, path.read_bytes())


def _no_name(name: str) -> str:
    """Why a folder's name is no student's name, in words; nothing where it is one."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return "its name is not written in UTF-8"
    if not name.isprintable():
        return "its name holds characters that nobody sees"
    return ""


def _note(path: Path) -> str | None:
    """A line that lies beside a submission."""
    try:
        return _read(path, 1000).decode("utf-8", "replace").strip() or None
    except (OSError, ValueError):
        return None


def _read(path: Path, most: int) -> bytes:
    """A regular file that lies where it seems to lie. Raises `ValueError` with a sentence, or `OSError`."""
    if path.parent.is_symlink() or path.parent.parent.is_symlink():
        raise ValueError("its folder is a link, and links are not followed")
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # O_NONBLOCK: a pipe must not make us wait
    try:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            raise ValueError("it is not a regular file")
        if about.st_size > most:
            raise ValueError(f"it has {about.st_size / 2**20:,.0f} MB, more than the {most / 2**20:g} MB that are read")
        with os.fdopen(os.dup(handle), "rb") as file:
            return file.read(most + 1)[:most]
    finally:
        os.close(handle)


def _why(error: Exception) -> str:
    if isinstance(error, OSError):
        return "it is a link, and links are not followed" if error.errno == 40 else str(error.strerror)
    return str(error)
