"""What a page is made of, before Sphinx reads it: the ways to open it, widgets, titles, thumbnails."""

import base64
import io

import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from PIL import Image

from autograder.places import CHAPTERS
from autograder.publishing.web import assets, front, pages

QUICKSTART = CHAPTERS / "00_quickstart.md"


def test_binder_and_colab_are_offered_where_the_repository_has_an_address(monkeypatch):
    def links(address):
        for module in (pages, front):
            monkeypatch.setattr(module, "repository", lambda: address)
        return pages.page(QUICKSTART, None).cells[0].source, front.colab()

    text, colab = links("")
    assert "[Open in JupyterLab](#open-00_quickstart)" in text and "http" not in text.splitlines()[3] and colab == ""
    text, colab = links("https://github.com/someone/course.git")
    assert "https://mybinder.org/v2/gh/someone/course/HEAD?urlpath=lab/tree/chapters/00_quickstart.ipynb" in text
    assert "https://colab.research.google.com/github/someone/course/blob/main/chapters/00_quickstart.ipynb" in text
    assert "!git clone --depth 1 https://github.com/someone/course.git course" in colab
    assert "binder" not in links("https://example.org/someone/course")[0]


def test_the_address_stands_in_one_place(monkeypatch, tmp_path):
    monkeypatch.setattr(assets, "ROOT", tmp_path)
    project = tmp_path / "pyproject.toml"
    project.write_text('[project]\nname = "course"\n', encoding="utf-8")
    assert assets.repository() == ""
    project.write_text('[project]\nname = "c"\n[project.urls]\nRepository = "https://github.com/a/b"\n', encoding="utf-8")
    assert assets.repository() == "https://github.com/a/b"


def test_an_output_that_only_a_program_reads_is_not_shown_and_the_others_are_left_alone():
    stream = new_output("stream", text="said\n")
    widget = new_output("display_data", {pages.WIDGET: {"model_id": "1"}, "text/plain": f"{pages.CONTROLS} rank, log λ"})
    report = new_output("display_data", {"application/vnd.finetuning-course.report+json": {}})
    cell = new_code_cell("", outputs=[stream, widget, report])
    kept = pages.outputs(cell)
    assert kept[0] == stream and len(kept) == 2
    assert kept[1].data["text/markdown"].endswith("Its controls: rank, log λ.*") and pages.WIDGET not in kept[1].data
    assert pages.WIDGET in widget.data  # the run itself is not touched


@pytest.mark.parametrize("code, alt", [
    ('axis.set_title("A panel")\nfigure.suptitle("The point")', "The point; A panel"),
    ('axis.set_title(f"rank {r} wins")', "rank … wins"),
    ("axis.plot([1])\naxis.set_title(name)", "A figure made by the code above"),
    ('%matplotlib inline\nplt.title("One\\nline")', "One line"),
])  # fmt: skip
def test_a_figure_is_described_by_its_titles(code, alt):
    cell = new_code_cell(code, outputs=[new_output("display_data", {"image/png": "AAAA"})])
    pages._describe(cell)
    assert cell.metadata["mystnb"]["image"]["alt"] == alt


def test_a_thumbnail_is_the_first_figure_on_white_and_for_want_of_one_the_picture_of_a_check():
    def png(colour, size):
        out = io.BytesIO()
        Image.new("RGBA", size, colour).save(out, format="png")
        return base64.b64encode(out.getvalue()).decode()

    def opened(executed):
        return Image.open(io.BytesIO(front.thumbnail(executed)))

    name = {"nbgrader": {"grade_id": "demonstration-1"}}
    figures = [new_output("display_data", {"image/png": png(*what)}) for what in (((0, 0, 0, 0), (1200, 600)), ("red", (9, 9)))]
    small = opened(new_notebook(cells=[new_code_cell("", metadata=name, outputs=figures)]))
    assert small.size == (front.WIDTH, front.WIDTH // 2) and small.getpixel((5, 5)) == (255, 255, 255)
    assert opened(new_notebook()).size[0] == front.WIDTH
    assert front.thumbnail(None) is None
