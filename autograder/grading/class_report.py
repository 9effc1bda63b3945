"""`course report`: one page for the instructor, that opens without a server, and the marks as a table.

The numbers are the gradebook's (see `marks`), so they are those of every other file. The journal adds what the gradebook cannot
know: which mistakes were made and by how many (known ones, and the symptoms of others), and which submissions a person should
look at, and why.
"""

from __future__ import annotations

import csv
import html
import io
import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass

from autograder.grading.inert import cell, visible
from autograder.grading.journal import Entry
from autograder.grading.marks import Marks, duration, number
from autograder.judging.report import Report

BINS = 10
FEWEST = 10  # submissions, below which a correlation says nothing: its interval at ten is still as wide as 1.2
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
body { color: #1a1a1a; background: #fff }
table { border-collapse: collapse; margin: 1rem 0; width: 100% } caption { text-align: left; color: #555 }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #ddd; vertical-align: top }
th { border-bottom: 2px solid #888 } td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
.bar { background: #0072B2; height: 1.1rem; display: inline-block; vertical-align: middle } .track { width: 40% }
.wide { overflow-x: auto } .warn { background: #fbe3d0; padding: .6rem 1rem } code { background: #f0f0f0; padding: 0 .2rem }
"""


class NothingGraded(ValueError):
    """There is nothing to report on; the text is the sentence for the instructor."""


@dataclass(frozen=True)
class ExerciseSummary:
    """How a class did in one exercise. `mistakes` counts the recognised misconceptions, `symptoms` the symptoms, by name.

    `with_the_rest` is the correlation of its marks with the sum of all others (the corrected item-total correlation: see
    Nunnally and Bernstein, Psychometric Theory, 1994, chapter 8); None where the class is too small or everybody has the same.
    """

    id: str
    points: float
    mean_share: float
    full: int
    with_the_rest: float | None
    states: Counter[str]
    mistakes: Counter[str]
    symptoms: Counter[str]


def exercise_summaries(class_: list[Marks], most: dict[str, float], entries: dict[str, Entry]) -> list[ExerciseSummary]:
    """One summary an exercise, the hardest first."""
    reports: dict[str, list[Report]] = defaultdict(list)
    for entry in entries.values():
        for exercise_id, report in entry.graded.reports.items():
            reports[exercise_id].append(report)
    found = []
    for exercise_id, points in most.items():
        marks = [student.exercises[exercise_id] for student in class_ if exercise_id in student.exercises]
        states = Counter(str(report.state) for report in reports[exercise_id])
        mistakes = Counter(report.misconception for report in reports[exercise_id] if report.misconception)
        symptoms = Counter(name for report in reports[exercise_id] for name in report.symptoms)
        waiting = sum(exercise_id in student.waiting for student in class_)
        states += Counter({"waits for a person": waiting})
        share = statistics.mean(marks) / points if marks and points else 0.0
        full = sum(mark >= points for mark in marks)
        rest = _with_the_rest([student.exercises for student in class_ if exercise_id in student.exercises], exercise_id)
        found.append(ExerciseSummary(exercise_id, points, share, full, rest, states, mistakes, symptoms))
    return sorted(found, key=lambda e: (e.mean_share, e.id))


def _with_the_rest(class_: list[dict[str, float]], exercise_id: str) -> float | None:
    mine = [marks[exercise_id] for marks in class_]
    others = [sum(marks.values()) - marks[exercise_id] for marks in class_]
    if len(class_) < FEWEST or len(set(mine)) == 1 or len(set(others)) == 1:
        return None
    return statistics.correlation(mine, others)


def page(
    assignment: str, class_: list[Marks], most: dict[str, float], entries: dict[str, Entry], attempts: dict[str, list[Entry]]
) -> str:
    """The HTML page. Raises `NothingGraded` when nothing is graded yet.

    Args:
        class_: the marks of every student, as `marks.read` gives them.
        most: the points of each exercise.
        entries: what the journal knows, by student. It knows nothing of what `nbgrader autograde` graded.
        attempts: all that each student handed in, in order, as `journal.attempts` gives it.
    """
    marked = [student for student in class_ if student.score is not None]
    if not marked:
        raise NothingGraded(f"Nothing of {assignment} is graded yet: run `course grade {assignment}` first.")
    scores, highest = [student.score or 0.0 for student in marked], sum(most.values())
    entries = {student.id: entries[student.id] for student in marked if student.id in entries}
    unsandboxed = sum(not entry.graded.sandboxed for entry in entries.values())
    middle = f"mean {statistics.mean(scores):.1f}, median {statistics.median(scores):.1f} of {highest:g} points"
    said = "The numbers are the gradebook's: with what people marked or changed so far, less what is taken off for coming late."
    parts = [f"<h1>{html.escape(assignment)}</h1>", f"<p>{len(marked)} submissions, {middle}. {said}</p>"]
    if unsandboxed:
        parts.append(f'<p class="warn">{unsandboxed} of them were graded without the sandbox.</p>')
    if len(entries) < len(marked):
        elsewhere = len(marked) - len(entries)
        parts.append(f"<p>{elsewhere} of them were not graded by `course grade`, so nothing is said here of their mistakes.</p>")
    parts += [_distribution(scores, highest), _exercises(exercise_summaries(marked, most, entries))]
    parts += [_growth([attempts[s] for s in entries if len(attempts.get(s, [])) > 1], most)]
    parts += [_mistakes(entries), _symptoms(entries), _for_a_person(marked, entries), _students(marked, most)]
    title = html.escape(assignment)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}: report</title>'
        f"<style>{STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def table(class_: list[Marks], most: dict[str, float], entries: dict[str, Entry]) -> str:
    """The marks as CSV: a row for each who handed in, a column an exercise, and what the instructor should know."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    about = ["late", "more time given", "late penalty", "score", "waits for a person", "needs a person", "seed", "notes"]
    writer.writerow(["student", *most, *about])
    for student in class_:
        if student.score is None:
            continue
        marks = [number(student.exercises.get(i)) for i in most]
        graded = entries[student.id].graded if student.id in entries else None
        about = ["yes" if graded.needs_human else "no", graded.seed, " ".join(graded.notes)] if graded else ["", "", ""]
        when = [duration(seconds) if seconds else "" for seconds in (student.late, student.extension)]
        row = [student.id, *marks, *when, number(student.penalty), number(student.score), " ".join(student.waiting), *about]
        writer.writerow([cell(str(item)) for item in row])
    return file.getvalue()


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


def _exercises(summaries: list[ExerciseSummary]) -> str:
    rows = []
    for e in summaries:
        states = ", ".join(f"{state} {count}" for state, count in e.states.most_common())
        rest = "" if e.with_the_rest is None else f"{e.with_the_rest:+.2f}"
        shares = [_number(f"{e.points:g}"), _number(f"{e.mean_share:.0%}"), _number(e.full), _number(rest)]
        rows.append([_code(e.id), *shares, _text(states)])
    meaning = (
        "With the rest: how an exercise's marks go with the sum of all others, from −1 to +1. High: it tells strong from weak. "
        "Near 0 or below: it tells nothing of who can do the others, so look at its statement. "
        f"From {FEWEST} submissions on, and only where they differ."
    )
    table = _table("exercise|points|mean|full marks|with the rest|states", rows)
    return f"<h2>Exercises, the hardest first</h2><p>{meaning}</p>" + table


def _growth(several: list[list[Entry]], most: dict[str, float]) -> str:
    """Those who handed in more than once, from the first to the last; what the checks gave, without people's marks."""
    if not several:
        return ""
    rows = []
    for exercise_id, points in most.items():
        pairs = [[t.graded.reports[exercise_id].score for t in (tries[0], tries[-1])] for tries in several
                 if all(exercise_id in t.graded.reports for t in (tries[0], tries[-1]))]  # fmt: skip
        if pairs and points:
            first, last = (statistics.mean(scores) / points for scores in zip(*pairs, strict=True))
            better, worse = sum(b > a for a, b in pairs), sum(b < a for a, b in pairs)
            rows.append([_code(exercise_id), *map(_number, (f"{first:.0%}", f"{last:.0%}", better, worse))])
    said = f"{len(several)} handed in more than once, or were graded again after a new release. What the checks gave them:"
    table = _table("exercise|at first|at last|better|worse", rows)
    return f"<h2>From the first to the last attempt</h2><p>{said}</p>{table}"


def _mistakes(entries: dict[str, Entry]) -> str:
    fell: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for student, entry in sorted(entries.items()):
        for exercise_id, report in entry.graded.reports.items():
            if report.misconception:
                fell[exercise_id, report.misconception, report.says].append(student)
    rows = [
        [_number(len(who)), _code(exercise_id), _text(_said(name)), _text(says), _text(_names(who))]
        for (exercise_id, name, says), who in sorted(fell.items(), key=lambda item: (-len(item[1]), item[0]))
    ]
    found = _table("how many|exercise|mistake|what the student reads|students", rows) if rows else "<p>None was recognised.</p>"
    return "<h2>Mistakes that were recognised</h2>" + found


def _symptoms(entries: dict[str, Entry]) -> str:
    """What could be said of answers that are no known mistake; a sentence may hold one student's numbers, so it is an example."""
    fell: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for student, entry in sorted(entries.items()):
        for exercise_id, report in entry.graded.reports.items():
            for name in report.symptoms:
                fell[exercise_id, name][student] = report.message
    rows = [
        [_number(len(who)), _code(exercise_id), _text(_said(name)), _text(next(iter(who.values()))), _text(_names(list(who)))]
        for (exercise_id, name), who in sorted(fell.items(), key=lambda item: (-len(item[1]), item[0]))
    ]
    head = "how many|exercise|symptom|what one of them reads|students"
    return "<h2>What else was seen</h2>" + (_table(head, rows) if rows else "<p>Nothing.</p>")


def _for_a_person(class_: list[Marks], entries: dict[str, Entry]) -> str:
    odd = {student: entry.graded.notes for student, entry in sorted(entries.items()) if entry.graded.needs_human}
    rows = [[_text(student), _text(" ".join(notes) or "has written answers to read")] for student, notes in odd.items()]
    waiting = sum(len(student.waiting) for student in class_)
    found = _table("student|why", rows) if rows else "<p>No submission was odd.</p>"
    return f"<h2>Submissions that need a person</h2><p>Answers that wait in formgrader: {waiting}.</p>{found}"


def _students(class_: list[Marks], most: dict[str, float]) -> str:
    rows = []
    for student in class_:
        marks = [_number(number(student.exercises.get(i))) for i in most]
        when = [_number(duration(seconds) if seconds else "") for seconds in (student.late, student.extension)]
        rows.append([_text(student.id), *marks, *when, _number(number(student.penalty)), _number(number(student.score))])
    head = "|".join(["student", *(html.escape(i) for i in most), "late", "more time given", "late penalty", "score"])
    return '<h2>Students</h2><div class="wide">' + _table(head, rows) + "</div>"


def _said(name: str) -> str:
    return name.replace("_", " ")


def _names(students: list[str], most: int = 8) -> str:
    return ", ".join(students[:most]) + (f" and {len(students) - most} more" if len(students) > most else "")


def _table(head: str, rows: list[list[str]]) -> str:
    """A table of cells that are HTML already: made by `_text`, `_number` or `_code`, which escape what they are given."""
    titles = "".join(f"<th>{title}</th>" for title in head.split("|"))
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"


def _text(text: str) -> str:
    return f"<td>{html.escape(visible(text))}</td>"


def _number(text: object) -> str:
    return f'<td class="n">{html.escape(str(text))}</td>'


def _code(text: str) -> str:
    return f"<td><code>{html.escape(text)}</code></td>"
