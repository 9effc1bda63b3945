"""Everything that grades is killed at random moments, with hostile submissions in the class: a small `benchmarks/storm.py`."""

import importlib

import pytest

from autograder import places
from needs import need_sandbox

pytestmark = pytest.mark.xdist_group("storm")


@pytest.fixture
def storm(monkeypatch):
    monkeypatch.syspath_prepend(places.ROOT / "benchmarks")
    return importlib.import_module("storm")


def test_a_storm_changes_no_mark_and_loses_nobody(storm, tmp_path):
    need_sandbox()
    kinds, calm, stormy = storm.storm(tmp_path, students=40, workers=2, kills=3)
    assert stormy.killed >= 1  # of three; the last may come when all is done
    assert calm.marks == stormy.marks and set(calm.marks) == set(kinds)
    assert set(stormy.results.values()) == set(calm.results.values()) == {1}
    earned = {"right": 4.0, "wrong": 1.0} | dict.fromkeys(storm.HOSTILE, 0.0)
    assert calm.marks == {student: earned[kind] for student, kind in kinds.items()}
