"""What hands have changed in a notebook that a build made.

Every built cell says of itself how it was built: prose is called by a digest of its text, any other cell carries nbgrader's
checksum. So what is no longer as built shows, cell by cell. Outputs are nobody's work; and an order that no build made, as when
git has merged two builds, holds no word that would be lost.
"""

from __future__ import annotations

import hashlib
import re

from nbformat import NotebookNode


def id_of_prose(text: str) -> str:
    """The id of a cell that holds this prose, were it the only one that does."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def first_edit(notebook: NotebookNode) -> int | None:
    """The index of the first cell that hands have changed or added; None when builds made all of them."""
    return next((index for index, cell in enumerate(notebook.cells) if not is_as_built(cell)), None)


def is_as_built(cell: NotebookNode) -> bool:
    """Whether a cell is one that a build made, unchanged since."""
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
