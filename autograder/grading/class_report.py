"""`course report`: one page for the instructor, that opens without a server, and the marks as a table.

It is made from the journal, so it can say what the gradebook cannot: which mistakes were made and by how many, and which
submissions a person should look at, and why.
"""

from __future__ import annotations

import csv
import html
import io
import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass

from autograder.grading.journal import Entry
from autograder.judging.report import Report

BINS = 10
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
body { color: #1a1a1a; background: #fff }
table { border-collapse: collapse; margin: 1rem 0; width: 100% } caption { text-align: left; color: #555 }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #ddd; vertical-align: top }
th { border-bottom: 2px solid #888 } td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
.bar { background: #0072B2; height: 1.1rem; display: inline-block; vertical-align: middle } .track { width: 40% }
.warn { background: #fbe3d0; padding: .6rem 1rem } code { background: #f0f0f0; padding: 0 .2rem }
"""


class NothingGraded(ValueError):
    """There is nothing to report on; the text is the sentence for the instructor."""


@dataclass(frozen=True)
class ExerciseSummary:
    """How a class did in one exercise. `mistakes` counts the misconceptions that were recognised, by name."""

    id: str
    points: float
    mean_share: float
    full: int
    states: Counter[str]
    mistakes: Counter[str]


def exercise_summaries(entries: dict[str, Entry]) -> list[ExerciseSummary]:
    """One summary an exercise, the hardest first."""
    reports: dict[str, list[Report]] = defaultdict(list)
    for entry in entries.values():
        for exercise_id, report in entry.graded.reports.items():
            reports[exercise_id].append(report)
    found = [
        ExerciseSummary(
            exercise_id, those[0].points, statistics.mean(r.score / r.points for r in those),
            sum(r.score >= r.points for r in those), Counter(r.state for r in those),
            Counter(r.misconception for r in those if r.misconception),
        )
        for exercise_id, those in reports.items()
    ]
    return sorted(found, key=lambda e: (e.mean_share, e.id))


def total(entry: Entry) -> float:
    """What a submission earned in the exercises that grade themselves."""
    return sum(report.score for report in entry.graded.reports.values())


def page(assignment: str, entries: dict[str, Entry]) -> str:
    """The HTML page. Raises `NothingGraded` when nothing is graded yet."""
    if not entries:
        raise NothingGraded(f"Nothing of {assignment} is graded yet: run `course grade {assignment}` first.")
    most = max(sum(r.points for r in entry.graded.reports.values()) for entry in entries.values())
    totals = [total(entry) for entry in entries.values()]
    unsandboxed = sum(not entry.graded.sandboxed for entry in entries.values())
    middle = f"mean {statistics.mean(totals):.1f}, median {statistics.median(totals):.1f} of {most:g} points"
    parts = [
        f"<h1>{html.escape(assignment)}</h1>",
        f"<p>{len(entries)} submissions, {middle}. Written answers, which a person marks, are not in these figures.</p>",
    ]
    if unsandboxed:
        parts.append(f'<p class="warn">{unsandboxed} of them were graded without the sandbox.</p>')
    parts += [_distribution(totals, most), _exercises(entries), _mistakes(entries), _for_a_person(entries)]
    title = html.escape(assignment)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}: report</title>'
        f"<style>{STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def table(entries: dict[str, Entry]) -> str:
    """The marks as CSV: a row a student, a column an exercise, and what the instructor should know."""
    ids = list(dict.fromkeys(i for entry in entries.values() for i in entry.graded.reports))
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["student", *ids, "total", "written answers", "needs a person", "seed", "notes"])
    for student, entry in sorted(entries.items()):
        reports = entry.graded.reports
        scores = [f"{reports[i].score:g}" if i in reports else "" for i in ids]
        written = sum(entry.graded.written.values())
        row = [student, *scores, f"{total(entry):g}", written, "yes" if entry.graded.needs_human else "no"]
        writer.writerow([_no_formula(str(cell)) for cell in [*row, entry.graded.seed, " ".join(entry.graded.notes)]])
    return file.getvalue()


def _no_formula(text: str) -> str:
    """A cell that a spreadsheet would take for a formula is text: names and notes come from submissions."""
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _distribution(totals: list[float], most: float) -> str:
    counts = Counter(min(int(BINS * value / most), BINS - 1) if most else 0 for value in totals)
    largest = max(counts.values())
    rows = []
    for place in range(BINS):
        low, high, last = most * place / BINS, most * (place + 1) / BINS, place == BINS - 1
        bar = f'<td class="track"><span class="bar" style="width:{100 * counts[place] / largest:.0f}%"></span></td>'
        span = f"{low:.3g} to {high:.3g}" if last else f"{low:.3g} to below {high:.3g}"
        rows.append([_text(span), _number(counts[place]), bar])
    return "<h2>Marks</h2>" + _table("points|submissions|", rows)


def _exercises(entries: dict[str, Entry]) -> str:
    rows = []
    for e in exercise_summaries(entries):
        states = ", ".join(f"{state} {number}" for state, number in e.states.most_common())
        full = f"{e.full} of {sum(e.states.values())}"
        rows.append([_code(e.id), _number(f"{e.points:g}"), _number(f"{e.mean_share:.0%}"), _number(full), _text(states)])
    return "<h2>Exercises, the hardest first</h2>" + _table("exercise|points|mean|full marks|states", rows)


def _mistakes(entries: dict[str, Entry]) -> str:
    fell: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for student, entry in sorted(entries.items()):
        for exercise_id, report in entry.graded.reports.items():
            if report.misconception:
                fell[exercise_id, report.misconception, report.says].append(student)
    rows = [
        [_number(len(who)), _code(exercise_id), _text(name.replace("_", " ")), _text(says), _text(_names(who))]
        for (exercise_id, name, says), who in sorted(fell.items(), key=lambda item: (-len(item[1]), item[0]))
    ]
    found = _table("how many|exercise|mistake|what the student reads|students", rows) if rows else "<p>None was recognised.</p>"
    return "<h2>Mistakes that were recognised</h2>" + found


def _for_a_person(entries: dict[str, Entry]) -> str:
    odd = {student: entry.graded.notes for student, entry in sorted(entries.items()) if entry.graded.needs_human}
    rows = [[_text(student), _text(" ".join(notes) or "has written answers to read")] for student, notes in odd.items()]
    waiting = sum(sum(entry.graded.written.values()) for entry in entries.values())
    found = _table("student|why", rows) if rows else "<p>No submission was odd.</p>"
    return f"<h2>Submissions that need a person</h2><p>Written answers to read in formgrader: {waiting}.</p>{found}"


def _names(students: list[str], most: int = 8) -> str:
    return ", ".join(students[:most]) + (f" and {len(students) - most} more" if len(students) > most else "")


def _table(head: str, rows: list[list[str]]) -> str:
    """A table of cells that are HTML already: made by `_text`, `_number` or `_code`, which escape what they are given."""
    titles = "".join(f"<th>{title}</th>" for title in head.split("|"))
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"


def _text(text: str) -> str:
    return f"<td>{html.escape(text)}</td>"


def _number(text: object) -> str:
    return f'<td class="n">{html.escape(str(text))}</td>'


def _code(text: str) -> str:
    return f"<td><code>{html.escape(text)}</code></td>"
