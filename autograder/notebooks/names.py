"""Which cell a name comes from: what a student's function has to stand on when a notebook is run from the top without its
demonstrations, as it is when it is checked and graded.

    imports    a demonstration's import statements bring their names all the same, each where it is needed
    made       what a demonstration computes is not there
    broken     a cell that does not parse, or raises, before it defines the function it was to define
"""

from __future__ import annotations

import ast
import copy
import functools
import re
import symtable
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autograder.asking.state import State
from autograder.notebooks.cells import DEMONSTRATION, plain_python

if TYPE_CHECKING:
    from nbformat import NotebookNode

UNPARSABLE = (SyntaxError, ValueError, RecursionError, MemoryError)  # half a character, a zero byte, ten thousand brackets
SHORT = 10_000  # characters: no cell of ours is longer
NOT_RUN = re.compile(r"# (demonstration-\w+) is not run here\n")
_DEFINES = re.compile(r"^(?:async +)?(?:def|class) +(\w+)|^(\w+)(?: *:[^=\n]+)? *=(?!=)", re.MULTILINE)


@dataclass(frozen=True)
class Ran:
    """A cell that was run: its source, and what it raised (`NameError: name 'x' is not defined`), or nothing."""

    source: str
    error: str = ""
    demonstration: bool = False


@dataclass(frozen=True)
class Names:
    """The names that a cell has to do with; all empty for one that does not parse."""

    brought: dict[str, str]  # bound by import statements of its top level, each with the statement that does it
    made: frozenset[str]  # bound in any other way: assigned, defined, run through by a loop
    used: frozenset[str]  # read from the notebook: at its top level, and as globals of its functions


def names_in(source: str) -> Names:
    """The names of a cell. The cells of a release are looked at again for every student, so what is short is remembered."""
    return _remembered(source) if len(source) < SHORT else _names_in(source)


def _names_in(source: str) -> Names:
    try:
        text = plain_python(source)
        tree, top = ast.parse(text), symtable.symtable(text, "cell", "exec")
    except UNPARSABLE:
        return Names({}, frozenset(), frozenset())
    brought = {}
    for node in _run_with_it(tree):
        for alias in node.names if isinstance(node, (ast.Import, ast.ImportFrom)) else ():
            if alias.name != "*":
                one = ast.Import([alias]) if isinstance(node, ast.Import) else ast.ImportFrom(node.module, [alias], node.level)
                brought[alias.asname or alias.name.split(".")[0]] = ast.unparse(one)
    made = {s.get_name() for s in top.get_symbols() if s.is_assigned()} - brought.keys()
    used, left = set(), [top]
    while left:
        table = left.pop()
        used |= {s.get_name() for s in table.get_symbols() if s.is_referenced() and (table is top or s.is_global())}
        left += table.get_children()
    return Names(brought, frozenset(made), frozenset(used))


_remembered = functools.lru_cache(maxsize=500)(_names_in)


def imports_for(demonstration: str, students: Iterable[str]) -> str:
    """The import statements of a demonstration that the students' cells lean on, as the source of a cell."""
    needed = set().union(*(names_in(source).used for source in students))
    return "\n".join(dict.fromkeys(line for name, line in names_in(demonstration).brought.items() if name in needed))


def only_demonstrated(ran: Sequence[Ran]) -> set[str]:
    """The names whose last value was made by a demonstration: they will not be there."""
    last: dict[str, bool] = {}
    for cell in ran:
        names = names_in(cell.source)
        last |= dict.fromkeys(names.brought, False) | dict.fromkeys(names.made, cell.demonstration)
    return {name for name, demonstrated in last.items() if demonstrated}


def not_asked(name: str, there: bool, ran: Sequence[Ran]) -> tuple[State, str] | None:
    """What to say in place of asking the function `name`: the cell that was to define it did not run, or there is none.

    None when it can be asked. `there`: whether the name has a value; after a cell that does not parse that is an older one.
    """
    cell = next((cell for cell in reversed(ran) if name in _defined(cell.source)), None)
    if cell is not None and cell.error.startswith(("SyntaxError", "IndentationError", "TabError")):
        return State.RAISED, f"the cell that defines {name} is not Python, so nothing in it was run: {cell.error}"
    if there:
        return None
    if cell is not None and cell.error:
        return State.RAISED, f"the cell that defines {name} raised {cell.error}, so there is no {name}"
    return State.NOT_ATTEMPTED, f"there is no {name} yet: the cell that defines it is missing or empty, or was not run"


def without_demonstrations(notebook: NotebookNode) -> NotebookNode:
    """A copy of a notebook in which each demonstration is replaced by its import statements that the student's cells lean on."""
    notebook = copy.deepcopy(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    students = [cell.source for cell in code if not cell.metadata.get("nbgrader", {}).get("locked")]
    for cell in code:
        if DEMONSTRATION in cell.metadata.get("tags", []):
            name = cell.metadata.get("nbgrader", {}).get("grade_id", DEMONSTRATION)
            cell.source = f"# {name} is not run here\n{imports_for(cell.source, students)}"
    return notebook


def _defined(source: str) -> set[str]:
    """The names that a cell would define at its top level; read from its lines, for it may not parse."""
    return {one or other for one, other in _DEFINES.findall(source)}


def _run_with_it(tree: ast.Module) -> Iterator[ast.stmt | ast.ExceptHandler]:
    """The statements that are run with a cell: not those inside functions and classes."""
    left: list[Any] = list(tree.body)
    while left:
        node = left.pop(0)
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            left += [child for child in ast.iter_child_nodes(node) if isinstance(child, (ast.stmt, ast.ExceptHandler))]
