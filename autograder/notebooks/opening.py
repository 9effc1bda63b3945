"""Opening JupyterLab on the workbook: this environment's own, quiet, and without a look at the network.

`jupyter/` beside this file is put first on Jupyter's configuration path. It switches off the news and the search for
updates, hides nbgrader's instructor tools, and gives nbgrader's Validate button the course's settings.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import zmq

CONFIGURATION = Path(__file__).resolve().with_name("jupyter")


def lab_command(workbook: Path, browser: bool) -> tuple[list[str], dict[str, str]]:
    """The command line and the environment that start JupyterLab with `workbook` as its root, on the first notebook in it."""
    command = [sys.executable, "-m", "jupyterlab", "--log-level=WARN", f"--ServerApp.root_dir={workbook.resolve()}"]
    first = min((path.name for path in workbook.glob("*.ipynb")), default=None)
    if first:  # the quickstart, not a page of buttons; what was open before opens too
        command.append(f"--LabApp.default_url=/lab/tree/{first}")
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # in a container everybody is root, and JupyterLab would refuse
        command.append("--allow-root")
    if zmq.has("curve"):  # otherwise every kernel complains that its messages are not encrypted
        command.append("--KernelManager.transport_encryption=auto")
    configured = os.pathsep.join([str(CONFIGURATION), *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])])
    # the environment's python3 kernel, not one of the same name that the user installed elsewhere
    environment = dict(os.environ) | {"JUPYTER_CONFIG_PATH": configured, "JUPYTER_PREFER_ENV_PATH": "1"}
    return command if browser else [*command, "--no-browser"], environment


def open_lab(workbook: Path, browser: bool) -> None:
    """Become JupyterLab: this process is replaced, so that Ctrl-C and signals reach the server itself."""
    command, environment = lab_command(workbook, browser)
    sys.stdout.flush()
    os.execve(command[0], command, environment)
