"""The interval: against numbers worked out by hand, from a printed table of Student's t. The explorer: what a notebook keeps."""

import base64

import matplotlib.pyplot as plt
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from autograder.notebooks.execute import run_notebook
from courselib.lab import plots


def test_interval_is_students_t_with_the_sample_deviation():
    mean, half_width = plots.interval([1.0, 2.0, 3.0, 4.0, 5.0])
    # s**2 = 10 / 4; t(4, 97.5 %) = 2.776
    assert mean == 3.0
    assert half_width == pytest.approx(2.776 * (2.5 / 5) ** 0.5, rel=1e-3)
    assert str(plots.interval([0.9, 1.0])) == "0.950 ± 0.635"  # t(1) = 12.706, s = 0.0707


@pytest.mark.parametrize("values", [[], [1.0], [1.0, float("nan")], [[1.0, 2.0], [3.0, 4.0]]])
def test_interval_needs_two_finite_numbers(values):
    with pytest.raises(ValueError, match="at least two finite numbers"):
        plots.interval(values)


def test_style_uses_the_palette():
    with plt.rc_context():
        plots.use_style()
        assert tuple(plt.rcParams["axes.prop_cycle"].by_key()["color"]) == plots.COLOURS
        assert len(set(plots.COLOURS)) == len(plots.COLOURS)


EXPLORER = """
import ipywidgets
import matplotlib.pyplot as plt
from courselib.lab import plots

def draw(rank, valley):
    figure, axis = plt.subplots(figsize=(6, {height}))
    axis.plot([0, rank])
    return figure

rank = ipywidgets.IntSlider(value=2, min=1, max=9)
valley = ipywidgets.Dropdown(options=["slanted"], description="valley of A")
plots.explorer(draw, rank=rank, valley=valley)
"""


@pytest.mark.parametrize("height", [3, 12])
def test_an_explorer_is_controls_with_labels_and_a_still_picture_that_follows_them(height):
    """What is saved with the notebook: the picture as it was seen last, readable without a kernel."""
    first, moved = EXPLORER.format(height=height), "rank.value = 5"
    left = "rank.description, valley.description, plt.get_fignums()"
    still = run_notebook(new_notebook(cells=[new_code_cell(first)]))
    run = run_notebook(new_notebook(cells=[new_code_cell(first), new_code_cell(moved), new_code_cell(left)]))
    assert still.errors == run.errors == [] and run.stderr == ""
    controls, picture = run.notebook.cells[0].outputs
    assert "application/vnd.jupyter.widget-view+json" in controls.data
    assert controls.data["text/plain"] == "Controls of the picture, which work where a kernel runs: rank, valley of A"
    assert list(picture.data) == ["image/png", "text/plain"]
    assert picture.data["image/png"] != still.notebook.cells[0].outputs[1].data["image/png"]  # in its place, and nowhere else
    assert run.notebook.cells[1].outputs == []
    assert run.notebook.cells[2].outputs[0].data["text/plain"] == "('rank', 'valley of A', [])"  # no figure stays open
    pixels = int.from_bytes(base64.b64decode(picture.data["image/png"])[20:24])  # the height, in a PNG's header
    assert pixels <= plots.HIGHEST and (pixels > 300) == (height == 12)
