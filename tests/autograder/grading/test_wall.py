"""The parts of the wall, each by itself and at its edges: frames, plain outputs, submitted files, closed modules, the doctor."""

from __future__ import annotations

import json
import socket
import threading
import time

import pytest
import torch
from typer.testing import CliRunner

from autograder import commands
from autograder.asking.wire import encode
from autograder.exercises import exercises
from autograder.exercises.drawing import draw
from autograder.grading import doctor, sandbox
from autograder.grading.inside.channel import Channel, Closed
from autograder.grading.inside.limits import Limits
from autograder.grading.outcomes import instead, outcomes_of
from autograder.grading.submission import UnreadableSubmission, plan, read_released
from autograder.grading.warm import Warm
from autograder.judging.judge import judge
from needs import lack
from submissions import answered, cell, code, data, released, right

pytestmark = pytest.mark.xdist_group("wall")

QUICKSTART, LORA, FORWARD = "00_quickstart", "08_lora", "quickstart.lora_forward"


# --- channels ----------------------------------------------------------------------------------------------------------


def test_a_channel_has_deadlines_and_notices_who_hangs_up():
    ours, theirs = socket.socketpair()
    channel = Channel(ours)
    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        channel.receive(begun + 0.1)
    theirs.send(encode(1)[:-1])  # all but the last byte
    with pytest.raises(TimeoutError):
        channel.receive(time.monotonic() + 0.1)
    assert time.monotonic() - begun < 2
    with pytest.raises(TimeoutError):
        channel.send(torch.zeros(4_000_000), time.monotonic() + 0.1)  # nobody reads
    theirs.close()
    with pytest.raises(Closed):
        channel.receive(time.monotonic() + 1)
    with pytest.raises(Closed):
        channel.send("x" * 10_000_000, time.monotonic() + 1)


def test_a_large_frame_passes_a_small_pipe():
    ours, theirs = socket.socketpair()
    sent = torch.randn(2_000_000)
    thread = threading.Thread(target=Channel(theirs).send, args=(sent, time.monotonic() + 20))
    thread.start()
    assert torch.equal(Channel(ours).receive(time.monotonic() + 20), sent)
    thread.join()


# --- outcomes --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trial():
    return draw(exercises[FORWARD], 1)


@pytest.mark.parametrize("answer", [
    None, 4.0, [], {}, {"id": "another", "outcomes": []}, {"id": FORWARD}, {"id": FORWARD, "outcomes": 3},
    {"id": FORWARD, "outcomes": []}, {"id": FORWARD, "outcomes": [{"state": "returned"}]},
    {"id": FORWARD, "outcomes": [{"state": "right"}] * 3}, {"id": FORWARD, "outcomes": [{"state": ["x"]}] * 3},
    {"id": FORWARD, "outcomes": [{"state": "crashed"}] * 3}, {"id": FORWARD, "outcomes": [None, 1, []]},
    {"id": FORWARD, "instead": "right"}, {"id": FORWARD, "instead": ["missing"]},
])
def test_an_answer_that_is_none_scores_nothing(trial, answer):
    report = judge(trial, outcomes_of(trial, answer, None))
    assert (report.score, report.state) == (0.0, "unreadable")


def test_what_a_submission_says_of_its_inputs_is_checked(trial):
    claims = {"state": "returned", "message": 3, "printed": "x\ud800", "changed": ["x", "expected", 7, "x"]}
    claimed = [claims | {"value": torch.from_numpy(case["expected"])} for case in trial.cases]
    found = outcomes_of(trial, {"id": FORWARD, "outcomes": claimed}, None)
    assert [outcome.changed for outcome in found] == [["x"]] * 3
    assert (found[0].message, found[0].printed) == ("", "x?")
    assert judge(trial, found).score == 4.0


def test_a_missing_answer_says_why(trial):
    missing = {"id": FORWARD, "instead": "missing"}
    assert judge(trial, outcomes_of(trial, missing, None)).state == "not attempted"
    report = judge(trial, outcomes_of(trial, missing, "SyntaxError: invalid syntax"))
    assert report.state == "raised"
    assert report.message.startswith("It raised SyntaxError: invalid syntax, in the cell that defines it")
    for state in ("timed out", "crashed"):
        assert judge(trial, instead(trial, state)).state == state


# --- submitted files -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def handed_out():
    return read_released(released(LORA))


def test_the_released_notebook_is_read(handed_out):
    ids = [i for i in exercises if i.startswith("lora.")]
    assert sorted([*handed_out.exercises, *handed_out.written]) == sorted(ids)
    assert handed_out.written == {"lora.why_scale": "lora-why-scale"}
    assert handed_out.exercises["lora.parameter_count"] == "lora-parameter-count"
    assert len(handed_out.setup) == 1


def test_cells_run_in_the_order_they_were_handed_in_and_locked_ones_as_they_were_handed_out(handed_out):
    submitted = right(LORA)
    setup = handed_out.setup[0]
    cell(submitted, setup.name)["source"] = "import torch as changed"
    submitted["cells"].insert(0, code("first = 1"))
    submitted["cells"].append(code("last = 1"))
    work = plan(data(submitted), handed_out)
    assert work.run[0] == {"id": "cell 1", "source": "first = 1"}
    assert work.run[1] == {"id": setup.name, "source": setup.source}
    assert work.run[-1]["source"] == "last = 1"
    assert [one["id"] for one in work.run[2:-1]] == list(handed_out.exercises.values())
    assert work.notes == [f"the locked cell {setup.name} was changed; the released one counts"]


def test_a_deleted_setup_cell_is_put_back(handed_out):
    submitted = right(LORA)
    submitted["cells"].remove(cell(submitted, handed_out.setup[0].name))
    work = plan(data(submitted), handed_out)
    assert work.run[0]["id"] == handed_out.setup[0].name
    assert work.notes == [f"the setup cell {handed_out.setup[0].name} was deleted; the released one ran first"]


@pytest.mark.parametrize(("said", "attempted"), [("Write your answer here.", False), ("  \n", False), ("Because.", True)])
def test_a_written_answer_is_attempted_when_something_is_written(handed_out, said, attempted):
    assert plan(data(answered(LORA, {"lora.why_scale": said})), handed_out).written == {"lora.why_scale": attempted}


def test_source_may_be_text_or_lines_and_the_format_may_be_older():
    import nbformat

    submitted = right(QUICKSTART)
    expected = plan(data(submitted), read_released(released(QUICKSTART))).run
    for one in submitted["cells"]:
        one["source"] = "".join(one["source"]).splitlines(keepends=True)
    assert plan(data(submitted), read_released(released(QUICKSTART))).run == expected
    older = nbformat.v4.downgrade(nbformat.reads(released(QUICKSTART).decode(), as_version=4))
    assert len(plan(json.dumps(older).encode(), read_released(released(QUICKSTART))).run) == len(expected)


def test_a_large_file_is_read_without_its_outputs(handed_out):
    submitted = right(LORA)
    expected = plan(data(submitted), handed_out).run
    big = {"output_type": "stream", "name": "stdout", "text": "x" * 10_000_000}
    submitted["cells"][-1] |= {"outputs": [big, big], "attachments": {"a": "x" * 1_000_000}}
    assert len(data(submitted)) > 20_000_000
    assert plan(data(submitted), handed_out).run == expected


def test_notes_stay_few(handed_out):
    submitted = right(LORA)
    submitted["cells"] += [json.loads(json.dumps(one)) | {"source": f"x{n}"} for n in range(20) for one in submitted["cells"]]
    assert len(plan(data(submitted), handed_out).notes) <= 50


def test_a_sentence_says_what_is_no_notebook(handed_out):
    with pytest.raises(UnreadableSubmission, match="it is not JSON"):
        plan(b"nope", handed_out)
    with pytest.raises(UnreadableSubmission, match="no cells"):
        plan(b'{"nbformat": 4, "cells": []}', handed_out)


# --- closed modules, and the doctor ----------------------------------------------------------------------------------

READ = """
import glob
from pathlib import Path
found = [path for path in Path('/course/courselib').rglob('*plots*') if path.is_file() and path.stat().st_size]
found += [path for path in Path('/course/courselib').rglob('*') if 'lora' in str(path) and path.is_file() and path.stat().st_size]
assert not found, found
"""
TRICKS = """
import sys
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__name__ != 'ClosedModules']
from courselib.lab.plots import interval
"""


@pytest.fixture(scope="module")
def warm():
    try:
        process = Warm(["import math"], ["courselib.lab.plots", "courselib.lora"], Limits(), sandboxed=True)
    except sandbox.SandboxUnavailable as error:
        lack(str(error))
    yield process
    process.end()


def run(process: Warm, *sources: str) -> list[str]:
    with process.fork() as channel:
        deadline = time.monotonic() + 30
        cells = [{"id": str(number), "source": source} for number, source in enumerate(sources)]
        channel.send({"seed": 0, "cells": cells, "questions": []}, deadline)
        return [f"{one['id']} {one['error']}: {one['message']}" for one in channel.receive(deadline)["failed"]]


def test_a_closed_module_cannot_be_imported_or_read(warm):
    tried = ("import courselib.lora.layer", "from courselib.lab import plots", READ, TRICKS, "import courselib.continual.replay")
    said = run(warm, *tried)
    assert [one.split(":")[0] for one in said] == ["0 ImportError", "1 ImportError", "3 ModuleNotFoundError"]
    assert "courselib.lora is closed while this chapter is graded: it holds the answer of an exercise" in said[0]
    assert warm.ready["failed"] == []


def test_a_fork_sees_nothing_of_ours_and_owns_nothing(warm):
    looks = [
        "import os; assert os.getpid() == 1 and os.getuid() != 0",
        "from pathlib import Path; status = Path('/proc/self/status').read_text(); assert 'CapEff:\\t0000000000000000' in status",
        "assert 'NoNewPrivs:\\t1' in status and 'CapBnd:\\t0000000000000000' in status",
        "assert sorted(os.listdir('/course')) == ['autograder', 'courselib']",
        "assert not os.path.exists('/course/autograder/exercises') and not os.path.exists('/course/autograder/judge.py')",
        "import autograder; assert autograder.__file__.startswith('/course/')",
        "import socket; assert [name for _, name in socket.if_nameindex()] == ['lo']",
        "assert sorted(name for name in os.environ if 'COURSE' in name) == ['COURSE_CACHE', 'COURSE_THREADS']",
        "import torch; assert torch.get_num_threads() == 1",
        "assert [fd for fd in range(3, 256) if os.path.exists(f'/proc/self/fd/{fd}')] == [SOCKET], 'other open files'",
    ]
    socket_of_its_own = "SOCKET = next(fd for fd in range(3, 256) if os.path.exists(f'/proc/self/fd/{fd}'))"
    assert run(warm, "import os", socket_of_its_own, *looks) == []


def test_the_doctor_says_what_is_there(monkeypatch):
    found = {finding.name: finding for finding in doctor.doctor()}
    assert set(found) == {"system", "sandbox", "Python", "torch", "workers", "browser", "PostgreSQL"}
    assert all(finding.verdict in doctor.SIGNS and finding.sentence for finding in found.values())
    if found["sandbox"].verdict == "good":
        assert "works; submissions run as" in found["sandbox"].sentence


def test_the_doctor_says_what_is_missing_and_the_command_ends_with_1(monkeypatch):
    monkeypatch.setenv("PATH", "/nothing")
    result = CliRunner().invoke(commands.app, ["doctor"], env={"COLUMNS": "200"})
    assert result.exit_code == 1
    assert "apt install bubblewrap" in result.output


def test_a_refusal_is_one_sentence_that_says_what_to_do():
    sentence = sandbox.refused("bwrap: No permissions to create new namespace,\n likely because ...")
    assert "\n" not in sentence and "user.max_user_namespaces" in sentence and "--unsandboxed" in sentence


def test_a_python_in_tmp_is_refused_with_a_sentence(monkeypatch):
    monkeypatch.setattr(sandbox.sys, "prefix", "/tmp/course/.venv")
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: "/usr/bin/bwrap")
    for way_in in (sandbox.require, lambda: sandbox.start([], Limits(), sandboxed=True)):
        with pytest.raises(sandbox.SandboxUnavailable, match="move the course to another folder"):
            way_in()
