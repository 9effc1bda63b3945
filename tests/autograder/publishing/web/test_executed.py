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


@pytest.fixture
def chapters(tmp_path, monkeypatch):
    """Two chapters that compute, one of which reads two measurements, and their measurements."""
    folder = tmp_path / "chapters"
    folder.mkdir()
    for name in ("02_transfer_learning", "08_lora"):
        shutil.copy(CHAPTERS / f"{name}.md", folder)
    shutil.copytree(CHAPTERS / "measured", folder / "measured")
    monkeypatch.setattr(commands, "CHAPTERS", folder)
    monkeypatch.setattr(executed, "KEPT", tmp_path / "kept")
    return folder


def change(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_prose_and_exercises_do_not_count_and_code_does(chapters):
    lora = chapters / "08_lora.md"
    before = executed.fingerprint(lora)
    change(lora, "LoRA (Hu et al., 2021) makes one bet", "LoRA (Hu et al., 2021) makes a bet")
    change(lora, "```{exercise} lora.truncate\n```\n", "")
    assert executed.fingerprint(lora) == before
    change(lora, "for d_out, d_in, r in [(512, 512, 8)", "for d_out, d_in, r in [(512, 512, 7)")
    assert executed.fingerprint(lora) != before


def test_a_room_counts_for_the_chapters_that_reach_it(chapters, monkeypatch):
    transfer, lora = chapters / "02_transfer_learning.md", chapters / "08_lora.md"
    before, rooms = {path: executed.fingerprint(path) for path in (transfer, lora)}, reach.room_hashes()
    for room, changed in {"lora": {lora}, "qlora": set(), "lab": {transfer, lora}}.items():
        monkeypatch.setattr(reach, "room_hashes", lambda room=room: rooms | {room: "another"})
        assert changed <= {path for path in before if executed.fingerprint(path) != before[path]}, room
        if room == "qlora":
            assert executed.fingerprint(lora) == before[lora]


def test_a_measurement_counts_for_the_chapter_that_reads_it(chapters):
    transfer, lora = chapters / "02_transfer_learning.md", chapters / "08_lora.md"
    before = {path: executed.fingerprint(path) for path in (transfer, lora)}
    (chapters / "measured" / "instruction.json").write_text("{}")
    assert {path: executed.fingerprint(path) for path in before} == before
    (chapters / "measured" / "race.json").write_text("{}")
    assert executed.fingerprint(transfer) != before[transfer] and executed.fingerprint(lora) == before[lora]


def test_only_what_ran_without_an_error_and_is_as_the_source_says_is_used_again(chapters, tmp_path):
    lora = chapters / "08_lora.md"
    assert executed.kept(tmp_path, lora) is None
    for wrong in ({"errors": [CellError(0, "KeyError", "key")]}, {"stderr": "a warning"}):
        executed.keep(tmp_path, lora, Run(new_notebook(), **wrong))
        assert executed.kept(tmp_path, lora) is None
    executed.keep(tmp_path, lora, Run(new_notebook()))
    assert executed.kept(tmp_path, lora) is not None
    change(lora, "(512, 512, 8)", "(512, 512, 7)")
    assert executed.kept(tmp_path, lora) is None


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

    both = ["02_transfer_learning", "08_lora"]
    assert site().exit_code == 0 and site().exit_code == 0
    assert ran == [both] and shown == [both, both]
    change(chapters / "08_lora.md", "(512, 512, 8)", "(512, 512, 7)")
    assert f"open {tmp_path / 'site' / 'index.html'}" in site().stdout
    assert ran == [both, ["08_lora"]]
    shutil.copy(chapters / "08_lora.md", chapters / "03_broken.md")
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
