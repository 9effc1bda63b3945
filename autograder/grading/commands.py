"""`course grade` and `course report`: a class on a Sunday evening. `course doctor` stands with the other commands.

Imports wait until a command runs, as in `autograder.commands`, to which `add_to` adds these.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from autograder.asking.state import State

Folder = Annotated[Path, typer.Option("--class", help="The nbgrader course folder.")]
Database = Annotated[str | None, typer.Option("--db", help="Any SQLAlchemy URL; what the class's settings say when absent.")]


OPEN_SCHEDULER = (
    "This scheduler is open: whoever reaches its address, or that of a worker, can run code there and read what is graded. On a "
    "network that is not yours alone, start it with certificates (dask scheduler --tls-cert ...) and give its tls:// address."
)


def add_to(app: typer.Typer) -> None:
    """Add the grading commands to the `course` command."""
    app.command()(grade)
    app.command()(report)


def grade(
    assignment: Annotated[str, typer.Argument(help="Such as 08_lora.")],
    folder: Folder = Path("."),
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0 for as many as there are cores.")] = 0,
    scheduler: Annotated[str | None, typer.Option(help="The address of a Dask scheduler, such as tcp://10.0.0.1:8786.")] = None,
    db: Database = None,
    again: Annotated[bool, typer.Option("--again", help="Also what is graded already, with the same inputs as before.")] = False,
    unsandboxed: Annotated[bool, typer.Option("--unsandboxed", help="Run student code without the sandbox.")] = False,
) -> None:
    """Grade what was handed in for an assignment. Killed at any moment, the same command goes on where it was."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from sqlalchemy.exc import DatabaseError

    from autograder.grading.agreement import Disagreement
    from autograder.grading.classroom import NoClass
    from autograder.grading.classwork import grade_class
    from autograder.grading.enclosure import SandboxUnavailable, require
    from autograder.grading.inert import visible
    from autograder.grading.journal import Busy, OtherJournal

    room = room_of(folder, assignment, db)
    if not room.students():
        _stop(f"Nobody has handed in {assignment} in {folder}: submissions lie in submitted/<student>/{assignment}/.")
    try:
        if not unsandboxed and not scheduler:
            require()
    except SandboxUnavailable as error:
        own = "With --unsandboxed student code runs with your own rights: only for code you trust."
        _stop(f"{error} `course doctor` says more. {own}")
    if scheduler and not scheduler.startswith("tls://"):
        print(OPEN_SCHEDULER)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    tally: Counter[str] = Counter()
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    with Progress(*columns) as progress:
        task = progress.add_task(assignment, total=len(room.students()))

        def done(student: str, result: Any) -> None:
            tally[_kind(result)] += 1
            progress.update(task, advance=1, description=f"{assignment}: " + _said(tally))

        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _end)
        try:
            how = {"workers": workers or cores, "scheduler": scheduler, "sandboxed": not unsandboxed, "again": again}
            lost = grade_class(room, **how, on_done=done)
        except (Busy, OtherJournal, NoClass, Disagreement) as error:
            _stop(str(error))
        except (OSError, DatabaseError) as error:  # the scheduler does not answer, the disk is full, the gradebook is held
            _stop(f"Grading stopped: {trouble(error)}. Nothing is lost: put it right and run the same command again.")
        except KeyboardInterrupt:
            _stop("Grading was stopped. Nothing is lost: run the same command again.")
    print(f"{assignment}: {sum(tally.values())} submissions: {_said(tally)}." + (" Without the sandbox." if unsandboxed else ""))
    for student, why in sorted(lost.items()):
        print(f"{visible(student)} was not graded ({visible(why.why)}).")
    aside = room.set_aside()
    print(*aside, sep="\n", end="\n" if aside else "")
    if lost:
        _stop("Nothing is lost: run the same command again.")
    if aside:
        raise typer.Exit(1)


def report(
    assignment: Annotated[str, typer.Argument(help="Such as 08_lora.")],
    folder: Folder = Path("."),
    db: Database = None,
) -> None:
    """Write one page about how a class did, the marks as CSV, and files that Canvas and Moodle import."""
    from sqlalchemy.exc import DatabaseError

    from autograder.grading import class_report, exports, marks
    from autograder.grading.agreement import Disagreement, require_graded_as_now
    from autograder.grading.classwork import agreed
    from autograder.grading.journal import OtherJournal, attempts, entries

    room = room_of(folder, assignment, db)
    try:
        released, found = agreed(room), entries(room.journal)
        require_graded_as_now(assignment, found)
        rows, most = marks.read(room.database, assignment, released), marks.most(released)
        page = class_report.page(assignment, rows, most, found, attempts(room.journal))
    except (Disagreement, OtherJournal, class_report.NothingGraded) as error:
        _stop(str(error))
    except (OSError, DatabaseError) as error:
        _stop(f"There is no report: {trouble(error)}.")
    target = room.folder / "reports" / assignment
    files = {
        "report.html": page, "marks.csv": class_report.table(rows, most, found),
        "canvas.csv": exports.canvas(rows, assignment, sum(most.values())), "moodle.csv": exports.moodle(rows, assignment),
    }
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (target / name).write_text(text, encoding="utf-8")
    except OSError as error:
        _stop(f"The report could not be written: {trouble(error)}.")
    print(f"{target}: {', '.join(files)}. Open report.html in a browser.")


def room_of(folder: Path, assignment: str, db: str | None) -> Any:
    from sqlalchemy.exc import DatabaseError

    from autograder.grading.agreement import Disagreement
    from autograder.grading.classroom import NoClass, classroom
    from autograder.grading.classwork import agreed

    try:
        room = classroom(folder, assignment, db)
    except NoClass as error:
        _stop(str(error))
    except OSError as error:
        _stop(f"{folder} cannot be read: {trouble(error)}.")
    try:
        agreed(room)
    except (NoClass, Disagreement) as error:
        _stop(str(error))
    except (OSError, DatabaseError) as error:
        _stop(f"The class cannot be read: {trouble(error)}.")
    return room


def trouble(error: Exception) -> str:
    """What the system or the database says, in words, on one line."""
    said = " ".join(str(getattr(error, "orig", None) or error).split())[:300]
    if "locked" in said:
        held = "another program has held the gradebook for too long: close formgrader, a synchronising program, or a viewer"
        return f"{said} ({held}, and try again)"
    if "not a database" in said or "malformed" in said:
        return f"the gradebook is damaged, or is none ({said}): put a copy of it back, or move it away and generate it anew"
    return said


def _end(*_: object) -> None:
    """Ended by a signal is ended as by Ctrl-C: in a sentence."""
    raise KeyboardInterrupt


def _kind(result: Any) -> str:
    """How one submission is counted under the progress bar. `result` is a `Graded`, or a `Lost`."""
    from autograder.grading.spread import Lost

    if isinstance(result, Lost):
        return "not graded"
    states = {report.state for report in result.reports.values()}
    if states & {State.CRASHED, State.TIMED_OUT, State.FLOODED}:
        return "crashed or stopped"
    return "all right" if states == {State.RIGHT} else "with mistakes"


def _said(tally: Counter[str]) -> str:
    return ", ".join(f"{number} {kind}" for kind, number in sorted(tally.items()))


def _stop(sentence: str) -> None:
    print(sentence)
    raise typer.Exit(1)
