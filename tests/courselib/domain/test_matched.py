"""Forgetting at equal learning: read off a curve by hand, and refused where the curve says nothing."""

import pytest

from courselib.domain import matched

CURVE = [(2.0, 6.0), (5.0, 1.0), (4.0, 2.0)]  # domain loss, general loss; in any order


def test_the_curve_is_read_between_its_points():
    assert matched.general_at(CURVE, 4.0) == 2.0
    assert matched.general_at(CURVE, 4.5) == pytest.approx(1.5)
    assert matched.general_at(CURVE, 2.5) == pytest.approx(5.0)


def test_training_less_is_no_protection():
    """The null: a run of the curve itself, however little it forgets, has nothing that the curve has not."""
    assert [matched.extra_forgetting(CURVE, *point) for point in CURVE] == [0, 0, 0]
    assert matched.extra_forgetting(CURVE, 2.5, 2.0) == pytest.approx(-3)  # learned more, forgot less
    assert matched.extra_forgetting(CURVE, 4.5, 1.8) == pytest.approx(0.3)  # little forgotten, and still on the wrong side


def test_beyond_the_curve_the_best_learner_stands_in_and_above_it_is_refused():
    assert matched.general_at(CURVE, 1.5) == 6.0
    with pytest.raises(ValueError, match=r"begins at a domain loss of 5.000 and says nothing about 5.500"):
        matched.general_at(CURVE, 5.5)
    with pytest.raises(ValueError, match="nothing about nan"):
        matched.general_at(CURVE, float("nan"))
    with pytest.raises(ValueError, match="at least two points"):
        matched.general_at(CURVE[:1], 2.0)
