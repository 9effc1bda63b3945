"""What a measured effect is: claims with targets, and the table behind them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from courselib.lab.experiments import Table
from courselib.lab.plots import interval


@dataclass(frozen=True)
class Check:
    """One claim: the mean of `values`, one a seed, is at least `target` (at most, with `at_most`)."""

    claim: str
    values: Sequence[float]
    target: float
    at_most: bool = False

    @property
    def reached(self) -> bool:
        mean = interval(self.values).mean
        return mean <= self.target if self.at_most else mean >= self.target

    @property
    def verdict(self) -> str:
        mean, half_width = interval(self.values)
        clear = mean + half_width <= self.target if self.at_most else mean - half_width >= self.target
        return ("yes" if clear else "yes, but the interval reaches beyond") if self.reached else "**no**"


@dataclass(frozen=True)
class Measured:
    """What an effect's function returns: its claims, the table behind them, and what a reader should know."""

    checks: list[Check]
    table: Table
    note: str = ""
    columns: tuple[str, ...] = field(default=())
    seeds: tuple[int, ...] = ()  # where they are not those of the report


@dataclass(frozen=True)
class Effect:
    """`data` names the file in chapters/measured that keeps the numbers for a chapter to read, beside the report for people."""

    name: str
    target: str
    measure: Callable[..., Measured]
    data: str = ""


def as_data(effect: Effect, found: Measured, measured: str) -> dict[str, Any]:
    """What a chapter reads: when and where it was measured, the claims, every run, and mean and half width of each column."""
    columns = found.columns
    return {
        "effect": effect.name,
        "measured": measured,
        "claims": [
            {"claim": check.claim, "target": check.target, "at_most": check.at_most, "interval": list(interval(check.values)),
             "reached": check.reached}
            for check in found.checks
        ],
        "summary": {
            setting: {column: list(values[column]) for column in columns if column in values}
            for setting, values in found.table.summary().items()
        },
        "runs": [{name: value for name, value in row.items() if name not in ("seconds", "cached")} for row in found.table.rows],
    }
