"""nbgrader's configuration for this course. `build/class/nbgrader_config.py` loads it; so does the build itself.

Demonstrations show an effect and take their time; no exercise depends on one. So nothing that grades or validates runs
them: nbgrader's executor, which Validate uses, skips the cells that carry their tag.

On a hub the hub's settings say where nbgrader's exchange is, in the environment of everybody's server.

`nbgrader autograde` does not use that executor: student code runs in the sandbox and is judged outside of it, as with
`course grade`. On a machine without a sandbox, `c.GradeBehindTheWall.sandboxed = False` is the instructor's own choice.
"""

from __future__ import annotations

import os
from pathlib import Path

import nbgrader
from traitlets.config import Config

from autograder.asking.stubs import STUB, TEXT_STUB

DEMONSTRATION = "demonstration"
PAGES = Path(__file__).parent / "grading" / "pages"


def settings(c: Config) -> None:
    """Put the course's settings into a traitlets config object."""
    c.CourseDirectory.course_id = "finetuning"
    if exchange := os.environ.get("COURSE_EXCHANGE"):
        c.Exchange.root = exchange
    c.ClearSolutions.code_stub = {"python": f'raise NotImplementedError("{STUB}")'}
    c.ClearSolutions.text_stub = TEXT_STUB
    c.Execute.skip_cells_with_tag = DEMONSTRATION
    c.Execute.timeout = 120  # seconds a cell; nbgrader's 30 can pass while a busy machine imports torch
    theirs = Path(nbgrader.__file__).parent / "server_extensions" / "formgrader" / "templates"
    c.HTMLExporter.extra_template_basedirs = [str(PAGES), str(theirs)]  # feedback fetches nothing
    c.TemplateExporter.filters = {"markdown2html": "autograder.grading.inert.markdown"}  # feedback and formgrader: nothing active
    c.Autograde.sanitize_preprocessors = ["nbgrader.preprocessors.ClearOutput"]  # the rest is taken from the release
    c.Autograde.autograde_preprocessors = [
        "autograder.grading.nbgrader_step.GradeBehindTheWall",
        "nbgrader.preprocessors.SaveAutoGrades",
        "nbgrader.preprocessors.AssignLatePenalties",
    ]


if "get_config" in globals():  # nbgrader runs configuration files with this function in their namespace
    settings(get_config())  # type: ignore[name-defined]  # noqa: F821
