"""What a student sees: a wrong answer, its hint, the right answer, and green rows; a picture that is still there tomorrow.

`COURSE_SCREENSHOT=docs/check.png` makes the README's picture on the way. The browser itself: conftest.py.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from autograder import grade
from autograder.exercises import exercises
from autograder.judging.trial import PUBLIC_SEED
from autograder.publishing import chapter

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

GREEN, ORANGE = "rgb(213, 240, 227)", "rgb(251, 227, 208)"
ANSWERS = {  # exercise: the misconception, what the student types for it, and what is typed next
    "quickstart.lora_forward": (
        "base_only",
        "return x @ W0.T",
        "return x @ W0.T + x @ lora_A.T @ lora_B.T",
    ),
    "pretraining.mlm_labels": (
        "zero_elsewhere",
        "return input_ids * masked",
        "return torch.where(masked, input_ids, -100)",
    ),
    "forgetting.fisher_diagonal": (
        "square_of_mean",
        "return per_sample_grads.mean(0) ** 2",
        "return (per_sample_grads ** 2).mean(0)",
    ),
    "lora.gradient": (
        "averaged",
        "s = alpha / len(lora_A); return s / len(x) * (grad_h @ lora_B).T @ x, s / len(x) * grad_h.T @ (x @ lora_A.T)",
        "s = alpha / len(lora_A); return s * (grad_h @ lora_B).T @ x, s * grad_h.T @ (x @ lora_A.T)",
    ),
}


@pytest.mark.parametrize("exercise_id", ANSWERS)
def test_a_wrong_answer_gets_its_hint_and_a_right_one_its_green_rows(
    open_notebook: Callable[[str], Any], exercise_id: str
) -> None:
    exercise, (mistake, wrong, right) = exercises[exercise_id], ANSWERS[exercise_id]
    (source,) = [path for path in chapter.chapter_sources() if exercise_id in chapter.exercise_ids(path)]
    misconception = next(m for m in exercise.misconceptions if m.name == mistake)
    answer = exercise_id.replace(".", "-").replace("_", "-")
    check = f"{answer}-check"

    student = open_notebook(source.with_suffix(".ipynb").name)
    setup = student.page("return notebook.widgets.map(c => (c.model.getMetadata('nbgrader') || {}).grade_id)"
                         ".find(id => id && id.startsWith('setup-'));")  # fmt: skip
    student.run(setup)
    assert student.reads(setup).strip() == ""

    student.type_over(answer, "raise NotImplementedError", wrong)
    student.run(answer)
    student.run(check)
    assert misconception.says[1:] in student.reads(check)
    assert f"{misconception.earns:g} of {exercise.points:g} points" in student.reads(check)
    expected = grade(exercise_id, misconception.wrong, seed=PUBLIC_SEED).rows
    assert 0 < sum(row.earned == row.points for row in expected) < len(expected), "both colours have to be there"
    assert student.rows(check) == [
        [row.part, "course-right", GREEN] if row.earned == row.points else [row.part, "course-wrong", ORANGE] for row in expected
    ]
    if source.stem == "00_quickstart" and os.environ.get("COURSE_SCREENSHOT"):
        student.picture(check, os.environ["COURSE_SCREENSHOT"])

    student.type_over(answer, wrong[:12], right)
    student.run(answer)
    student.run(check)
    assert f"{exercise.points:g} of {exercise.points:g} points" in student.reads(check)
    assert misconception.says[1:] not in student.reads(check)
    assert student.rows(check) == [[part.name, "course-right", GREEN] for part in exercise.parts]


EXPLORER = """
import ipywidgets
import matplotlib.pyplot as plt
from courselib.lab import plots

def draw(rank):
    figure, axis = plt.subplots(figsize=(6.2, 6))
    axis.plot([0, rank])
    axis.set_title(rank)
    return figure

plots.explorer(draw, rank=ipywidgets.IntSlider(value=2, min=1, max=9))
"""
SEEN = """
const out = notebook.widgets[at('explorer')].outputArea.node;
const box = name => { const node = out.querySelector(name); return node ? node.getBoundingClientRect().toJSON() : null; };
return {src: (out.querySelector('img') || {}).src, picture: box('img'), slider: box('.widget-slider'), reads: out.innerText};
"""


def test_a_picture_moves_with_its_slider_and_is_still_there_when_the_notebook_is_opened_again(
    open_notebook: Callable[[str], Any], shelf: Path
) -> None:
    cell = new_code_cell(EXPLORER, metadata={"nbgrader": {"grade_id": "explorer", "schema_version": 3}})
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}}
    nbformat.write(new_notebook(cells=[cell], metadata=kernel), shelf / "explorer.ipynb")
    student = open_notebook("explorer.ipynb")
    student.run("explorer")
    drawn = student.page(SEEN)
    assert drawn["slider"]["bottom"] <= drawn["picture"]["top"] and drawn["picture"]["height"] <= 480
    assert drawn["reads"].split() == ["rank", "2"]

    handle = student.browser.find_element(By.CSS_SELECTOR, ".widget-slider .noUi-handle, .widget-slider [role=slider]")
    handle.send_keys(Keys.ARROW_RIGHT)
    changed = "notebook.widgets[at('explorer')].outputArea.node.querySelector('img').src !== arguments[0]"
    student.wait(changed, "the picture to follow the slider", drawn["src"], seconds=30)
    moved = student.page(SEEN)
    assert moved["reads"].split() == ["rank", "3"]
    student.page("return panel.context.save();")
    student.wait("!panel.context.model.dirty", "the notebook to be saved", seconds=30)

    student.page("return panel.sessionContext.shutdown();")
    again = open_notebook("explorer.ipynb")
    again.wait(f"(() => {{ {SEEN} }})().picture", "the picture that was saved")
    again.wait(f"(() => {{ {SEEN} }})().slider", "its controls")
    kept = again.page(SEEN)
    assert kept["src"] == moved["src"] and kept["reads"].split() == ["rank", "3"]  # no "Error displaying widget"
