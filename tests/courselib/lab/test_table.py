"""The table of an experiment: a row for each run, intervals by setting, and columns that can be paired."""

import pytest

from courselib.lab.experiments import run


def plain(seed, x):
    return {"y": 2 * x + seed, "curve": [x]}


def test_table_has_a_row_for_every_setting_and_seed_and_intervals_by_setting(capsys):
    table = run(plain, {"a": {"x": 1.0}, "b": {"x": 10.0}}, [3, 5], cache=False)
    rows = [(row["setting"], row["seed"], row["y"]) for row in table.rows]
    assert rows == [("a", 3, 5), ("a", 5, 7), ("b", 3, 23), ("b", 5, 25)]
    assert table.column("y", "b") == [23, 25]
    mean, half_width = table.summary()["b"]["y"]
    assert mean == 24 and half_width == pytest.approx(12.706, rel=1e-3)  # t(1) * s / sqrt(2), s = sqrt(2)
    assert "curve" not in table.summary()["a"] and "seconds" in table.summary()["a"]
    assert "24.000 ± 12.706" in str(table)
    captured = capsys.readouterr()
    assert "seed 5" in captured.out and not captured.err
    with pytest.raises(ValueError, match="Nothing called 'z' was measured for 'a'. Settings: a, b"):
        table.column("z", "a")


def test_a_column_that_some_seeds_lack_is_refused_and_not_misaligned():
    table = run(lambda seed, only=-1: {"y": seed} | ({"z": seed} if seed != only else {}), {"a": {}, "b": {"only": 1}}, [0, 1, 2],
                cache=False, progress=False)
    assert table.column("z", "a") == [0, 1, 2] and table.column("y", "b") == [0, 1, 2]
    with pytest.raises(ValueError, match="'z' was measured for 'b', but not with the seeds 1, so"):
        table.column("z", "b")
    with pytest.raises(ValueError, match="Nothing called 'w'"):
        table.column("w", "b")
