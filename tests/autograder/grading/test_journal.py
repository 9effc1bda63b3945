"""The journal: what it says is on the disk, whatever was killed and whenever."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from autograder.asking.state import State
from autograder.grading.graded import Graded
from autograder.grading.journal import Busy, Entry, Journal, OtherJournal, attempts, entries, key_of
from autograder.judging.report import Report, Row


def graded(score):
    report = Report("x.y", score, 3.0, State.PARTIAL, None, "Some of it.", [Row("value", score, 3.0, "so so")], seed=1)
    return Graded(7, {"x.y": report}, {"x.w": True}, ["odd"], True, True, 0.5)


def test_what_was_added_is_read_again_and_the_last_result_counts(tmp_path):
    path = tmp_path / "deep" / "a.jsonl"
    with Journal(path) as journal:
        journal.add(Entry("ada", "k1", graded(1.0)))
        journal.add(Entry("bob", "k2", graded(2.0)))
        journal.add(Entry("ada", "k3", graded(3.0)))
    assert entries(path) == {"ada": Entry("ada", "k3", graded(3.0)), "bob": Entry("bob", "k2", graded(2.0))}
    assert entries(tmp_path / "none.jsonl") == {}


def test_all_attempts_are_read_in_order_and_one_graded_again_is_one(tmp_path):
    path = tmp_path / "a.jsonl"
    with Journal(path) as journal:
        for student, key, score in (("ada", "k1", 1.0), ("bob", "k2", 2.0), ("ada", "k3", 2.0), ("ada", "k1", 3.0)):
            journal.add(Entry(student, key, graded(score)))
            journal.recorded(Entry(student, key, graded(score)))
    tries = {student: [(e.key, e.graded.reports["x.y"].score) for e in all_] for student, all_ in attempts(path).items()}
    assert tries == {"ada": [("k1", 3.0), ("k3", 2.0)], "bob": [("k2", 2.0)]}
    assert attempts(tmp_path / "none.jsonl") == {}


def test_what_is_not_noted_as_recorded_waits(tmp_path):
    with Journal(tmp_path / "a.jsonl") as journal:
        for student in ("ada", "bob"):
            journal.add(Entry(student, f"{student} 1", graded(1.0)))
        journal.recorded(Entry("ada", "ada 1", graded(1.0)))
        assert [entry.student for entry in journal.unrecorded()] == ["bob"]
        journal.add(Entry("ada", "ada 2", graded(2.0)))
        journal.recorded(Entry("ada", "ada 1", graded(1.0)))  # late news of an older result: the newer one still waits
        assert {entry.key for entry in journal.unrecorded()} == {"ada 2", "bob 1"}


@pytest.mark.parametrize("cut", [2, 10, 40])
def test_a_torn_last_line_spoils_nothing_but_itself(tmp_path, cut):
    path = tmp_path / "a.jsonl"
    with Journal(path) as journal:
        journal.add(Entry("ada", "k1", graded(1.0)))
        journal.add(Entry("bob", "k2", graded(2.0)))
    with path.open("rb+") as file:
        file.truncate(path.stat().st_size - cut)
    with Journal(path) as journal:
        assert set(journal.entries()) == {"ada"}
        journal.add(Entry("eve", "k3", graded(3.0)))
        assert set(journal.entries()) == {"ada", "eve"}


def test_nonsense_in_the_file_is_passed_over(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'[1, 2]\nnull\n{"student": 3, "key": "k", "graded": {}}\n\xff\xfe\n{"student": "ada"}\n')
    with Journal(path) as journal:
        journal.add(Entry("ada", "k1", graded(1.0)))
    assert set(entries(path)) == {"ada"}


@pytest.mark.parametrize("version", [{}, {"version": 1}, {"version": 99}])
def test_a_line_of_another_version_of_the_course_is_refused_and_not_guessed_at(tmp_path, version):
    path = tmp_path / "a.jsonl"
    with Journal(path) as journal:
        journal.add(Entry("ada", "k1", graded(1.0)))
    line = version | {"student": "bob", "key": "k", "graded": {"reports": {}, "seed": 1}}
    path.write_text(path.read_text() + json.dumps(line) + "\n")
    with Journal(path) as journal:
        for read in (journal.entries, journal.unrecorded, lambda: entries(path)):
            with pytest.raises(OtherJournal, match="another version of the course.*move it away and run `course grade`"):
                read()


def test_two_cannot_hold_it_at_once(tmp_path):
    with Journal(tmp_path / "a.jsonl"), pytest.raises(Busy, match="Another process is grading"):
        Journal(tmp_path / "a.jsonl")
    with Journal(tmp_path / "a.jsonl"):
        pass  # given back


def test_a_killed_writer_leaves_every_line_it_reported(tmp_path):
    path = tmp_path / "a.jsonl"
    code = (
        "import sys\nfrom autograder.grading.graded import Graded\nfrom autograder.grading.journal import *\n"
        "from pathlib import Path\n"
        "with Journal(Path(sys.argv[1])) as journal:\n"
        "    for i in range(10**6):\n"
        "        journal.add(Entry(f's{i}', 'k', Graded(1, {}, {}, ['y' * 5000], False, True, 0.1)))\n"
        "        print(i, flush=True)\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
    reported = [int(writer.stdout.readline()) for _ in range(20)]
    time.sleep(0.05)
    os.kill(writer.pid, signal.SIGKILL)
    reported += [int(line) for line in writer.stdout.read().split()]
    writer.wait()
    with Journal(path) as journal:  # the lock went with the process
        assert {f"s{i}" for i in reported} <= set(journal.entries())


def test_what_the_system_takes_in_pieces_is_written_whole_and_synced_before_it_is_reported(tmp_path, monkeypatch):
    """A signal may shorten a write. And what a kill cannot show: all of it was synced."""
    path = tmp_path / "a.jsonl"
    write, synced = os.write, []
    with Journal(path) as journal, monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda file, data: write(file, data[:7]))
        patch.setattr(os, "fsync", lambda file: synced.append((os.fstat(file).st_ino, path.read_bytes())))
        for student in ("ada", "bob"):
            journal.add(Entry(student, "k", graded(1.0)))
            assert synced[-1] == (path.stat().st_ino, path.read_bytes())
        journal.recorded(Entry("ada", "k", graded(1.0)))
    assert set(entries(path)) == {"ada", "bob"}
    assert [data.count(b"\n") for _, data in synced] == [1, 2, 3]


def test_a_key_tells_submissions_and_releases_apart():
    pairs = [(b"r", b"s"), (b"r", b"t"), (b"q", b"s"), (b"rs", b""), (b"", b"rs")]
    assert len({key_of(*pair) for pair in pairs}) == len(pairs)
    assert key_of(b"r", b"s") == key_of(b"r", b"s")
