"""The syllabus: what the course set out to cover, and how much of it is built.

`chapters/syllabus.yml` has one entry for each system, method and exercise. This module reads it, and checks that whatever an
entry names exists.
"""

from __future__ import annotations

import importlib
import re
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from autograder.places import CHAPTERS
from autograder.publishing.chapter import exercise_ids

BUILT = {"section", "courselib", "exercise"}


def read(folder: Path = CHAPTERS) -> dict[str, Any]:
    """The syllabus as a dict with `chapters` (name -> ideas), `needs` (name -> names of chapters) and `rows`."""
    return yaml.safe_load((folder / "syllabus.yml").read_text(encoding="utf-8"))


def complaints(folder: Path = CHAPTERS) -> list[str]:
    """One sentence for each thing that an entry names and that does not exist."""
    syllabus, found = read(folder), []
    numbers = Counter(row["number"] for row in syllabus["rows"])
    found += [f"row {number} stands {times} times" for number, times in numbers.items() if times > 1]
    named = {name for pair in syllabus.get("needs", {}).items() for name in (pair[0], *pair[1])}
    found += [f"needs: there is no chapter {name!r}" for name in sorted(named - set(syllabus["chapters"]))]
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


def _importable(dotted: str) -> bool:
    module, _, name = dotted.rpartition(".")
    try:
        return hasattr(importlib.import_module(module), name)
    except ImportError:
        return False
