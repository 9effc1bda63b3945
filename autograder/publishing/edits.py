"""What hands have changed in a notebook that a build made.

A built notebook says of itself how it was built: a cell of prose is called by a digest of its text, any other carries nbgrader's
checksum, and the notebook's metadata hold a digest of the names of all its cells in their order. Outputs are nobody's work.
"""

from __future__ import annotations

import hashlib
import re

from nbformat import NotebookNode


def id_of_prose(text: str) -> str:
    """The id of a cell that holds this prose, were it the only one that does."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def stamp(notebook: NotebookNode) -> str:
    """A digest of which cells there are, and in which order."""
    return hashlib.sha256("\n".join(cell.id for cell in notebook.cells).encode()).hexdigest()[:16]


def first_edit(notebook: NotebookNode) -> tuple[int, str] | None:
    """The index of the first cell that hands have changed, and where that is in words; None when a build made all of it."""
    for index, cell in enumerate(notebook.cells):
        if not _is_as_built(cell):
            return index, f"in its cell {name_of(cell)}"
    if notebook.metadata.get("course", {}).get("cells", stamp(notebook)) != stamp(notebook):
        return 0, "in the order of its cells: some were moved or taken out"
    return None


def _is_as_built(cell: NotebookNode) -> bool:
    from nbgrader.utils import compute_checksum

    about = cell.metadata.get("nbgrader")
    if about is None:
        return cell.cell_type == "markdown" and cell.get("id", "").startswith(id_of_prose(cell.source))
    return about.get("checksum") == compute_checksum(cell)


def name_of(cell: NotebookNode) -> str:
    """What a person calls a cell: its grade_id, or how its text begins."""
    first = next((line.strip() for line in cell.source.splitlines() if line.strip()), "empty")
    grade_id = cell.metadata.get("nbgrader", {}).get("grade_id", "")
    return grade_id if grade_id and not re.match("(setup|demonstration)-", grade_id) else f"`{first[:60]}`"
