"""When an assignment is due, as the class that handed it out has said, in `chapters/due.yml` of a student's bundle."""

from __future__ import annotations

import datetime
from pathlib import Path

import yaml

from autograder.places import CHAPTERS

NAME = "due.yml"


def sentence(chapter: str, folder: Path = CHAPTERS) -> str:
    """`Due on Tuesday, 1 December 2026, 23:59 UTC.`, or nothing. `chapter` is its name, or its topic: `08_lora`, `lora`."""
    path = folder / NAME
    if not path.is_file():
        return ""
    for name, moment in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).items():
        if chapter in (name, name.partition("_")[2]) or name.partition("_")[2].startswith(f"{chapter}_"):
            when = datetime.datetime.fromisoformat(str(moment)).astimezone(datetime.UTC)
            return f"Due on {when:%A}, {when.day} {when:%B %Y, %H:%M} UTC."
    return ""


def write(folder: Path, dates: dict[str, datetime.datetime]) -> None:
    """Keep the dates (with their zones) in the bundle whose chapters lie in `folder`."""
    text = {name: moment.isoformat() for name, moment in sorted(dates.items())}
    (folder / NAME).write_text(yaml.safe_dump(text), encoding="utf-8")
