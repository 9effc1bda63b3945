"""How many wrong answers that no exercise declares get a sentence that says what is wrong, and that none gets a false one.

The answers are in `tests/helpers/wrong_answers`. A sentence is held to be false when it is an accident of the numbers that were
drawn: with other ones, something else is said of the same answer.
"""

import re

import pytest

from autograder import exercises
from autograder.asking.ask import ask_all
from autograder.exercises.drawing import draw
from autograder.judging.judge import judge
from autograder.judging.symptoms.find import HINTED
from invented import wrong_answers

SEEDS = (3, 8)
LEAST = 0.85


@pytest.fixture(scope="module")
def reports():
    """Of each wrong answer that is one, and no known misconception: its report with each of the seeds."""
    found = {}
    for exercise_id, answers in wrong_answers().items():
        trials = [draw(exercises[exercise_id], seed) for seed in SEEDS]
        for name, answer in answers.items():
            each = [judge(trial, ask_all(answer, trial.ask_with, trial.inputs, seed=trial.seed)) for trial in trials]
            if not any(report.misconception or report.score == report.points for report in each):
                found[exercise_id, name] = each
    return found


def related(report):
    """The relations that were named, without what only says where it is wrong."""
    names = {"absolute" if name == "sign" else name for name in report.symptoms}  # the same, where all right values are negative
    return names - HINTED - {"zeros"}  # zeros come of much: of rounding, of cutting off


def test_most_wrong_answers_are_named(reports, capsys):
    first = {key: each[0] for key, each in reports.items()}
    named, told = sum(bool(r.symptoms) for r in first.values()), sum(bool(related(r)) for r in first.values())
    with capsys.disabled():
        print(f"\n{len(first)} wrong answers: {named / len(first):.1%} named, {told / len(first):.1%} by what was done and "
              f"{(named - told) / len(first):.1%} by where it is wrong or what cannot be")  # fmt: skip
    assert len(first) > 300
    assert named >= LEAST * len(first), [key for key, report in first.items() if not report.symptoms]


def test_none_is_named_falsely(reports):
    accidents = {key: [r.symptoms for r in each] for key, each in reports.items()
                 if all(map(related, each)) and not set.intersection(*map(related, each))}  # fmt: skip
    assert not accidents


def test_every_sentence_is_one(reports):
    """It begins as a sentence does, ends as one, and holds nothing that belongs to a program and not to a reader."""
    for report in (each[0] for each in reports.values() if each[0].symptoms):
        said = re.sub(r"\(line \d+: `.*?`\)", "", report.message)  # the student's own line
        assert said[:1].upper() == said[:1] and said.endswith((".", "?", "!")), said
        assert not re.search(r"\?\.|[^.]\.\.[^.]|  \w|array\(|tensor\(|np\.|\{", said), said
