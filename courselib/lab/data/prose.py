"""Real text that is on every machine with Python: its language reference and docstrings as prose, its library as code.

All are read when asked for and never copied into the course. A document is one topic of `pydoc_data.topics`, one source
file, or the docstrings of one. A hash of its name, not of its content, decides whether it is for training or held out: so a
document is never cut in two, and two machines with the same Python have the same split. Documents come in the order of that
hash, which is as good as shuffled: a limit on the size takes a fair sample, not the modules that start with "a".
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import sysconfig
import tokenize
import warnings
from pathlib import Path

SPLITS = ("train", "test")
_HELD_OUT = 5  # one document in so many is for testing
# Not the library itself: tests, packages installed by others, generated tables, and the topics, which are prose.
_SKIPPED = {"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__", "pydoc_data", "encodings", "lib2to3"}
_OF_CODE = set("=<>{}[]|\\_@#$%^~*`")  # a paragraph with one of these is not only prose
_LEAST = 200
_OF_THE_MACHINE = ("_sysconfigdata", "config-")


def english(split: str = "train", max_chars: int = 1_000_000) -> list[str]:
    """Paragraphs of English from Python's language reference: one string a topic, paragraphs parted by empty lines.

    Headings, grammar rules and code are left out, and lines are joined. All topics together have about 0.2 million
    characters; where they exceed `max_chars`, the last ones are dropped. A paragraph that several topics share stays in
    one of them only, in the training split if it is there at all: no held-out paragraph is ever trained on.

    Raises ValueError for an unknown split or a limit below 1, FileNotFoundError if this Python has no topics.
    """
    _check(split, max_chars)
    try:
        topics = importlib.import_module("pydoc_data.topics").topics
    except ImportError:
        raise FileNotFoundError(
            "This Python has no pydoc_data.topics, from which the course takes English prose. Some minimal Linux packages "
            "leave it out: install Python's full standard library, or use world('general') of courselib.lab.data.worlds."
        ) from None
    documents, seen = [], set()
    for part in SPLITS[: SPLITS.index(split) + 1]:  # training comes first and keeps what both would have
        documents = []
        for name in sorted(topics, key=_hash):
            if split_of(name) == part:
                fresh = [paragraph for paragraph in dict.fromkeys(_paragraphs(topics[name])) if paragraph not in seen]
                seen.update(fresh)
                if fresh:
                    documents.append("\n\n".join(fresh))
    return _up_to(documents, max_chars)


def docstrings(split: str = "train", max_chars: int = 2_000_000, max_file: int = 300_000) -> list[str]:
    """What the standard library's modules, classes and functions say of themselves: one string a file, in paragraphs.

    Only running prose: lists of arguments, examples and code are left out, lines are joined. A file's docstrings are in the
    split that `python_source` has the file in. A paragraph that several files share stays in one of them only, in training if
    it is there at all. Where all exceed `max_chars` characters, the last files are dropped.

    Raises ValueError for an unknown split or a limit below 1, FileNotFoundError if this Python came without sources.
    """
    _check(split, max_chars)
    _check(split, max_file)
    documents, seen = [], set()
    for part in SPLITS[: SPLITS.index(split) + 1]:
        documents = []
        for _, text in _modules(Path(sysconfig.get_path("stdlib")), part, max_file):
            if fresh := [paragraph for paragraph in dict.fromkeys(_spoken(text)) if paragraph not in seen]:
                seen.update(fresh)
                documents.append("\n\n".join(fresh))
    return _up_to(documents, max_chars)


def python_source(split: str = "train", max_chars: int = 2_000_000, max_file: int = 100_000) -> list[str]:
    """Modules of the standard library as text, one string a file.

    Left out are tests, tables made by programs (`encodings`), files that depend on the machine, and those with less
    than 200 characters (hardly any code, and often equal) or more than `max_file`. Where the rest exceeds `max_chars`
    characters, the last files are dropped.

    Raises ValueError for an unknown split or a limit below 1, FileNotFoundError if this Python came without sources.
    """
    _check(split, max_chars)
    _check(split, max_file)
    return _up_to((text for _, text in _modules(Path(sysconfig.get_path("stdlib")), split, max_file)), max_chars)


def split_of(name: str) -> str:
    """'train' or 'test': where the document of this name belongs, on every machine. One in five is for testing."""
    return "test" if _hash(name) % _HELD_OUT == 0 else "train"


def _hash(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


def _modules(root: Path, split: str, max_file: int):
    """(path, text) of the library's modules in a split, read one by one as they are asked for."""
    paths = [path.relative_to(root) for path in root.rglob("*.py")]
    paths = [path for path in paths if not _SKIPPED & set(path.parts) and not path.as_posix().startswith(_OF_THE_MACHINE)]
    if not paths:
        raise FileNotFoundError(
            f"There is no Python source in {root}: this Python came without the text of its standard library. Use one "
            "that has it (python.org, conda, pyenv, a full Linux package)."
        )
    for path in sorted(paths, key=lambda path: _hash(path.as_posix())):
        if split_of(path.as_posix()) == split:
            try:
                with tokenize.open(root / path) as file:  # heeds the encoding the file declares
                    text = file.read(max_file + 1)
            except (SyntaxError, UnicodeDecodeError):  # a few files are broken on purpose
                continue
            if _LEAST <= len(text) <= max_file:
                yield path.as_posix(), text


def _paragraphs(topic: str) -> list[str]:
    """The running prose of a topic: its unindented paragraphs that are sentences."""
    blocks = [block.strip("\n") for block in topic.split("\n\n")]
    flat = [" ".join(block.split()) for block in blocks if block and not block[0].isspace()]
    underlined = ("***", "===", "---", "~~~", "^^^")
    return [text for text in flat if text[-1] in ".:" and len(text.split()) >= 5 and not any(u in text for u in underlined)]


def _spoken(source: str) -> list[str]:
    """The prose of all docstrings in a file."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of the library's own invalid escapes, should it have some
            tree = ast.parse(source)
    except (SyntaxError, ValueError):  # a few files are broken on purpose
        return []
    holders = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = [ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, holders)]
    paragraphs = [text for doc in found if doc for text in _paragraphs(doc) if not set(text) & _OF_CODE]
    return [text for text in paragraphs if text[0].isupper() and text[-1] == "."]


def _up_to(documents, max_chars: int) -> list[str]:
    """The first documents, as many as fit into `max_chars` characters together."""
    kept, total = [], 0
    for document in documents:
        total += len(document)
        if total > max_chars:
            break
        kept.append(document)
    return kept


def _check(split: str, limit: int) -> None:
    if split not in SPLITS:
        raise ValueError(f"There is no split {split!r}; there are 'train' and 'test'.")
    if limit < 1:
        raise ValueError(f"The limit on characters is {limit}; it must be at least 1.")
