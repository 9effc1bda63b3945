"""The student bundle holds no model answer, and of the course no more than the student's half."""

import inspect

import nbformat
import pytest

from autograder.exercises import exercises
from autograder.exercises.exercise import Exercise
from autograder.publishing import chapter
from model_answers import plain, secrets

pytestmark = pytest.mark.xdist_group("release")

IDS = [i for path in chapter.chapter_sources() for i in chapter.exercise_ids(path)]


def read(path):
    """What a reader sees in a file: of a notebook the cells, of data the text and the names."""
    if path.suffix == ".ipynb":
        return "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
    return path.read_bytes().decode("utf-8", "replace")


@pytest.fixture(scope="module")
def texts(bundle):
    """Every file, as plain text, by its path in the bundle."""
    return {path.relative_to(bundle): plain(read(path)) for path in bundle.rglob("*") if path.is_file()}


def holders(texts, exercise):
    """The files that hold a line of the answer, except the modules that the exercise closes."""
    closed = [name.replace(".", "/") for name in getattr(exercise, "closed", ())]
    said = secrets(exercise)
    return [
        path for path, text in texts.items()
        if not any(path.is_relative_to(module) or str(path) == f"{module}.py" for module in closed)
        and any(line in text for line in said)
    ]  # fmt: skip


@pytest.mark.parametrize("exercise_id", IDS)
def test_no_file_holds_a_model_answer(texts, exercise_id):
    """Except the modules that the exercise closes: they are what the chapter explains, and grading shuts them."""
    assert holders(texts, exercises[exercise_id]) == []


@pytest.mark.parametrize("exercise_id", ["lora.gradient", "lora.why_scale"])
@pytest.mark.parametrize("name", ["notes.txt", "chapters/08_lora.ipynb", "courselib/dora.py", "courselib/lora/layer.py"])
def test_a_planted_answer_is_found(texts, bundle, tmp_path, exercise_id, name):
    """In a comment, laid out another way, in one cell of a notebook; and in what is closed only where nothing is closed."""
    exercise, place = exercises[exercise_id], tmp_path / name.replace("/", "-")
    written = not isinstance(exercise, Exercise)
    answer = exercise.answer() if written else inspect.getsource(exercise.answer)
    planted = "# " + max(answer.split('"""')[-1].splitlines(), key=len).replace(" ", "  ")
    if name.endswith(".ipynb"):
        notebook = nbformat.read(bundle / name, as_version=4)
        notebook.cells.insert(3, nbformat.v4.new_code_cell(planted))
        nbformat.write(notebook, place)
    else:
        place.write_text(planted, encoding="utf-8")
    path = (bundle / name).relative_to(bundle)
    is_open = written or not name.startswith("courselib/lora/")
    assert holders(texts | {path: plain(read(place))}, exercise) == ([path] if is_open else [])


def test_only_the_student_half_is_there(bundle):
    top = {path.name for path in bundle.iterdir()}
    assert {"autograder", "chapters", "courselib", "install", "pyproject.toml", "requirements.lock", "environment.yml",
            "Makefile", "README.md"} <= top and "solutions" not in top  # fmt: skip
    assert {path.suffix for path in (bundle / "chapters").iterdir() if path.is_file()} == {".ipynb"}
    half = {path.name for path in (bundle / "autograder").iterdir()}
    assert half == {"__init__.py", "checking.py", "commands.py", "nbgrader_config.py", "places.py",
                    "asking", "judging", "notebooks", "public"}  # fmt: skip
    cases = {path.stem for path in (bundle / "autograder" / "public").glob("*.json")}
    assert cases == {i for i in IDS if isinstance(exercises[i], Exercise)}
    assert not list(bundle.rglob("__pycache__"))
    assert (bundle / "chapters" / "measured" / "effects.md").is_file()  # chapter 02 shows it
    assert not (bundle / "benchmarks").exists()


def test_the_notebooks_are_those_of_the_course(bundle):
    for path in chapter.chapter_sources():
        released = nbformat.read(bundle / "chapters" / f"{path.stem}.ipynb", as_version=4)
        assert released == chapter.student_notebook(path)
