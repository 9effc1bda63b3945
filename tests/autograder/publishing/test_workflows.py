"""The workflow files: what they run is there, and a student's holds no secret."""

import re

import pytest
import yaml

from autograder import places

OURS = places.ROOT / ".github" / "workflows" / "test.yml"
STUDENTS = places.ROOT / "autograder" / "publishing" / "student" / ".github" / "workflows" / "check.yml"


def steps(path):
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    return [step for job in jobs.values() for step in job["steps"]]


@pytest.mark.parametrize(("path", "makefile"), [(OURS, places.ROOT / "Makefile"), (STUDENTS, STUDENTS.parents[2] / "Makefile")])
def test_what_make_is_asked_for_is_a_target(path, makefile):
    asked = re.findall(r"\bmake (\w+)", "\n".join(step.get("run", "") for step in steps(path)))
    targets = re.findall(r"(?m)^(\w+):", makefile.read_text(encoding="utf-8"))
    assert asked and set(asked) <= set(targets)


def test_a_students_workflow_reads_and_no_more():
    text = STUDENTS.read_text(encoding="utf-8")
    assert yaml.safe_load(text)["permissions"] == {"contents": "read"}
    assert "secrets." not in text and "token" not in text.lower()


def test_every_python_that_is_promised_is_tried_on_every_system():
    jobs = yaml.safe_load(OURS.read_text(encoding="utf-8"))["jobs"]
    for job in jobs.values():
        assert job["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    assert jobs["unix"]["strategy"]["matrix"]["os"] == ["ubuntu-latest", "macos-14"] and "windows" in jobs
