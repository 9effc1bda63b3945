"""The rooms of courselib, by the rules of the house: one word a topic, imports one way, a first page in every room."""

import ast
import importlib.metadata
import re
import sys
from pathlib import Path

import pytest

from autograder import places
from autograder.exercises import exercises, topics

COURSELIB = places.ROOT / "courselib"
ROOMS = sorted(path.name for path in COURSELIB.iterdir() if path.is_dir() and path.name not in ("lab", "__pycache__"))
CHAPTERS = sorted(places.CHAPTERS.glob("[0-9A-Z]*_*.md"))
MODULES = sorted(path for path in COURSELIB.rglob("*.py"))


def name_of(path: Path) -> str:
    """`courselib/lab/data/digits.py` -> `courselib.lab.data.digits`."""
    return ".".join(path.relative_to(places.ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports_of(source: str, package: str = "") -> set[str]:
    """Every module that the source names in an import, wherever in it; `from a import b` counts as a and as a.b."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{package}: a relative import; say the whole name, so that a search finds it"
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room_of(module: str) -> str | None:
    """The room that a dotted name leads into: lab, or a topic; None for other libraries."""
    parts = module.split(".")
    return parts[1] if parts[0] == "courselib" and len(parts) > 1 else None


def chapter_imports(path: Path) -> set[str]:
    code = "\n".join(re.findall(r"^```\{code-cell\}[^\n]*\n(.*?)^```", path.read_text(encoding="utf-8"), re.S | re.M))
    lines = [line for line in code.splitlines() if not re.match(r"\s*([%!]|:\w)", line)]
    return imports_of("\n".join(lines), path.name)


# --- rule 1: one topic, one word --------------------------------------------------------------------------------------


@pytest.mark.parametrize("topic", topics())
def test_a_topic_has_one_chapter_one_solution_and_a_room_where_it_teaches_code(topic):
    chapters = [path.stem for path in CHAPTERS if path.stem.split("_", 1)[1].startswith(topic)]
    assert len(chapters) == 1, f"rule 1: {topic!r} begins the name of {chapters}, not of one chapter"
    assert (places.ROOT / "solutions" / f"{topic}.py").is_file(), f"rule 1: there is no solutions/{topic}.py"
    if topic in ROOMS:
        assert (places.ROOT / "tests" / "courselib" / topic).is_dir(), f"rule 1: there is no tests/courselib/{topic}/"
    assert all(i.startswith(f"{topic}.") for i in exercises if exercises[i].origin.rsplit("/", 2)[-2] == topic)


def test_every_room_and_every_solution_is_a_topic():
    assert set(ROOMS) <= set(topics()), f"rule 1: no exercises for {set(ROOMS) - set(topics())}"
    solutions = {path.stem for path in (places.ROOT / "solutions").glob("[a-z]*.py")}
    assert solutions == set(topics()), f"rule 1: solutions and exercises disagree on {solutions ^ set(topics())}"


# --- rule 2: one user, its room; two users, the lab ----------------------------------------------------------------------


def test_the_lab_imports_no_room_and_nobody_imports_upwards():
    for path in MODULES:
        found = imports_of(path.read_text(encoding="utf-8"), name_of(path))
        upwards = {name for name in found if name.split(".")[0] in ("autograder", "solutions", "chapters", "tests", "benchmarks")}
        assert not upwards, f"{path.relative_to(places.ROOT)} imports {upwards}: imports run one way, towards courselib"
        if room_of(name_of(path)) == "lab":
            rooms = {room_of(name) for name in found} & set(ROOMS)
            late = {"lora"} if path.name == "masked.py" else set()  # its adapters are read when the model is loaded
            assert rooms <= late, f"rule 2: {path.relative_to(places.ROOT)} is in the lab and imports {sorted(rooms)}"


def test_rooms_import_one_another_without_a_circle():
    uses = {room: set() for room in ROOMS}
    for path in MODULES:
        here = room_of(name_of(path))
        if here in uses:
            uses[here] |= {room_of(name) for name in imports_of(path.read_text(encoding="utf-8"))} & set(ROOMS) - {here}
    left = dict(uses)
    while left:
        free = [room for room, others in left.items() if not others & set(left)]
        assert free, f"rule 2: a circle among {left}"
        for room in free:
            del left[room]


def test_what_lies_in_the_lab_has_two_users():
    users: dict[str, set[str]] = {}
    for path in [*MODULES, *CHAPTERS]:
        here = path.stem if path.suffix == ".md" else name_of(path)
        where = here if path.suffix == ".md" else here if room_of(here) == "lab" else room_of(here)
        found = chapter_imports(path) if path.suffix == ".md" else imports_of(path.read_text(encoding="utf-8"))
        for name in found:
            users.setdefault(name, set()).add(str(where))
    for path in MODULES:
        name = name_of(path)
        if room_of(name) != "lab" or path.stem in ("__init__", "__main__") or "worlds" in path.parts:
            continue
        found = users.get(name, set()) - {name}
        loaded = path.stem in ("encoder", "masked", "causal")  # `models.load("causal")` names it in a string
        within = all(str(user).startswith("courselib.lab") for user in found) and found  # a part of another file of the lab
        assert len(found) > 1 or loaded or within, f"rule 2: {name} has one user, {found or 'nobody'}; its place is with that one"


# --- rule 3: a room's first page -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("room", ["lab", *ROOMS])
def test_a_rooms_first_page_names_its_chapter_and_lists_its_files(room):
    said = ast.get_docstring(ast.parse((COURSELIB / room / "__init__.py").read_text(encoding="utf-8"))) or ""
    if room != "lab":
        number = next(path.stem.split("_")[0] for path in CHAPTERS if path.stem.split("_", 1)[1].startswith(room))
        assert said.startswith(f"Chapter {number}:"), f"rule 3: courselib/{room}/__init__.py begins with 'Chapter {number}: ...'"
    files = {path.stem for path in (COURSELIB / room).glob("*.py")} - {"__init__"}
    listed = {line.split()[0] for line in said.splitlines() if re.match(r"\w+ {2,}\S", line)}
    assert listed == files, f"rule 3: courselib/{room}/__init__.py and its files disagree on {sorted(listed ^ files)}"


# --- rule 9: names ---------------------------------------------------------------------------------------------------------


def test_no_module_is_named_like_a_library_or_a_room():
    installed = set(importlib.metadata.packages_distributions()) | set(sys.stdlib_module_names)
    taken = (installed | set(ROOMS)) - {"sentiment", "statistics"}  # lab/data/sentiment: the data that the topic is named after
    for path in [*MODULES, *(places.ROOT / "autograder").rglob("*.py")]:
        by_topic = {"exercises", "probes", "measures"} & set(path.parts)  # there a file or a folder is a topic
        if not by_topic and path.stem not in ("__init__", "__main__"):
            assert path.stem not in taken, f"rule 9: {path.relative_to(places.ROOT)} is named like a library or a room"
