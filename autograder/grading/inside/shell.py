"""Cells of a notebook in IPython, without a kernel: magics, `display`, top-level await, and nothing written anywhere."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable
from typing import Any

from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from autograder.asking.patience import Budget, OutOfTime, within
from autograder.asking.raised import in_a_cell


class _Silent(DisplayPublisher):
    def publish(self, *args: Any, **kwargs: Any) -> None:
        """A picture or a table is for the student's eyes, and they are not here."""


class Sink(io.TextIOBase):
    """Takes any amount of text and keeps none of it."""

    encoding = "utf-8"

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        return len(text)

    def fileno(self) -> int:
        return 1  # which is /dev/null here


def make_shell() -> InteractiveShell:
    """A shell that starts no thread and opens no file, so that it can be made before a fork."""
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    config.InteractiveShell.display_pub_class = _Silent
    shell = InteractiveShell.instance(config=config)
    shell.showtraceback = lambda *a, **k: None  # type: ignore[method-assign]
    shell.showsyntaxerror = lambda *a, **k: None  # type: ignore[method-assign]
    shell.enable_gui = lambda *a, **k: None  # type: ignore[method-assign]
    shell.ask_exit = lambda: None
    return shell


def run_cells(shell: InteractiveShell, cells: Iterable[dict[str, str]], each: float, together: float) -> list[dict[str, str]]:
    """Run `cells` in order, going on after one that raises; return the id, the error and its text of each that did."""
    failed = []
    budget = Budget(together)
    for cell in cells:
        error = _run(shell, cell["source"], budget, each)
        if error is not None:
            failed.append({"id": cell["id"], "error": type(error).__name__[:60], "message": in_a_cell(error)})
    return failed


def _run(shell: InteractiveShell, source: str, budget: Budget, each: float) -> BaseException | None:
    if budget.spent:
        return TimeoutError("the cells before it took all the time there is")
    sink = Sink()
    try:
        with contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink), within(budget, each):
            result = shell.run_cell(source, store_history=False, silent=False)
    except OutOfTime:
        return TimeoutError(f"this cell was stopped after {each:.0f} seconds: look for a loop that never ends")
    except BaseException as error:  # SystemExit, KeyboardInterrupt: a student's, and no reason to stop here
        return error
    error = result.error_before_exec or result.error_in_exec
    if isinstance(error, OutOfTime):
        return TimeoutError(f"this cell was stopped after {each:.0f} seconds: look for a loop that never ends")
    return error


__all__ = ["Sink", "make_shell", "run_cells"]
