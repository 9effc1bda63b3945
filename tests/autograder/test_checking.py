"""What `check` shows and returns in a notebook: one table, no stray number, and the report for programs to read."""

from __future__ import annotations

import json
from types import SimpleNamespace

import IPython
import pytest
from IPython.core.formatters import DisplayFormatter

from autograder import check, exercises
from autograder.judging.report import REPORT, Report

MAIN = "quickstart.lora_forward"


@pytest.fixture
def shown(monkeypatch):
    """What a kernel would display."""
    bundles = []
    monkeypatch.setattr(IPython, "get_ipython", lambda: SimpleNamespace(kernel=True, user_ns={}))
    monkeypatch.setattr("IPython.display.display", lambda data, raw: bundles.append(data))
    return bundles


def test_the_score_is_a_number_that_a_notebook_does_not_show(capsys):
    score = check(MAIN, exercises[MAIN].answer)
    assert score == 4.0 and isinstance(score, float) and json.dumps(score) == "4.0"
    data, _ = DisplayFormatter().format(score)
    assert data == {"text/plain": "4.0", "text/html": ""}  # a grader reads the first, a browser shows the second
    assert "4 of 4 points" in capsys.readouterr().out


def test_the_report_comes_along_as_json(shown):
    wrong = exercises[MAIN].misconceptions[0]
    score = check(MAIN, wrong.wrong)
    (bundle,) = shown
    assert set(bundle) == {"text/plain", "text/html", REPORT}
    report = Report.from_dict(json.loads(json.dumps(bundle[REPORT])))
    assert (report.score, report.misconception, report.message) == (score, wrong.name, wrong.says)
    assert report.text() == bundle["text/plain"] and report._repr_html_() == bundle["text/html"]
