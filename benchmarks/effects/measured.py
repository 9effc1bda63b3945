"""What a measured effect is: claims with targets, and the table behind them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

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


@dataclass(frozen=True)
class Effect:
    """A name, what is promised, and what measures it. With `data` the rows are kept too, in chapters/measured/<data>.json."""

    name: str
    target: str
    measure: Callable[..., Measured]
    data: str = ""
