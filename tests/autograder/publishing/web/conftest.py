"""The web edition, built once: a specimen chapter with each kind of output, executed here, and every chapter of the course.

No chapter is executed for it. Those that were, by `course run`, `course site` or tests/chapters, are shown with their output.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat import NotebookNode

from autograder.notebooks.execute import run_notebook
from autograder.publishing.chapter import chapter_sources, source_notebook
from autograder.publishing.web import book, executed


@dataclass
class Site:
    """The folder of the built pages, that of Sphinx's source, and what it was made from: text -> executed notebook, or None."""

    folder: Path
    source: Path
    made_from: dict[Path, NotebookNode | None]
    read: dict[str, BeautifulSoup] = field(default_factory=dict)

    def page(self, name: str) -> BeautifulSoup:
        if name not in self.read:
            self.read[name] = BeautifulSoup((self.folder / name).read_text(encoding="utf-8"), "html.parser")
        return self.read[name]

    def cells(self, source: Path) -> list[NotebookNode]:
        """The cells of a chapter's page, as Sphinx reads them."""
        return nbformat.read(self.source / "chapters" / f"{source.stem}.ipynb", as_version=4).cells

    def article(self, source: Path) -> BeautifulSoup:
        """A chapter's own text, without what stands around it."""
        return self.page(f"chapters/{source.stem}.html").find("article")


@pytest.fixture(scope="session")
def specimen(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, NotebookNode]:
    source = tmp_path_factory.mktemp("specimen") / "99_specimen.md"
    shutil.copy(Path(__file__).with_name("specimen.md"), source)
    run = run_notebook(source_notebook(source))
    assert run.errors == [] and run.stderr == ""
    return source, run.notebook


@pytest.fixture(scope="session")
def site(specimen: tuple[Path, NotebookNode], tmp_path_factory: pytest.TempPathFactory) -> Site:
    made_from = {source: executed.kept(executed.KEPT, source) for source in chapter_sources()} | dict([specimen])
    folder = tmp_path_factory.mktemp("web")
    book.write(folder / "source", made_from)
    book.build(folder / "source", folder / "site")
    return Site(folder / "site", folder / "source", made_from)
