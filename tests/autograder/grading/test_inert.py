"""What students wrote does nothing on the pages, in the spreadsheets and on the terminals of those who read it."""

import csv
import io
import re

import pytest

from autograder.grading import exports, inert
from autograder.grading.marks import Marks

ACTIVE = {
    "script": ("<script>alert(1)</script>", "<script"),
    "script, spelled oddly": ("<ScRiPt src=//evil.example/x.js></ScRiPt>", "<script"),
    "event handler": ('<img src="x" onerror="alert(1)">', "onerror="),
    "handler in SVG": ("<svg onload=alert(1)>", "<svg"),
    "frame": ('<iframe src="https://evil.example"></iframe>', "<iframe"),
    "form": ('<form action="/mark"><input name=score></form>', "<form"),
    "style": ("<style>body{display:none}</style>", "<style"),
    "style of a tag": ('<p style="position:fixed">x</p>', "style="),
    "javascript link": ("[x](javascript:alert(1))", "href=\"javascript"),
    "javascript link, in pieces": ("[x](java\tscript:alert(1))", "script:alert(1)\""),
    "javascript in HTML": ('<a href="&#106;avascript:alert(1)">x</a>', "javascript:alert"),
    "data link": ("[x](data:text/html;base64,PHNjcmlwdD4=)", "href=\"data:"),
    "picture from elsewhere": ("![x](https://evil.example/seen.png)", "evil.example/seen.png"),
    "picture as SVG": ("![x](data:image/svg+xml;base64,PHN2Zz4=)", "data:image/svg"),
    "meta": ('<meta http-equiv="refresh" content="0;url=//evil.example">', "<meta"),
    "base": ('<base href="//evil.example">', "<base"),
    "object": ('<object data="x.swf"></object>', "<object"),
    "comment": ("<!--[if gte IE 4]><script>alert(1)</script><![endif]-->", "<script"),
    "mermaid": ("```mermaid\n</pre><script>alert(1)</script>\n```", "<script"),
    "maths": ("$</span><script>alert(1)</script>$", "<script"),
    "maths with text": ("$\\text{<script>alert(1)</script>}$", "<script"),
    "maths that cannot be set": ("$$\\unknown{<img src=x onerror=alert(1)>}$$", "<img"),
    "maths with an address": ("$\\href{javascript:alert(1)}{x}$", 'href="'),
    "a colour": ("$\\color{red\" onload=\"alert(1)}x$", 'onload="'),
    "MathML by hand": ("<math><mtext><style>x</style><img src=x onerror=alert(1)></mtext></math>", "<math"),
    "code": ("`<script>alert(1)</script>`", "<script"),
}


def shown(text, **cell):
    return inert.markdown({"cell": cell}, text)


@pytest.mark.parametrize(("text", "active"), ACTIVE.values(), ids=ACTIVE)
def test_nothing_active_is_left(text, active):
    for around in ("{}", "# {}", "- {}", "> {}", "**a** {} b", "| a |\n|---|\n| {} |"):
        assert active.lower() not in shown(around.format(text)).lower(), around


def test_what_makes_it_readable_stays():
    page = shown("# A title\n\n*so* and **so**, `a < b`, $a < b$, [there](https://example.org)\n\n| x |\n|---|\n| 1 |\n"
                 "\n```python\nfor i in x:\n    pass\n```\n\n<details><summary>Why</summary>Because.</details>")  # fmt: skip
    formula = '<math class="formula"><mi>a</mi><mo>&lt;</mo><mi>b</mi></math>'
    for piece in ("<h1", "<em>so</em>", "<strong>so</strong>", "<code>a &lt; b</code>", formula, 'href="https://example.org"',
                  "<td>1</td>", "highlight", "<summary>Why</summary>"):  # fmt: skip
        assert piece in page, (piece, page)


@pytest.mark.parametrize("text", ["# About $x$ and $y$", "![$x$ > $y$](data:image/png;base64,iVBORw0KGgo=)", '[a](#b "$x$")'])
def test_a_formula_stands_in_the_text_and_in_no_attribute(text):
    page = shown(text)
    tags = [tag for tag in re.findall(r"<[^>]*>", page) if "math" not in tag]
    assert "formula" not in "".join(tags) and not re.search(r"formula[0-9a-f]{32}", page)
    assert ("<math" in page) == text.startswith("#")


def test_a_pasted_picture_is_shown_and_one_that_is_missing_breaks_nothing():
    page = shown("![p](attachment:a.png)", attachments={"a.png": {"image/png": "iVBORw0KGgo="}})
    assert 'src="data:image/png;base64,iVBORw0KGgo="' in page
    assert "<img" in shown("before ![p](attachment:gone.png) after") and "after" in shown("![p](attachment:gone.png) after")


@pytest.mark.parametrize("text", ["=1+1", "+1+1", "-2+3", "@SUM(A1)", "\t=1", " =1", "|calc", "%0A=1", "\r=1"])
def test_a_formula_is_text(text):
    row = Marks("ada", text, text, text, text, {}, (), 0.0, 0.0, 0.0, 1.0)
    for file in (exports.canvas([row], "a", 2.0), exports.moodle([row], "a")):
        for cell in [cell for line in csv.reader(io.StringIO(file)) for cell in line]:
            assert cell.lstrip()[:1] not in ("=", "+", "-", "@", "|", "%"), file


@pytest.mark.parametrize("number", ["-1.5", "+2", "1e-3", "0", "12"])
def test_a_number_is_a_number(number):
    assert inert.cell(number) == number


def test_what_steers_a_terminal_is_seen():
    assert inert.visible("a\x1b[2Jb\x07\u202ec\nd\x9b31m é") == "a\\x1b[2Jb\\x07\\u202ec\\nd\\x9b31m é"
    assert inert.visible("\ud800") == "\\ud800"
    assert "\x1b" not in inert.cell("\x1b]8;;") and "\n" not in inert.cell("=1\n2")
