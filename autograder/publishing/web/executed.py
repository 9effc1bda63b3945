"""Executed chapters, kept in a folder: each beside the hash of what its outputs depend on, so that nothing is run twice.

That is the code of its setup and demonstration cells, the rooms of courselib that this reaches, the measurements it reads, and
the libraries' versions. Prose is not in it, nor are exercises: no demonstration leans on what a student writes. `course run` is
what executes; it marks what it saves, and so do the tests that execute every chapter.
"""

from __future__ import annotations

import ast
import hashlib
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder.notebooks.cells import KINDS, plain_python
from autograder.notebooks.execute import Run
from autograder.places import ROOT
from autograder.publishing.pieces import pieces

KEPT = ROOT / "build" / "executed"
MARK = "course_run"  # in a kept notebook's metadata
LIBRARIES = ("numpy", "torch", "scikit-learn", "transformers", "peft", "trl", "bitsandbytes", "diffusers", "matplotlib")


def fingerprint(source: Path) -> str:
    """The hash of all that the outputs of a chapter's demonstrations depend on. `source` is its MyST text."""
    from courselib.lab.fingerprint import hash_of
    from courselib.lab.reach import imported_by, room_hashes, rooms_reached

    cells = [piece.text for piece in pieces(source) if piece.code and set(piece.tags) & set(KINDS)]
    code = [compile(plain_python(text), source.name, "exec", dont_inherit=True) for text in cells]
    hashes = room_hashes()
    names = [name for one in code for name in imported_by(one)]
    rooms = rooms_reached(name for name in names if not name.startswith("courselib.lab"))  # the lab is one always, and opens none
    parts = [platform.python_version(), *(f"{name} {_version(name)}" for name in LIBRARIES)]
    parts += [f"{room} {hashes[room]}" for room in rooms]
    parts += [f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in _measured(source.parent, cells)]
    return hash_of(*parts, *cells)


def keep(folder: Path, source: Path, run: Run) -> Path:
    """Write an executed chapter into `folder`, marked as what its source gives today; without the mark if a cell failed."""
    notebook = run.notebook
    if not run.errors and not run.stderr:
        notebook.metadata[MARK] = fingerprint(source)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{source.stem}.ipynb"
    unfinished = path.with_suffix(f".{os.getpid()}")  # another process may be reading
    nbformat.write(notebook, unfinished)
    os.replace(unfinished, path)
    return path


def kept(folder: Path, source: Path) -> NotebookNode | None:
    """The executed chapter that `folder` holds, or None when it has none or it is not what the source gives today."""
    path = folder / f"{source.stem}.ipynb"
    if not path.exists():
        return None
    notebook = nbformat.read(path, as_version=4)
    return notebook if notebook.metadata.get(MARK) == fingerprint(source) else None


def _measured(chapters: Path, cells: list[str]) -> list[Path]:
    """The files of chapters/measured that the cells read: what a string in them names, and the report where it is asked for."""
    nodes = [node for text in cells for node in ast.walk(ast.parse(plain_python(text)))]
    names = {f"{node.value}.json" for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    if any("report_of_effects" in text for text in cells):
        names.add("effects.md")
    return [path for path in sorted((chapters / "measured").glob("*")) if path.name in names]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
