"""A student at work: JupyterLab in a real browser, and one notebook open in it.

Needs Chromium and its driver (Debian: `apt install chromium chromium-driver`). Without them its tests are skipped, and say
so; in CI they fail.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from autograder import places
from autograder.notebooks.opening import lab_command
from chromium import chromium

SIZE = 1400, 1800


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    with chromium(*SIZE) as chrome:
        yield chrome


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of notebooks that the students' JupyterLab opens."""
    notebooks = tmp_path_factory.mktemp("lab") / "notebooks"
    notebooks.mkdir()
    for path in places.CHAPTERS.glob("*.ipynb"):
        shutil.copy(path, notebooks)
    return notebooks


@pytest.fixture(scope="module")
def open_notebook(browser: webdriver.Chrome, shelf: Path) -> Iterator[Callable[[str], Student]]:
    """The students' JupyterLab: opens one of the notebooks on the shelf."""
    home = shelf.parent
    runtime, settings = home / "runtime", home / "settings"
    about_news = settings / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    for folder in (runtime, about_news.parent):
        folder.mkdir(parents=True)
    about_news.write_text('{"fetchNews": "false"}')  # a new user is asked, in a box that lies over the page
    command, environment = lab_command(shelf, browser=False)
    token = secrets.token_hex(16)
    command += ["--ip=127.0.0.1", "--port=0", f"--IdentityProvider.token={token}", "--LabApp.expose_app_in_browser=True"]
    environment |= {  # nothing of the user's own set-up gets in
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_RUNTIME_DIR": str(runtime),
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "IPYTHONDIR": str(home / "ipython"),
    }
    with (home / "lab.log").open("w") as log:
        server = subprocess.Popen(command, cwd=home, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        address = _address(server, runtime, home / "lab.log")
        page = address + "lab/workspaces/{0}/tree/{0}.ipynb?token=" + token
        yield lambda name: Student(browser, page.format(Path(name).stem), name)
    finally:
        server.terminate()  # its kernels end with it
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()


def _address(server: subprocess.Popen, runtime: Path, log: Path) -> str:
    """The server's address, which it writes into a file once it listens."""
    note, deadline = runtime / f"jpserver-{server.pid}.json", time.monotonic() + 180
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
            return json.loads(note.read_text())["url"]
        time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()}")


# --- a student at work -----------------------------------------------------------------------------------------------

PAGE = """
const panel = window.jupyterapp && window.jupyterapp.shell.currentWidget;
const notebook = panel && panel.context && panel.context.isReady ? panel.content : null;
const at = id => notebook.widgets.findIndex(c => (c.model.getMetadata('nbgrader') || {}).grade_id === id);
const kernel = panel && panel.sessionContext && panel.sessionContext.session && panel.sessionContext.session.kernel;
"""


class Student:
    """Reads and types in one open notebook. Cells are named by their nbgrader id."""

    def __init__(self, browser: webdriver.Chrome, address: str, name: str) -> None:
        self.browser = browser
        browser.get(address)
        self.wait("notebook && panel.context.path === arguments[0] && notebook.widgets.length", name, name)
        self.wait("kernel && kernel.status === 'idle'", "its kernel")

    def page(self, script: str, *arguments: Any) -> Any:
        return self.browser.execute_script(PAGE + script, *arguments)

    def wait(self, condition: str, for_what: str, *arguments: Any, seconds: float = 180) -> None:
        WebDriverWait(self.browser, seconds, poll_frequency=0.1).until(
            lambda _: self.page(f"return Boolean({condition});", *arguments), f"waited {seconds} s for {for_what}"
        )

    def select(self, cell: str) -> None:
        """Scroll to a cell and click beside it."""
        self.page("return notebook.scrollToItem(at(arguments[0]), 'center');", cell)
        self.wait("at(arguments[0]) >= 0 && notebook.widgets[at(arguments[0])].isAttached", f"cell {cell}", cell)
        prompt = self.page("return notebook.widgets[at(arguments[0])].node.querySelector('.jp-InputPrompt');", cell)
        prompt.click()
        self.wait("notebook.activeCellIndex === at(arguments[0])", f"cell {cell} to become active", cell)

    def run(self, cell: str) -> None:
        """Shift+Enter, and wait until the cell has run."""
        self.select(cell)
        before = self.page("return notebook.widgets[at(arguments[0])].model.executionCount;", cell)
        ActionChains(self.browser).key_down(Keys.SHIFT).send_keys(Keys.ENTER).key_up(Keys.SHIFT).perform()
        self.wait(
            "(m => m.executionCount && m.executionCount !== arguments[1] && m.executionState !== 'running')"
            "(notebook.widgets[at(arguments[0])].model) && kernel.status === 'idle'",
            f"cell {cell} to run", cell, before,
        )  # fmt: skip
        self.wait(
            "(c => (shown => shown.length === c.model.outputs.length"
            " && shown.every((o, i) => o.innerText.trim() || o.querySelector('img')"
            " || c.model.outputs.get(i).data['text/html'] === ''))"  # the score, which a notebook does not show
            "([...c.outputArea.node.querySelectorAll('.jp-OutputArea-output')]))(notebook.widgets[at(arguments[0])])",
            f"what cell {cell} gave to be drawn", cell,
        )  # fmt: skip

    def type_over(self, cell: str, line: str, text: str) -> None:
        """Replace the line that begins with `line` by typing `text` on the keyboard."""
        self.select(cell)
        ActionChains(self.browser).send_keys(Keys.ENTER).perform()  # into the editor
        self.wait("notebook.mode === 'edit' && notebook.activeCell.editor.hasFocus()", "the editor")
        self.page(
            "const lines = notebook.activeCell.model.sharedModel.getSource().split('\\n');"
            "const row = lines.findIndex(l => l.trim().startsWith(arguments[0]));"
            "const start = {line: row, column: lines[row].length - lines[row].trimStart().length};"
            "notebook.activeCell.editor.setSelection({start, end: {line: row, column: lines[row].length}});",
            line,
        )
        ActionChains(self.browser).send_keys(text).perform()
        self.wait(
            "notebook.activeCell.model.sharedModel.getSource().split('\\n').some(l => l.trim() === arguments[0])",
            f"{text!r} to stand in the cell", text, seconds=10,
        )
        ActionChains(self.browser).send_keys(Keys.ESCAPE).perform()

    def reads(self, cell: str) -> str:
        """The text below a cell."""
        return self.page("return notebook.widgets[at(arguments[0])].outputArea.node.innerText;", cell)

    def rows(self, cell: str) -> list[list[str]]:
        """The table below a cell: for each row the part it names, its class and its colour on the screen."""
        return self.page(
            "return [...notebook.widgets[at(arguments[0])].outputArea.node.querySelectorAll('tr')].map(row =>"
            "[row.cells[0].innerText.slice(2), row.className, getComputedStyle(row).backgroundColor]);", cell,
        )

    def picture(self, cell: str, path: str) -> None:
        """Photograph the notebook with the answer to this check, the check, and what it said: 1200 by 620 points."""
        self.browser.set_window_size(1200, 900)
        self.page("window.jupyterapp.shell.collapseLeft(); window.jupyterapp.shell.collapseRight();")
        self.page("notebook.activeCellIndex = at(arguments[0]);", cell)
        width, height = self.page("return [panel.node.offsetWidth, panel.node.offsetHeight];")
        self.browser.set_window_size(1200 + 1200 - width, 900 + 620 - height)
        self.wait("panel.node.offsetWidth === 1200 && panel.node.offsetHeight === 620", "the window", seconds=10)
        self.page("notebook.widgets[at(arguments[0]) - 2].node.scrollIntoView({block: 'start'});", cell)
        self.page("return panel.node;").screenshot(path)
        self.browser.set_window_size(*SIZE)
