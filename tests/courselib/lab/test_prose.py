"""Real text from the Python installation: split by document, the same everywhere, nothing in both halves."""

import ast
import re
import subprocess
import sys

import pytest

from courselib.lab.data import prose
from courselib.lab.data.prose import docstrings, english, python_source, split_of


def test_the_split_of_a_name_never_changes():
    """Written down once: a change here would turn held-out text into training text."""
    assert {name: split_of(name) for name in ("assert", "bltin-ellipsis-object", "debugger", "json/decoder.py", "heapq.py")} == {
        "assert": "train", "bltin-ellipsis-object": "test", "debugger": "test", "json/decoder.py": "train", "heapq.py": "train",
    }  # fmt: skip
    share = sum(split_of(f"module {i}") == "test" for i in range(5000)) / 5000
    assert 0.18 < share < 0.22


def test_english_is_prose_of_which_no_paragraph_is_in_both_splits():
    train, test = english("train"), english("test")
    assert sum(map(len, train)) > 80_000 and sum(map(len, test)) > 10_000
    parts = {"train": "\n\n".join(train).split("\n\n"), "test": "\n\n".join(test).split("\n\n")}
    assert not set(parts["train"]) & set(parts["test"])
    assert len(set(parts["train"])) == len(parts["train"])
    for paragraph in parts["train"] + parts["test"]:
        assert paragraph == " ".join(paragraph.split()) and paragraph[-1] in ".:"
        assert "::=" not in paragraph and "***" not in paragraph
    text = " ".join(train)
    assert len(re.findall(r"\b(the|of|a|is|to)\b", text)) > 0.15 * len(text.split())  # as English has it; code has far less


def test_docstrings_are_prose_split_as_their_files_are():
    train, test = docstrings("train"), docstrings("test")
    assert sum(map(len, train)) > 300_000 and sum(map(len, test)) > 50_000
    parts = {"train": "\n\n".join(train).split("\n\n"), "test": "\n\n".join(test).split("\n\n")}
    assert not set(parts["train"]) & set(parts["test"])
    assert len(set(parts["train"])) == len(parts["train"])
    for paragraph in parts["train"] + parts["test"]:
        assert paragraph == " ".join(paragraph.split()) and paragraph[0].isupper() and paragraph[-1] == "."
        assert not set(paragraph) & set("=<>{}[]|\\_@")
    text = " ".join(train)
    assert len(re.findall(r"\b(the|of|a|is|to)\b", text)) > 0.13 * len(text.split())


def test_what_a_file_says_of_itself_and_what_is_left_out():
    source = '''
"""A module that does nothing at all.

    >>> indented code is no prose
"""
class C:
    """Takes one argument, x = 3, and so is not only prose.

    This second paragraph is five words and more, over
    two lines.
    """
    async def f(self):
        """too small a letter at the start."""
    def g(self):
        "Short."
'''
    assert prose._spoken(source) == [
        "A module that does nothing at all.", "This second paragraph is five words and more, over two lines.",
    ]  # fmt: skip
    assert prose._spoken("def broken(:") == []


def test_python_files_are_whole_and_in_one_split_only():
    root = prose.Path(prose.sysconfig.get_path("stdlib"))
    files = {split: dict(prose._modules(root, split, 100_000)) for split in prose.SPLITS}
    found = {split: list(files[split].values()) for split in prose.SPLITS}
    assert sum(map(len, found["train"])) > 3_000_000 and sum(map(len, found["test"])) > 500_000
    assert not set(found["train"]) & set(found["test"])
    assert python_source("test", max_chars=500_000) == found["test"][: len(python_source("test", max_chars=500_000))]
    for text in found["test"][:30]:
        ast.parse(text)  # whole files: none was cut
    names = {split: list(files[split]) for split in prose.SPLITS}
    assert not set(names["train"]) & set(names["test"])
    for name in names["train"] + names["test"]:
        assert not {"test", "site-packages", "pydoc_data"} & set(name.split("/"))


@pytest.mark.parametrize("source, limit", [(english, 40_000), (python_source, 300_000)])
def test_limits_keep_whole_documents_in_a_stable_order(source, limit):
    few, more = source("train", max_chars=limit), source("train", max_chars=2 * limit)
    assert 0 < len(few) < len(more)
    assert few == more[: len(few)]
    assert limit / 4 < sum(map(len, few)) <= limit < sum(map(len, more)) <= 2 * limit


def test_long_files_are_left_out_not_cut():
    assert max(map(len, python_source("test", max_file=3000))) <= 3000
    assert all(ast.parse(text) for text in python_source("test", max_file=3000))


def test_another_process_finds_the_same():
    code = "from courselib.lab.data.prose import *; print(hash_of(python_source('test', 300_000) + english('test')))"
    code = "import hashlib\nhash_of = lambda t: hashlib.sha256(''.join(t).encode()).hexdigest()\n" + code
    run = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": ".", "PYTHONHASHSEED": "7"}, capture_output=True,
                         text=True, check=True)  # fmt: skip
    here = prose.hashlib.sha256("".join(python_source("test", 300_000) + english("test")).encode()).hexdigest()
    assert run.stdout.strip() == here


def test_what_is_missing_or_impossible_is_said_in_a_sentence(monkeypatch, tmp_path):
    for source in (english, docstrings, python_source):
        with pytest.raises(ValueError, match="no split 'dev'"):
            source("dev")
        with pytest.raises(ValueError, match="at least 1"):
            source("train", max_chars=0)
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)  # importing it fails
    with pytest.raises(FileNotFoundError, match="no pydoc_data.topics"):
        english()
    monkeypatch.setattr(prose.sysconfig, "get_path", lambda name: str(tmp_path))
    for source in (docstrings, python_source):
        with pytest.raises(FileNotFoundError, match="no Python source in"):
            source()
