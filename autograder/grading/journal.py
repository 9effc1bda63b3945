"""What has been graded, on disk before anything else happens to it.

A journal is a file of JSON lines beside the class, one a submission, appended whole and synced. Whatever is killed at whatever
moment, the file holds every result that was reported as done, and at most one torn line at its end, which counts as absent.
So `course grade`, run again, grades what is missing and nothing twice, and can bring the gradebook up to date from it.

Each line says which version of this format it is written in. A whole line of another version was written by another version of
the course, and what it would mean today is not guessed at.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.grading.graded import Graded, from_plain, to_plain

VERSION = 2  # of what a line holds


class Busy(RuntimeError):
    """Another process is grading this assignment; the text is the sentence for the instructor."""


class OtherJournal(ValueError):
    """The journal was written by another version of the course; the text is the sentence for the instructor."""


@dataclass(frozen=True)
class Entry:
    """One graded submission. `key` names what was graded."""

    student: str
    key: str
    graded: Graded


def key_of(released: bytes, submitted: bytes) -> str:
    """What a result belongs to: this very submission of this very release."""
    return hashlib.sha256(hashlib.sha256(released).digest() + submitted).hexdigest()


class Journal:
    """The journal of one assignment, held by one process at a time. A context manager.

    Raises `Busy` when another process holds it.
    """

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise Busy(f"Another process is grading here and holds {path}: wait until it is done, or end it.") from None
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            os.write(self._file, b"\n")  # a torn line is closed, so that it spoils nothing but itself

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def add(self, entry: Entry) -> None:
        """Append a result; when this returns it is on the disk."""
        self._append({"student": entry.student, "key": entry.key, "graded": to_plain(entry.graded)})

    def recorded(self, *entries: Entry) -> None:
        """Note that the gradebook has these results."""
        self._append(*({"student": entry.student, "key": entry.key, "recorded": True} for entry in entries))

    def entries(self) -> dict[str, Entry]:
        """The last result of each student. Raises `OtherJournal`."""
        return entries(self._path)

    def unrecorded(self) -> list[Entry]:
        """The results that the gradebook may lack: it is safe to record one twice. Raises `OtherJournal`."""
        waiting: dict[str, dict[str, Any]] = {}
        for line in _lines(self._path):
            if "graded" in line:
                waiting[line["student"]] = line
            elif line.get("recorded") and line["student"] in waiting and waiting[line["student"]]["key"] == line["key"]:
                del waiting[line["student"]]
        return [_entry(line) for line in waiting.values()]

    def _append(self, *lines: dict[str, Any]) -> None:
        data = "".join(json.dumps({"version": VERSION} | line, allow_nan=False) + "\n" for line in lines).encode()
        while data:
            data = data[os.write(self._file, data) :]
        os.fsync(self._file)


def entries(path: Path) -> dict[str, Entry]:
    """The last result of each student in the journal at `path`; none when there is no journal. Needs no lock.

    Raises `OtherJournal` when another version of the course wrote in it.
    """
    last = {line["student"]: line for line in _lines(path) if "graded" in line}
    return {student: _entry(line) for student, line in last.items()}


def attempts(path: Path) -> dict[str, list[Entry]]:
    """All that each student handed in and that was graded, in order: of one submission graded again, the last result.

    A submission counts again when the release is another one, for its result belongs to both. Raises `OtherJournal`.
    """
    by_student: dict[str, dict[str, Entry]] = {}
    for line in _lines(path):
        if "graded" in line:
            by_student.setdefault(line["student"], {})[line["key"]] = _entry(line)
    return {student: list(by_key.values()) for student, by_key in by_student.items()}


def _entry(line: dict[str, Any]) -> Entry:
    return Entry(line["student"], line["key"], from_plain(line["graded"]))


def _lines(path: Path) -> list[dict[str, Any]]:
    found = []
    if path.exists():
        for line in path.read_bytes().splitlines():
            try:
                value = json.loads(line)
            except ValueError:
                continue  # torn by a kill
            if isinstance(value, dict) and isinstance(value.get("student"), str) and isinstance(value.get("key"), str):
                if value.get("version") != VERSION:
                    raise OtherJournal(
                        f"{path} was written by another version of the course, and this one does not guess what it means: move "
                        "it away and run `course grade`. That grades everything anew, and leaves what people wrote into the "
                        "gradebook."
                    )
                found.append(value)
    return found
