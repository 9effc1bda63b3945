"""Executing notebooks: a fresh kernel of this very Python, one thread, and everything that happened as data.

Nothing of the user's own set-up gets in: no other `python3` kernel, no IPython profile, no start-up file, no plotting
backend. `run_many` runs several notebooks at once, each in a kernel process of its own.
"""

from __future__ import annotations

import atexit
import copy
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zmq
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError
from nbformat import NotebookNode

from autograder.judging.report import REPORT
from autograder.notebooks.cells import check_cells
from autograder.notebooks.names import without_demonstrations
from autograder.places import ROOT  # the kernel imports the same course as this process

ENVIRONMENT = {
    "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "COURSE_THREADS": "1", "TOKENIZERS_PARALLELISM": "false",
    "COURSE_CACHE": "off",  # what a chapter says is computed in this run, not remembered from an earlier one
    "HF_HUB_OFFLINE": "1", "MPLBACKEND": "module://matplotlib_inline.backend_inline",
}
_TIMED_OUT = "TimedOut"
_running: set[AsyncKernelManager] = set()


@dataclass(frozen=True)
class CellError:
    """An exception that a cell ended in. `index` counts all cells of the notebook from 0."""

    index: int
    name: str
    message: str


@dataclass
class Run:
    """One execution of a notebook. Reports and tables are those of the check cells, by exercise id.

    A report is a `judging.report.Report` as a dict.
    """

    notebook: NotebookNode
    seconds: float = 0.0  # all of it, with the start of the kernel
    cell_seconds: dict[int, float] = field(default_factory=dict)
    errors: list[CellError] = field(default_factory=list)
    stderr: str = ""
    reports: dict[str, dict[str, Any]] = field(default_factory=dict)
    tables: dict[str, str] = field(default_factory=dict)  # HTML

    @property
    def scores(self) -> dict[str, float]:
        """The points of every exercise whose check said something."""
        return {exercise_id: report["score"] for exercise_id, report in self.reports.items()}


def run_notebook(notebook: NotebookNode, *, skip_demonstrations: bool = False, offline: bool = True, timeout: int = 300,
                 folder: Path | None = None, on_cell: Callable[[], None] = lambda: None) -> Run:
    """Execute a copy of `notebook` from the first cell to the last, going on after cells that raise.

    Args:
        skip_demonstrations: run nothing of them but the import statements that the student's cells lean on.
        offline: refuse every connection and name look-up outside this machine (see `no_network`).
        timeout: seconds a cell. A longer one is interrupted; when that does not help, the run ends there.
        folder: the working directory; an empty one, removed afterwards, when None.
        on_cell: called before each cell.
    """
    notebook = without_demonstrations(notebook) if skip_demonstrations else copy.deepcopy(notebook)
    run, started, begun = Run(notebook), time.perf_counter(), {}

    def start(cell: NotebookNode, cell_index: int) -> None:
        begun[cell_index] = time.perf_counter()

    def stop(cell: NotebookNode, cell_index: int, execute_reply: dict[str, Any]) -> None:
        run.cell_seconds[cell_index] = time.perf_counter() - begun[cell_index]
        reply = execute_reply["content"]
        shown = [output for output in cell.outputs if output.output_type == "error"]
        if reply.get("ename") == _TIMED_OUT:
            cell.outputs = [output for output in cell.outputs if output not in shown] + [_timed_out(timeout)]
        elif reply["status"] == "error" and not shown:  # raised, but not displayed
            cell.outputs.append(_error(reply["ename"], reply["evalue"]))

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        (Path(place) / "empty").mkdir()
        secret = "auto" if zmq.has("curve") else "disabled"  # unencrypted, the kernel complains
        manager = AsyncKernelManager(kernel_spec_manager=_ThisPython(offline), transport_encryption=secret)
        client = NotebookClient(
            run.notebook, km=manager, timeout=timeout, allow_errors=True, coalesce_streams=True, record_timing=False,
            interrupt_on_timeout=True, error_on_timeout={"ename": _TIMED_OUT}, iopub_timeout=10, raise_on_iopub_timeout=True,
            on_cell_start=lambda **_: on_cell(), on_cell_execute=start, on_cell_executed=stop,
        )
        _clear_outputs(run.notebook)
        _running.add(manager)
        try:
            client.execute(cleanup_kc=True, env=_environment(Path(place), offline), cwd=str(folder or Path(place) / "empty"))
        except CellTimeoutError:  # it swallowed the interrupt
            run.notebook.cells[max(begun)].outputs.append(_timed_out(timeout))
        except RuntimeError as error:  # nbclient says so when the kernel dies, at its start too
            run.errors.append(CellError(max(begun, default=0), "DeadKernel", f"the Python process ended here ({error})"))
        finally:
            _running.discard(manager)
            atexit.unregister(client._cleanup_kernel)  # nbclient forgets to when the kernel dies at its start
    run.seconds = time.perf_counter() - started
    _collect(run)
    return run


def run_many(notebooks: Mapping[str, NotebookNode], workers: int, on_done: Callable[[str, Run], None] = lambda name, run: None,
             **how: Any) -> dict[str, Run]:
    """Execute several notebooks, `workers` at a time, and return their runs in the given order. Ctrl-C ends all kernels."""
    runs: dict[str, Run] = {}
    with ThreadPoolExecutor(workers) as pool:
        names = {pool.submit(run_notebook, notebook, **how): name for name, notebook in notebooks.items()}
        try:
            for future in as_completed(names):
                runs[names[future]] = future.result()
                on_done(names[future], future.result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            while not all(future.done() for future in names):  # again and again: a kernel may be about to start
                for manager in list(_running):
                    if getattr(manager.provisioner, "process", None):
                        manager.provisioner.process.kill()
                time.sleep(0.1)
            raise
    return {name: runs[name] for name in notebooks}


class _ThisPython(KernelSpecManager):
    """Knows one kernel, the Python that runs this, whatever kernels are installed for the user."""

    def __init__(self, offline: bool):
        super().__init__()
        code = f"exec(compile(open({str(Path(__file__).with_name('no_network.py'))!r}).read(), 'no_network.py', 'exec'), {{}})"
        self._spec = get_kernel_dict([f"--IPKernelApp.exec_lines={code}"] if offline else None)

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(**self._spec)


def _environment(place: Path, offline: bool) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONSTARTUP"}
    if offline:  # a proxy on this machine would be a way out
        kept = {key: value for key, value in kept.items() if not key.lower().endswith("_proxy")}
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return kept | ENVIRONMENT | {"IPYTHONDIR": str(place / "ipython"), "PYTHONPATH": path}


def _clear_outputs(notebook: NotebookNode) -> None:
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None


def _error(name: str, message: str) -> NotebookNode:
    return NotebookNode(output_type="error", ename=name, evalue=message, traceback=[f"{name}: {message}"])


def _timed_out(seconds: int) -> NotebookNode:
    return _error("TimeoutError", f"this cell was stopped after {seconds} seconds: look for a loop that never ends")


def _collect(run: Run) -> None:
    """Read errors, stderr and what the check cells said out of the executed notebook."""
    for index, cell in enumerate(run.notebook.cells):
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                run.errors.append(CellError(index, output.ename, output.evalue))
            elif output.output_type == "stream" and output.name == "stderr":
                run.stderr += output.text
    run.errors.sort(key=lambda error: error.index)
    for exercise_id, index in check_cells(run.notebook).items():
        for output in run.notebook.cells[index].get("outputs", []):
            data = output.get("data", {})
            if data.get(REPORT, {}).get("id") == exercise_id:
                run.reports[exercise_id], run.tables[exercise_id] = data[REPORT], data.get("text/html", "")


__all__ = ["CellError", "Run", "run_many", "run_notebook"]
