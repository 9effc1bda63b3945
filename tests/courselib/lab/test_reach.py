"""What is reached: imports followed from file to file in a small library, and that a room's hash is of its files."""

import pytest

from courselib.lab import reach
from courselib.lab.fingerprint import rooms_of

TREE = {
    "__init__.py": "",
    "lab/__init__.py": "", "lab/training.py": "import torch",
    "a/__init__.py": "", "a/plain.py": "from courselib.lab import training", "a/uses_b.py": "from courselib.b.mid import f",
    "b/__init__.py": "", "b/mid.py": "def f():\n    from courselib import c\n    return c",
    "b/other.py": "import courselib.d.leaf",
    "c/__init__.py": "from .inner import g", "c/inner.py": "from ..d import leaf\ng = leaf",
    "d/__init__.py": "", "d/leaf.py": "x = 1",
    "e/__init__.py": "", "e/alone.py": "import numpy",
}


@pytest.fixture(autouse=True)
def library(tmp_path, monkeypatch):
    for name, text in TREE.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(reach, "ROOT", tmp_path)
    return tmp_path


@pytest.mark.parametrize(("named", "rooms"), [
    ([], "lab"),
    (["numpy.random", "__main__", "", "courselib.lab.training"], "lab"),
    (["courselib.a.plain"], "a lab"),
    (["courselib.a.plain.function"], "a lab"),  # a function of a module: the module
    (["courselib.e.alone"], "e lab"),
    (["courselib.b.mid"], "b c d lab"),  # an import within a function, one from an init, relative ones
    (["courselib.a.uses_b"], "a b c d lab"),
    (["courselib.a"], "a b c d lab"),  # a room is all of its modules
    (["courselib"], "a b c d e lab"),
])
def test_imports_are_followed(named, rooms):
    assert reach.rooms_reached(named) == rooms.split()


def test_the_hash_of_a_room_is_of_all_its_files_and_of_no_other_s(library):
    before = reach.room_hashes()
    assert set(before) == {"a", "b", "c", "d", "e", "lab"}
    (library / "d" / "weights.bin").write_bytes(b"1")
    (library / "a" / "__pycache__").mkdir()
    (library / "a" / "__pycache__" / "plain.pyc").write_bytes(b"1")
    after = reach.room_hashes()
    assert {room for room in before if before[room] != after[room]} == {"d"}
    (library / "d" / "weights.bin").rename(library / "d" / "leaf.bin")
    assert reach.room_hashes()["d"] not in (before["d"], after["d"])


def test_what_a_function_imports_when_it_runs_counts():
    world = {"__name__": "__main__"}
    exec("def helper():\n    import numpy\n    from courselib.e import alone\n    return alone\n"
         "def inner():\n    def deep():\n        import courselib.a.plain\n    return deep\n"
         "def experiment(seed): return helper()\ndef other(seed): return inner()", world)
    assert rooms_of(world["experiment"]) == ["e", "lab"]
    assert rooms_of(world["other"]) == ["a", "lab"]


def test_the_library_itself(monkeypatch):
    monkeypatch.undo()
    from courselib.continual.five_tasks import five_tasks
    from courselib.forgetting import two_tasks

    assert rooms_of(two_tasks.first_task) == ["forgetting", "lab"]
    assert {"continual", "forgetting", "lab"} <= set(rooms_of(five_tasks)) and "domain" not in rooms_of(five_tasks)
