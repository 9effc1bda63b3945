"""A chapter as a page: its text, its code with what a run put out, and its exercises as statements, without answers.

The page is a notebook, which myst-nb reads. Its cells are those of the student's notebook; the outputs come from an executed one
and are found by the cells' ids.
"""

from __future__ import annotations

import ast
import copy
import re
from pathlib import Path

from nbformat import NotebookNode

from autograder.judging.report import REPORT
from autograder.notebooks.cells import CHECK, KINDS, is_kind, plain_python
from autograder.notebooks.telling import count
from autograder.publishing.chapter import exercise_ids, student_notebook
from autograder.publishing.contents import words_of
from autograder.publishing.web.assets import repository

WIDGET = "application/vnd.jupyter.widget-view+json"
NOT_SHOWN = (WIDGET, REPORT)  # the one needs a kernel, the other is for programs
CONTROLS = "Controls of the picture, which work where a kernel runs:"  # courselib.lab.plots.explorer says so
STATEMENT = "exercise"  # the tag of a stub, for the page's style


def page(source: Path, executed: NotebookNode | None) -> NotebookNode:
    """The page of one chapter; without outputs if it has not been executed."""
    notebook = student_notebook(source)
    ran = {cell.id: cell for cell in executed.cells} if executed else {}
    cells = []
    for cell in notebook.cells:
        marks = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "code" and CHECK.fullmatch(cell.source):
            continue
        if cell.cell_type == "markdown" and marks.get("solution"):
            continue  # the place for a written answer
        if cell.cell_type == "code" and marks.get("solution"):
            cell.metadata["tags"] = [STATEMENT]
        elif cell.cell_type == "code" and cell.id in ran:
            cell.outputs = outputs(ran[cell.id])
            _describe(cell)
        cells.append(cell)
    notebook.cells = cells
    if cells:
        cells[0].source = _with_buttons(cells[0].source, source)
    notebook.metadata.pop("widgets", None)
    return notebook


def outputs(cell: NotebookNode) -> list[NotebookNode]:
    """What an executed demonstration put out, each output in a form that a page can show."""
    shown = []
    for output in cell.get("outputs", []):
        output = copy.deepcopy(output)
        data = output.get("data", {})
        if WIDGET in data:
            names = str(data.get("text/plain", "")).removeprefix(CONTROLS).strip()
            data["text/markdown"] = f"*In JupyterLab this picture moves. Its controls: {names}.*"
        for mime in NOT_SHOWN:
            data.pop(mime, None)
        if data or output.output_type != "display_data":
            shown.append(output)
    return shown


def figures(notebook: NotebookNode) -> list[str]:
    """The pictures in a notebook's demonstrations, in base64 as PNG, in order."""
    named = [(cell.metadata.get("nbgrader", {}).get("grade_id", ""), cell) for cell in notebook.cells]
    shown = [cell for name, cell in named if any(is_kind(name, kind) for kind in KINDS)]
    data = [output.get("data", {}) for cell in shown for output in cell.get("outputs", [])]
    return [one["image/png"] for one in data if "image/png" in one]


def title(source: Path) -> str:
    """The chapter's heading."""
    return re.search(r"^# (.+?)\s*$", source.read_text(encoding="utf-8"), re.MULTILINE)[1]


def _describe(cell: NotebookNode) -> None:
    """Give a cell's pictures the words that stand in their titles, for those who do not see them."""
    if not any("image/png" in output.get("data", {}) for output in cell.outputs):
        return
    said = [" ".join(text.split()) for text in _titles(cell.source)]
    alt = "; ".join(dict.fromkeys(said)) or "A figure made by the code above"
    cell.metadata["mystnb"] = {"image": {"alt": alt}}


def _titles(code: str) -> list[str]:
    """The texts of titles that code sets; the parts of one that are computed are left out as …"""
    calls = [node for node in ast.walk(ast.parse(plain_python(code))) if isinstance(node, ast.Call) and node.args]
    named = [c for c in calls if getattr(c.func, "attr", "") in ("suptitle", "set_title", "title")]
    named.sort(key=lambda c: (c.func.attr != "suptitle", c.lineno))
    found = []
    for call in named:
        first = call.args[0]
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            found.append(first.value)
        elif isinstance(first, ast.JoinedStr):
            found.append("".join(part.value if isinstance(part, ast.Constant) else "…" for part in first.values))
    return [text for text in found if text.strip(" …")]


def _with_buttons(text: str, source: Path) -> str:
    """A chapter's first text, with what it asks of a reader and the way into JupyterLab below its heading."""
    facts = f"{words_of(source):,} words · {count(len(exercise_ids(source)), 'exercise')}"
    button = f"[Open in JupyterLab](#open-{source.stem.lower()})"
    line = f":::{{div}} chapter-facts\n{facts} · {button}{_elsewhere(source)}\n:::"
    return re.sub(r"^# .+$", lambda found: f"{found[0]}\n\n{line}", text, count=1, flags=re.MULTILINE)


def _elsewhere(source: Path) -> str:
    address = repository()
    if not address or "github.com/" not in address:
        return ""
    where = address.rstrip("/").removesuffix(".git").split("github.com/", 1)[1]
    path = f"chapters/{source.stem}.ipynb"
    binder = f"https://mybinder.org/v2/gh/{where}/HEAD?urlpath=lab/tree/{path}"
    return f" · [Binder]({binder}) · [Colab](https://colab.research.google.com/github/{where}/blob/main/{path})"
