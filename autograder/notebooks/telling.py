"""How the `course` command speaks: sentences, tables, and a bar that counts cells. Whatever stops a command is a sentence."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NoReturn

import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

if TYPE_CHECKING:
    from autograder.notebooks.execute import Run


def say(*sentences: str) -> None:
    for sentence in sentences:
        print(sentence, flush=True)  # not through rich: a path in it stays in one piece


def stop(sentence: str) -> NoReturn:
    """Say what is wrong, and end the command with 1."""
    say(sentence)
    raise typer.Exit(1)


def count(number: int, noun: str) -> str:
    """`3 files`, `1 file`."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def chosen(names: Iterable[str], wanted: list[str]) -> list[str]:
    """The chapters that are `wanted`, each by its name `08_lora` or its number `08`, in their own order; all for none.

    A student's `08_lora.new-1a2b3c4d` is `08_lora` too.
    """
    called = {name: (name, name.split(".new-")[0], name.split("_")[0]) for name in names}
    for want in wanted:
        if not any(want in known for known in called.values()):
            stop(f"There is no chapter {want!r}; there are {', '.join(called)}.")
    return [name for name, known in called.items() if not wanted or set(wanted) & set(known)]


def table(*columns: str) -> Table:
    """A table with a row of names; `>` before a name aligns its column to the right and keeps it in one piece."""
    out = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        right = name.startswith(">")
        out.add_column(name.lstrip(">"), justify="right" if right else "left", no_wrap=right, overflow="fold")
    return out


def execute(notebooks: dict[str, Any], workers: int, **how: Any) -> dict[str, Run]:
    """Execute notebooks in parallel under a progress bar that counts their cells; 0 workers for as many as there are cores."""
    from autograder.notebooks.execute import run_many

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("cells"), TimeElapsedColumn())
    with Progress(*columns, console=Console()) as progress:
        cells = sum(len(notebook.cells) for notebook in notebooks.values())
        task = progress.add_task(count(len(notebooks), "notebook"), total=cells)
        advance: Callable[[], None] = lambda: progress.advance(task)  # noqa: E731
        runs = run_many(notebooks, min(workers or cores, len(notebooks)), on_cell=advance, **how)
        progress.update(task, completed=cells)  # also when a kernel died before its last cell
    return runs
