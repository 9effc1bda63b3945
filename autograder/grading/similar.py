"""Which answers of a class resemble each other more than what was handed out explains. It reports and never judges.

What a student wrote in an assignment is taken together, without what was handed out. copydetect makes fingerprints of the code
that do not change with the names of variables, with comments or with spaces (winnowing: Schleimer, Wilkerson and Aiken 2003), and
leaves out those of the stubs and of the model answers: to write the obvious line is no sign of anything.
"""

from __future__ import annotations

import html
import io
import itertools
from collections.abc import Mapping
from dataclasses import dataclass

from autograder.grading.class_report import STYLE
from autograder.grading.classroom import Classroom
from autograder.grading.inert import visible
from autograder.grading.submission import UnreadableSubmission, cells_of, read_released
from autograder.notebooks.cells import answer_name
from autograder.places import CHAPTERS
from autograder.publishing.chapter import model_answers

K, WINDOW = 25, 1  # characters (a name is one, whatever its length) that a common piece has at least
SHOWN = 40  # pairs on the page, the most alike first
SIDE_BY_SIDE = """
body { max-width: 90rem } mark { background: #fbe3d0 }
.two { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem } pre { overflow-x: auto; border: 1px solid #ddd; padding: .5rem }
"""


@dataclass(frozen=True)
class Pair:
    """Two students, the share of what each wrote that the other has too, and how many characters of fingerprints they share."""

    one: str
    other: str
    shares: tuple[float, float]
    common: int
    texts: tuple[list[tuple[str, bool]], list[tuple[str, bool]]]  # each one's code in pieces, with whether it is shared


def written_by(room: Classroom) -> dict[str, str]:
    """Student -> the code that they wrote in this assignment: answers and cells of their own, in order."""
    released = read_released(room.released)
    handed_out = {cell.source.strip() for cell in cells_of(room.released)}
    answers = {answer_name(i) for i in released.exercises}
    found = {}
    for submission in room.submissions():
        try:
            cells = cells_of(submission.notebook)
        except UnreadableSubmission:
            continue
        theirs = [cell for cell in cells if cell.code and (cell.name in answers or cell.name not in released.cells)]
        own = [cell.source for cell in theirs if cell.source.strip() not in handed_out]
        if own:
            found[submission.student] = "\n\n".join(own) + "\n"
    return found


def pairs(room: Classroom, texts: Mapping[str, str], least: float) -> list[Pair]:
    """The pairs of whom one shares at least `least` of what they wrote, the most alike first. `texts`: see `written_by`."""
    from copydetect import CodeFingerprint, compare_files
    from numpy import unique

    ours = [cell.source for cell in cells_of(room.released)]
    source = CHAPTERS / f"{room.assignment}.md"
    ours += model_answers(source).values() if source.exists() else []
    known = [CodeFingerprint("ours.py", K, WINDOW, fp=io.StringIO(source + "\n")) for source in ours if source.strip()]
    boilerplate = unique([number for one in known for number in one.hashes])
    prints = {
        student: CodeFingerprint(f"{student}.py", K, WINDOW, boilerplate, fp=io.StringIO(text))
        for student, text in texts.items()
    }
    found = []
    for one, other in itertools.combinations(prints, 2):
        if not prints[one].hashes or not prints[other].hashes:
            continue
        common, shares, slices = compare_files(prints[one], prints[other])
        if max(shares) >= least:
            cut = tuple(_pieces(prints[who].raw_code, part) for who, part in zip((one, other), slices, strict=True))
            found.append(Pair(one, other, (float(shares[0]), float(shares[1])), int(common), cut))  # type: ignore[arg-type]
    return sorted(found, key=lambda pair: (-max(pair.shares), -pair.common, pair.one))


def page(assignment: str, found: list[Pair], students: int, least: float) -> str:
    """One page: a table of the pairs, and both texts of each side by side with what is common marked."""
    rows = "".join(
        f'<tr><td><a href="#{n}">{_text(p.one)} and {_text(p.other)}</a></td><td class="n">{p.shares[0]:.0%}</td>'
        f'<td class="n">{p.shares[1]:.0%}</td><td class="n">{p.common}</td></tr>' for n, p in enumerate(found[:SHOWN])
    )
    both = "".join(
        f'<h2 id="{n}">{_text(p.one)} and {_text(p.other)}</h2><div class="two"><pre>{_marked(p.texts[0])}</pre>'
        f"<pre>{_marked(p.texts[1])}</pre></div>" for n, p in enumerate(found[:SHOWN])
    )
    head = "<th>students</th><th class='n'>of the first</th><th class='n'>of the second</th><th class='n'>common</th>"
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>" if found else "<p>No pair.</p>"
    more = f"<p>{len(found) - SHOWN} more pairs are not shown.</p>" if len(found) > SHOWN else ""
    said = (
        f"{students} students wrote something. A pair is here if one of them shares {least:.0%} or more of that with the other. "
        "Stubs and model answers are taken out; names, comments and spaces make no difference. <b>This page accuses nobody.</b> "
        "Short exercises have few ways to be right, and friends explain things to each other: read, then talk."
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{_text(assignment)}: alike</title>'
        f"<style>{STYLE}{SIDE_BY_SIDE}</style></head><body><h1>{_text(assignment)}: what is alike</h1><p>{said}</p>"
        f"{table}{more}{both}</body></html>\n"
    )


def _pieces(text: str, slices: object) -> list[tuple[str, bool]]:
    """The text cut where what is common begins and ends."""
    spans = sorted((int(a), int(b)) for a, b in zip(*slices, strict=True)) if len(slices[0]) else []  # type: ignore[index,arg-type,misc]
    found, at = [], 0
    for begin, end in spans:
        begin = max(begin, at)
        if end > begin:
            found += [(text[at:begin], False), (text[begin:end], True)]
            at = end
    return [(piece, shared) for piece, shared in [*found, (text[at:], False)] if piece]


def _marked(pieces: list[tuple[str, bool]]) -> str:
    return "".join(f"<mark>{_lines(piece)}</mark>" if shared else _lines(piece) for piece, shared in pieces)


def _lines(text: str) -> str:
    return "\n".join(_text(line) for line in text.split("\n"))


def _text(text: str) -> str:
    return html.escape(visible(text))
