"""The student bundle works on its own, and says what the full course says."""

import contextlib
import copy
import inspect
import json
import os
import pickle
import re
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest
import torch
from nbformat.v4 import new_code_cell

from autograder import places
from autograder.asking import values
from autograder.asking.probes import call
from autograder.asking.stubs import STUB
from autograder.checking import mark
from autograder.exercises import exercises
from autograder.exercises.drawing import draw
from autograder.exercises.exercise import Exercise
from autograder.judging.trial import PUBLIC_SEED
from autograder.notebooks import cells, execute
from autograder.publishing import chapter, release

pytestmark = pytest.mark.xdist_group("release")

QUICKSTART = places.CHAPTERS / "00_quickstart.md"
IDS = [i for path in chapter.chapter_sources() for i in chapter.exercise_ids(path)]


def python(root, code, *arguments, **options):
    """Run code that can import the packages in `root`, and no others of ours: isolated, from another folder."""
    head = f"root = {str(root)!r}\nimport sys; sys.path.insert(0, root)\n"
    head += "sys.meta_path = [finder for finder in sys.meta_path if 'editable' not in repr(finder).lower()]\n"  # finds our rooms
    head += "import autograder\nassert autograder.__file__.startswith(root), autograder.__file__\n"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    environment |= execute.ENVIRONMENT | {"PYTHONDONTWRITEBYTECODE": "1"}  # the bundle stays as it is
    return subprocess.run([sys.executable, "-IB", "-c", head + code, *map(str, arguments)], cwd="/", text=True,
                          env=environment, capture_output=True, timeout=120, **options)  # fmt: skip


# --- it works --------------------------------------------------------------------------------------------------------

REPLAY = """
from autograder.asking.values import plain, same

def replay(calls):
    left = iter(calls)
    def answer(**given):
        inputs, raised, value, modes = next(left)
        for name in inputs:
            assert same(plain(given[name]), plain(inputs[name]), 1e-4), "other inputs"  # a probe may have computed them
        for name, mode in modes.items():
            given[name].train(mode)
        if raised:
            raise raised
        return value
    return answer

def replayed(records, mark, trial_of):
    said = {}
    for exercise_id, answers in records.items():
        trial = trial_of(exercise_id)
        for name, calls in answers.items():
            said[exercise_id + " " + name] = mark(trial, replay(calls)).text()
    return said
"""
FROM_DATA = """
import json, pickle
from autograder.checking import _public_trial, mark
assert "nbformat" not in sys.modules, "a check reads no notebook, and what can takes a second to load"
with open(sys.argv[1], "rb") as file:
    records = pickle.load(file)
print(json.dumps(replayed(records, mark, _public_trial)))
"""


def record(function, probe, cases):
    """What a function does when it is asked about the public cases, call by call (a probe may ask more than once), so that
    another process, which cannot import it, can do it again. Inputs that a probe builds, such as a generator, are left out; of a
    model it keeps the mode in which it was left."""
    calls = []

    def watched(**given):
        inputs = {name: copy.deepcopy(value) for name, value in given.items() if readable(value)}
        try:
            value = call(function, given)
        except Exception as error:
            calls.append((inputs, type(error)(*map(str, error.args)), None, {}))
            raise
        modes = {name: model.training for name, model in given.items() if isinstance(model, torch.nn.Module)}
        calls.append((inputs, None, value, modes))
        return value

    for case in cases:
        with contextlib.suppress(Exception):
            probe(watched, copy.deepcopy(case["inputs"]))
    return calls


def readable(value):
    try:
        values.plain(value)
    except (values.Unreadable, AttributeError):
        return False
    return True


def untouched(**inputs):
    raise NotImplementedError(STUB)


def test_it_says_what_the_full_course_says(bundle, tmp_path):
    """For every exercise: the right answer, each misconception, and the untouched stub."""
    records, functions = {}, set()
    for exercise_id in (i for i in IDS if isinstance(exercises[i], Exercise)):
        exercise = exercises[exercise_id]
        cases = draw(exercise, PUBLIC_SEED).cases
        answers = {"right": exercise.answer} | {m.name: m.wrong for m in exercise.misconceptions}
        answers["untouched"] = untouched
        if exercise.measured:  # a training cannot be done again call by call: what holds for its trial is in test_measured.py
            answers = {"untouched": untouched}
        records[exercise_id] = {name: record(function, exercise.probe, cases) for name, function in answers.items()}
        if any(inspect.isfunction(value) for _, _, value, _ in records[exercise_id].get("right", ())):  # it cannot be sent either
            records[exercise_id] = {"untouched": record(untouched, exercise.probe, cases)}
            functions.add(exercise_id)
    assert functions <= {"qlora.pager"}  # the only one that may be left out: what is asked for there is a function
    (tmp_path / "records").write_bytes(pickle.dumps(records))
    done = python(bundle, REPLAY + FROM_DATA, tmp_path / "records")
    assert done.returncode == 0, done.stderr
    said, live = json.loads(done.stdout), {}
    exec(REPLAY, live)
    assert said == live["replayed"](records, mark, lambda i: draw(exercises[i], PUBLIC_SEED))
    for exercise_id in records:
        exercise = exercises[exercise_id]
        points = f"of {exercise.points:g} points"
        assert said[f"{exercise_id} untouched"].startswith(f"{exercise_id}: 0 {points}\nNot attempted yet")
        if exercise.measured or exercise_id in functions:
            continue
        assert said[f"{exercise_id} right"].startswith(f"{exercise_id}: {exercise.points:g} {points}\nRight.\n")
        for mistake in exercise.misconceptions:
            text = said[f"{exercise_id} {mistake.name}"]
            assert text.startswith(f"{exercise_id}: {mistake.earns:g} {points}\n") and mistake.says[1:] in text


def test_check_cells_and_course_check_work_in_it(bundle, tmp_path):
    notebook = nbformat.read(bundle / "chapters" / "00_quickstart.ipynb", as_version=4)
    notebook = cells.with_answers(notebook, chapter.model_answers(QUICKSTART))
    notebook.cells.append(new_code_cell(f"import autograder\nassert autograder.__file__.startswith({str(bundle)!r})"))
    nbformat.write(notebook, tmp_path / "00_quickstart.ipynb")
    page = tmp_path / "summary.md"  # what the workflow in a student's repository shows
    done = python(bundle, "from autograder.commands import app; app()", "check", tmp_path, "--summary", page)
    assert done.returncode == 0, done.stdout + done.stderr
    assert page.read_text("utf-8") == (
        "## 00_quickstart\n\n| exercise | points | |\n|---|--:|---|\n| ✓ `quickstart.lora_forward` | 4 of 4 | Right. |\n\n"
        "**In all: 4 of 4 points.**\n"
    )
    assert done.stderr == "" and "\nIn all: 4 of 4 points.\n" in done.stdout and "raises" not in done.stdout


def test_its_help_lists_what_works_there_and_nothing_else(bundle):
    app = "from autograder.commands import app\nfor words in ['--help'], ['build']:\n    try:\n        app(words)\n" \
          "    except SystemExit as end:\n        print('ended with', end.code)\n"  # fmt: skip
    done = python(bundle, app)
    assert re.findall(r"(?m)^│ ([a-z]+) ", done.stdout) == ["lab", "update", "check", "fits"], done.stdout
    assert re.findall("ended with (.)", done.stdout) == ["0", "2"] and "No such command 'build'" in done.stderr


OF_AN_OLDER_RELEASE = """
from pathlib import Path
import nbformat
from autograder import commands
from autograder.notebooks.copies import refresh
commands.WORKBOOK = Path(sys.argv[1])
refresh(commands.CHAPTERS, commands.WORKBOOK)
mine = commands.WORKBOOK / "00_quickstart.ipynb"
notebook = nbformat.read(mine, as_version=4)
[cell] = [cell for cell in notebook.cells if cell.id == "quickstart-lora-forward"]
cell.source, notebook.cells[0]["id"] = "mine = 1", "other"
nbformat.write(notebook, mine)
commands.app(["update", "00", "--yes"])
"""


def test_a_newer_release_gets_the_answers_there(bundle, tmp_path):
    """With what a bundle holds, and nothing else."""
    done = python(bundle, OF_AN_OLDER_RELEASE, tmp_path / "workbook")
    assert "Your answers to bring over: quickstart.lora_forward." in done.stdout, done.stdout + done.stderr
    now = nbformat.read(tmp_path / "workbook" / "00_quickstart.ipynb", as_version=4)
    assert [cell.id for cell in now.cells if cell.source == "mine = 1"] == ["quickstart-lora-forward"]
    assert now.cells[0].id != "other"


def test_course_lab_opens_the_workbook_quietly_without_the_instructors_tools(bundle, tmp_path):
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("JUPYTER", "PYTHON"))}
    environment |= {"HOME": str(tmp_path), "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"), "PYTHONPATH": str(bundle)}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1"}
    log = tmp_path / "log"
    with log.open("w") as out:
        command = [sys.executable, "-m", "autograder.commands", "lab", "--no-browser"]
        server = subprocess.Popen(command, cwd="/", env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + 180
        while not (found := re.search(r"http://127\.0\.0\.1:(\d+)/lab/tree/00_quickstart\.ipynb\?token=(\w+)", log.read_text())):
            assert server.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        address = f"http://127.0.0.1:{found[1]}"

        def get(path):
            request = urllib.request.Request(address + path, headers={"Authorization": f"token {found[2]}"})
            return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30).read().decode()

        page = json.loads(re.search(r'(?s)id="jupyter-config-data"[^>]*>(.*?)</script>', get("/lab"))[1])
        listed = {entry["name"] for entry in json.loads(get("/api/contents"))["content"]}
        updates = json.loads(get("/lab/api/update"))
        with pytest.raises(urllib.error.HTTPError, match="404"):
            get("/formgrader")
    finally:
        server.terminate()
        server.wait(30)
    assert listed == {f"{path.stem}.ipynb" for path in chapter.chapter_sources()}
    assert page["serverRoot"].endswith("/workbook") and page["news"] == {"disabled": True} and updates == {"notification": None}
    hidden = ("assignment-list", "course-list", "create-assignment", "formgrader", "menu")
    assert {f"@jupyter/nbgrader:{name}" for name in hidden} <= set(page["disabledExtensions"])
    lines = [line for line in log.read_text().splitlines() if line.startswith("[") and "404 GET /formgrader" not in line]
    assert all(line.startswith("[C ") for line in lines), lines  # the address, and the end


# --- making it again -------------------------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path):
    """A course of one chapter: enough to see what is replaced."""
    chapters = tmp_path / "chapters"
    chapters.mkdir()
    (chapters / QUICKSTART.name).write_text(QUICKSTART.read_text(encoding="utf-8"), encoding="utf-8")
    return chapters


def test_a_bundle_is_made_anew_and_what_lies_beside_it_stays(small, tmp_path):
    target = tmp_path / "out"
    first = release.release(target, small)
    (target / "workbook").mkdir()
    (target / "workbook" / "00_quickstart.ipynb").write_text("work")
    (target / ".git").mkdir()
    (target / "autograder" / "exercise.py").write_text("from an older release, before it moved")
    (target / "README.md").write_text("old")
    assert release.release(target, small) == first
    assert (target / "workbook" / "00_quickstart.ipynb").read_text() == "work" and (target / ".git").is_dir()
    assert not (target / "autograder" / "exercise.py").exists() and (target / "README.md").read_text() != "old"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".release")] == []


def test_a_folder_with_something_else_is_refused(small, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.jpg").write_text("picture")
    (tmp_path / "file").write_text("a file")
    for target in (tmp_path / "photos", tmp_path / "file", places.ROOT):
        with pytest.raises(FileExistsError, match="something else than a student bundle"):
            release.release(target, small)
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["one.jpg"]
    (tmp_path / "empty").mkdir()
    release.release(tmp_path / "empty", small)
