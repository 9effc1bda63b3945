"""One submission through the wall: what its cells may do, what trouble costs, and what of it a student reads."""

from __future__ import annotations

import json
import time

import pytest

from autograder import places
from autograder.asking.state import State
from autograder.grading import feedback
from autograder.grading.graded import from_plain, to_plain
from autograder.publishing import chapter
from graders import FORWARD, LORA, QUICKSTART, RIGHT, SHORT, earned, grader_of, with_cells
from students import checked
from submissions import answered, cell, code, data, notebook, right

pytestmark = pytest.mark.xdist_group("wall")


@pytest.fixture(scope="module")
def quickstart():
    with grader_of(QUICKSTART, limits=SHORT) as grader:
        yield grader


@pytest.fixture(scope="module")
def lora():
    with grader_of(LORA, limits=SHORT) as grader:
        yield grader


# --- cells -----------------------------------------------------------------------------------------------------------


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
    assert earned(graded) == {e.id: ("right", e.points) for e in checked(LORA)} | {"lora.forward": (TROUBLE[trouble], 0.0)}


def test_what_raises_because_of_another_exercise_is_asked_again_alone(lora):
    answers = chapter.model_answers(places.CHAPTERS / f"{LORA}.md")
    spoil = "    vars(math).pop('sqrt', None)\n    return "
    answers["lora.truncate"] = answers["lora.truncate"].replace("    return ", spoil)
    graded = lora.grade(data(answered(LORA, answers)), seed=1)
    assert earned(graded) == {e.id: ("right", e.points) for e in checked(LORA)}


def test_a_submission_says_how_much_of_a_processor_it_took(lora):
    submitted = data(right(LORA))
    lora.grade(submitted, seed=0)
    begun = time.perf_counter()
    cpu = sorted(lora.grade(submitted, seed=s).cpu for s in range(7))
    assert cpu[0] > 0 and sum(cpu) < 4 * (time.perf_counter() - begun)  # it and the sandbox may use a processor each


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
    assert "Your function raised an IndexError" in feedback.student_message(raised)


def test_a_graded_goes_through_json_and_comes_back_as_it_was(quickstart):
    for body in ("return x", "return x * float('nan')", "x + 's'"):
        answer = f"def lora_forward(x, *a, **k):\n    {body}"
        one = quickstart.grade(with_cells("1 / 0", answer=answer), seed=1)
        again = from_plain(json.loads(json.dumps(to_plain(one), allow_nan=False)))
        assert again == one
        assert type(again.reports[FORWARD].state) is State and again.reports[FORWARD].rows and again.notes
        assert feedback.table_html(again.reports[FORWARD]) == feedback.table_html(one.reports[FORWARD])
