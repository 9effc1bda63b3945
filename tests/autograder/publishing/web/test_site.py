"""The built pages against what they were made from: every output and figure of the run, every formula, every exercise, no answer.

They are read as files here; how they look and work in a browser: test_web_browser.py.
"""

import base64
import json
import re
from collections import Counter
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
import tinycss2

from autograder.exercises import exercises
from autograder.notebooks.cells import KINDS, is_kind
from autograder.publishing import chapter
from autograder.publishing.web import front, pages
from model_answers import plain, secrets

pytestmark = pytest.mark.xdist_group("site")

RESOURCES = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src", "video": "src", "object": "data"}


@pytest.fixture(scope="session")
def html(site):
    paths = [path.relative_to(site.folder) for path in (*site.folder.glob("*.html"), *site.folder.glob("chapters/*.html"))]
    return {path: site.page(path.as_posix()) for path in paths}


def ran(site):
    return {source: notebook for source, notebook in site.made_from.items() if notebook is not None}


def demonstrations(notebook):
    named = [(cell.metadata.get("nbgrader", {}).get("grade_id", ""), cell) for cell in notebook.cells]
    return [cell for name, cell in named if any(is_kind(name, kind) for kind in KINDS)]


def test_every_chapter_and_every_page_around_them_is_there(site, html):
    names = {f"chapters/{source.stem}.html" for source in site.made_from}
    names |= {f"{name}.html" for name in ("index", "syllabus", "exercises", "open", "search", *front.guides())}
    assert {str(path) for path in html} == names
    cards = site.page("index.html").select(".chapter-cards .sd-card")
    assert [card.find("a")["href"] for card in cards] == [f"chapters/{source.stem}.html" for source in site.made_from]
    shown = [card.find("img") is not None for card in cards]
    assert shown == [notebook is not None for notebook in site.made_from.values()]


def test_every_output_of_the_run_is_on_its_page_in_its_place(site):
    for source, notebook in ran(site).items():
        cells = demonstrations(notebook)
        shown = [cell for cell in site.article(source).select("div.cell") if "tag_exercise" not in cell["class"]]
        assert len(shown) == len(cells)
        for cell, seen in zip(cells, shown, strict=True):
            place = seen.select_one(".cell_output")
            found = [child for child in place.find_all(recursive=False)] if place else []
            assert len(found) == len(cell.outputs), f"{source.name}: {cell.source[:80]}"
            for output, node in zip(cell.outputs, found, strict=True):
                if output.output_type == "stream":
                    assert plain(output.text) == plain(node.get_text()), f"{source.name}: {cell.source[:80]}"


def test_every_figure_of_the_run_is_on_its_page_to_the_byte(site):
    for source, notebook in ran(site).items():
        pictures = site.article(source).select(".cell_output img")
        files = [site.folder / "chapters" / picture["src"] for picture in pictures]
        assert [path.read_bytes() for path in files] == [base64.b64decode(figure) for figure in pages.figures(notebook)]
        assert all(picture["alt"].strip() for picture in pictures)
    (specimen,) = [source for source in site.made_from if source.stem == "99_specimen"]
    alts = [picture["alt"] for picture in site.article(specimen).select(".cell_output img")]
    assert alts == ["The first figure goes up, then down by …", "The second figure has a slider"]


def test_a_widget_is_a_still_picture_and_the_names_of_its_controls(site, html):
    for path, page in html.items():
        text = page.get_text().lower()
        assert "model not found" not in text and "displaying widget" not in text, path
        assert not page.select("[type='application/vnd.jupyter.widget-view+json'], [type*='widget-state']"), path
    (specimen,) = [source for source in site.made_from if source.stem == "99_specimen"]
    assert "In JupyterLab this picture moves. Its controls: rank." in site.article(specimen).get_text()


def test_markdown_and_html_that_cells_put_out_are_tables(site):
    (specimen,) = [source for source in site.made_from if source.stem == "99_specimen"]
    tables = site.article(specimen).select(".cell_output table")
    assert [table.find("th").get_text() for table in tables] == ["made", "found"]
    assert tables[0].find("math")


def test_every_formula_is_set_and_none_is_left_as_it_was_written(site, html):
    from markdown_it.renderer import RendererHTML
    from myst_parser.config.main import MdParserConfig
    from myst_parser.parsers.mdit import create_md_parser

    parser = create_md_parser(MdParserConfig(enable_extensions={"dollarmath", "colon_fence"}), RendererHTML)
    for source in site.made_from:
        wanted = Counter()
        for cell in site.cells(source):
            if cell.cell_type == "markdown":
                for token in parser.parse(cell.source):
                    wanted["block"] += token.type == "math_block"
                    wanted["inline"] += sum(child.type == "math_inline" for child in token.children or [])
        article = site.article(source)
        said = [node for node in article.select("math.formula") if not node.find_parent(class_="cell_output")]
        assert Counter(node.get("display", "inline") for node in said) == +wanted, source.name
        text = " ".join(node for node in article.find_all(string=True) if not node.find_parent(["pre", "code"]))
        assert not re.search(r"\\[a-zA-Z]{2,}|\$\$|\$[^\s\d]", text), source.name


def test_exercises_are_statements_without_the_checks(site):
    for source in site.made_from:
        article = site.article(source)
        headings = [node.find("code") for node in article.select("h3, h4") if node.get_text().startswith("Exercise")]
        assert [node.get_text() for node in headings] == chapter.exercise_ids(source)
        assert not re.search(r"""check\(["'][a-z]+\.""", article.get_text())


def test_no_answer_is_on_any_page(site, html):
    """But for lines that the text itself says, in a notebook as it is handed out."""
    seen = {path.stem: plain(page.get_text()) for path, page in html.items()}
    handed_out = {source: source.with_suffix(".ipynb") for source in site.made_from}
    cells = {source: nbformat.read(path, as_version=4).cells for source, path in handed_out.items() if path.exists()}
    said = {source.stem: plain("\n".join(cell.source for cell in cells.get(source, []))) for source in site.made_from}
    ids = [exercise_id for source in site.made_from for exercise_id in chapter.exercise_ids(source)]
    for exercise_id in dict.fromkeys(ids):
        for line in secrets(exercises[exercise_id]):
            found = {name for name, text in seen.items() if line in text and line not in said.get(name, "")}
            assert not found, f"{exercise_id}: {line}"


def test_nothing_is_fetched_from_elsewhere(site, html):
    for path, page in html.items():
        for tag, attribute in RESOURCES.items():
            for node in page.find_all(tag):
                address = urlsplit(node.get(attribute) or "")
                assert not (address.netloc or address.scheme not in ("", "data")), f"{path}: {node}"
                if address.path and not address.scheme:
                    target = site.folder / path.parent / unquote(address.path)
                    assert target.exists(), f"{path}: {node}"
    sheets = {path: path.read_text(encoding="utf-8") for path in site.folder.rglob("*.css")}
    sheets |= {path: style.get_text() for path, page in html.items() for style in page.find_all("style")}
    for path, text in sheets.items():
        for address in _addresses(tinycss2.parse_stylesheet(text)):
            assert not urlsplit(address).netloc, f"{path}: {address}"
            if not address.startswith(("data:", "#")):
                assert (path.parent / urlsplit(address).path).exists(), f"{path}: {address}"


def _addresses(nodes):
    for node in nodes or []:
        if node.type == "url":
            yield node.value
        elif node.type == "function" and node.lower_name == "url":
            yield from (argument.value for argument in node.arguments if argument.type == "string")
        if node.type == "at-rule" and node.lower_at_keyword == "import":
            yield from (token.value for token in node.prelude if token.type in ("string", "url"))
        for part in ("prelude", "content", "arguments"):
            yield from _addresses(getattr(node, part, None))


def test_every_link_within_the_course_leads_somewhere(site, html):
    anchors = {path: {node["id"] for node in page.select("[id]")} for path, page in html.items()}
    for path, page in html.items():
        for node in page.select("a[href]"):
            address = urlsplit(node["href"])
            if address.scheme or address.netloc:
                continue
            target = (site.folder / (path.parent / unquote(address.path) if address.path else path)).resolve()
            assert target.exists(), f"{path}: {node}"
            if address.fragment and target.suffix == ".html":
                assert unquote(address.fragment) in anchors[target.relative_to(site.folder.resolve())] | {""}, f"{path}: {node}"


def test_the_search_knows_words_of_the_chapters(site):
    index = (site.folder / "searchindex.js").read_text(encoding="utf-8")
    read = json.loads(index.removeprefix("Search.setIndex(").removesuffix(")"))
    assert {f"chapters/{source.stem}" for source in site.made_from} <= set(read["docnames"])
    assert {"adapt", "fisher", "quantil"} <= set(read["terms"])
