"""What of ours lies beside a student's code: the few files of `autograder` that ask a function for its answers, and nothing else.

Exercises, solutions, tests, chapters, the gradebook and other submissions are not among them: nothing hides them, they are
simply not there.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from autograder.places import ROOT

INSIDE = ("__init__.py", "asking/**/*.py", "grading/__init__.py", "grading/inside/*.py")  # of autograder


def stage(folder: Path, sandboxed: bool) -> Path:
    """Copy the part of `autograder` that has to be beside a student's code, and return the path to import it from."""
    source, half = ROOT / "autograder", folder / "autograder"
    for path in [path for pattern in INSIDE for path in source.glob(pattern)]:
        _copy(path, half / path.relative_to(source))
    _copy(source / "grading" / "inside" / "checking.py", half / "checking.py")
    if not sandboxed:
        (folder / "courselib").symlink_to(ROOT / "courselib")
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)  # root's umask may be anything
    return folder


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
