"""A submitted notebook, read by somebody who trusts none of it.

What counts is what was handed out. Submitted cells are matched with the released ones by their nbgrader name: a locked cell
runs as it was released, a check does not run, of a demonstration only the imports that the student leans on, and everything
else is the student's and does. What was moved, changed, doubled or deleted is said in a sentence for the instructor, and costs
nobody a mark that was earned.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from autograder.asking.stubs import TEXT_STUB
from autograder.notebooks.cells import CHECK, DEMONSTRATION, SETUP, TITLE, answer_name, is_kind
from autograder.notebooks.names import Ran, imports_for

SMALL = 16 << 20  # bytes; a larger file is slimmed in a process of its own before it is read here
MOST_BYTES = 128 << 20  # of a file; a larger one is refused, and in a class folder it is not even read
SOURCE_MOST = 2 << 20  # characters of all cells together
CELLS_MOST = 5_000
NOTES_MOST = 50


class UnreadableSubmission(ValueError):
    """The file is no notebook; the text is a sentence."""


@dataclass(frozen=True)
class Cell:
    """A cell, reduced to what grading needs. `name` is nbgrader's grade_id, or empty."""

    name: str
    code: bool
    source: str
    locked: bool = False
    graded: bool = False
    points: float | None = None
    pictures: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # pasted into Markdown: name -> MIME type -> base64


@dataclass(frozen=True)
class Released:
    """What was handed out: its cells by name, its exercises (id -> name of the answer cell), the written ones, its setup."""

    cells: dict[str, Cell]
    exercises: dict[str, str]
    written: dict[str, str]

    @property
    def setup(self) -> list[Cell]:
        return [cell for cell in self.cells.values() if is_kind(cell.name, SETUP) and cell.locked]


@dataclass(frozen=True)
class Planned:
    """A code cell in its place: its name, its source, and what of it is run: of a demonstration, the imports that are needed."""

    id: str
    source: str
    runs: str
    demonstration: bool = False


@dataclass
class Plan:
    """What to do with a submission: its code cells in order, which written answers are there, and what was odd."""

    cells: list[Planned] = field(default_factory=list)
    written: dict[str, bool] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    needs_human: bool = False

    @property
    def run(self) -> list[dict[str, str]]:
        """The cells to run, as the sandbox takes them."""
        return [{"id": cell.id, "source": cell.runs} for cell in self.cells if cell.runs]

    def ran(self, errors: Mapping[str, str]) -> list[Ran]:
        """The cells with what each of them raised, by its name."""
        return [Ran(cell.source, errors.get(cell.id, ""), cell.demonstration) for cell in self.cells]

    def note(self, sentence: str, human: bool = False) -> None:
        if len(self.notes) < NOTES_MOST:
            self.notes.append(whole(sentence))
        self.needs_human = self.needs_human or human


def read_released(data: bytes) -> Released:
    """Read the notebook that was handed out. It is ours, so a mistake in it is ours too."""
    cells, _ = _cells(data)
    exercises, written, title = {}, {}, {}
    for cell in cells:
        title |= {answer_name(i): i for i in TITLE.findall(cell.source)}
    for cell in cells:
        check = CHECK.fullmatch(cell.source) if cell.code and cell.graded else None
        if check:
            exercises[check[1]] = cell.name.removesuffix("-check")
        elif cell.graded and not cell.code:
            written[title.get(cell.name, cell.name)] = cell.name
    return Released({cell.name: cell for cell in cells if cell.name}, exercises, written)


def plan(data: bytes, released: Released) -> Plan:
    """Decide what to run of a submission. Raises `UnreadableSubmission` with a sentence."""
    cells, about = _cells(data)
    out = Plan()
    _kernel(about, out)
    seen: dict[str, int] = {}
    for cell in cells:
        if cell.name:
            seen[cell.name] = seen.get(cell.name, 0) + 1
    lost = [cell for cell in released.setup if cell.name not in seen]
    out.cells += [Planned(cell.name, cell.source, cell.source) for cell in lost]
    locked = {cell.name for cell in released.cells.values() if cell.locked}
    students = [cell.source for cell in cells if cell.code and cell.name not in locked]
    done: set[str] = set()
    for place, cell in enumerate(cells, 1):
        original = released.cells.get(cell.name)
        if original is not None and original.locked:
            _compare(cell, original, out)
            if cell.name not in done and is_kind(cell.name, SETUP):
                out.cells.append(Planned(cell.name, original.source, original.source))
            elif cell.name not in done and is_kind(cell.name, DEMONSTRATION):
                out.cells.append(Planned(cell.name, original.source, imports_for(original.source, students), demonstration=True))
            done.add(cell.name)
        elif cell.code and cell.source.strip():
            if original is not None and cell.points not in (None, original.points):
                out.note(f"the points of {cell.name} were changed; the released ones count")
            out.cells.append(Planned(cell.name or f"cell {place}", cell.source, cell.source))
    _written(cells, released, out)
    _odd(seen, lost, released, out)
    return out


def _cells(data: bytes) -> tuple[list[Cell], dict[str, Any]]:
    """The cells of a notebook file and its metadata."""
    if len(data) > MOST_BYTES:
        raise UnreadableSubmission(f"the file has {len(data) >> 20:,} MB; that is no notebook of this course")
    if len(data) > SMALL:
        data = _slim(data)
    try:
        notebook = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UnreadableSubmission(f"the file is not a notebook: it is not JSON ({str(error)[:100]})") from None
    if not isinstance(notebook, dict):
        raise UnreadableSubmission("the file is not a notebook: its JSON is no object")
    if notebook.get("nbformat") != 4:
        notebook = _upgraded(data)
    cells, about = notebook.get("cells"), notebook.get("metadata")
    if not isinstance(cells, list) or not cells:
        raise UnreadableSubmission("the notebook has no cells")
    if len(cells) > CELLS_MOST:
        raise UnreadableSubmission(f"the notebook has {len(cells):,} cells; that is none of this course")
    read = [_cell(cell) for cell in cells if isinstance(cell, dict)]
    if sum(len(cell.source) for cell in read) > SOURCE_MOST:
        raise UnreadableSubmission("the notebook's cells hold more text than anybody writes")
    return read, about if isinstance(about, dict) else {}


def _cell(cell: dict[str, Any]) -> Cell:
    source, about = cell.get("source"), cell.get("metadata")
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    about = about.get("nbgrader") if isinstance(about, dict) else None
    about = about if isinstance(about, dict) else {}
    name, points = about.get("grade_id"), about.get("points")
    return Cell(
        name=whole(name[:200]) if isinstance(name, str) else "",
        code=cell.get("cell_type") == "code",
        source=whole(source) if isinstance(source, str) else "",
        locked=about.get("locked") is True,
        graded=about.get("grade") is True,
        points=float(points) if isinstance(points, (int, float)) and not isinstance(points, bool) and abs(points) < 1e9 else None,
        pictures=_pictures(cell.get("attachments")),
    )


def _pictures(attachments: Any) -> dict[str, dict[str, str]]:
    """What of the attachments of a Markdown cell is a picture."""
    found = {}
    for name, kinds in attachments.items() if isinstance(attachments, dict) else ():
        kinds = {kind: text for kind, text in (kinds.items() if isinstance(kinds, dict) else ())
                 if kind.startswith("image/") and isinstance(text, str) and text.isascii()}  # fmt: skip
        if kinds:
            found[whole(name)] = {whole(kind): text for kind, text in kinds.items()}
    return found


def whole(text: str) -> str:
    """The text without halves of characters: JSON may hold them (`"\\ud800"`), and no file or database takes them."""
    return text.encode("utf-8", "replace").decode()


def _slim(data: bytes) -> bytes:
    """The same notebook without outputs and attachments, made by a process whose memory and time are limited."""
    done = subprocess.run([sys.executable, "-I", "-c", _SLIM, str(CELLS_MOST)], input=data, capture_output=True)
    if done.returncode or len(done.stdout) > SMALL:
        raise UnreadableSubmission(f"the file of {len(data) >> 20} MB is not a notebook, or is too large without its outputs")
    return done.stdout


_SLIM = """
import json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
notebook = json.loads(sys.stdin.buffer.read())
cells = notebook["cells"] if len(notebook["cells"]) <= int(sys.argv[1]) else 1 / 0
notebook["cells"] = [{key: cell[key] for key in cell if key not in ("outputs", "attachments")} for cell in cells]
json.dump(notebook, sys.stdout)
"""


def _upgraded(data: bytes) -> dict[str, Any]:
    """A notebook of an older format as one of today's."""
    import nbformat

    try:
        return nbformat.reads(data.decode("utf-8"), as_version=4)
    except Exception:  # nbformat meets a broken file with many kinds of exceptions
        raise UnreadableSubmission("the file is not a notebook of a format that is known here") from None


def _kernel(about: dict[str, Any], out: Plan) -> None:
    kernel = about.get("kernelspec") if isinstance(about.get("kernelspec"), dict) else {}
    info = about.get("language_info") if isinstance(about.get("language_info"), dict) else {}
    language = kernel.get("language") or info.get("name") or "python"
    if str(language).lower() not in ("python", "ipython"):
        out.note(f"the notebook says that it was made for {str(language)[:40]!r}; it was run with Python", human=True)


def _compare(cell: Cell, original: Cell, out: Plan) -> None:
    if original.points is not None and cell.points != original.points:
        out.note(f"the points of {cell.name} were changed; the released ones count")
    if cell.source.strip() != original.source.strip() or cell.code != original.code:
        out.note(f"the locked cell {cell.name} was changed; the released one counts")


def _written(cells: list[Cell], released: Released, out: Plan) -> None:
    for exercise_id, name in released.written.items():
        stub = {TEXT_STUB, released.cells[name].source.strip(), ""}
        out.written[exercise_id] = any(cell.name == name and cell.source.strip() not in stub for cell in cells)


def _odd(seen: dict[str, int], lost: list[Cell], released: Released, out: Plan) -> None:
    for name, times in seen.items():
        if times > 1 and name in released.cells:
            out.note(f"the cell {name} is there {times} times", human=True)
    for cell in lost:
        out.note(f"the setup cell {cell.name} was deleted; the released one ran first")
    for exercise_id, name in released.exercises.items():
        if f"{name}-check" not in seen:
            out.note(f"the check of {exercise_id} was deleted; it was marked all the same")
        if name not in seen:
            out.note(f"the answer cell of {exercise_id} was deleted", human=True)


def cells_of(data: bytes) -> list[Cell]:
    """The cells of a submission, as they were handed in. Raises `UnreadableSubmission` with a sentence."""
    return _cells(data)[0]
