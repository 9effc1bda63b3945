"""Executing notebooks: this Python and nothing of the user's, no network, and every way a cell can go wrong."""

import json
import os
import socket
import sys
import threading
import time

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from autograder import places
from autograder.notebooks.cells import check_cells, with_answers
from autograder.notebooks.execute import CellError, run_many, run_notebook

pytestmark = pytest.mark.xdist_group("execute")

GRADED = {"grade": True, "solution": False, "locked": True, "grade_id": "x", "points": 1, "schema_version": 3, "task": False}


def notebook(*sources, tags=()):
    cells = [new_code_cell(source) for source in sources]
    for index in tags:
        cells[index].metadata["tags"] = ["demonstration"]
    return new_notebook(cells=cells)


THREAD = """import threading
caught = []
def reach():
    try:
        socket.create_connection(("192.0.2.1", 80), 1)
    except OSError as error:
        caught.append(str(error))
t = threading.Thread(target=reach)
t.start()
t.join()
caught"""


def value(run, index):
    return next(o.data["text/plain"] for o in run.notebook.cells[index].outputs if o.output_type == "execute_result")


@pytest.fixture(scope="module")
def listener():
    """A server on this machine that would answer if the network were asked: nothing may be refused to it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture(scope="module")
def offline(listener):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # a way out through this very machine
        patch.setenv("HF_HUB_OFFLINE", "0")
        return run_notebook(notebook(
            'import socket, urllib.request\nsocket.create_connection(("example.com", 80), 1)',
            'socket.socket().connect(("192.0.2.1", 80))',
            'socket.socket(socket.AF_INET6).connect_ex(("2001:db8::1", 80))',
            'import _socket\n_socket.socket().connect(("192.0.2.1", 80))',
            'socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 53))',
            'socket.gethostbyname("example.com")',
            'urllib.request.urlopen("https://example.com", timeout=1)',
            'import importlib; importlib.reload(socket); socket.create_connection(("192.0.2.1", 80), 1)',
            THREAD,
            f'socket.create_connection(("127.0.0.1", {listener}), 5).close()\n'
            f'socket.create_connection(("localhost", {listener}), 5).close()\nleft, right = socket.socketpair(); "reached"',
            "import os; os.environ['HF_HUB_OFFLINE'], os.environ.get('HTTPS_PROXY')",
            'sorted(name for name in dir() if name[0] not in "_0")',
        ))  # fmt: skip


@pytest.mark.parametrize("cell", range(8))
def test_without_the_network_every_way_out_is_refused_with_a_sentence(offline, cell):
    errors = [error for error in offline.errors if error.index == cell]
    assert len(errors) == 1 and "the network is refused here, and something asked for" in errors[0].message


def test_without_the_network_threads_are_refused_too_and_this_machine_is_not(offline):
    assert "the network is refused here" in value(offline, 8)
    assert value(offline, 9) == "'reached'"
    assert value(offline, 10) == "('1', None)"
    assert [error.index for error in offline.errors] == list(range(8))


def test_refusing_the_network_leaves_no_name_behind(offline):
    mine = {"socket", "urllib", "importlib", "threading", "caught", "reach", "t", "left", "right", "os"}
    assert set(eval(value(offline, 11))) - mine == {"In", "Out", "exit", "get_ipython", "open", "quit"}


@pytest.fixture(scope="module")
def isolated(tmp_path_factory):
    """A run while everything of the user's tries to get in; with the network, to tell the two apart."""
    home = tmp_path_factory.mktemp("home")
    kernel = home / "share" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text(json.dumps({"argv": ["false"], "display_name": "not this one", "language": "python"}))
    startup = home / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("from_startup = 1")
    (home / "start.py").write_text("from_pythonstartup = 1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(home / "share"))
        patch.setenv("IPYTHONDIR", str(home / "ipython"))
        patch.setenv("PYTHONSTARTUP", str(home / "start.py"))
        patch.setenv("MPLBACKEND", "no_such_backend")
        patch.setenv("OMP_NUM_THREADS", "7")
        patch.setenv("https_proxy", "http://127.0.0.1:9")
        return run_notebook(notebook(
            "import os, sys; sys.executable",
            "import autograder; autograder.__file__",
            '[name for name in dir() if name.startswith("from_")]',
            'os.environ["MPLBACKEND"], os.environ["OMP_NUM_THREADS"], os.environ.get("https_proxy"), os.listdir()',
            "raise SystemError('demonstrations are skipped')",
            "import socket\ntry:\n    socket.getaddrinfo('name.invalid', 80)\nexcept OSError as e:\n    said = str(e)\nsaid",
            tags=[4],
        ), skip_demonstrations=True, offline=False)  # fmt: skip


def test_the_kernel_is_this_python_with_this_course(isolated):
    assert eval(value(isolated, 0)) == sys.executable
    assert eval(value(isolated, 1)) == str(places.ROOT / "autograder" / "__init__.py")


def test_nothing_of_the_users_gets_in(isolated):
    assert value(isolated, 2) == "[]"
    assert eval(value(isolated, 3)) == ("module://matplotlib_inline.backend_inline", "1", "http://127.0.0.1:9", [])


def test_demonstrations_can_be_skipped_and_the_network_allowed(isolated):
    assert isolated.errors == [] and 'SystemError' not in isolated.notebook.cells[4].source and 5 in isolated.cell_seconds
    assert "refused" not in value(isolated, 5)


def test_a_run_goes_on_after_errors_and_loops_and_reads_stderr():
    given = notebook(
        "import sys, warnings\nprint('out')\nprint('to stderr', file=sys.stderr)\nwarnings.warn('careful')",
        "1 / 0", "while True: pass", "import time; time.sleep(0.5); 'still here'", "def f(:",
    )  # fmt: skip
    run = run_notebook(given, timeout=4)
    assert [(e.index, e.name) for e in run.errors] == [(1, "ZeroDivisionError"), (2, "TimeoutError"), (4, "SyntaxError")]
    assert run.errors[1] == CellError(2, "TimeoutError", "this cell was stopped after 4 seconds: look for a loop that never ends")
    assert run.stderr.startswith("to stderr\n") and "careful" in run.stderr and "out" not in run.stderr.split("\n")
    assert value(run, 3) == "'still here'"
    assert 0.5 <= run.cell_seconds[3] < 4 <= run.cell_seconds[2] < run.seconds
    assert all("outputs" in cell and not cell.outputs for cell in given.cells)  # a copy was executed


def test_a_dying_kernel_ends_its_run_and_no_other():
    done, cells, me = [], [], threading.get_ident
    notebooks = {"dies": notebook("1", "import os; os._exit(3)", "2"), "lives": notebook("3")}
    runs = run_many(notebooks, 2, on_done=lambda name, run: done.append(name), on_cell=lambda: cells.append(me()))
    assert list(runs) == ["dies", "lives"] and sorted(done) == ["dies", "lives"]
    assert [(e.index, e.name) for e in runs["dies"].errors] == [(1, "DeadKernel")]
    assert runs["lives"].errors == [] and value(runs["lives"], 0) == "3"
    assert len(cells) == 3 and len(set(cells)) == 2  # the cells that were reached, side by side


def test_ctrl_c_ends_every_kernel():
    def press(name, run):
        raise KeyboardInterrupt

    slow, started = notebook("import time; time.sleep(60)"), time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        run_many({"quick": notebook("import time; time.sleep(1)"), "slow": slow, "next": slow, "last": slow}, 2, on_done=press)
    assert time.perf_counter() - started < 30
    assert not [thread for thread in threading.enumerate() if "ThreadPool" in thread.name]
    assert not _children_that_are_kernels()


def _children_that_are_kernels():
    if not os.path.isdir("/proc"):
        return []
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as stat, open(f"/proc/{pid}/cmdline") as command:
                if int(stat.read().rsplit(")", 1)[1].split()[1]) == os.getpid() and "ipykernel_launcher" in command.read():
                    found.append(pid)
        except OSError:
            continue
    return found


def test_check_cells_are_found_by_what_they_check():
    cells = [
        new_code_cell('check("lora.merge", lora_merge)'),  # the student's own, above the one with the marks
        new_code_cell("check('lora.merge',\tlora_merge)\n", metadata={"nbgrader": GRADED}),
        new_code_cell("check('lora.merge', lora_merge)"),
        new_markdown_cell('check("lora.forward", lora_forward)'),
        new_code_cell('score = check("lora.forward", lora_forward)'),  # returns nothing
        new_code_cell('check("lora.gradient", a)\n1'),  # returns something else
        new_code_cell('check("lora.truncate", a)'),
        new_code_cell('check("lora.truncate", b)'),
    ]
    assert check_cells(new_notebook(cells=cells)) == {"lora.merge": 1, "lora.truncate": 7}


def test_answers_go_into_their_cells_and_nowhere_else():
    cells = [new_code_cell("stub", metadata={"nbgrader": {"grade_id": "lora-multi-task-ratio"}}), new_code_cell("other")]
    given = new_notebook(cells=cells)
    answered = with_answers(given, {"lora.multi_task_ratio": "answer"})
    assert [cell.source for cell in answered.cells] == ["answer", "other"] and given.cells[0].source == "stub"
    with pytest.raises(KeyError, match="no cell to answer 'lora.merge' in"):
        with_answers(given, {"lora.merge": "answer"})
