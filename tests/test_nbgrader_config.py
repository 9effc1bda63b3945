"""The two steps that the course adds to nbgrader's, each on a single cell."""

from __future__ import annotations

import nbformat
import pytest
from nbformat import NotebookNode
from nbgrader.utils import determine_grade

from autograder.nbgrader_config import OnlyScoresCount, ReleasedTags


def output(text: str) -> NotebookNode:
    return nbformat.v4.new_output("execute_result", data={"text/plain": text})


STDERR = nbformat.v4.new_output("stream", name="stderr", text="a warning")
STDOUT = nbformat.v4.new_output("stream", name="stdout", text="3.0")
ERROR = nbformat.v4.new_output("error", ename="NameError", evalue="", traceback=["There is no f yet."])


@pytest.mark.parametrize(("outputs", "mark"), [
    ([output("3.0")], 3.0),
    ([output("0.0")], 0.0),
    ([output("4.0")], 4.0),
    ([STDERR, output("3.0"), STDERR], 3.0),
    ([ERROR], 0.0),
    ([STDERR, ERROR], 0.0),
    ([], 0.0),
    ([STDOUT], 0.0),
    ([output("4.5")], 0.0),
    ([output("-1.0")], 0.0),
    ([output("nan")], 0.0),
    ([output("inf")], 0.0),
    ([output("'full marks'")], 0.0),
    ([output("np.float64(4.0)")], 0.0),
    ([output("1.0"), output("4.0")], 0.0),
])  # fmt: skip
def test_a_check_cell_counts_by_its_score_alone(outputs: list[NotebookNode], mark: float) -> None:
    cell = nbformat.v4.new_code_cell("check('an.exercise', f)", outputs=outputs)
    cell.metadata["nbgrader"] = {"grade": True, "solution": False, "points": 4.0, "grade_id": "an-exercise-check"}
    cell, _ = OnlyScoresCount().preprocess_cell(cell, {}, 0)
    assert determine_grade(cell) == (mark, 4.0)
    assert ERROR not in outputs or ERROR in cell.outputs


@pytest.mark.parametrize(("grade_id", "grade", "tags"), [
    ("demonstration-1234abcd", False, ["demonstration"]),
    ("setup-1234abcd", False, None),
    ("an-exercise-check", True, None),
    ("demonstration-of-skill-check", True, None),
])  # fmt: skip
@pytest.mark.parametrize("handed_in", [None, [], ["demonstration"], "demonstration"])
def test_only_a_demonstration_has_its_tag(grade_id: str, grade: bool, tags: list[str] | None, handed_in: object) -> None:
    cell = nbformat.v4.new_code_cell("1 + 1")
    cell.metadata["nbgrader"] = {"grade": grade, "solution": False, "locked": True, "grade_id": grade_id}
    if handed_in is not None:
        cell.metadata["tags"] = handed_in
    cell, _ = ReleasedTags().preprocess_cell(cell, {}, 0)
    assert cell.metadata.get("tags") == tags
