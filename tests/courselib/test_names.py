"""One name, one meaning: no public function or class of courselib is called what another one is called.

Constants in capitals are a module's own settings (BATCH, STEPS) and may repeat: whoever reads one reads it with its module.
Learning rates are the exception. Readers compare them between chapters, so each table of them has a name of its own.
"""

import ast
from collections import defaultdict
from pathlib import Path

import courselib

ROOT = Path(courselib.__file__).parent


def definitions(source: str) -> list[str]:
    """The public functions and classes at the top of a module, and its tables of learning rates."""
    found = []
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.append(node.name)
        elif isinstance(node, ast.Assign):
            found += [target.id for target in node.targets if isinstance(target, ast.Name) and target.id == "LEARNING_RATES"]
    return [name for name in found if not name.startswith("_")]


def test_what_counts_as_a_name():
    source = "BATCH = 3\nLEARNING_RATES = {}\ndef f():\n    def g(): ...\nclass A:\n    def m(self): ...\ndef _h(): ..."
    assert definitions(source) == ["LEARNING_RATES", "f", "A"]


def test_no_public_name_is_defined_twice():
    places = defaultdict(list)
    for path in sorted(ROOT.rglob("*.py")):
        for name in definitions(path.read_text(encoding="utf-8")):
            places[name].append(path.relative_to(ROOT).as_posix())
    assert len(places) > 200  # it does look at the library
    twice = {name: found for name, found in places.items() if len(found) > 1}
    assert not twice, f"Each of these names means two things. Join what is the same, and name apart what is not: {twice}"
