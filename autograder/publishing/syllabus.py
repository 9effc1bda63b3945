"""The syllabus: what the course set out to cover, and how much of it is built.

`chapters/syllabus.yml` has one entry for each system, method and exercise. This module reads it, checks that whatever an entry
names exists, and makes the table of contents in the README.
"""

from __future__ import annotations

import importlib
import re
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from autograder.exercises.exercise import AuthorError
from autograder.places import CHAPTERS
from autograder.publishing.chapter import exercise_ids

BEGIN, END = "<!-- contents: made by `course build` -->", "<!-- end of contents -->"
BUILT = {"section", "courselib", "exercise"}


def read(folder: Path = CHAPTERS) -> dict[str, Any]:
    """The syllabus as a dict with `chapters` (name -> ideas) and `rows`."""
    return yaml.safe_load((folder / "syllabus.yml").read_text(encoding="utf-8"))


def complaints(folder: Path = CHAPTERS) -> list[str]:
    """One sentence for each thing that an entry names and that does not exist."""
    syllabus, found = read(folder), []
    numbers = Counter(row["number"] for row in syllabus["rows"])
    found += [f"row {number} stands {times} times" for number, times in numbers.items() if times > 1]
    for row in syllabus["rows"]:
        at = f"row {row['number']} ({row['title']})"
        if row["chapter"] not in syllabus["chapters"]:
            found.append(f"{at}: there is no chapter {row['chapter']!r}")
            continue
        if not BUILT & row.keys():
            continue
        source = folder / f"{row['chapter']}.md"
        if not source.exists():
            found.append(f"{at}: says what is built, but {source.name} does not exist")
            continue
        headings = re.findall(r"^#+ (.+?)\s*$", source.read_text(encoding="utf-8"), re.MULTILINE)
        if row.get("section") not in headings:
            found.append(f"{at}: {source.name} has no heading {row.get('section')!r}")
        if "courselib" in row and not _importable(row["courselib"]):
            found.append(f"{at}: there is no {row['courselib']}")
        if "exercise" in row and row["exercise"] not in exercise_ids(source):
            found.append(f"{at}: {source.name} has no exercise {row['exercise']!r}")
    return found


def contents(folder: Path = CHAPTERS) -> str:
    """The README's table of contents: every chapter, its ideas, and how many of its rows are built."""
    syllabus = read(folder)
    lines = ["| chapter | ideas | built (topics of the syllabus) |", "|---|---|---|"]
    for name, ideas in syllabus["chapters"].items():
        rows = [row for row in syllabus["rows"] if row["chapter"] == name]
        done = sum(bool(BUILT & row.keys()) for row in rows)
        exists = (folder / f"{name}.md").exists()
        title = f"[{name}]({folder.name}/{name}.ipynb)" if exists else name
        state = ("yes" if exists else "not yet") + (f" ({done} of {len(rows)})" if rows else "")
        lines.append(f"| {title} | {ideas} | {state} |")
    return "\n".join(lines)


def with_contents(readme: str, folder: Path = CHAPTERS) -> str:
    """The README's text with its table of contents made anew. Raises `AuthorError` when its marks are missing."""
    if BEGIN not in readme or END not in readme:
        raise AuthorError(f"README.md:1: the marks {BEGIN!r} and {END!r} are missing, so the contents have no place")
    before, rest = readme.split(BEGIN, 1)
    return f"{before}{BEGIN}\n{contents(folder)}\n{END}{rest.split(END, 1)[1]}"


def _importable(dotted: str) -> bool:
    module, _, name = dotted.rpartition(".")
    try:
        return hasattr(importlib.import_module(module), name)
    except ImportError:
        return False
