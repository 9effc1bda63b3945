"""docs/hub.md, carried out on a hub: an instructor and two students log in, and an assignment goes out and comes back."""

from __future__ import annotations

import grp
import json
import re
import runpy
import shutil
import sys
from types import SimpleNamespace

import nbformat
import pytest
from traitlets.config import Config

from autograder import places
from autograder.notebooks.cells import with_answers
from autograder.publishing import chapter, release
from hub import Person, hub, proxy_program, said
from mistakes import as_source
from needs import need_sandbox
from students import QUICKSTART, cell_of, checked, mark_cell, misconceptions

pytestmark = pytest.mark.xdist_group("hub")

PAGE = (places.ROOT / "docs" / "hub.md").read_text(encoding="utf-8")
CONFIG = places.ROOT / "install" / "hub" / "jupyterhub_config.py"
NOTEBOOK = f"{QUICKSTART}/{QUICKSTART}.ipynb"
ASSIGNMENT = {"course_id": "finetuning", "assignment_id": QUICKSTART}


@pytest.fixture
def site(tmp_path):
    """The three folders that the hub's settings speak of; the bundle is one chapter's, which is quickly made."""
    site, chapters = tmp_path / "srv", tmp_path / "chapters"
    chapters.mkdir()
    shutil.copy(places.CHAPTERS / f"{QUICKSTART}.md", chapters)
    site.mkdir()
    (site / "course").symlink_to(places.ROOT)
    release.release(site / "handout", chapters)
    (site / "handout" / ".venv").symlink_to(sys.prefix)
    (site / "exchange").mkdir()
    (site / "exchange").chmod(0o777)
    return site


def test_a_whole_round_on_a_hub(site, open_class):
    need_sandbox()
    print(f"The proxy is {proxy_program()}.")
    (exercise,) = checked(QUICKSTART)
    (mistake,) = misconceptions(QUICKSTART).values()
    right = chapter.model_answers(places.CHAPTERS / f"{QUICKSTART}.md")
    answers = {"ada": right, "bob": {exercise.id: as_source(exercise, mistake)}}
    earned = {"ada": exercise.points, "bob": mistake.earns}
    with hub(site, ["ada", "bob"], ["grace"]) as log_in:
        ada, bob, grace = (person.wait() for person in [log_in(name) for name in ("ada", "bob", "grace")])

        # who may what: a student's server finds the checks, and no answer
        do(bob, [f"python -c 'from importlib.util import find_spec; assert {found}'" for found in (
            'find_spec("autograder.checking")', 'not find_spec("autograder.exercises")', 'not find_spec("solutions")',
        )])  # fmt: skip
        assert bob.get("/formgrader/api/assignments").status_code == 404
        shown = json.loads(re.search(r'(?s)id="jupyter-config-data"[^>]*>(.*?)</script>', bob.get("/lab").text)[1])
        assert "@jupyter/nbgrader:formgrader" in shown["disabledExtensions"]
        assert "@jupyter/nbgrader:assignment-list" not in shown["disabledExtensions"]
        for other in (bob, grace):
            assert other.get("/../ada/api/contents").status_code == 403

        # handed out and handed in, as JupyterLab's list of assignments does it
        open_class(site / "home" / "grace" / "class", QUICKSTART)
        build, enter, generate, *commands = typed("course build")
        assert build.startswith("course build") and generate.startswith("nbgrader generate")  # what `open_class` has done
        do(grace, [enter, *commands])
        for student in (ada, bob):
            student.post("/assignments/fetch", **ASSIGNMENT)
            notebook = with_answers(nbformat.from_dict(student.read(NOTEBOOK)), answers[student.name])
            student.save(NOTEBOOK, notebook)
            assert "submitted" in [entry["status"] for entry in student.post("/assignments/submit", **ASSIGNMENT)["value"]]
        do(ada, [f"python -m nbconvert --to notebook --execute --inplace {NOTEBOOK}"])  # in her own kernel
        check = cell_of(nbformat.from_dict(ada.read(NOTEBOOK)), mark_cell(exercise))
        assert f"{exercise.points:g} of {exercise.points:g}" in str(check.outputs)

        # graded, and given back
        do(grace, ["cd class", *typed("nbgrader collect")])
        rows = said(grace.get(f"/formgrader/api/submissions/{QUICKSTART}"))
        assert {row["student"]: row["score"] for row in rows} == earned
        for student in (ada, bob):
            student.post("/assignments/fetch_feedback", **ASSIGNMENT)
            [time] = said(student.get(f"/api/contents/{QUICKSTART}/feedback"))["content"]
            page = student.read(f"{time['path']}/{QUICKSTART}.html")
            assert f"Score: {earned[student.name]:.1f} / {exercise.points:.1f}" in page
            assert (mistake.says[1:40] in page) == (student is bob)


def typed(first: str) -> list[str]:
    """The commands of the page's block that begins with this one."""
    (block,) = [block for block in re.findall(r"(?ms)^```\n(.*?)^```$", PAGE) if block.startswith(first)]
    return [re.sub("^course grade .*", r"\g<0> --workers 1", line) for line in block.splitlines()]


def do(person: Person, commands: list[str]) -> None:
    """Type commands in the person's terminal; each has to succeed."""
    for command, (code, text) in zip(commands, person.type(*commands), strict=True):
        assert code == 0, f"{person.name}: {command}\n{text}"


def test_instructors_are_the_members_of_a_group_of_the_machine(monkeypatch):
    """As The Littlest JupyterHub and as any other machine calls their accounts; without the group there is none."""
    is_instructor = runpy.run_path(str(CONFIG), {"get_config": Config})["is_instructor"]
    monkeypatch.setattr(grp, "getgrnam", lambda _: SimpleNamespace(gr_mem=["jupyter-grace", "alan"]))
    assert [name for name in ("grace", "alan", "ada", "jupyter-alan", "") if is_instructor(name)] == ["grace", "alan"]
    monkeypatch.setattr(grp, "getgrnam", {}.__getitem__)
    assert not is_instructor("grace")
