"""The ledger as a page: what is shown is what the lines say, the controls filter, and nothing of a claim becomes markup."""

import re

import pytest

from courselib.claims import ledger, pages
from courselib.claims.computed import Computed
from courselib.claims.expensive import TEN

ROWS = [
    ledger.Row("a", "qlora", "1 < 2 in <b>bits</b>.", "holds", "It is.", "So.", where="10_qlora · 3 · Blocks"),
    ledger.Row("b", "lora", "Rank 4 is enough.", "overclaimed", "Not always.", "A planted rank shows it."),
    ledger.Row("c", "lora", "It costs nothing.", "open", "Unknown.", "Nobody measured.", not_here="It needs a census."),
]
LINES = [
    ledger.Line(ROWS[0], Computed(True, {"bits": 4.127, "numbers": 109_482_240, "gap": 1e-12})),
    ledger.Line(ROWS[1], Computed(False, {"loss": 1.5e-5})),
    ledger.Line(ROWS[2], None),
]


@pytest.mark.parametrize(("value", "shown"), [
    (0, "0"), (1e-17, "0"), (5, "5"), (109_482_240, "109,482,240"), (-3.0, "-3"), (0.26667, "0.2667"), (1e-5, "1e-05"),
    (47.945, "47.95"), (1.0000000001, "1"), (1.001, "1.001"), (3.14e23, "3.14e+23"),
])
def test_figures_are_short_and_whole_numbers_whole(value, shown):
    assert pages.as_number(value) == shown


def test_a_table_shows_every_line_and_no_claim_becomes_markup():
    table = pages.as_table(LINES)
    assert table.count("<tr>") == 4
    assert "1 &lt; 2 in &lt;b&gt;bits&lt;/b&gt;." in table and "<b>bits" not in table
    assert "numbers: 109,482,240" in table and "not computed: It needs a census." in table and "10_qlora · 3 · Blocks" in table


def test_a_folded_list_has_a_fold_a_topic_and_each_line_once():
    text = pages.folded(LINES)
    assert re.findall(r"<summary><b>(\w+)</b>, (\d) claims", text) == [("qlora", "1"), ("lora", "2")]
    assert all(text.count(line.row.found) == 1 for line in LINES)


@pytest.mark.parametrize(("words", "topic", "verdict", "found"), [
    ("", "all", "all", "abc"), ("", "lora", "all", "bc"), ("", "all", "open", "c"), ("RANK enough", "all", "all", "b"),
    ("rank", "qlora", "all", ""), ("census", "lora", "open", "c"),
])
def test_controls_filter(words, topic, verdict, found):
    assert "".join(line.row.id for line in pages.found_by(LINES, words, topic, verdict)) == found


def test_the_browser_shows_a_table_that_follows_its_controls(monkeypatch):
    import IPython.display
    import ipywidgets

    made, updates = [], []

    class Shown:
        def update(self, what):
            updates.append(what.data)

    monkeypatch.setattr(IPython.display, "display", lambda *things, **options: made.append(things) or Shown())
    kept = []
    for kind in ("Text", "Dropdown"):
        real = getattr(ipywidgets, kind)
        monkeypatch.setattr(ipywidgets, kind, lambda *a, real=real, **k: kept.append(real(*a, **k)) or kept[-1])
    pages.browse(LINES, most=1)
    words, topic, verdict = kept
    assert "text/plain" in made[0][0] and "0 of 3 claims fit" in made[1][0].data  # it opens with what is wrong, and nothing is
    verdict.value = "all"
    assert "3 of 3 claims fit, the first 1 are shown" in updates[-1] and updates[-1].count("<tr>") == 2
    topic.value, words.value = "lora", "planted"
    assert "1 of 3 claims fit." in updates[-1] and "Rank 4" in updates[-1]


def test_the_figure_counts_the_rows_of_each_topic():
    figure = pages.verdicts_by_topic(LINES)
    axis = figure.axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["lora", "qlora"]  # the order of the chapters
    widths = {container.get_label(): [bar.get_width() for bar in container] for container in axis.containers}
    assert widths["overclaimed"] == [1, 0] and widths["holds"] == [0, 1] and sum(map(sum, widths.values())) == 3


def test_the_ten_most_expensive_are_ten_rows_that_fail():
    there = {row.id: row for row in ledger.rows()}
    assert len({cost.id for cost in TEN}) == 10 and {cost.currency for cost in TEN} <= {"money", "memory", "days", "trust"}
    for cost in TEN:
        assert there[cost.id].verdict not in ledger.TRUE | {"open"} and cost.id in ledger.functions()
        assert cost.because.endswith(".")
