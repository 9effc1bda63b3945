"""What is closed while an answer is checked or graded: the modules of courselib that hold it.

A closed module can be imported, and whatever is taken from it can be handed about, but not used: the first call, comparison or
sum raises `ClosedModule` with one sentence. So a notebook that imports it for a demonstration still runs, and an answer that
leans on it is told so, in the student's kernel and behind the wall alike.

    close(names)              for good: the sandbox, where the files themselves are not there either
    closed(names, namespace)  for one check in a living kernel, where they are loaded, and named, already
"""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.util
import sys
from collections.abc import Iterable, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any


class ClosedModule(ImportError):
    """A closed module was used. The text is the sentence for the student; `name` is the module."""

    def __init__(self, name: str):
        why = "which is closed here, for it holds the answer"
        super().__init__(f"this uses {name}, {why}: write what you need of it yourself", name=name)


class StandIn:
    """Stands for something of a closed module. Its attributes are stand-ins too; every use of it raises `ClosedModule`."""

    def __init__(self, module: str):
        self._closed_module = module

    def __getattr__(self, name: str) -> StandIn:
        if name.startswith("__"):  # nobody writes these: Python asks for them
            raise AttributeError(name)
        return StandIn(self._closed_module)

    def __repr__(self) -> str:
        return f"<something of {self._closed_module}, which is closed>"


def _refuse(self: StandIn, *_: Any, **__: Any) -> Any:
    raise ClosedModule(self._closed_module)


USES = (
    "call iter len bool int float index complex round contains getitem setitem delitem enter exit next mro_entries instancecheck "
    "add radd iadd sub rsub isub mul rmul imul truediv rtruediv floordiv rfloordiv mod rmod divmod pow rpow matmul rmatmul neg "
    "pos abs invert and rand or ror xor rxor lshift rshift lt le gt ge eq ne hash array"
)
for _use in USES.split():
    setattr(StandIn, f"__{_use}__", _refuse)


def holds_stand_in(value: Any, depth: int = 4) -> str | None:
    """The closed module that an answer's output, or something not too deep in it, was taken from; None for an honest output."""
    if type(value) is StandIn:
        return value._closed_module
    if depth and type(value) in (tuple, list, dict):
        items = value.values() if type(value) is dict else value
        return next((found for item in items if (found := holds_stand_in(item, depth - 1))), None)
    return None


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds empty modules of stand-ins where the closed ones would be."""

    def __init__(self, names: Iterable[str]):
        self.names = tuple(names)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        return importlib.util.spec_from_loader(name, self, is_package=True) if self.closing(name) else None

    def closing(self, name: str) -> str | None:
        """The closed module that `name` is, or lies in."""
        return next((closed for closed in self.names if name == closed or name.startswith(closed + ".")), None)

    def exec_module(self, module: ModuleType) -> None:
        closed = self.closing(module.__name__)

        def missing(name: str) -> StandIn:
            if name == "__all__":  # import *
                raise ClosedModule(closed)
            if name.startswith("__"):
                raise AttributeError(name)
            return StandIn(closed)

        module.__getattr__ = missing  # type: ignore[method-assign]


def close(names: Iterable[str]) -> None:
    """Close the modules in this process for good. None of them may have been imported yet."""
    sys.meta_path.insert(0, _Finder(names))


@contextlib.contextmanager
def closed(names: Iterable[str], namespace: dict[str, Any]) -> Iterator[None]:
    """Close the modules within the block: for imports, for what `namespace` has of them, and for every function of theirs.

    `namespace` holds the globals of the student's code. Everything is as it was when the block ends.
    """
    finder = _Finder(names)
    loaded = {name: module for name, module in sys.modules.items() if finder.closing(name)}
    parents = {name: sys.modules.get(name.rpartition(".")[0]) for name in loaded}
    tables = {id(value): name for name, module in loaded.items() for value in (module, *_tables(module))}
    held = {name: StandIn(finder.closing(tables[id(value)])) for name, value in namespace.items() if id(value) in tables}
    real = {name: namespace[name] for name in held}
    code = {function: function.__code__ for module in loaded.values() for function in _functions(module)}
    try:
        for function, old in code.items():
            function.__code__ = _refusal(finder.closing(function.__module__), old)
        for name in loaded:
            del sys.modules[name]
            if parents[name] is not None:  # `courselib.lora` and `from courselib import lora` look here
                setattr(parents[name], name.rpartition(".")[2], StandIn(finder.closing(name)))
        sys.meta_path.insert(0, finder)
        namespace.update(held)
        yield
    finally:
        sys.meta_path[:] = [other for other in sys.meta_path if other is not finder]
        for name in [name for name in sys.modules if finder.closing(name)]:
            del sys.modules[name]
        for name, module in loaded.items():
            sys.modules[name] = module
            if parents[name] is not None:
                setattr(parents[name], name.rpartition(".")[2], module)
        for function, old in code.items():
            function.__code__ = old
        for name, value in real.items():
            if type(namespace.get(name)) is StandIn:  # the student's code may have given the name to something else
                namespace[name] = value


def _tables(module: ModuleType) -> Iterator[Any]:
    """The containers that a module defines: the only things of it that can be used without a call."""
    own = (value for name, value in vars(module).items() if not name.startswith("__"))  # __builtins__ is everybody's
    yield from (value for value in own if isinstance(value, (dict, list, tuple, set)) and value)


def _functions(module: ModuleType) -> Iterator[FunctionType]:
    """The functions that a module defines, and the methods of its classes."""
    for value in list(vars(module).values()):
        value = getattr(value, "__wrapped__", value)  # a cached function, say
        if isinstance(value, FunctionType) and value.__module__ == module.__name__:
            yield value
        elif isinstance(value, type) and value.__module__ == module.__name__:
            for member in list(vars(value).values()):
                member = getattr(member, "fget", None) or getattr(member, "__func__", member)
                if isinstance(member, FunctionType):
                    yield member


def _refusal(module: str, old: CodeType) -> CodeType:
    """Code that raises `ClosedModule`, to stand in for `old` in the function that has it."""
    source = f"def refuse(*_, **__):\n    raise __import__({__name__!r}, fromlist=['x']).ClosedModule({module!r})"
    scope: dict[str, Any] = {}
    exec(source, scope)
    return scope["refuse"].__code__.replace(co_freevars=old.co_freevars)
