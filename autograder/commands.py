"""The `course` command: build, run, check, release, lab, doctor. Each says what it did, and ends with 1 when something is wrong.

Everything a command needs is imported when it runs: `course lab` starts fast, and a student's copy of the course, which has
no exercises and no solutions, still has the commands that need none.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from autograder.asking.state import State
from autograder.places import CHAPTERS, ROOT, WORKBOOK

if TYPE_CHECKING:
    from autograder.notebooks.execute import Run
    from autograder.notebooks.marking import Marks

app = typer.Typer(help="The fine-tuning course.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.command()
def build(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; name what is stale and end with 1.")] = False,
    class_folder: Annotated[Path, typer.Option(help="The nbgrader course folder to make or refresh.")] = ROOT / "build" / "class",
) -> None:
    """Build the student notebooks from their sources, and nbgrader's class folder with the instructor's."""
    _needs_answers("build")
    from autograder.publishing import build as building

    with _authors_mistakes():
        if check:
            complaints = building.stale(CHAPTERS)
            _say(*complaints)
            raise typer.Exit(1 if complaints else 0)
        changed = building.build(CHAPTERS)
        written = building.build_class(class_folder, CHAPTERS)
    _say(*(f"{path}: built" for path in changed) if changed else ["The student notebooks are up to date."])
    _say(f"{_count(len(written), 'instructor notebook')} in {class_folder}: they hold the answers, so keep them to yourself.")


@app.command()
def run(
    chapters: Annotated[list[str] | None, typer.Argument(metavar="[CHAPTER]...", help="Such as 08 or 08_lora; or all.")] = None,
    workers: Annotated[int, typer.Option(min=0, help="Notebooks executed at once; 0 for as many as there are cores.")] = 0,
    as_handed_out: Annotated[bool, typer.Option("--as-handed-out", help="Leave the exercises unanswered.")] = False,
    save: Annotated[Path | None, typer.Option(help="Write the executed notebooks into this folder.")] = None,
) -> None:
    """Execute every chapter from the first cell to the last, offline, with the model answers in it."""
    _needs_answers("run")
    from autograder.notebooks.cells import with_answers
    from autograder.publishing import chapter

    notebooks: dict[str, Any] = {}
    with _authors_mistakes():
        for path in _chosen(chapter.chapter_sources(CHAPTERS), chapters or []):
            notebook = chapter.student_notebook(path)
            answers = {} if as_handed_out else chapter.model_answers(path)
            notebooks[path.stem] = with_answers(notebook, answers)
    runs = _execute(notebooks, workers)
    if save:
        import nbformat

        save.mkdir(parents=True, exist_ok=True)
        for name, done in runs.items():
            nbformat.write(done.notebook, save / f"{name}.ipynb")
    raise typer.Exit(0 if _print_runs(runs, full_marks=not as_handed_out) else 1)


@app.command()
def check(
    workbook: Annotated[Path, typer.Argument(help="A workbook, or one notebook.")] = WORKBOOK,
) -> None:
    """Mark all exercises of a student's workbook. Demonstrations are not run."""
    from autograder.notebooks import marking

    if not workbook.exists():
        _stop(f"There is no {workbook}: `course lab` makes the workbook and opens it.")
    paths = marking.notebooks_of(workbook) if workbook.is_dir() else [workbook]
    if not paths:
        _stop(f"There is no notebook in {workbook}: `course lab` fills the workbook.")
    notebooks, sound = {}, True
    for path in paths:
        try:
            notebooks[path] = marking.read_notebook(path)
        except marking.UnreadableNotebook as error:
            _say(f"{error}.")
            sound = False
    folder = workbook if workbook.is_dir() else workbook.resolve().parent
    runs = _execute({str(path): notebook for path, notebook in notebooks.items()}, 0,
                    skip_demonstrations=True, offline=False, timeout=60, folder=folder) if notebooks else {}
    for path in notebooks:
        handed_out = marking.released(path, CHAPTERS)
        marks = marking.marks(runs[str(path)], marking.read_notebook(handed_out) if handed_out else None)
        _print_marks(path.stem, marks)
        sound = sound and all(mark.state != State.NOT_MARKED for mark in marks.marks)
    raise typer.Exit(0 if sound else 1)


@app.command()
def release(
    to: Annotated[Path, typer.Option(metavar="DIR", help="The folder of the bundle.")] = ROOT / "build" / "student",
) -> None:
    """Make the student bundle: notebooks, courselib and the checks, without any model answer."""
    _needs_answers("release")
    from autograder.publishing import release as releasing

    with _authors_mistakes():
        try:
            files = releasing.release(to, CHAPTERS)
        except FileExistsError as error:
            _stop(f"{error}.")
    _say(f"The student bundle is in {to}: {_count(len(files), 'file')}. Hand out the whole folder.")


@app.command()
def lab(
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = True,
) -> None:
    """Open JupyterLab on your own copy of the notebooks; it is made or refreshed first, and never overwrites your work."""
    from autograder.notebooks import copies
    from autograder.notebooks import jupyterlab as laboratory

    try:
        _say(*copies.refresh(CHAPTERS, WORKBOOK))
    except NotADirectoryError as error:
        _stop(f"{error}.")
    _say(f"Your notebooks are in {WORKBOOK}. Ctrl-C here ends JupyterLab.")
    laboratory.open_lab(WORKBOOK, browser)


@app.command()
def doctor() -> None:
    """Say what this machine can do: above all, whether it can enclose submissions while they are graded."""
    _needs_answers("doctor")
    from autograder.grading.doctor import SIGNS
    from autograder.grading.doctor import doctor as examine

    findings = examine()
    table = _table("", "what", "finding")
    for finding in findings:
        table.add_row(SIGNS[finding.verdict], finding.name, Text(finding.sentence))
    Console().print(table)
    raise typer.Exit(1 if any(finding.verdict == "missing" for finding in findings) else 0)


if (ROOT / "autograder" / "grading").is_dir():  # not in a student's copy
    from autograder.grading import commands as grading

    grading.add_to(app)


# --- what the commands share -----------------------------------------------------------------------------------------


def _say(*sentences: str) -> None:
    for sentence in sentences:
        print(sentence, flush=True)  # not through rich: a path in it stays in one piece


def _stop(sentence: str) -> None:
    _say(sentence)
    raise typer.Exit(1)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _needs_answers(command: str) -> None:
    if not (ROOT / "autograder" / "exercises").is_dir():
        _stop(f"This is a student's copy of the course: `course {command}` needs the model answers, which are not in it.")


@contextmanager
def _authors_mistakes() -> Iterator[None]:
    """A mistake in the course's own text is one line with file and line, not a traceback."""
    from autograder.exercises.exercise import AuthorError

    try:
        yield
    except AuthorError as error:
        _stop(str(error))


def _chosen(sources: list[Path], names: list[str]) -> list[Path]:
    """The chapters called `08_lora` or `08`, in the course's order."""
    for name in names:
        if not any(name in (path.stem, path.stem.split("_")[0]) for path in sources):
            _stop(f"There is no chapter {name!r}; there are {', '.join(path.stem for path in sources)}.")
    return [path for path in sources if not names or path.stem in names or path.stem.split("_")[0] in names]


def _execute(notebooks: dict[str, Any], workers: int, **how: Any) -> dict[str, Run]:
    """Execute notebooks in parallel under a progress bar that counts their cells."""
    from autograder.notebooks.execute import run_many

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("cells"), TimeElapsedColumn())
    with Progress(*columns, console=Console()) as progress:
        cells = sum(len(notebook.cells) for notebook in notebooks.values())
        task = progress.add_task(_count(len(notebooks), "notebook"), total=cells)
        advance: Callable[[], None] = lambda: progress.advance(task)  # noqa: E731
        runs = run_many(notebooks, min(workers or cores, len(notebooks)), on_cell=advance, **how)
        progress.update(task, completed=cells)  # also when a kernel died before its last cell
    return runs


def _print_runs(runs: dict[str, Run], full_marks: bool) -> bool:
    """The table of `course run`, and a line for each thing that is wrong. Returns whether nothing is."""
    from autograder.notebooks.cells import check_cells

    table = _table("chapter", ">seconds", ">slowest cell", ">points", ">errors", ">stderr lines")
    wrong: list[str] = []
    for name, done in runs.items():
        cells = done.notebook.cells
        points = {i: float(cells[at].metadata.nbgrader.points) for i, at in check_cells(done.notebook).items()}
        slowest = max(done.cell_seconds.values(), default=0.0)
        stderr = done.stderr.splitlines()
        earned = f"{sum(done.scores.values()):g} of {sum(points.values()):g}"
        table.add_row(name, f"{done.seconds:.1f}", f"{slowest:.1f}", earned, str(len(done.errors)), str(len(stderr)))
        for error in done.errors:
            first = cells[error.index].source.strip().split("\n")[0]
            wrong.append(f"{name}: cell {error.index + 1} (`{first[:60]}`) raised {error.name}: {error.message}")
        wrong += [f"{name}: on stderr: {line}" for line in stderr[:10]]
        if full_marks:
            short = [i for i, most in points.items() if done.scores.get(i) != most]
            wrong += [f"{name}: {i} earned {done.scores.get(i, 'no')} of {points[i]:g} points" for i in short]
    Console().print(table)
    _say(*wrong)
    return not wrong


def _print_marks(name: str, marks: Marks) -> None:
    """The table of `course check` for one notebook."""
    from autograder.notebooks.marking import SIGNS

    table = _table("exercise", "", ">points", "what the check says")
    for mark in marks.marks:
        earned = "" if mark.earned is None else f"{mark.earned:g} of "
        table.add_row(mark.id, SIGNS[mark.state], f"{earned}{mark.points:g}", Text(mark.message))
    marked = [mark for mark in marks.marks if mark.earned is not None]
    total = f"{sum(mark.earned or 0 for mark in marked):g} of {sum(mark.points for mark in marked):g} points"
    by_hand = sum(mark.points for mark in marks.marks if mark.state == State.WRITTEN)
    _say(f"{name}: {total}" + (f", and {by_hand:g} more that a person gives" if by_hand else ""))
    Console().print(table)
    _say(*(f"{name}: {complaint}" for complaint in marks.complaints))


def _table(*columns: str) -> Table:
    """A table with a row of names; `>` before a name aligns its column to the right and keeps it in one piece."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        right = name.startswith(">")
        table.add_column(name.lstrip(">"), justify="right" if right else "left", no_wrap=right, overflow="fold")
    return table


if __name__ == "__main__":
    app()
