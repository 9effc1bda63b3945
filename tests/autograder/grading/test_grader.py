"""The wall: what is right is right through it, each mistake earns what it declares, and each part holds at its edges."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from pathlib import Path

import pytest

from autograder import exercises, places
from autograder.asking.state import State
from autograder.exercises.exercise import Exercise, Written
from autograder.grading import feedback, sandbox, warm
from autograder.grading.graded import Graded, from_plain, to_plain
from autograder.grading.grader import Grader, Infrastructure, SandboxUnavailable
from autograder.grading.inside.limits import Limits
from autograder.publishing import chapter
from needs import lack
from submissions import answered, cell, code, data, misconceived, notebook, released, right

pytestmark = pytest.mark.xdist_group("wall")

ASSIGNMENTS = [path.stem for path in chapter.chapter_sources()]
QUICKSTART, LORA, FORWARD = "00_quickstart", "08_lora", "quickstart.lora_forward"
SHORT = Limits(cell=1, cells=3, exercise=1)
RIGHT = "def lora_forward(x, W0, lora_A, lora_B):\n    return x @ W0.T + x @ lora_A.T @ lora_B.T"


def of(assignment: str, kind: type) -> list:
    return [exercises[i] for i in chapter.exercise_ids(places.CHAPTERS / f"{assignment}.md") if isinstance(exercises[i], kind)]


@pytest.fixture(scope="module", params=ASSIGNMENTS)
def chapter_grader(request):
    """The chapters one after the other, each with one grader for all the tests that want it."""
    with grader_of(request.param) as grader:
        yield request.param, grader


@pytest.fixture(scope="module")
def quickstart():
    with grader_of(QUICKSTART, limits=SHORT) as grader:
        yield grader


@pytest.fixture(scope="module")
def lora():
    with grader_of(LORA, limits=SHORT) as grader:
        yield grader


@contextlib.contextmanager
def grader_of(assignment: str, **how):
    try:
        grader = Grader(released(assignment), **how).__enter__()
    except SandboxUnavailable as error:
        lack(str(error))
    with grader:
        yield grader


def earned(graded: Graded) -> dict[str, tuple]:
    return {i: (report.state, report.score) for i, report in graded.reports.items()}


# --- parity: every exercise of every chapter -------------------------------------------------------------------------


def test_the_model_answers_get_full_marks_through_the_wall(chapter_grader):
    assignment, grader = chapter_grader
    graded = grader.grade(data(right(assignment)), seed=11)
    assert earned(graded) == {e.id: ("right", e.points) for e in of(assignment, Exercise)}
    assert graded.written == {e.id: True for e in of(assignment, Written)}
    assert (graded.notes, graded.needs_human, graded.sandboxed) == ([], False, True)


def test_what_was_handed_out_earns_nothing(chapter_grader):
    assignment, grader = chapter_grader
    graded = grader.grade(released(assignment), seed=12)
    assert earned(graded) == {e.id: ("not attempted", 0.0) for e in of(assignment, Exercise)}
    assert graded.written == {e.id: False for e in of(assignment, Written)}
    assert (graded.notes, graded.needs_human) == ([], False)


def test_each_misconception_earns_what_it_declares_and_reads_its_sentence(chapter_grader):
    assignment, grader = chapter_grader
    found = of(assignment, Exercise)
    for round_ in range(max(len(e.misconceptions) for e in found)):
        chosen = {e.id: e.misconceptions[round_ % len(e.misconceptions)] for e in found}
        graded = grader.grade(data(misconceived(assignment, {i: m.name for i, m in chosen.items()})), seed=round_)
        for exercise_id, mistake in chosen.items():
            report = graded.reports[exercise_id]
            assert (report.score, report.misconception) == (mistake.earns, mistake.name), (exercise_id, report)
            assert feedback.student_message(report) == mistake.says


def test_closed_modules_are_refused_with_a_sentence_and_their_files_are_not_there(chapter_grader):
    assignment, grader = chapter_grader
    submitted = right(assignment)
    closed = sorted({name for e in of(assignment, Exercise) for name in e.closed})
    for name in closed:
        submitted["cells"].append(code(f"import {name}"))
        submitted["cells"].append(code(f"import glob\nfiles = glob.glob('/course/{name.replace('.', '/')}/**', recursive=True)\n"
                                       f"files += ['/course/{name.replace('.', '/')}.py']\n"
                                       "assert not [file for file in files if file.endswith('.py') and open(file).read()]"))
    graded = grader.grade(data(submitted), seed=1)
    assert all(report.state == "right" for report in graded.reports.values())
    assert len([note for note in graded.notes if "is closed while this chapter is graded" in note]) == len(closed)
    assert all("is closed" in note or "No such file" in note or "Permission" in note for note in graded.notes)


# --- cells -----------------------------------------------------------------------------------------------------------


def with_cells(*sources: str, answer: str = RIGHT) -> bytes:
    submitted = answered(QUICKSTART, {FORWARD: answer})
    at = submitted["cells"].index(cell(submitted, "quickstart-lora-forward"))
    submitted["cells"][at:at] = [code(source) for source in sources]
    return data(submitted)


@pytest.mark.parametrize("source", [
    "%timeit -n1 -r1 1 + 1", "!true", "%%capture out\nprint('x')", "import asyncio\nawait asyncio.sleep(0)", "display({'a': 1})",
    "?len", "1 + 1;", "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()",
    "import sys\nprint('ü', file=sys.stderr)",
    "from autograder import check\nassert check('quickstart.lora_forward', None) == 0.0", "%matplotlib inline",
    "x = torch.ones(3, requires_grad=True)\n(x * x).sum().backward()",
])
def test_a_cell_runs_as_in_a_notebook(quickstart, source):
    graded = quickstart.grade(with_cells("import torch", source), seed=1)
    assert (earned(graded), graded.notes) == ({FORWARD: ("right", 4.0)}, [])


@pytest.mark.parametrize(("source", "said"), [
    ("1 / 0", "ZeroDivisionError: division by zero"), ("def", "SyntaxError"), ("raise SystemExit('bye')", "SystemExit"),
    ("while True: pass", "stopped after 1 seconds"), ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    ("class Odd(Exception):\n    def __str__(self): raise ValueError\nraise Odd", "raised Odd"),
])
def test_a_cell_that_raises_or_hangs_costs_itself_only(quickstart, source, said):
    graded = quickstart.grade(with_cells(source), seed=1)
    assert earned(graded) == {FORWARD: ("right", 4.0)}
    assert len(graded.notes) == 1 and said in graded.notes[0]


def test_threads_and_gradients_in_a_cell_do_not_hang_the_answer(quickstart):
    busy = "y = torch.ones(500, 500, requires_grad=True)\n    (y @ y).sum().backward()\n    torch.linalg.svd(y.detach())"
    cell_ = "import torch\ntorch.set_num_threads(4)\nif True:\n    " + busy
    answer = RIGHT.replace("    return", f"    {busy}\n    return")
    graded = quickstart.grade(with_cells(cell_, answer=answer), seed=1)
    assert (earned(graded), graded.notes) == ({FORWARD: ("right", 4.0)}, [])


def test_demonstrations_and_checks_do_not_run_and_setup_does(quickstart):
    submitted = answered(QUICKSTART, {FORWARD: RIGHT})
    for one in submitted["cells"]:
        if one["metadata"].get("nbgrader", {}).get("locked"):
            one["source"] = "raise RuntimeError('changed')"
    graded = quickstart.grade(data(submitted), seed=1)
    assert earned(graded) == {FORWARD: ("right", 4.0)}
    assert graded.notes and all("was changed; the released one counts" in note for note in graded.notes)


def test_the_last_definition_counts_and_a_missing_one_is_said(quickstart):
    twice = answered(QUICKSTART, {FORWARD: "def lora_forward(*a): pass"})
    twice["cells"].append(code(RIGHT))
    assert earned(quickstart.grade(data(twice), seed=1)) == {FORWARD: ("right", 4.0)}
    gone = notebook(QUICKSTART)
    gone["cells"].remove(cell(gone, "quickstart-lora-forward"))
    graded = quickstart.grade(data(gone), seed=1)
    assert earned(graded) == {FORWARD: ("not attempted", 0.0)}
    assert graded.needs_human and any("the answer cell of quickstart.lora_forward was deleted" in note for note in graded.notes)
    broken = quickstart.grade(with_cells(answer="def lora_forward(x:\n    return x"), seed=1)
    assert earned(broken) == {FORWARD: ("raised", 0.0)}
    assert "SyntaxError" in broken.reports[FORWARD].message


def test_the_same_seed_gives_the_same_inputs_and_another_seed_others(quickstart):
    noted = "def lora_forward(x, W0, lora_A, lora_B):\n    raise ValueError(float(x.sum()))"
    first, again, other = [quickstart.grade(with_cells(answer=noted), seed=s).reports[FORWARD].message for s in (3, 3, 4)]
    assert first == again != other


def test_what_is_random_is_the_same_in_every_run(quickstart):
    source = "import random\nimport numpy as np\ndef lora_forward(x, W0, lora_A, lora_B):\n" \
             "    raise ValueError(random.random(), np.random.rand(), float(torch.rand(())), NOW)"
    before = "import random\nimport numpy as np\nimport torch\nNOW = random.random(), np.random.rand(), float(torch.rand(()))"
    first, again = [quickstart.grade(with_cells(before, answer=source), seed=3).reports[FORWARD].message for _ in range(2)]
    assert first == again and first.startswith("It raised ValueError: (0.")


# --- one exercise and the others -------------------------------------------------------------------------------------

TROUBLE = {
    "os._exit(0)": "crashed", "ctypes.string_at(0)": "crashed", "while True: pass": "timed out", "print('x' * 10**8)": "flooded",
    "raise KeyError": "raised", "return 'x'": "unreadable", "bytearray(1 << 50)": "raised",
}


@pytest.mark.parametrize("trouble", TROUBLE)
def test_trouble_in_one_exercise_costs_that_exercise_only(lora, trouble):
    answers = chapter.model_answers(places.CHAPTERS / f"{LORA}.md")
    answers["lora.forward"] = f"import ctypes, os\ndef lora_forward(x, W0, lora_A, lora_B, alpha):\n    {trouble}"
    graded = lora.grade(data(answered(LORA, answers)), seed=1)
    assert earned(graded) == {e.id: ("right", e.points) for e in of(LORA, Exercise)} | {"lora.forward": (TROUBLE[trouble], 0.0)}


def test_what_raises_because_of_another_exercise_is_asked_again_alone(lora):
    answers = chapter.model_answers(places.CHAPTERS / f"{LORA}.md")
    spoil = "    vars(math).pop('sqrt', None)\n    return "
    answers["lora.truncate"] = answers["lora.truncate"].replace("    return ", spoil)
    graded = lora.grade(data(answered(LORA, answers)), seed=1)
    assert earned(graded) == {e.id: ("right", e.points) for e in of(LORA, Exercise)}


# --- the warm process ------------------------------------------------------------------------------------------------


def test_a_warm_process_that_was_killed_is_started_again_and_nobody_loses_a_mark():
    with Grader(released(QUICKSTART), limits=Limits(cell=5)) as grader:
        first = grader._warm
        once_it_runs(first, lambda fork: first._process.process.kill())
        graded = grader.grade(with_cells("import time; time.sleep(2)"), seed=1)
        assert grader._warm is not first
        assert (earned(graded), graded.notes) == ({FORWARD: ("right", 4.0)}, [])


def test_a_fork_that_was_killed_from_outside_is_run_again():
    """As by a system that has no memory left."""
    with Grader(released(QUICKSTART), limits=Limits(cell=5)) as grader:
        first = grader._warm
        once_it_runs(first, lambda fork: os.kill(fork, 9))
        graded = grader.grade(with_cells("import time; time.sleep(2)"), seed=1)
        assert grader._warm is not first
        assert (earned(graded), graded.notes) == ({FORWARD: ("right", 4.0)}, [])


def once_it_runs(warm, kill):
    """Calls `kill` with the number of the warm process's next fork, as soon as that has had time to begin its cells."""
    waiting = youngest_below(warm._process.process.pid)

    def wait():
        while (fork := youngest_below(warm._process.process.pid)) == waiting:
            time.sleep(0.02)
        time.sleep(0.3)
        kill(fork)

    threading.Thread(target=wait, daemon=True).start()


def youngest_below(process: int) -> int:
    """The last of the chain of processes that begins with `process`."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(path.read_text().rsplit(")", 1)[1].split()[1])] = int(path.parent.name)
    while process in parents:
        process = parents[process]
    return process


def test_a_warm_process_that_dies_twice_counts_as_the_submission_s_doing(monkeypatch):
    with Grader(released(QUICKSTART), limits=SHORT) as grader:
        with monkeypatch.context() as patch:
            patch.setattr(warm.Warm, "_end_fork", lambda self: (_ for _ in ()).throw(warm.Lost("gone")))
            graded = grader.grade(with_cells(), seed=1)
        assert earned(graded) == {FORWARD: ("crashed", 0.0)}
        assert graded.needs_human and "was killed when it ran this one, twice" in graded.notes[-1]
        assert earned(grader.grade(with_cells(), seed=1)) == {FORWARD: ("right", 4.0)}


def test_what_is_not_the_student_s_fault_is_never_scored(monkeypatch):
    def no_room(*_):
        raise OSError(28, "No space left on device")

    with Grader(released(QUICKSTART), limits=SHORT) as grader:
        monkeypatch.setattr(warm.Warm, "_end_fork", lambda self: {"failed": "no memory"})
        with pytest.raises(Infrastructure, match="could not be enclosed: no memory"):
            grader.grade(with_cells(), seed=1)
        grader._stop()
        monkeypatch.setattr(sandbox, "start", no_room)
        with pytest.raises(Infrastructure, match="No space left"):
            grader.grade(with_cells(), seed=1)


def test_a_setup_that_cannot_run_in_the_sandbox_stops_everything():
    handed_out = notebook(QUICKSTART)
    setup = next(c for c in handed_out["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id", "").startswith("setup-"))
    setup["source"] = "import solutions.quickstart"
    with pytest.raises(Infrastructure, match="setup cells .* No module named 'solutions'"), Grader(data(handed_out)):
        pass


def test_without_bubblewrap_there_is_one_sentence_and_a_stop(monkeypatch):
    monkeypatch.setenv("PATH", "/nothing")
    with pytest.raises(SandboxUnavailable, match="apt install bubblewrap") as caught, Grader(released(QUICKSTART)):
        pass
    assert "\n" not in str(caught.value)


def test_without_the_sandbox_the_marks_are_the_same_and_it_is_said():
    with Grader(released(QUICKSTART), sandboxed=False, limits=SHORT) as grader:
        graded = grader.grade(with_cells("open('left behind', 'w').write('x')"), seed=1)
        hung = grader.grade(with_cells(answer="def lora_forward(*a, **k):\n    while True: pass"), seed=1)
    assert (earned(graded), graded.sandboxed, graded.notes) == ({FORWARD: ("right", 4.0)}, False, [])
    assert earned(hung) == {FORWARD: ("timed out", 0.0)}
    assert not os.path.exists("left behind")


def test_a_grader_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Grader(released(QUICKSTART), limits=SHORT) as grader:
        process = grader._warm._process.process
        grader.grade(with_cells(), seed=1)
    assert process.poll() is not None
    assert list(tmp_path.iterdir()) == []


def test_a_submission_takes_a_tenth_of_a_second_of_a_processor(lora):
    submitted = data(right(LORA))
    lora.grade(submitted, seed=0)
    begun = time.perf_counter()
    cpu = sorted(lora.grade(submitted, seed=s).cpu for s in range(7))
    assert 0.01 < cpu[0] <= time.perf_counter() - begun
    assert cpu[3] < 0.3  # 0.09 on the machine where it was written; others are slower


# --- what students read ----------------------------------------------------------------------------------------------


def test_nothing_that_the_student_s_code_made_is_shown_to_students(quickstart):
    marker = "carried_out_1234567"
    for answer in [
        f"def lora_forward(*a, **k):\n    print('{marker}')\n    raise KeyError('{marker}')",
        f"def lora_forward(*a, **k):\n    return '{marker}'",
        f"def lora_forward(*a, **k):\n    return type('{marker}', (), {{}})()",
        "def lora_forward(*a, **k):\n    import torch\n    return torch.full((1, 1), 1234567.0)",
        "def lora_forward(*a, **k):\n    import torch\n    return torch.zeros(1234567)",
        f"class {marker}(Exception): pass\ndef lora_forward(*a, **k):\n    raise {marker}",
    ]:
        report = quickstart.grade(with_cells(answer=answer), seed=1).reports[FORWARD]
        shown = feedback.table_html(report) + feedback.text(report) + feedback.student_message(report)
        assert marker not in shown and "1234567" not in shown
        assert report.score == 0 and "of 4 points" in shown
    raised = quickstart.grade(with_cells(answer="def lora_forward(*a, **k):\n    raise IndexError(3)"), seed=1).reports[FORWARD]
    assert "Your function raised an" in feedback.student_message(raised)


def test_a_graded_goes_through_json_and_comes_back_as_it_was(quickstart):
    for body in ("return x", "return x * float('nan')", "x + 's'"):
        answer = f"def lora_forward(x, *a, **k):\n    {body}"
        one = quickstart.grade(with_cells("1 / 0", answer=answer), seed=1)
        again = from_plain(json.loads(json.dumps(to_plain(one), allow_nan=False)))
        assert again == one
        assert type(again.reports[FORWARD].state) is State and again.reports[FORWARD].rows and again.notes
        assert feedback.table_html(again.reports[FORWARD]) == feedback.table_html(one.reports[FORWARD])
