"""An author's mistake stops the build, with file and line; what is built holds no answer."""

import pytest

from autograder import exercises
from autograder.exercises.exercise import AuthorError, Exercise
from autograder.publishing import build, chapter
from autograder.publishing.chapter import chapter_sources, exercise_ids, source_notebook, student_notebook, with_solution_marks

HEAD = "---\njupytext:\n  text_representation:\n    extension: .md\n    format_name: myst\n---\n\n# A chapter\n\n"
SETUP = "```{code-cell} ipython3\n:tags: [setup]\n\nimport torch\n```\n\n"
MARKER = "```{exercise} lora.merge\n```\n"


def _source(tmp_path, body):
    path = tmp_path / "08_demo.md"
    path.write_text(HEAD + body, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("body", "line", "sentence"),
    [
        ("```{exercise} lora.nothing\n```\n", 10, "there is no exercise 'lora.nothing'"),
        ("```{exercise}\n```\n", 10, "there is no exercise"),
        (SETUP + "```{code-cell} ipython3\n1 + 1\n```\n", 16, "exactly one of the tags setup or demonstration"),
        ("```{code-cell} ipython3\n:tags: [setup, demonstration]\n\n1 + 1\n```\n", 10, "exactly one of the tags"),
        (MARKER + "\n```{code-cell} ipython3\n:tags: [demonstration]\n\nprint(lora_merge(1, 2, 3, 4))\n```\n", 16,
         "a demonstration uses 'lora_merge', which the student writes"),
        ("```{code-cell} ipython3\n:tags: [setup]\n\nfrom courselib import lora\n```\n\n" + MARKER, 13,
         "a setup cell imports 'courselib.lora', which an exercise of this chapter closes"),
        ("```{code-cell} ipython3\n:tags: [setup]\n\nimport courselib.lora.layer as layer\n```\n\n" + MARKER, 13,
         "a setup cell imports 'courselib.lora.layer'"),
    ],
)
def test_a_chapter_with_a_mistake_is_refused(tmp_path, body, line, sentence):
    path = _source(tmp_path, body)
    with pytest.raises(AuthorError) as error:
        source_notebook(path)
    assert str(error.value).startswith(f"{path}:{line}: ")
    assert sentence in str(error.value)


def test_a_build_validates_every_exercise_and_writes_nothing_when_one_is_not_in_order(check_exercises, tmp_path, monkeypatch):
    ids, seen = [i for i in exercises if isinstance(exercises[i], Exercise)], []

    def validated(exercise):
        seen.append(exercise.id)
        if exercise.id == ids[-1]:
            raise exercise.fail("it is not in order")

    monkeypatch.setattr(build, "validated", validated)
    monkeypatch.setattr(build, "check_exercises", check_exercises)
    _source(tmp_path, SETUP)
    with pytest.raises(AuthorError, match="it is not in order"):
        build.build(tmp_path)
    assert seen == ids and not list(tmp_path.glob("*.ipynb"))


def test_an_exercise_without_a_chapter_and_one_with_two_are_refused(tmp_path):
    with pytest.raises(AuthorError, match=r"exercises/.+\.py:\d+: no chapter has a marker for"):
        chapter.every_exercise_stands_in_one_chapter([_source(tmp_path, MARKER)])
    with pytest.raises(AuthorError, match="'lora.merge' already stands in"):
        chapter.every_exercise_stands_in_one_chapter([_source(tmp_path, MARKER + "\ntext\n\n" + MARKER)])


def test_a_good_chapter_keeps_the_order_and_numbers_nothing_by_position(tmp_path):
    body = SETUP + "Some prose.\n\n" + MARKER + "\nMore prose.\n"
    first = student_notebook(_source(tmp_path, body))
    later = student_notebook(_source(tmp_path, "A new paragraph.\n\n" + SETUP + body.removeprefix(SETUP)))
    ids = {cell.source: cell.id for cell in first.cells}
    kept = [cell for cell in later.cells if cell.source in ids and cell.cell_type == "code"]
    assert len(kept) == 3 and all(cell.id == ids[cell.source] for cell in kept)


def test_answers_are_marked_in_functions_and_classes():
    class Layer:
        """A layer."""

        def __init__(self, width: int):
            self.width = width

        def forward(self, x):
            """Twice x."""
            twice = 2 * x

            def inner():
                return twice

            return inner()

    text = with_solution_marks(Layer)
    assert text.count("### BEGIN SOLUTION") == text.count("### END SOLUTION") == 2
    between = text.split("### BEGIN SOLUTION")
    assert "self.width = width" in between[1] and "def inner" in between[2].split("### END SOLUTION")[0]
    assert '"""Twice x."""' in between[1].split("### END SOLUTION")[1]


@pytest.mark.parametrize("path", chapter_sources(), ids=lambda p: p.stem)
def test_no_student_notebook_holds_an_answer(path):
    cells = student_notebook(path).cells
    text = "\n".join(cell.source for cell in cells if "solution" in str(cell.metadata))
    for exercise_id in exercise_ids(path):
        exercise = exercises[exercise_id]
        if isinstance(exercise, Exercise):
            marked = with_solution_marks(exercise.answer)
            body = marked.split("### BEGIN SOLUTION")[1].split("### END SOLUTION")[0]
            lines = [line.strip() for line in body.splitlines() if len(line.strip()) > 30]
            cell_id = exercise_id.replace(".", "-").replace("_", "-")
            stubs = [cell.source for cell in cells if cell.id == cell_id]
            assert stubs and not any(line in stubs[0] for line in lines)
            assert "raise NotImplementedError" in stubs[0]
        else:
            assert exercise.answer().strip()[:60] not in text
    assert "BEGIN SOLUTION" not in text and "Rubric" not in text
