"""From a chapter's source text to its notebooks.

`chapters/08_lora.md` (MyST) holds prose, code cells tagged `setup` or `demonstration`, and one marker for each exercise:

    ```{exercise} lora.gradient
    ```

`source_notebook` puts the statement, the model answer between nbgrader's solution marks, and the check cell where the
marker stands. `student_notebook` then does to it exactly what `nbgrader generate_assignment` does, with nbgrader's own
preprocessors, so that what is committed and what an instructor releases are the same file.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder.exercises import exercises
from autograder.exercises.exercise import AuthorError, Exercise, Written
from autograder.notebooks import edits
from autograder.notebooks.cells import DEMONSTRATION, KINDS, SETUP, answer_name, check_name, plain_python
from autograder.places import CHAPTERS
from autograder.publishing.pieces import Piece, pieces
from autograder.publishing.statements import filled


def chapter_sources(folder: Path = CHAPTERS) -> list[Path]:
    """The chapters that exist, in their order."""
    return sorted(folder.glob("[0-9A-Z]*_*.md"))


def source_notebook(path: Path) -> NotebookNode:
    """The instructor's notebook of one chapter, with model answers. Raises `AuthorError` with file and line."""
    notebook = nbformat.v4.new_notebook(cells=_with_ids([cell for cell, _ in _cells(path)]))
    notebook.metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"},
        "language_info": {"name": "python"},
    }
    return notebook


def cell_lines(path: Path) -> dict[str, int]:
    """For each cell of a chapter's notebook, by its id, the line of the source that makes it."""
    found = _cells(path)
    return dict(zip((cell.id for cell in _with_ids([cell for cell, _ in found])), (line for _, line in found), strict=True))


def _cells(path: Path) -> list[tuple[NotebookNode, int]]:
    """Every cell with model answers, not yet with its id, and the line of the source that makes it."""
    cells: list[tuple[NotebookNode, int]] = []
    found: list[Exercise | Written] = []
    for piece in pieces(path):
        if piece.exercise is not None:
            exercise = _lookup(piece.exercise, f"{path}:{piece.line}")
            found.append(exercise)
            made = _written_cells(exercise) if isinstance(exercise, Written) else _exercise_cells(exercise)
        elif piece.code:
            made = [_locked_cell(piece, f"{path}:{piece.fence}")]
        else:
            made = [nbformat.v4.new_markdown_cell(piece.text)]
        cells += [(cell, piece.line) for cell in made]
    _no_demonstration_uses_answers(path, cells, found)
    _no_setup_opens_what_is_closed(path, cells, found)
    return cells


def student_notebook(path: Path) -> NotebookNode:
    """What students get: stubs for answers, no outputs, cells locked and check-summed as nbgrader does it."""
    return _stepped(source_notebook(path), "LockCells", "ClearSolutions", "ClearOutput", "CheckCellMetadata", "ComputeChecksums")


def class_notebook(path: Path) -> NotebookNode:
    """What an instructor gets: the source notebook, with nbgrader's checksums: by them a later build knows what hands changed."""
    return _stepped(source_notebook(path), "ComputeChecksums")


def _stepped(notebook: NotebookNode, *steps: str) -> NotebookNode:
    """A notebook after some of nbgrader's own preprocessors."""
    from nbgrader import preprocessors
    from traitlets.config import Config

    from autograder.nbgrader_config import settings

    config = Config()
    settings(config)
    for step in steps:
        notebook, _ = getattr(preprocessors, step)(config=config).preprocess(notebook, {})
    return notebook


def model_answers(path: Path) -> dict[str, str]:
    """The source of every model answer of the chapter at `path`, by exercise id."""
    cells = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell for cell in source_notebook(path).cells}
    return {i: re.sub(r"(?m)^ *### (BEGIN|END) SOLUTION\n?", "", cells[answer_name(i)].source) for i in exercise_ids(path)}


def exercise_ids(path: Path) -> list[str]:
    """The ids that a chapter's markers name, in order."""
    return [piece.exercise for piece in pieces(path) if piece.exercise is not None]


def every_exercise_stands_in_one_chapter(sources: Iterable[Path]) -> None:
    """Raise `AuthorError` for an exercise that no chapter shows, or that two markers show."""
    seen: dict[str, Path] = {}
    for path in sources:
        for exercise_id in exercise_ids(path):
            if exercise_id in seen:
                raise AuthorError(f"{path}:1: {exercise_id!r} already stands in {seen[exercise_id].name}; mark it once")
            seen[exercise_id] = path
    for exercise_id in exercises:
        if exercise_id not in seen:
            advice = "set one, or, to drop the exercise, delete it here, and its answer in solutions/"
            raise AuthorError(f"{exercises[exercise_id].origin}: no chapter has a marker for {exercise_id!r}: {advice}")


def _lookup(exercise_id: str, at: str) -> Exercise | Written:
    try:
        return exercises[exercise_id]
    except KeyError as error:
        raise AuthorError(f"{at}: {error.args[0]}") from None


def _exercise_cells(exercise: Exercise) -> list[NotebookNode]:
    parts = "; ".join(f"{part.name}: {part.points:g}" for part in exercise.parts)
    title = nbformat.v4.new_markdown_cell(f"### Exercise `{exercise.id}`\n\n{_points(exercise.points)} ({parts})")
    stub = nbformat.v4.new_code_cell(with_solution_marks(exercise.answer))
    stub.metadata["nbgrader"] = _nbgrader(answer_name(exercise.id), solution=True)
    checked = nbformat.v4.new_code_cell(f'check("{exercise.id}", {exercise.name})')
    checked.metadata["nbgrader"] = _nbgrader(check_name(exercise.id), grade=True, locked=True, points=exercise.points)
    return [title, stub, checked]


def _written_cells(exercise: Written) -> list[NotebookNode]:
    title = nbformat.v4.new_markdown_cell(
        f"### Exercise `{exercise.id}`\n\n{_points(exercise.points)}, read and marked by a person\n\n{exercise.question}"
    )
    rubric = "\n".join(f"- {points:g}: {criterion}" for points, criterion in exercise.rubric)
    model = f"### BEGIN SOLUTION\n{exercise.answer().strip()}\n\nRubric:\n\n{rubric}\n### END SOLUTION"
    answer = nbformat.v4.new_markdown_cell(model)
    answer.metadata["nbgrader"] = _nbgrader(answer_name(exercise.id), grade=True, solution=True, points=exercise.points)
    return [title, answer]


def _points(points: float) -> str:
    return f"{points:g} point" + ("" if points == 1 else "s")


def _locked_cell(piece: Piece, at: str) -> NotebookNode:
    tags = list(piece.tags)
    kinds = [tag for tag in tags if tag in KINDS]
    if len(kinds) != 1:
        raise AuthorError(f"{at}: a code cell has exactly one of the tags {' or '.join(KINDS)}; this one has {tags or 'none'}")
    new = nbformat.v4.new_code_cell(piece.text)
    new.metadata["tags"] = tags
    if "hide-input" in tags:  # code that only draws: folded away, one click shows it
        new.metadata["jupyter"] = {"source_hidden": True}
    digest = hashlib.sha256(piece.text.encode()).hexdigest()[:8]
    new.metadata["nbgrader"] = _nbgrader(f"{kinds[0]}-{digest}", locked=True)
    return new


def _nbgrader(grade_id: str, *, grade: bool = False, solution: bool = False, locked: bool = False,
              points: float | None = None) -> dict:
    out = {"grade_id": grade_id, "grade": grade, "solution": solution, "locked": locked, "task": False, "schema_version": 3}
    return out if points is None else out | {"points": points}


def with_solution_marks(answer: Callable) -> str:
    """The source of a function or class with every body, after its docstring, between nbgrader's solution marks."""
    source = filled(textwrap.dedent(inspect.getsource(answer)).rstrip())
    lines = source.splitlines()
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    outer = [f for f in functions if not any(g is not f and g.lineno <= f.lineno <= (g.end_lineno or 0) for g in functions)]
    for node in sorted(outer, key=lambda f: -f.lineno):
        documented = ast.get_docstring(node) is not None
        start = node.body[0].end_lineno if documented else node.body[0].lineno - 1
        end, indent = node.end_lineno, " " * (node.col_offset + 4)
        lines[start:end] = [f"{indent}### BEGIN SOLUTION", *lines[start:end], f"{indent}### END SOLUTION"]
    return "\n".join(lines)


def _no_demonstration_uses_answers(path: Path, cells: list[tuple[NotebookNode, int]], found: list[Exercise | Written]) -> None:
    """A demonstration must run in an untouched notebook, so it may not lean on what the student writes."""
    names = {e.name for e in found if isinstance(e, Exercise)}
    for at, node in _nodes(path, cells, DEMONSTRATION):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names:
            raise AuthorError(f"{at}: a demonstration uses {node.id!r}, which the student writes")


def _no_setup_opens_what_is_closed(path: Path, cells: list[tuple[NotebookNode, int]], found: list[Exercise | Written]) -> None:
    """A setup cell always runs, so it may not import a module that an exercise closes."""
    closed = {name for e in found if isinstance(e, Exercise) for name in e.closed}
    for at, node in _nodes(path, cells, SETUP):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""] + [f"{node.module}.{alias.name}" for alias in node.names]
        hit = [n for n in names if any(n == c or n.startswith(c + ".") for c in closed)]
        if hit:
            raise AuthorError(f"{at}: a setup cell imports {hit[0]!r}, which an exercise of this chapter closes")


def _nodes(path: Path, cells: list[tuple[NotebookNode, int]], kind: str) -> Iterator[tuple[str, ast.AST]]:
    """The syntax of all cells of a kind, with `file:line` for each name and statement in it."""
    for cell, line in cells:
        if kind in cell.metadata.get("tags", []):
            for node in ast.walk(ast.parse(plain_python(cell.source))):
                yield f"{path}:{line + getattr(node, 'lineno', 1) - 1}", node


def _with_ids(cells: list[NotebookNode]) -> list[NotebookNode]:
    """Cell ids that survive a rebuild and the insertion of other cells: from the nbgrader id, or from the text."""
    taken: set[str] = set()
    for cell in cells:
        base = cell.metadata.get("nbgrader", {}).get("grade_id") or edits.id_of_prose(cell.source)
        cell_id, copy = base[:60], 1
        while cell_id in taken:
            copy += 1
            cell_id = f"{base[:60]}-{copy}"
        if copy > 1 and "nbgrader" in cell.metadata:
            cell.metadata["nbgrader"]["grade_id"] = cell_id
        taken.add(cell_id)
        cell["id"] = cell_id
    return cells
