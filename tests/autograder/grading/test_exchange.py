"""nbgrader's exchange, for real: released, fetched, answered, submitted, collected, graded, and the feedback fetched."""

from __future__ import annotations

import nbformat
import pytest
from nbgrader.exchange.default import fetch_feedback, submit

from autograder import places
from autograder.notebooks.cells import with_answers
from autograder.publishing import chapter
from classes import course, nbgrader
from mistakes import as_source
from needs import need_sandbox
from students import QUICKSTART, checked, misconceptions

pytestmark = pytest.mark.xdist_group("grading")


def test_a_whole_round_through_the_exchange(tmp_path, monkeypatch, open_class):
    need_sandbox()
    exchange = tmp_path / "exchange"
    exchange.mkdir()
    exchange.chmod(0o777)
    folder = open_class(tmp_path / "class", QUICKSTART)
    shared = f"\nc.Exchange.root = {str(exchange)!r}\nc.CourseDirectory.course_id = 'finetuning'\n"
    with (folder / "nbgrader_config.py").open("a") as file:
        file.write(shared)
    nbgrader(folder, "release_assignment", QUICKSTART)

    def become(student, home):
        """nbgrader asks the system who it runs for; here that is one and the same."""
        for module in (submit, fetch_feedback):
            monkeypatch.setattr(module, "get_username", lambda: student)
        monkeypatch.setenv("HOME", str(home))

    (exercise,) = checked(QUICKSTART)
    (mistake,) = misconceptions(QUICKSTART).values()
    source = places.CHAPTERS / f"{QUICKSTART}.md"
    answers = {"ada": chapter.model_answers(source), "bob": {exercise.id: as_source(exercise, mistake)}}
    for student, answer in answers.items():
        home = tmp_path / student
        home.mkdir()
        (home / "nbgrader_config.py").write_text(f"c = get_config()\n{shared}")
        become(student, home)
        nbgrader(home, "fetch_assignment", QUICKSTART)
        path = home / QUICKSTART / f"{QUICKSTART}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        nbformat.write(with_answers(notebook, answer), path)
        nbgrader(home, "submit", QUICKSTART)
    nbgrader(folder, "collect", QUICKSTART)
    assert sorted(path.name for path in (folder / "submitted").iterdir()) == ["ada", "bob"]
    course(folder, "grade", QUICKSTART, "--workers", "1")
    nbgrader(folder, "generate_feedback", QUICKSTART)
    nbgrader(folder, "release_feedback", QUICKSTART)
    for student, points in (("ada", exercise.points), ("bob", mistake.earns)):
        home = tmp_path / student
        become(student, home)
        nbgrader(home, "fetch_feedback", QUICKSTART)
        [page] = home.rglob("*.html")
        text = page.read_text(encoding="utf-8")
        assert f"Score: {points:.1f} / {exercise.points:.1f}" in text
        assert (mistake.says[1:40] in text) == (student == "bob")
