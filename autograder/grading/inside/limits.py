"""How much one submission may use. Far above what an honest one needs, and little enough that no other notices."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Seconds of `submission` are by the clock, the others a processor's (see `asking.patience`); bytes are of one process, and
    `total_memory` is of all processes of a submission together.
    """

    cell: float = 30.0  # one cell
    cells: float = 90.0  # all cells of the submission
    exercise: float = 20.0  # all cases of one exercise that asks for no time of its own
    submission: float = 300.0  # everything
    memory: int = 3 << 30
    total_memory: int = 4 << 30
    disk: int = 256 << 20  # of /tmp, and of one file
    processes: int = 64


GRACE = 3.0  # seconds that the judge waits longer than the sandbox ought to take
