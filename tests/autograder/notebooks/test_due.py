"""When a chapter is due: what a class has said, said again where the student looks."""

import datetime

import pytest

from autograder import check as checking
from autograder.notebooks import due
from solutions.quickstart import lora_forward

WHEN = datetime.datetime(2026, 12, 1, 18, 0, tzinfo=datetime.timezone(datetime.timedelta(hours=1)))


@pytest.fixture
def folder(tmp_path):
    due.write(tmp_path, {"00_quickstart": WHEN, "09_peft_family": WHEN, "02_transfer_learning": WHEN})
    return tmp_path


@pytest.mark.parametrize("chapter", ["00_quickstart", "quickstart", "peft_family", "transfer"])
def test_it_is_said_of_a_chapter_by_its_name_and_its_topic(folder, chapter):
    assert due.sentence(chapter, folder) == "Due on Tuesday, 1 December 2026, 17:00 UTC."


@pytest.mark.parametrize("chapter", ["08_lora", "lora", "trans", "family", "quick"])
def test_nothing_is_said_of_another(folder, chapter):
    assert due.sentence(chapter, folder) == ""


def test_nothing_is_said_where_no_class_has_said_anything(tmp_path):
    assert due.sentence("00_quickstart", tmp_path) == ""


def test_a_check_says_it_below_its_table(folder, monkeypatch, capsys):
    monkeypatch.setattr(due, "CHAPTERS", folder)
    monkeypatch.setattr(due.sentence, "__defaults__", (folder,))
    assert checking("quickstart.lora_forward", lora_forward) == 4
    assert capsys.readouterr().out.endswith("\nDue on Tuesday, 1 December 2026, 17:00 UTC.\n")
