"""Which rooms of courselib an experiment reaches: those whose modules its code names, and whatever these import.

A kept result depends on the laboratory and on these rooms, each taken whole. An edit in any other room leaves it as it is, so
that work on one chapter does not void what another has measured. Imports are read from the files, those within functions too. A
package that is named counts with all of its modules. The lab imports no room, so it need not be looked through.
"""

from __future__ import annotations

import ast
import dis
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from types import CodeType

ROOT = Path(__file__).parents[1]


def rooms_reached(names: Iterable[str]) -> list[str]:
    """The rooms that the modules `names` ("courselib.lora.layer", also "courselib.lora.add_lora") reach, the lab always one."""
    waiting, seen = [name for name in names if name.split(".")[0] == "courselib"], set()
    while waiting:
        for path in set(_files(waiting.pop())) - seen:
            seen.add(path)
            waiting += _imports(path)
    return sorted({path.relative_to(ROOT).parts[0] for path in seen if path.parent != ROOT} | {"lab"})


def room_hashes() -> dict[str, str]:
    """The hash of every room's files, weights and all, by the room's name."""
    found = {}
    for room in sorted(path for path in ROOT.iterdir() if path.is_dir() and path.name != "__pycache__"):
        files = sorted(path for path in room.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        listed = [f"{path.relative_to(ROOT).as_posix()} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in files]
        found[room.name] = hashlib.sha256(json.dumps(listed).encode()).hexdigest()
    return found


def imported_by(code: CodeType) -> set[str]:
    """The names that compiled code, or code inside it, imports when it runs: `from a.b import c` is "a.b.c"."""
    found, before = set(), None
    for instruction in dis.get_instructions(code):
        if instruction.opname == "IMPORT_NAME":  # the instruction before it loads what comes after `import`, or None
            names = before.argval or ()
            found |= {f"{instruction.argval}.{name}" for name in names} if names else {instruction.argval}
        before = instruction
    return found.union(*(imported_by(inner) for inner in code.co_consts if isinstance(inner, CodeType)))


def _files(name: str) -> list[Path]:
    """The files that a dotted name of courselib stands for: a package with all its modules, a module with its packages' inits."""
    place = ROOT.joinpath(*name.split(".")[1:])
    if place.is_dir():
        return sorted(place.rglob("*.py"))
    if not place.with_suffix(".py").is_file():  # a function or a class: the module or package before the last dot
        return _files(name.rpartition(".")[0])
    inits = [folder / "__init__.py" for folder in place.parents if folder.is_relative_to(ROOT) and folder != ROOT]
    return [place.with_suffix(".py"), *(init for init in inits if init.is_file())]


def _imports(path: Path) -> list[str]:
    """The names of courselib that a file imports, wherever in it, as full dotted names."""
    package = ["courselib", *path.relative_to(ROOT).parts[:-1]]
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found += [f"{module}.{alias.name}" for alias in node.names]
    return [name for name in found if name.split(".")[0] == "courselib"]
