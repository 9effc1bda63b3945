"""What comes after the marks: `course why`, `course regrade`, `course extend`, `course similar`.

Imports wait until a command runs, as in `autograder.commands`, to which `add_to` adds these.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from autograder.grading.commands import Database, Folder, room_of, trouble
from autograder.notebooks.telling import count, say, stop

Student = Annotated[str, typer.Argument(help="As the folder in submitted/ is called.")]
Unsandboxed = Annotated[bool, typer.Option("--unsandboxed", help="Run student code without the sandbox.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the `course` command."""
    for command in (why, regrade, extend, similar):
        app.command()(command)


def why(
    student: Student,
    exercise: Annotated[str, typer.Argument(help="Such as lora.gradient.")],
    folder: Folder = Path("."),
    db: Database = None,
    unsandboxed: Unsandboxed = False,
) -> None:
    """Show which inputs an answer got, what was right and what came: for whoever answers a complaint. Not for the student."""
    from autograder.grading.why import NothingToSay, explained

    with _in_words(NothingToSay):
        room = room_of(folder, _assignment_of(exercise), db)
        say(*explained(room, student, exercise, sandboxed=not unsandboxed))


def regrade(
    assignment: Annotated[str, typer.Argument(help="Such as 08_lora.")],
    student: Annotated[list[str], typer.Option(help="Whose submission; may be given several times.")],
    reason: Annotated[str, typer.Option(help="Goes into the log.")] = "",
    folder: Folder = Path("."),
    db: Database = None,
    unsandboxed: Unsandboxed = False,
) -> None:
    """Grade some submissions again, with the inputs they had; say what changed, and keep it in .course/audit.jsonl."""
    from autograder.grading.inert import visible
    from autograder.grading.regrade import regrade as grade_again

    room = room_of(folder, assignment, db)
    unknown = sorted(set(student) - set(room.students()))
    if unknown:
        stop(f"{', '.join(map(visible, unknown))} handed in nothing for {assignment}.")
    with _in_words():
        changes, lost = grade_again(room, list(dict.fromkeys(student)), reason, sandboxed=not unsandboxed)
    for change in changes:
        what = [f"{i} {a:g} → {b:g}" for i, (a, b) in change.exercises.items()]
        said = f"{change.before:g} → {change.after:g} points by the checks ({', '.join(what)})" if what else "nothing changed"
        say(f"{visible(change.student)}: {said}.")
    for name, result in lost.items():
        say(f"{visible(name)} was not graded ({visible(result.why)}).")
    say(f"{room.folder / '.course' / 'audit.jsonl'} has a line for each.")
    raise typer.Exit(1 if lost else 0)


def extend(
    student: Student,
    assignment: Annotated[str, typer.Argument(help="Such as 08_lora.")],
    until: Annotated[str, typer.Option(help="A time with its zone: '2026-12-01 23:59 +0100'; UTC without one.")],
    reason: Annotated[str, typer.Option(help="Goes into the log.")] = "",
    folder: Folder = Path("."),
    db: Database = None,
) -> None:
    """Give one student more time. What was taken off for coming late is worked out anew. Until the due date takes it back."""
    from autograder.grading import late
    from autograder.grading.regrade import log

    with _in_words(late.NoExtension):
        room = room_of(folder, assignment, db)
        sentence = late.extend(room, student, until)
        log(room.folder, [{"assignment": assignment, "student": student, "extended until": until, "reason": reason}])
    say(sentence)


def similar(
    assignment: Annotated[str, typer.Argument(help="Such as 08_lora.")],
    least: Annotated[float, typer.Option(min=0, max=1, help="The share of one's own code that the other has too.")] = 0.5,
    folder: Folder = Path("."),
    db: Database = None,
) -> None:
    """Write a page of answers that are more alike than stubs and model answers explain. It accuses nobody."""
    from autograder.grading import similar as alike

    room = room_of(folder, assignment, db)
    with _in_words():
        texts = alike.written_by(room)
        found = alike.pairs(room, texts, least)
        target = room.folder / "reports" / assignment / "similar.html"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(alike.page(assignment, found, len(texts), least), encoding="utf-8")
    say(f"{count(len(texts), 'student')}, {count(len(found), 'pair')} of whom one shares {least:.0%} or more: {target}.")


def _assignment_of(exercise_id: str) -> str:
    """The chapter that has an exercise."""
    from autograder.places import CHAPTERS
    from autograder.publishing import chapter

    for path in chapter.chapter_sources(CHAPTERS):
        if exercise_id in chapter.exercise_ids(path):
            return path.stem
    stop(f"There is no exercise {exercise_id!r}. Its name stands in its check cell: check(\"lora.gradient\", …).")


@contextmanager
def _in_words(*expected: type[Exception]) -> Iterator[None]:
    """Whatever stops one of these is a sentence."""
    from sqlalchemy.exc import DatabaseError

    from autograder.grading.agreement import Disagreement
    from autograder.grading.classroom import NoClass
    from autograder.grading.enclosure import SandboxUnavailable
    from autograder.grading.journal import Busy, OtherJournal
    from autograder.grading.warm import Infrastructure

    try:
        yield
    except (Busy, OtherJournal, NoClass, Disagreement, SandboxUnavailable, Infrastructure, *expected) as error:
        stop(str(error))
    except (OSError, DatabaseError) as error:
        stop(f"It stopped: {trouble(error)}. Nothing is lost.")
