"""`course build`, `run`, `site` and `release`: what an author does. A student's copy of the course has none of them.

Imports wait until a command runs, as in `autograder.commands`, to which `add_to` adds these.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from autograder.notebooks.telling import chosen, count, execute, say, stop, table
from autograder.places import CHAPTERS, ROOT

if TYPE_CHECKING:
    from autograder.notebooks.execute import Run


def add_to(app: typer.Typer) -> None:
    """Add the authors' commands to the `course` command."""
    for command in (build, run, site, release):
        app.command()(command)


def build(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; name what is stale and end with 1.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite notebooks that were edited by hand.")] = False,
    class_folder: Annotated[Path, typer.Option(help="The nbgrader course folder to make or refresh.")] = ROOT / "build" / "class",
) -> None:
    """Build the student notebooks from their sources, and nbgrader's class folder with the instructor's."""
    from autograder.publishing import build as building

    with _authors_mistakes():
        if check:
            complaints = building.stale(CHAPTERS)
            say(*complaints)
            raise typer.Exit(1 if complaints else 0)
        changed = building.build(CHAPTERS, force)
        written = building.build_class(class_folder, CHAPTERS, force)
    say(*(f"{path}: built" for path in changed) if changed else ["The student notebooks are up to date."])
    say(f"{count(len(written), 'instructor notebook')} in {class_folder}: they hold the answers, so keep them to yourself.")


def run(
    chapters: Annotated[list[str] | None, typer.Argument(metavar="[CHAPTER]...", help="Such as 08 or 08_lora; or all.")] = None,
    workers: Annotated[int, typer.Option(min=0, help="Notebooks executed at once; 0 for as many as there are cores.")] = 0,
    as_handed_out: Annotated[bool, typer.Option("--as-handed-out", help="Leave the exercises unanswered.")] = False,
    save: Annotated[Path | None, typer.Option(help="Write the executed notebooks into this folder.")] = None,
) -> None:
    """Execute every chapter from the first cell to the last, offline, with the model answers in it."""
    from autograder.publishing import chapter
    from autograder.publishing.web import executed

    with _authors_mistakes():
        sources = {path.stem: path for path in chapter.chapter_sources(CHAPTERS)}
        wanted = [sources[name] for name in chosen(sources, chapters or [])]
        runs = _runs(wanted, workers, as_handed_out)
        if save:
            for path in wanted:
                executed.keep(save, path, runs[path.stem])
    raise typer.Exit(0 if _print_runs(runs, full_marks=not as_handed_out) else 1)


def site(
    to: Annotated[Path, typer.Option(metavar="DIR", help="The folder of the pages.")] = ROOT / "build" / "site",
    workers: Annotated[int, typer.Option(min=0, help="Notebooks executed at once; 0 for as many as there are cores.")] = 1,
) -> None:
    """Build the web edition. Chapters whose code has changed since they were last executed are executed first."""
    from autograder.publishing import chapter
    from autograder.publishing.web import book, executed

    with _authors_mistakes():
        sources = chapter.chapter_sources(CHAPTERS)
        notebooks = {path: executed.kept(executed.KEPT, path) for path in sources}
        missing = [path for path, notebook in notebooks.items() if notebook is None]
        if missing:
            say(f"To be executed: {', '.join(path.stem for path in missing)}.")
            runs = _runs(missing, workers)
            for path in missing:
                executed.keep(executed.KEPT, path, runs[path.stem])
                notebooks[path] = runs[path.stem].notebook
            if not _print_runs(runs, full_marks=False):  # no check is shown
                stop("The web edition was not built: it shows only what ran without an error.")
        book.write(to.with_name(f"{to.name}-source"), notebooks)
        book.build(to.with_name(f"{to.name}-source"), to)
    say(f"The web edition is built: open {to / 'index.html'}.")


def release(
    to: Annotated[Path, typer.Option(metavar="DIR", help="The folder of the bundle.")] = ROOT / "build" / "student",
    class_folder: Annotated[Path | None, typer.Option("--class", help="A class whose due dates the checks are to say.")] = None,
) -> None:
    """Make the student bundle: notebooks, courselib and the checks, without any model answer."""
    from autograder.publishing import release as releasing
    from autograder.publishing.class_folder import NoClass, due_dates

    with _authors_mistakes():
        try:
            dates = due_dates(class_folder) if class_folder else {}
            files = releasing.release(to, CHAPTERS, dates)
        except FileExistsError as error:
            stop(f"{error}.")
        except NoClass as error:
            stop(str(error))
    say(f"The student bundle is in {to}: {count(len(files), 'file')}. Hand out the whole folder.")
    say(*(f"{name} is due on {moment:%Y-%m-%d %H:%M} UTC." for name, moment in sorted(dates.items())))


@contextmanager
def _authors_mistakes() -> Iterator[None]:
    """A mistake in the course's own text is one line with file and line, not a traceback."""
    from autograder.exercises.exercise import AuthorError

    try:
        yield
    except AuthorError as error:
        stop(str(error))


def _runs(sources: list[Path], workers: int, as_handed_out: bool = False) -> dict[str, Run]:
    """Execute chapters, with the model answers in them or without; what happened, by chapter."""
    from autograder.notebooks.cells import with_answers
    from autograder.publishing import chapter

    notebooks = {}
    for path in sources:
        answers = {} if as_handed_out else chapter.model_answers(path)
        notebooks[path.stem] = with_answers(chapter.student_notebook(path), answers)
    return execute(notebooks, workers)


def _print_runs(runs: dict[str, Run], full_marks: bool) -> bool:
    """The table of `course run`, and a line for each thing that is wrong. Returns whether nothing is."""
    from autograder.notebooks.cells import check_cells

    rows = table("chapter", ">seconds", ">slowest cell", ">points", ">errors", ">stderr lines")
    wrong: list[str] = []
    for name, done in runs.items():
        cells = done.notebook.cells
        points = {i: float(cells[at].metadata.nbgrader.points) for i, at in check_cells(done.notebook).items()}
        slowest = max(done.cell_seconds.values(), default=0.0)
        stderr = done.stderr.splitlines()
        earned = f"{sum(done.scores.values()):g} of {sum(points.values()):g}"
        rows.add_row(name, f"{done.seconds:.1f}", f"{slowest:.1f}", earned, str(len(done.errors)), str(len(stderr)))
        for error in done.errors:
            first = cells[error.index].source.strip().split("\n")[0]
            wrong.append(f"{name}: cell {error.index + 1} (`{first[:60]}`) raised {error.name}: {error.message}")
        wrong += [f"{name}: on stderr: {line}" for line in stderr[:10]]
        if full_marks:
            short = [i for i, most in points.items() if done.scores.get(i) != most]
            wrong += [f"{name}: {i} earned {done.scores.get(i, 'no')} of {points[i]:g} points" for i in short]
    Console().print(rows)
    say(*wrong)
    return not wrong
