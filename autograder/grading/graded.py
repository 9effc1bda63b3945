"""What is known about one submission when it is graded. Reports stay reports; only the journal needs them as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from autograder.judging.report import Report


@dataclass(frozen=True)
class Graded:
    """All that is known about one submission. It is for instructors: what students may read of a report, `feedback` says."""

    seed: int
    reports: dict[str, Report]  # by exercise id
    written: dict[str, bool]  # by exercise id: whether something was written
    notes: list[str]  # for the instructor: what was odd
    needs_human: bool
    sandboxed: bool
    seconds: float
    cpu: float = 0.0  # seconds of a processor, here and in the sandbox


def to_plain(graded: Graded) -> dict[str, Any]:
    """As JSON has it."""
    return asdict(graded) | {"reports": {exercise_id: report.to_dict() for exercise_id, report in graded.reports.items()}}


def from_plain(data: dict[str, Any]) -> Graded:
    """The inverse of `to_plain`, also after a way through JSON."""
    reports = {exercise_id: Report.from_dict(report) for exercise_id, report in data["reports"].items()}
    return Graded(**data | {"reports": reports})
