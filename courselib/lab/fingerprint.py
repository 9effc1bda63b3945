"""What a result depends on, as one hash, so that a kept result is never a stale one.

A function's own source is not enough: the helper it calls, the constant it reads, a default value, a library's
version, the number of threads, all of them can change what comes out. So the hash follows the compiled code by the names it
reads, through everything of ours, and takes the rest by version. Comments and blank lines do not count.

What is not seen: files that an experiment reads by itself, and names looked up by strings. Pass such things as settings.
"""

from __future__ import annotations

import dis
import functools
import hashlib
import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import torch

from courselib.lab import runtime
from courselib.lab.reach import imported_by, room_hashes, rooms_reached

LIBRARIES = ("numpy", "torch", "scikit-learn", "transformers", "peft", "bitsandbytes")
PLAIN = (str, bytes, int, float, complex, type(None), type(...), Path, torch.dtype, torch.device)


def fingerprint(experiment: Callable) -> str:
    """The hash of all that the results of `experiment` depend on, but for its settings and seed.

    Its compiled code, and what that names: functions and classes of ours with what they name, modules of ours as
    files, plain data. Beside it every file of the rooms of courselib that it reaches, device, threads, COURSE_* variables and
    versions. Raises ValueError if it uses something that cannot be followed so, such as a model made outside.
    """
    parts = [platform.python_version(), platform.machine(), runtime.device().type, str(torch.get_num_threads())]
    parts += [f"{name} {_version(name)}" for name in LIBRARIES]
    parts += sorted(f"{key}={value}" for key, value in os.environ.items() if key.startswith("COURSE_") and key != "COURSE_CACHE")
    _follow("the experiment", experiment, parts, {})
    hashes = room_hashes()
    return hash_of(*parts, *(f"{room} {hashes[room]}" for room in rooms_of(experiment)))


def rooms_of(experiment: Callable) -> list[str]:
    """The rooms of courselib that the experiment's code reaches, in order of their names. Raises ValueError as `fingerprint`."""
    seen: dict[int, Any] = {}
    _follow("the experiment", experiment, [], seen)
    names = set()
    for thing in seen.values():
        names.add(thing.__name__ if isinstance(thing, ModuleType) else str(getattr(thing, "__module__", "")))
        if isinstance(thing, FunctionType):
            names |= imported_by(thing.__code__)
    return rooms_reached(names)


def _follow(name: str, thing: Any, parts: list[str], seen: dict[int, Any]) -> None:
    """Adds to `parts` what tells this version of `thing` from any other, then goes on to what it uses."""
    if id(thing) in seen:
        parts.append(f"{name}: number {list(seen).index(id(thing))} again")
        return
    seen[id(thing)] = thing  # held on to, so that nothing else can get its id
    title = getattr(thing, "__qualname__", getattr(thing, "__name__", None))
    module = thing if isinstance(thing, ModuleType) else sys.modules.get(getattr(thing, "__module__", None) or "")
    ours = not _of_a_library(module)
    parts.append(f"{name}: {type(thing).__name__} {getattr(module, '__name__', '')} {title}")
    used: dict[str, Any] = {}
    if isinstance(thing, FunctionType):
        code, world = thing.__code__, thing.__globals__ if ours else {}
        parts.append(_code(code))
        used = {**dict(enumerate(thing.__defaults__ or ())), **(thing.__kwdefaults__ or {})}
        used |= {n: cell.cell_contents for n, cell in zip(code.co_freevars, thing.__closure__ or (), strict=True)}
        used |= {n: world[n] for n in sorted(_globals(code)) if n in world} | {"wrapped": getattr(thing, "__wrapped__", None)}
    elif isinstance(thing, type) and ours:
        members = {n: getattr(v, "fget", None) or getattr(v, "__func__", v) for n, v in vars(thing).items()}
        written = {n: v for n, v in members.items() if isinstance(v, FunctionType) and not _generated(v)}
        used = written | {n: v for n, v in members.items() if isinstance(v, PLAIN) and not n.startswith("__")}
        used |= dict(enumerate(thing.__bases__))
    elif isinstance(thing, ModuleType) and ours and getattr(thing, "__file__", None):
        parts.append(Path(thing.__file__).read_text(encoding="utf-8", errors="replace"))
        used = {n: v for n, v in vars(thing).items() if isinstance(v, ModuleType | FunctionType | type)}
    elif isinstance(thing, list | tuple | dict):
        used = thing if isinstance(thing, dict) else dict(enumerate(thing))
    elif isinstance(thing, functools.partial):
        used = {"func": thing.func, "args": thing.args, "keywords": thing.keywords}
    elif isinstance(thing, set | frozenset):
        parts.append(repr(sorted(map(repr, thing))))
    elif isinstance(thing, PLAIN):
        parts.append(repr(thing))
    elif title is None:
        raise ValueError(
            f"The experiment uses {name}, a {type(thing).__name__} made outside of it, and the cache cannot tell when that "
            "changes. Make it inside the experiment, or pass cache=False."
        )
    for other_name, other in used.items():
        _follow(str(other_name), other, parts, seen)


def _generated(function: FunctionType) -> bool:
    """Whether a decorator such as @dataclass wrote it, from what the class says anyway."""
    return function.__code__.co_filename == "<string>" and function.__name__.startswith("__")


def _of_a_library(module: ModuleType | None) -> bool:
    """Whether its version tells all about it: Python's own, an installed package, or courselib, hashed as files."""
    if module is None or module.__name__ == "__main__":
        return False
    top, file = module.__name__.partition(".")[0], getattr(module, "__file__", None)
    installed = {"site-packages", "dist-packages"} & set(Path(file or "").parts)
    return top in sys.stdlib_module_names or top == "courselib" or file is None or bool(installed)


def _code(code: CodeType) -> str:
    """Compiled code as text: what it does, with which constants, and the code inside it."""
    constants = (sorted(map(repr, c)) if isinstance(c, frozenset) else c for c in code.co_consts)  # a set has no order
    inner = [_code(c) if isinstance(c, CodeType) else repr(c) for c in constants]
    return repr((code.co_code.hex(), code.co_names, code.co_varnames, inner))


def _globals(code: CodeType) -> set[str]:
    """The global names that the code, or code inside it, reads."""
    read = {i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return read.union(*(_globals(c) for c in code.co_consts if isinstance(c, CodeType)))


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def hash_of(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
