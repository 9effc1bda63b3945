"""The `course` command. Each part of it says what it did, and ends with 1 when something is wrong.

`check` and `lab` are the student's, and stand here. The authors' and the instructors' stand in their own rooms, so that a
student's copy of the course, which lacks those rooms, lists only what works in it. Everything a command needs is imported
when it runs: `course lab` starts fast.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from autograder.asking.state import State
from autograder.notebooks.telling import chosen, count, execute, say, stop, table
from autograder.places import CHAPTERS, ROOT, WORKBOOK

if TYPE_CHECKING:
    from autograder.notebooks.marking import Mark, Marks

app = typer.Typer(help="The fine-tuning course.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.command()
def lab(
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = True,
) -> None:
    """Open JupyterLab on your own copy of the notebooks; it is made or refreshed first, and never overwrites your work."""
    from autograder.notebooks import copies
    from autograder.notebooks import opening as laboratory

    try:
        say(*copies.refresh(CHAPTERS, WORKBOOK))
    except NotADirectoryError as error:
        stop(f"{error}.")
    say(f"Your notebooks are in {WORKBOOK}. Ctrl-C here ends JupyterLab.")
    laboratory.open_lab(WORKBOOK, browser)


@app.command()
def update(
    chapters: Annotated[list[str] | None, typer.Argument(metavar="[CHAPTER]...", help="Such as 08 or 08_lora; or all.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False,
) -> None:
    """Say what is new in a release of a chapter, and bring your answers over into it. Your old copy is kept."""
    import nbformat

    from autograder.notebooks import carrying, copies, marking

    mine = {path.stem: path for path in _notebooks_at(WORKBOOK) if (CHAPTERS / path.name).is_file()}
    for name in chosen(mine, chapters or []):
        path, release = mine[name], CHAPTERS / mine[name].name
        try:
            found, newest = marking.read_notebook(path), marking.read_notebook(release)
        except marking.UnreadableNotebook as error:
            stop(f"{error}.")
        if carrying.is_release(found, newest):
            say(f"{name} is of the newest release.")
            continue
        renewed = carrying.renewed(found, newest)
        say(f"{name} has a newer release.", *renewed.sentences())
        if yes or typer.confirm("Bring your answers over into it?"):
            try:
                kept = copies.replace(WORKBOOK, path.name, nbformat.writes(renewed.notebook).encode(), release.read_bytes())
            except OSError as error:
                stop(f"{name} stays as it is: the newer one could not be written ({error.strerror}: {error.filename}).")
            say(f"Done. Your old copy is {kept.relative_to(WORKBOOK.parent)}. If it is open, close it and open it again.")
        else:
            say(f"{name} stays as it is.")


@app.command()
def check(
    what: Annotated[list[str] | None, typer.Argument(
        metavar="[CHAPTER]...", help="Such as 08 or 08_lora; or the path of a notebook or a folder; or all of your workbook.",
    )] = None,
    summary: Annotated[Path | None, typer.Option(metavar="FILE", help="Append the marks to it, as Markdown.")] = None,
) -> None:  # fmt: skip
    """Mark the exercises of your workbook. Demonstrations are not run."""
    from autograder.notebooks import due, marking

    notebooks, sound = {}, True
    for path in _asked_for(what or []):
        try:
            notebooks[path] = marking.read_notebook(path)
        except marking.UnreadableNotebook as error:
            say(f"{error}.")
            sound = False
    runs = {}
    for folder in dict.fromkeys(path.parent for path in notebooks):
        there = {str(path): notebook for path, notebook in notebooks.items() if path.parent == folder}
        runs |= execute(there, 0, skip_demonstrations=True, offline=False, timeout=60, folder=folder)
    marked: list[Mark] = []
    pages: list[str] = []
    for path in notebooks:
        handed_out = marking.released(path, CHAPTERS)
        marks = marking.marks(runs[str(path)], marking.read_notebook(handed_out) if handed_out else None)
        _print_marks(path.stem, marks)
        due_date = due.sentence(path.stem.split(".new-")[0], CHAPTERS)
        say(*[due_date] if due_date else [])
        marked += marks.marks
        pages.append(marking.as_markdown(path.stem, marks, due_date))
    say(f"In all: {_points(marked)}.")
    if summary:
        with summary.open("a", encoding="utf-8") as file:
            file.write("\n".join([*pages, f"**In all: {_points(marked)}.**\n"]))
    raise typer.Exit(0 if sound and all(mark.state != State.NOT_MARKED for mark in marked) else 1)


@app.command()
def fits(
    config: Annotated[str, typer.Argument(help="A config.json, its folder, or a model known here, as llama-7b or bert-base.")],
    method: Annotated[str, typer.Option(help="full, lora or qlora.")] = "qlora",
    card: Annotated[float, typer.Option(metavar="GB", help="The memory of the card.")] = 24.0,
    batch: Annotated[int, typer.Option(help="Texts at a time.")] = 1,
    length: Annotated[int, typer.Option(help="Tokens of each text.")] = 512,
    checkpointing: Annotated[bool, typer.Option(help="Compute activations twice rather than keep them.")] = False,
) -> None:
    """Say what a training step of a model would hold in memory, item by item, and whether that fits (chapter 10)."""
    from courselib.qlora import memory, shapes

    try:
        peak = memory.peak_memory(shapes.shape_of(config), method, batch, length, checkpointing=checkpointing)
    except (ValueError, OSError) as error:
        stop(f"{error}")
    rows = table("item", "GB")
    for name, gb in peak.items().items():
        rows.add_row(name, f"{gb:.2f}")
    rows.add_row("peak", f"{peak.total / memory.GB:.2f}")
    Console().print(rows)
    fit = peak.total / memory.GB <= card
    say(f"It {'fits' if fit else 'does not fit'} on {card:g} GB.")
    raise typer.Exit(0 if fit else 1)


def doctor() -> None:
    """Say what this machine can do: above all, whether it can enclose submissions while they are graded."""
    from autograder.grading.doctor import SIGNS
    from autograder.grading.doctor import doctor as examine

    findings = examine()
    rows = table("", "what", "finding")
    for finding in findings:
        rows.add_row(SIGNS[finding.verdict], finding.name, Text(finding.sentence))
    Console().print(rows)
    raise typer.Exit(1 if any(finding.verdict == "missing" for finding in findings) else 0)


if (ROOT / "autograder" / "grading").is_dir():  # not in a student's copy
    from autograder.grading import afterwards
    from autograder.grading import commands as grading
    from autograder.publishing import commands as publishing

    publishing.add_to(app)
    app.command()(doctor)
    grading.add_to(app)
    afterwards.add_to(app)


# --- course check ----------------------------------------------------------------------------------------------------


def _asked_for(what: list[str]) -> list[Path]:
    """The notebooks that are meant by chapters' names and numbers, and by paths; those of the workbook for nothing."""
    paths = [Path(name) for name in what if os.sep in name or name.endswith(".ipynb") or Path(name).exists()]
    chapters = [name for name in what if Path(name) not in paths]
    found = [notebook for path in paths for notebook in _notebooks_at(path)]
    if chapters or not what:
        mine = {path.stem: path for path in _notebooks_at(WORKBOOK)}
        found += [mine[name] for name in chosen(mine, chapters)]
    return [path.resolve() for path in dict.fromkeys(found)]


def _notebooks_at(path: Path) -> list[Path]:
    from autograder.notebooks import marking

    if not path.exists():
        stop(f"There is no {path}: `course lab` makes the workbook and opens it.")
    notebooks = marking.notebooks_of(path) if path.is_dir() else [path]
    if not notebooks:
        stop(f"There is no notebook in {path}: `course lab` fills the workbook.")
    return notebooks


def _print_marks(name: str, marks: Marks) -> None:
    """What the student has tried, an exercise a row; what waits, in one line."""
    from autograder.notebooks.marking import SIGNS

    tried = [mark for mark in marks.marks if mark.state != State.NOT_ATTEMPTED]
    waiting = [mark for mark in marks.marks if mark not in tried]
    if tried:
        say(f"{name}: {_points(marks.marks)}")
        rows = table("exercise", "", ">points", "what the check says")
        for mark in tried:
            earned = "" if mark.earned is None else f"{mark.earned:g} of "
            rows.add_row(mark.id, SIGNS[mark.state], f"{earned}{mark.points:g}", Text(mark.message))
        Console().print(rows)
        if waiting:
            say(f"Not attempted yet: {', '.join(mark.id for mark in waiting)}.", "")
    else:
        say(f"{name}: not attempted yet ({count(len(waiting), 'exercise')}, {sum(mark.points for mark in waiting):g} points)")
    say(*(f"{name}: {complaint}" for complaint in marks.complaints))


def _points(marks: list[Mark]) -> str:
    """Earned and possible points of what is checked, and what a person gives for what is not."""
    checked = [mark for mark in marks if mark.earned is not None]
    by_hand = sum(mark.points for mark in marks if mark.state == State.WRITTEN)
    points = f"{sum(mark.earned or 0 for mark in checked):g} of {sum(mark.points for mark in checked):g} points"
    return points + (f", and {by_hand:g} more that a person gives" if by_hand else "")


if __name__ == "__main__":
    app()
