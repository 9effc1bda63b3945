"""What this kernel has run: every cell since the course was imported, with what it raised. `check` asks where names are from."""

from __future__ import annotations

import functools
import hashlib
import json
from typing import Any

from autograder.asking.raised import in_a_cell
from autograder.notebooks.cells import DEMONSTRATION, is_kind
from autograder.notebooks.names import NOT_RUN, Ran
from autograder.places import CHAPTERS

_ran: list[Ran] = []


def ran() -> list[Ran]:
    """The cells, in the order in which they were run."""
    return _ran


def watch(shell: Any) -> None:
    """Remember every cell that `shell`, an IPython shell, runs from now on."""
    _ran.clear()
    shell.events.register("post_run_cell", _remember)


def _remember(result: Any) -> None:
    source = (result.info.raw_cell if result.info is not None else "") or ""
    error = result.error_before_exec or result.error_in_exec
    shown = _demonstrations().get(_name_of(source))
    _ran.append(Ran(shown or source, said(error) if error is not None else "", shown is not None))


def said(error: BaseException) -> str:
    """`SyntaxError: invalid syntax (line 3)`: an exception in one line, without IPython's name for the cell."""
    text = in_a_cell(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _name_of(source: str) -> str:
    """The name that a demonstration of this source has: its digest, or what is said where it was not run."""
    told = NOT_RUN.match(source)
    return told[1] if told else f"{DEMONSTRATION}-{hashlib.sha256(source.encode('utf-8', 'replace')).hexdigest()[:8]}"


@functools.cache
def _demonstrations() -> dict[str, str]:
    """The source of every demonstration that was handed out, by its name."""
    found = {}
    for path in CHAPTERS.glob("*.ipynb"):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            name = cell["metadata"].get("nbgrader", {}).get("grade_id", "")
            if is_kind(name, DEMONSTRATION):
                found[name] = "".join(cell["source"])
    return found
