"""What was measured before and takes longer than a chapter may: chapters/measured, written by `python benchmarks/effects`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "chapters" / "measured"


def kept(name: str) -> dict[str, Any]:
    """The measurement `name`: `measured` (the date and the machine), and what was measured, often `runs`, a row a run.

    Raises ValueError if there is no such measurement.
    """
    path = FOLDER / f"{name}.json"
    if not path.exists():
        there = ", ".join(sorted(file.stem for file in FOLDER.glob("*.json"))) or "nothing"
        raise ValueError(f"No measurement {name!r} is kept in {FOLDER}; there is {there}.")
    return json.loads(path.read_text(encoding="utf-8"))


def report_of_effects() -> str:
    """The report of all effects, chapters/measured/effects.md, as text. Raises ValueError if it is not there."""
    path = FOLDER / "effects.md"
    if not path.exists():
        raise ValueError(f"There is no {path}: take chapters/measured from the course.")
    return path.read_text(encoding="utf-8")
