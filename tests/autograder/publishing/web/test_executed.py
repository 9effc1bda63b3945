"""What is kept of a run is shown as long as it is true: a change of the code executes its chapter again, of the prose nothing."""

import shutil

import pytest
from nbformat.v4 import new_notebook
from typer.testing import CliRunner

from autograder.commands import app
from autograder.exercises.exercise import AuthorError
from autograder.notebooks.execute import CellError, Run
from autograder.places import CHAPTERS
from autograder.publishing import commands
from autograder.publishing.web import book, executed, formulas
from courselib.lab import reach

pytestmark = pytest.mark.xdist_group("site")


CHAPTER = """# {number} · A chapter

Some text.

```{{code-cell}} ipython3
:tags: [setup]

import math
```

```{{code-cell}} ipython3
:tags: [demonstration]

from courselib import {room}
from courselib.lab.measured import kept

print(kept("{measured}")["measured"], 8)
```

```{{exercise}} {exercise}
```
"""


@pytest.fixture
def chapters(tmp_path, monkeypatch):
    """Two small chapters that reach different rooms and read different measurements."""
    folder = tmp_path / "chapters"
    (folder / "measured").mkdir(parents=True)
    for name in ("race", "qlora", "rates"):
        (folder / "measured" / f"{name}.json").write_text('{"measured": "a day"}', encoding="utf-8")
    for number, room, measured, exercise in (
        ("02_transfer", "transfer", "race", "transfer.two_stages"), ("10_qlora", "qlora", "qlora", "qlora.nf4_levels"),
    ):  # fmt: skip
        text = CHAPTER.format(number=number[:2], room=room, measured=measured, exercise=exercise)
        (folder / f"{number}.md").write_text(text, encoding="utf-8")
    monkeypatch.setattr(commands, "CHAPTERS", folder)
    monkeypatch.setattr(executed, "KEPT", tmp_path / "kept")
    hashes = reach.room_hashes()
    monkeypatch.setattr(reach, "room_hashes", lambda: hashes)  # it reads all weights
    return folder


def change(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_prose_and_exercises_do_not_count_and_code_does(chapters):
    qlora = chapters / "10_qlora.md"
    before = executed.fingerprint(qlora)
    change(qlora, "Some text.", "Some other text.")
    change(qlora, "```{exercise} qlora.nf4_levels\n```\n", "")
    assert executed.fingerprint(qlora) == before
    change(qlora, ", 8)", ", 9)")
    assert executed.fingerprint(qlora) != before


def test_a_room_counts_for_the_chapters_that_reach_it(chapters, monkeypatch):
    transfer, qlora = both = [chapters / "02_transfer.md", chapters / "10_qlora.md"]
    before, rooms = {path: executed.fingerprint(path) for path in both}, reach.room_hashes()
    for room, reached in {"transfer": [transfer], "qlora": [qlora], "lora": both, "lab": both, "instruction": []}.items():
        monkeypatch.setattr(reach, "room_hashes", lambda room=room: rooms | {room: "another"})
        assert [path for path in both if executed.fingerprint(path) != before[path]] == reached, room


def test_a_measurement_counts_for_the_chapter_that_reads_it(chapters):
    transfer, qlora = both = [chapters / "02_transfer.md", chapters / "10_qlora.md"]
    before = {path: executed.fingerprint(path) for path in both}
    for name, readers in {"rates": [], "race": [transfer], "qlora": [transfer, qlora]}.items():  # one after the other
        (chapters / "measured" / f"{name}.json").write_text("{}")
        assert [path for path in both if executed.fingerprint(path) != before[path]] == readers


def test_only_what_ran_without_an_error_and_is_as_the_source_says_is_used_again(chapters, tmp_path):
    qlora = chapters / "10_qlora.md"
    assert executed.kept(tmp_path, qlora) is None
    for wrong in ({"errors": [CellError(0, "KeyError", "key")]}, {"stderr": "a warning"}):
        executed.keep(tmp_path, qlora, Run(new_notebook(), **wrong))
        assert executed.kept(tmp_path, qlora) is None
    executed.keep(tmp_path, qlora, Run(new_notebook()))
    assert executed.kept(tmp_path, qlora) is not None
    change(qlora, ", 8)", ", 9)")
    assert executed.kept(tmp_path, qlora) is None


def test_course_site_executes_what_changed_and_nothing_else(chapters, monkeypatch, tmp_path):
    ran, shown = [], []

    def runs(sources, workers, as_handed_out=False):
        ran.append([path.stem for path in sources])
        return {path.stem: Run(new_notebook()) for path in sources}

    monkeypatch.setattr(commands, "_runs", runs)
    monkeypatch.setattr(commands, "_print_runs", lambda runs, full_marks: "03_broken" not in runs)
    monkeypatch.setattr(book, "write", lambda folder, notebooks: shown.append([path.stem for path in notebooks]))
    monkeypatch.setattr(book, "build", lambda source, site: None)

    def site():
        return CliRunner().invoke(app, ["site", "--to", str(tmp_path / "site")])

    both = ["02_transfer", "10_qlora"]
    assert site().exit_code == 0 and site().exit_code == 0
    assert ran == [both] and shown == [both, both]
    change(chapters / "10_qlora.md", ", 8)", ", 9)")
    assert f"open {tmp_path / 'site' / 'index.html'}" in site().stdout
    assert ran == [both, ["10_qlora"]]
    shutil.copy(chapters / "10_qlora.md", chapters / "03_broken.md")
    broken = site()
    assert broken.exit_code == 1 and "it shows only what ran without an error" in broken.stdout and len(shown) == 3


# --- formulas, and what stops a build --------------------------------------------------------------------------------


def test_a_formula_is_mathml_of_its_kind():
    assert formulas.mathml(r"\frac{\alpha}{r}", display=False) == (
        '<math class="formula"><mfrac><mi>α</mi><mi>r</mi></mfrac></math>'
    )
    shown = formulas.mathml(r"a_{\substack{b\\c}} < \begin{aligned}x&=y\end{aligned}", display=True)
    assert 'display="block"' in shown and shown.count("<mtable") == 2 and "&lt;" in shown and "\\" not in shown


@pytest.mark.parametrize("tex", [r"\nosuchcommand{x}", r"\frac{1", r"\begin{aligned} x"])
def test_a_formula_that_cannot_be_set_is_a_sentence_in_one_line(tex):
    with pytest.raises(ValueError, match=r"^This formula cannot be set \([^\x1b\n]+\): ") as error:
        formulas.mathml(tex, display=True)
    assert str(error.value).endswith(tex)


def test_a_build_stops_at_a_warning_and_says_where(tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "index.md").write_text("# A page\n\nHere is $\\nosuchcommand{x}$ and [a link](nowhere.md).\n")
    with pytest.raises(AuthorError, match="Sphinx stopped") as error:
        book.build(tmp_path / "source", tmp_path / "site")
    said = str(error.value)
    assert "index.md:3" in said and r"This formula cannot be set" in said and "nowhere.md" in said


def test_what_did_not_change_is_not_written_again_and_what_is_gone_goes(tmp_path):
    first, second = CHAPTERS / "00_quickstart.md", tmp_path / "01_other.md"
    second.write_text("# 01 · Another\n\nText.\n", encoding="utf-8")
    folder = tmp_path / "source"
    book.write(folder, {first: None, second: None})
    written = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    second.write_text("# 01 · Another\n\nText, and more.\n", encoding="utf-8")
    book.write(folder, {first: None, second: None})
    changed = {path.name for path, at in written.items() if path.stat().st_mtime_ns != at}
    assert changed == {"01_other.ipynb", "index.md"}  # the card on the first page counts its words
    book.write(folder, {first: None})
    assert [path.name for path in (folder / "chapters").iterdir()] == ["00_quickstart.ipynb"]
