"""The interval: against numbers worked out by hand, from a printed table of Student's t."""

import matplotlib.pyplot as plt
import pytest

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


def test_an_explorer_draws_again_when_a_control_changes_and_leaves_no_figure_open():
    import ipywidgets

    drawn = []

    def draw(rank):
        drawn.append(rank)
        figure, axis = plt.subplots()
        axis.plot([0, rank])
        return figure

    before = plt.get_fignums()
    slider = ipywidgets.IntSlider(value=2, min=1, max=9)
    box = plots.explorer(draw, rank=slider)
    picture = box.children[-1]
    first = bytes(picture.value)
    slider.value = 5
    assert drawn == [2, 5]
    assert first.startswith(b"\x89PNG") and bytes(picture.value) != first
    assert plt.get_fignums() == before
    assert not any(isinstance(child, ipywidgets.Output) for child in box.children)
