"""Every chapter that exists, in three states: with the model answers, as handed out, and with each misconception put in.

Chapters are found by globbing: a new one is tested by being there. The first state runs every cell, demonstrations too, with
every way to the network refused; the second runs what grading runs. One execution of each serves all the tests that read it.
"""

import functools
import resource
import time

import numpy as np
import pytest
import torch

from autograder import check, exercises, grade
from autograder.exercises.exercise import Exercise, Written
from autograder.exercises.validating import RUNS
from autograder.notebooks.execute import run_notebook
from autograder.places import CHAPTERS
from autograder.publishing import build
from autograder.publishing.chapter import chapter_sources, exercise_ids, source_notebook, student_notebook
from autograder.publishing.web import executed

SOURCES = chapter_sources()
IDS = [path.stem for path in SOURCES]
SELF_GRADING = [(path, i) for path in SOURCES for i in exercise_ids(path) if isinstance(exercises[i], Exercise)]
MISTAKES = [(i, m.name) for _, i in SELF_GRADING for m in exercises[i].misconceptions]
SECONDS = 90  # what a chapter may take on one processor, alone
# A processor's second is worth less while another process uses the memory beside it: chapter 06 took 50 of them alone, and 84 and
# 89 in runs of all tests on two processes. Whether it is 90 alone, `course run --workers 1` says.
BESIDE_ANOTHER = 1.5


def _chapters(test):
    """Run a test for each chapter, all of a chapter's on the same worker, so that its execution is shared."""
    params = [pytest.param(path, id=path.stem, marks=pytest.mark.xdist_group(path.stem)) for path in SOURCES]
    return pytest.mark.parametrize("path", params)(test)


@functools.cache
def with_answers(path):
    """The run, and the seconds of one processor that it took: other work on this machine is not the chapter's.

    It is kept for the web edition, which then need not execute the chapter again.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = run_notebook(source_notebook(path))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    executed.keep(executed.KEPT, path, run)
    return run, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@functools.cache
def as_handed_out(path):
    return run_notebook(student_notebook(path), skip_demonstrations=True)


def test_the_globbing_finds_chapters():
    assert {"00_quickstart", "08_lora"} <= set(IDS)


@_chapters
def test_with_the_model_answers_every_cell_runs_and_every_mark_is_full(path):
    run, _ = with_answers(path)
    assert run.errors == []
    assert run.stderr == ""
    assert run.scores == {i: e.points for i in exercise_ids(path) if isinstance(e := exercises[i], Exercise)}


@_chapters
def test_a_chapter_stays_within_its_time(path):
    _, seconds = with_answers(path)
    assert 1 < seconds <= SECONDS * BESIDE_ANOTHER  # less than one would mean that the kernel's time was not counted


@_chapters
def test_as_handed_out_nothing_is_earned_and_nothing_breaks(path):
    """No demonstration is run here, so this also shows that no exercise depends on one."""
    run = as_handed_out(path)
    assert run.errors == []
    assert run.stderr == ""
    assert set(run.scores.values()) == {0.0}
    assert {report["state"] for report in run.reports.values()} == {"not attempted"}


@pytest.mark.parametrize(("exercise_id", "name"), MISTAKES, ids=[f"{i}-{n}" for i, n in MISTAKES])
def test_each_misconception_earns_its_marks_and_reads_its_sentence(exercise_id, name):
    exercise = exercises[exercise_id]
    mistake = next(m for m in exercise.misconceptions if m.name == name)
    for seed in [RUNS] if exercise.measured else (20, 21):  # whatever inputs a grader draws; seeds below these: test_validating
        report = grade(exercise_id, mistake.wrong, seed)
        assert report.score == mistake.earns
        if exercise.measured:
            assert report.message.startswith(mistake.says)
        else:
            assert (report.misconception, report.message) == (name, mistake.says)


@pytest.mark.parametrize("exercise_id", [i for _, i in SELF_GRADING])
def test_the_model_answer_is_right_for_any_seed_and_no_two_mistakes_read_alike(exercise_id):
    exercise = exercises[exercise_id]
    for seed in range(RUNS, 4) if exercise.measured else range(20, 26):
        assert grade(exercise_id, exercise.answer, seed).state == "right"
    sentences = [m.says for m in exercise.misconceptions]
    assert exercise.measured or len(set(sentences)) == len(sentences)


def _as(kind, value):
    """The same right value, as a student who works with another tool would return it."""
    if isinstance(value, tuple):
        return tuple(_as(kind, item) for item in value)
    if isinstance(value, torch.Tensor):
        kinds = {"NumPy": value.numpy(), "lists": value.tolist(), "float64": value.double(), "bound to a graph": value + LEAF}
        return kinds[kind]
    if isinstance(value, (int, float)):
        graph = value + LEAF.double()
        return {"NumPy": np.float64(value), "lists": [value], "float64": float(value), "bound to a graph": graph}[kind]
    return value


LEAF = torch.zeros((), requires_grad=True)


@pytest.mark.parametrize("kind", ["NumPy", "lists", "float64", "bound to a graph"])
@pytest.mark.parametrize("exercise_id", [i for _, i in SELF_GRADING if not exercises[i].measured])
def test_a_right_answer_is_right_whatever_it_is_made_with(exercise_id, kind):
    exact = exercises[exercise_id].answer
    report = grade(exercise_id, lambda **inputs: _as(kind, exact(**inputs)), seed=7)
    assert (report.state, report.score) == ("right", report.points)


@pytest.mark.parametrize("exercise_id", [i for _, i in SELF_GRADING])
def test_a_check_answers_within_a_second(exercise_id, capsys):
    exercise = exercises[exercise_id]
    own = exercise.seconds > Exercise.seconds  # one that declares a longer time of its own may take a fifth of it
    begun = time.process_time()
    check(exercise_id, exercise.answer)
    assert time.process_time() - begun < (exercise.seconds / 5 if own else 1)
    assert "Right." in capsys.readouterr().out


@pytest.mark.parametrize("path", [p for p in SOURCES if p.stem != "00_quickstart"], ids=lambda p: p.stem)
def test_a_chapter_has_a_written_answer_with_a_rubric(path):
    written = [exercises[i] for i in exercise_ids(path) if isinstance(exercises[i], Written)]
    assert written
    for question in written:
        assert question.question and len(question.answer().split()) > 40 and len(question.rubric) >= 3


def test_no_copy_is_stale():
    assert build.stale() == []


def test_a_missing_copy_and_one_without_a_source_are_named(tmp_path, monkeypatch):
    """What is stale or edited by hand: tests/autograder/publishing/test_edits.py."""
    monkeypatch.setattr(build, "check_exercises", lambda: None)  # it has a test for each of them
    source = CHAPTERS / "00_quickstart.md"
    (tmp_path / source.name).write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    assert [c.split(":")[0] for c in build.stale(tmp_path)] == [str(tmp_path / "00_quickstart.ipynb")]  # missing
    build.build(tmp_path)
    assert build.stale(tmp_path) == []
    (tmp_path / "07_gone.ipynb").write_text("{}", encoding="utf-8")
    assert [c.split(":")[0] for c in build.stale(tmp_path)] == [str(tmp_path / "07_gone.ipynb")]
