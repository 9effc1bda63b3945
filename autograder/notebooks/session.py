"""What this kernel has run: every cell since the course was imported, with what it raised. `check` asks where names are from."""

from __future__ import annotations

import functools
import hashlib
import re
from typing import Any

from autograder.notebooks.names import Ran
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
    source = result.info.raw_cell if result.info is not None else ""
    error = result.error_before_exec or result.error_in_exec
    _ran.append(Ran(source or "", said(error) if error is not None else "", is_demonstration(source or "")))


def said(error: BaseException) -> str:
    """`SyntaxError: invalid syntax (line 3)`: an exception in one line, without IPython's name for the cell."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # a student's own exception may fail to say what it is
        text = ""
    text = re.sub(r"\((?:<[^>]*>|[^()]*\.py), line (\d+)\)", r"(line \1)", text)[:300]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def is_demonstration(source: str) -> bool:
    """Whether a cell is one of the course's demonstrations, unchanged: its digest is in their names."""
    return hashlib.sha256(source.encode("utf-8", "replace")).hexdigest()[:8] in _demonstrations()


@functools.cache
def _demonstrations() -> frozenset[str]:
    """The digests in the names of all demonstration cells that were handed out."""
    texts = (path.read_text(encoding="utf-8", errors="replace") for path in CHAPTERS.glob("*.ipynb"))
    return frozenset(found for text in texts for found in re.findall(r'"grade_id": "demonstration-([0-9a-f]{8})', text))
