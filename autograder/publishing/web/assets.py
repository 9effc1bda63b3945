"""What the book takes from elsewhere: its texts and settings, the font of its formulas, the course's own address."""

from __future__ import annotations

import tomllib
from pathlib import Path

from autograder.places import ROOT

TEXTS = ROOT / "docs" / "site"  # conf.py, the style, and the words of the pages around the chapters


def repository() -> str:
    """The repository's address: `Repository` below [project.urls] in pyproject.toml, the one place. Empty while unset."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project.get("urls", {}).get("Repository", "")


def font() -> Path:
    """The font of the formulas: STIX Two Math, with the table that tells a browser how to set them."""
    import ziamath

    return Path(ziamath.__file__).with_name("fonts") / "STIXTwoMath-Regular.ttf"
