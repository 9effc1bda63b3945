"""The ledger: every row says what its function computes, names a place that exists, and stands there once."""

import re
from collections import Counter

import pytest

from autograder import places
from courselib.claims import computed, ledger
from courselib.claims.computed import Computed

ALL = ledger.rows()
FUNCTIONS = ledger.functions()


def headings(chapter: str) -> set[str]:
    text = (places.CHAPTERS / f"{chapter}.md").read_text(encoding="utf-8")
    prose = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)  # a comment in a cell is no heading
    return {line.lstrip("#").strip() for line in prose.splitlines() if re.match(r"#+ ", line)}


@pytest.mark.parametrize("row", [row for row in ALL if row.id in FUNCTIONS], ids=lambda row: row.id)
def test_a_row_says_what_its_function_computes(row):
    assert ledger.disagreements(row, FUNCTIONS[row.id]()) == []


@pytest.mark.parametrize("row", ALL, ids=lambda row: row.id)
def test_a_row_is_whole(row):
    assert row.said.endswith((".", "?")) and row.found.endswith(".") and row.why.endswith(".")
    assert (row.id in FUNCTIONS) != bool(row.not_here), "a row is computed, or says why not, and not both"
    assert not row.figures or row.id in FUNCTIONS, "figures are held against a function"
    if row.where:
        chapter, heading = row.where.split(" · ", 1)
        assert (places.CHAPTERS / f"{chapter}.md").is_file(), f"there is no chapter {chapter}"
        assert heading in headings(chapter), f"{chapter} has no heading {heading!r}"


def test_every_claim_stands_there_once_and_every_function_has_its_row():
    times = Counter(row.id for row in ALL)
    assert [name for name, often in times.items() if often > 1] == []
    assert set(FUNCTIONS) - set(times) == set()


ROW = ledger.Row("x", "lora", "A claim.", "wrong", "Another.", "Because.", figures={"gap": 2.0, "none": 0.0})


@pytest.mark.parametrize(
    ("holds", "figures", "said"),
    [
        (False, {"gap": 2.01, "none": 1e-9}, []),
        (True, {"gap": 2.0, "none": 0.0}, ["claim holds"]),
        (False, {"gap": 2.05, "none": 0.0}, ["'gap' is stated as 2 and computed as 2.05"]),
        (False, {"gap": 2.0, "none": 0.001}, ["'none' is stated as 0"]),
        (False, {"gap": float("nan"), "none": 0.0}, ["'gap' is stated as 2 and computed as nan"]),
        (False, {"gap": 2.0}, ["'none' is not among what was computed (gap)"]),
        (True, {"gap": -2.0, "none": 0.0}, ["claim holds", "'gap'"]),
    ],
)
def test_a_row_and_a_computation_that_differ_are_told_apart(holds, figures, said):
    found = ledger.disagreements(ROW, Computed(holds, figures))
    assert len(found) == len(said) and all(part in sentence for part, sentence in zip(said, found, strict=True))


def test_a_claim_has_one_function(monkeypatch):
    monkeypatch.setattr(computed, "REGISTERED", {})
    computed.computes("x")(lambda: Computed(True, {}))
    with pytest.raises(ValueError, match="Two functions compute 'x'"):
        computed.computes("x")(lambda: Computed(True, {}))


def test_a_verdict_nobody_knows_is_refused():
    with pytest.raises(ValueError, match="Row 'x': the verdict is one of"):
        ledger.Row("x", "lora", "A claim.", "true", "", "")


def test_rows_are_searched_by_topic_verdict_and_words():
    other = ledger.Row("y", "qlora", "NF4 has 16 Levels.", "holds", "It has.", "Four bits.")
    assert ledger.select([ROW, other], topics=["qlora"]) == [other]
    assert ledger.select([ROW, other], verdicts=["wrong", "open"]) == [ROW]
    assert ledger.select([ROW, other], words="levels nf4") == [other]
    assert ledger.select([ROW, other], words="levels gap") == []
    assert ledger.select([ROW, other], topics=[]) == []
    assert ledger.counts([ROW, other, other])["qlora"] == {v: 2 * (v == "holds") for v in ledger.VERDICTS}


def test_a_function_of_several_rows_runs_once(monkeypatch):
    ran = []

    def twice() -> Computed:
        ran.append(1)
        return Computed(False, {"gap": 2.0, "none": 0.0})

    monkeypatch.setattr(ledger, "functions", lambda: {"x": twice, "y": twice})
    other = ledger.Row("y", "qlora", "B.", "holds", "It has.", "Why.")
    lines = ledger.recompute([ROW, other, ledger.Row("z", "lora", "C.", "open", "", "")])
    assert ran == [1] and [line.agrees for line in lines] == [True, False, True] and lines[2].computed is None
