"""What a check says: a small table, one sentence, and the score as a plain float."""

from __future__ import annotations

import html
from dataclasses import asdict, dataclass, field
from typing import Any

from autograder.asking.state import State

REPORT = "application/vnd.finetuning-course.report+json"  # the MIME type of `Report.to_dict()`, for programs to read


@dataclass(frozen=True)
class Row:
    """One part: what it earned of its points, and why."""

    part: str
    earned: float
    points: float
    comment: str


@dataclass(frozen=True)
class Report:
    """The verdict on one answer. `misconception` is the name of the mistake that was recognised, or None; `says` its sentence.

    Where none was, `symptoms` names what else could be said of what came (see `judging.symptoms`); the sentence is the message.
    """

    id: str
    score: float
    points: float
    state: State
    misconception: str | None
    message: str
    rows: list[Row] = field(default_factory=list)
    printed: str = ""
    seed: int | None = None
    says: str = ""
    error: str = ""  # the built-in type of the first exception, if the answer raised one where it should not
    symptoms: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """The report as what JSON can say."""
        return asdict(self) | {"state": str(self.state)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Report:
        """The report that `to_dict` wrote. Raises `ValueError` for a state that is none, `TypeError` for other fields."""
        return cls(**data | {"state": State(data["state"]), "rows": [Row(**row) for row in data["rows"]]})

    def text(self) -> str:
        """The report for a terminal."""
        lines = [f"{self.id}: {self.score:g} of {self.points:g} points", self.message]
        lines += [f"  {_sign(row)} {row.part}: {row.earned:g} of {row.points:g}  {row.comment}" for row in self.rows]
        return "\n".join(lines + _printed_lines(self.printed))

    def _repr_html_(self) -> str:
        """The report for a notebook. Colour repeats what the signs say, so nothing is lost without it."""
        rows = "".join(
            f'<tr class="course-{"right" if row.earned == row.points else "wrong"}" '
            f'style="background:{_colour(row)};color:#1a1a1a">'
            f"<td style='text-align:left'>{_sign(row)} {html.escape(row.part)}</td>"
            f"<td style='white-space:nowrap'>{row.earned:g} of {row.points:g}</td>"
            f"<td style='text-align:left'>{html.escape(row.comment)}</td></tr>"
            for row in self.rows
        )
        printed = "\n".join(_printed_lines(self.printed))
        return (
            f"<p><b>{html.escape(self.id)}</b>: {self.score:g} of {self.points:g} points<br>{html.escape(self.message)}</p>"
            f"<table><tbody>{rows}</tbody></table>" + (f"<pre>{html.escape(printed)}</pre>" if printed else "")
        )


def _sign(row: Row) -> str:
    return "✓" if row.earned == row.points else "✗"


def _colour(row: Row) -> str:
    return "#d5f0e3" if row.earned == row.points else "#fbe3d0"  # green and orange that stay apart for every eye


def _printed_lines(printed: str, most: int = 20) -> list[str]:
    """What the student's function printed in the first case that printed anything, cut to a readable length."""
    if not printed.strip():
        return []
    lines = printed.rstrip().splitlines()
    shown = [f"  | {line[:200]}" for line in lines[:most]]
    return ["Your function printed:", *shown] + ([f"  | ... and {len(lines) - most} more lines"] if len(lines) > most else [])
