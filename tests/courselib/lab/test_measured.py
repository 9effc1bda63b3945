"""What was measured before is read in one place, and what is missing is said."""

import json

import pytest

from courselib.lab import measured


def test_reads_the_file_of_that_name(tmp_path, monkeypatch):
    monkeypatch.setattr(measured, "FOLDER", tmp_path)
    (tmp_path / "race.json").write_text(json.dumps({"measured": "today", "runs": [{"seed": 5}]}), encoding="utf-8")
    (tmp_path / "effects.md").write_text("# Effects", encoding="utf-8")
    assert measured.kept("race")["runs"] == [{"seed": 5}]
    assert measured.report_of_effects() == "# Effects"


def test_a_missing_one_names_those_there_are(tmp_path, monkeypatch):
    monkeypatch.setattr(measured, "FOLDER", tmp_path)
    (tmp_path / "race.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ValueError, match="No measurement 'rase' .* there is race"):
        measured.kept("rase")
    with pytest.raises(ValueError, match="take chapters/measured from the course"):
        measured.report_of_effects()
