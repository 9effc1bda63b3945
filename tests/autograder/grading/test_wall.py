"""The parts of the wall, each by itself and at its edges: frames, plain outputs, submitted files, closed modules, the doctor."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from autograder import commands
from autograder.asking import wire
from autograder.asking.wire import Malformed, decode, encode, opaque
from autograder.exercises import exercises
from autograder.exercises.drawing import draw
from autograder.grading import doctor, sandbox
from autograder.grading.inside.channel import Channel, Closed
from autograder.grading.inside.coerce import coerce
from autograder.grading.inside.limits import Limits
from autograder.grading.outcomes import instead, outcomes_of
from autograder.grading.submission import UnreadableSubmission, plan, read_released
from autograder.grading.warm import Warm
from autograder.judging.judge import judge
from needs import lack
from submissions import answered, cell, code, data, released, right

pytestmark = pytest.mark.xdist_group("wall")

QUICKSTART, LORA, FORWARD = "00_quickstart", "08_lora", "quickstart.lora_forward"


def there_and_back(value):
    frame = encode(value)
    text, blob = wire.lengths(frame[: wire.HEAD_SIZE])
    assert len(frame) == wire.HEAD_SIZE + text + blob
    return decode(frame[wire.HEAD_SIZE : wire.HEAD_SIZE + text], frame[wire.HEAD_SIZE + text :])


def same(a, b):
    if isinstance(a, (torch.Tensor, np.ndarray)):
        return type(a) is type(b) and a.dtype == b.dtype and a.shape == b.shape and a.tolist() == b.tolist()
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return type(b) is dict and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return type(a) is type(b) and (a == b or a != a and b != b)


# --- frames ----------------------------------------------------------------------------------------------------------

PLAIN = [
    None, True, 0, -(2**70), 1.5, float("inf"), float("nan"), "ü\n\ud800", "", [], (), {}, [1, (2, [3.0, {"a": None}])],
    {"tensor": "0", "tuple": [1]}, {"dict": {"opaque": "x"}}, ((), [()]),
    torch.zeros(2, 3), torch.tensor(7), torch.zeros(0, 4), torch.tensor([True]), torch.ones(3, dtype=torch.bfloat16),
    torch.arange(6).reshape(2, 3).T, torch.ones(2).expand(5, 2),
    np.float32([[1, 2]]), np.array(3), np.arange(6)[::-2], np.array([False]),
]


@pytest.mark.parametrize("value", PLAIN, ids=lambda value: str(value)[:30].encode("ascii", "replace").decode())
def test_plain_data_goes_there_and_back(value):
    assert same(there_and_back(value), value)


def test_every_input_of_every_exercise_goes_there_and_back():
    for exercise_id in exercises:
        if hasattr(exercises[exercise_id], "cases"):
            for inputs in draw(exercises[exercise_id], 3).inputs:
                assert same(there_and_back(inputs), inputs), exercise_id


@pytest.mark.parametrize("value", [
    object(), {1}, b"x", 1j, {1: 2}, 2**1000, np.array(["x"]), np.array([object()]), torch.zeros(1, dtype=torch.complex64), len,
    type("Sub", (float,), {})(1.0), type("Own", (), {})(), np.float64(1.0),
])
def test_what_is_no_plain_data_does_not_travel(value):
    with pytest.raises(Malformed):
        encode({"a": [value]})


def test_what_is_too_large_or_too_deep_does_not_travel():
    deep: list = []
    for _ in range(50):
        deep = [deep]
    for value in (deep, torch.zeros(9_000_000, dtype=torch.float64), "x" * 17_000_000):
        with pytest.raises(Malformed):
            encode(value)


def text(value) -> bytes:
    return json.dumps(value).encode()


GOOD = wire.to_safetensors({"0": torch.zeros(2)})


@pytest.mark.parametrize(("json_part", "blob"), [
    (b"", b""), (b"{", b""), (b"[1, 2", b""), (b"\xff\xfe", b""), (b"[" * 50_000, b""), (text({}), b""), (text({"a": 1}), b""),
    (text({"tuple": 1}), b""), (text({"dict": []}), b""), (text({"dict": {}, "tuple": []}), b""), (text({"tensor": "0"}), b""),
    (text({"tensor": "1"}), GOOD), (text({"tensor": ["0"]}), GOOD), (text({"opaque": "os.system"}), b""),
    (text({"opaque": 1}), b""), (text({"opaque": "x" * 100}), b""),
    (b"1" * 4000, b""), (text([[0] * 400_000]), b""), (text({"pickle": "gASVJA=="}), b""),
    (text(1), b"\x80\x04."), (text(1), GOOD[:-1]), (text(1), GOOD + b"x"), (text(1), struct.pack("<Q", 2**63) + b"{}"),
    (text(1), wire.to_safetensors({"0": torch.zeros(2, dtype=torch.complex64)})),
    (text({"array": "0"}), wire.to_safetensors({"0": torch.zeros(2, dtype=torch.bfloat16)})),
])
def test_anything_else_is_malformed_and_nothing_worse(json_part, blob):
    with pytest.raises(Malformed):
        decode(json_part, blob)


def test_random_bytes_are_malformed_and_nothing_worse():
    rng = np.random.default_rng(0)
    frame = bytearray(encode({"a": [1, torch.ones(3), "x"], "b": (None, {"c": 2.5})})[wire.HEAD_SIZE :])
    parts = len(frame) - len(wire.to_safetensors({"0": torch.ones(3)}))
    broken = 0
    for _ in range(2000):
        hit = bytearray(frame)
        for place in rng.integers(0, len(hit), 3):
            hit[place] = rng.integers(0, 256)
        try:
            decode(bytes(hit[:parts]), bytes(hit[parts:]))
        except Malformed:
            broken += 1
    assert broken > 1000


@pytest.mark.parametrize("head", [b"", b"FTC1", b"HTTP" + bytes(8), struct.pack("!4sII", b"FTC1", 2**32 - 1, 0),
                                  struct.pack("!4sII", b"FTC1", 2, 2**31)])
def test_a_head_that_is_none_or_promises_too_much_is_refused_before_anything_is_read(head):
    with pytest.raises(Malformed):
        wire.lengths(head)


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


# --- plain outputs ---------------------------------------------------------------------------------------------------


class Agreeable(float):
    __eq__ = __ne__ = __lt__ = __gt__ = __le__ = __ge__ = lambda self, other: True
    __hash__ = None


class Hostile(torch.Tensor):
    @classmethod
    def __torch_function__(cls, *args, **kwargs):
        return "mine"


class OwnArray(np.ndarray):
    def __array_ufunc__(self, *args, **kwargs):
        return True


@pytest.mark.parametrize(("value", "expected"), [
    (Agreeable(2.0), 2.0), (np.float32(0.5), 0.5), (np.int8(3), 3), (np.bool_(True), True), (True, True), (None, None),
    (type("Text", (str,), {})("x"), "x"), ([Agreeable(1), (np.int64(2), "x")], [1.0, (2, "x")]),
    ({"a": np.ones(1)}, {"a": np.ones(1)}),
    (torch.nn.Parameter(torch.ones(2)), torch.ones(2)), (torch.ones(2, requires_grad=True) * 2, torch.full((2,), 2.0)),
    (torch.ones(3).as_subclass(Hostile), torch.ones(3)), (torch.eye(2).to_sparse(), torch.eye(2)),
    (torch.ones(2, 3).T, torch.ones(3, 2)), (np.ones((2, 2)).view(OwnArray), np.ones((2, 2))),
    (np.arange(4.0)[::-1], np.array([3.0, 2, 1, 0])), (np.array(5), np.array(5)),
    (np.ones(2, dtype=">f4"), np.ones(2, dtype=np.float32)), (np.ones(2, dtype=np.longdouble), np.ones(2)),
    (np.ones(2, dtype=np.uint16), np.ones(2, dtype=np.int64)), (np.ones(2, dtype=bool), np.array([True, True])),
])
def test_an_output_becomes_plain(value, expected):
    assert same(coerce(value), expected)
    assert same(there_and_back(coerce(value)), expected)


def endless() -> list:
    inside: list = [1.0]
    inside.append(inside)
    return inside


@pytest.mark.parametrize("value", [
    object(), len, {1: 2}, {1}, b"x", 1j, 10**400, iter([]), torch, np.array(["x"]), torch.ones(1).expand(10**7),
    torch.zeros(1, device="meta"), torch.zeros(1, dtype=torch.complex64),
    np.broadcast_to(np.ones(1), 10**8), [0] * 300_000, endless(), np.array([object()]),
    np.zeros(2, dtype="datetime64[s]"), torch.distributions.Normal(0, 1), type("ü!", (), {})(),
])  # fmt: skip
def test_what_cannot_be_plain_leaves_the_name_of_its_type(value):
    found = there_and_back(coerce(value))
    assert type(found).__module__ == opaque.__module__ and not vars(found)


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
