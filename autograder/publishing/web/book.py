"""The book: its source, written only where something changed, and Sphinx, which reads it and executes nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder.exercises.exercise import AuthorError
from autograder.places import ROOT
from autograder.publishing.web import front, pages
from autograder.publishing.web.assets import TEXTS


def write(folder: Path, executed: Mapping[Path, NotebookNode | None]) -> None:
    """Write the book's source into `folder`: a page for each chapter in `executed` (its MyST text -> its notebook, run, or None).

    A file that holds the same already is left alone, so that Sphinx reads only what changed; what belongs to no page is removed.
    """
    files: dict[Path, bytes] = {}
    thumbnails: dict[str, str] = {}
    for source, notebook in executed.items():
        page = pages.page(source, notebook)
        files[folder / "chapters" / f"{source.stem}.ipynb"] = nbformat.writes(page).encode()
        small = front.thumbnail(notebook)
        if small:
            thumbnails[source.stem] = f"thumbnails/{source.stem}.png"
            files[folder / thumbnails[source.stem]] = small
    for text in TEXTS.glob("*.md"):
        filled = front.fill(text.read_text(encoding="utf-8"), list(executed), thumbnails)
        files[folder / text.name] = filled.encode()
    for name, text in front.guides().items():
        files[folder / f"{name}.md"] = text.encode()
    for asset in (ROOT / "docs").glob("*.*"):
        if asset.suffix in (".png", ".svg"):
            files[folder / "pictures" / asset.name] = asset.read_bytes()
    for path, content in files.items():
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    for path in folder.rglob("*"):
        if path.is_file() and path not in files:
            path.unlink()


def build(source: Path, site: Path) -> None:
    """Run Sphinx on the book's source. Raises `AuthorError` with what it complains of: a warning is an error."""
    work = source.with_name(f"{source.name}-read")
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-q", "-W", "--keep-going", "--color"]
    command += ["-c", str(TEXTS), "-d", str(work), str(source), str(site)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise AuthorError(f"the web edition: Sphinx stopped\n{(done.stderr or done.stdout).strip()[-4000:]}")
    for path in (site / "chapters").glob("*.html"):  # of a chapter that is gone
        if not (source / "chapters" / f"{path.stem}.ipynb").exists():
            path.unlink()
    shutil.rmtree(site.parent / "jupyter_execute", ignore_errors=True)  # myst-nb's copy of the pictures
