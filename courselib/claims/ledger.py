"""The ledger: what is said, what was found, and the function that finds it again.

A row says a claim in the course's own words, its verdict, what was found instead and why. Where the truth can be computed, a
function of `computing` computes it when the ledger is opened: nothing on the page is a result that somebody typed. The row's
own `figures` come from somewhere else (the paper, arithmetic by hand), so that row and function hold one another.
"""

from __future__ import annotations

import importlib
import math
import pkgutil
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from courselib.claims.computed import REGISTERED, Computed

ROWS = Path(__file__).parent / "rows"
VERDICTS = ("holds", "nearly", "overclaimed", "contradictory", "wrong", "open")  # from the best to the worst, then the unknown
TRUE = frozenset({"holds", "nearly"})  # verdicts under which the claim, as it is said, is true
ORDER = (
    "pretraining", "transfer", "domain", "forgetting", "continual", "instruction", "preference", "lora", "peft_family", "qlora",
    "dreambooth", "practice",
)  # topics, as the chapters come
CLOSE = 0.01  # relative distance at which a computed figure is the stated one, unless the row says otherwise


@dataclass(frozen=True)
class Row:
    """One claim. `where` is "chapter · heading" in the course; `figures` are what its function must give, within `close`;
    `not_here` says why nothing computes it."""

    id: str
    topic: str
    said: str
    verdict: str
    found: str
    why: str
    where: str | None = None
    figures: dict[str, float] = field(default_factory=dict)
    close: float = CLOSE
    not_here: str | None = None

    def __post_init__(self) -> None:
        if self.verdict not in VERDICTS:
            raise ValueError(f"Row {self.id!r}: the verdict is one of {', '.join(VERDICTS)}; got {self.verdict!r}.")


@dataclass(frozen=True)
class Line:
    """A row and what its function gave just now; `computed` is None where nothing computes it."""

    row: Row
    computed: Computed | None

    @property
    def agrees(self) -> bool:
        """Does the computation say what the row says? True where there is none."""
        return self.computed is None or not disagreements(self.row, self.computed)


def rows(topic: str | None = None) -> list[Row]:
    """The rows of one topic, or of all in the order of the chapters. Raises ValueError for an unknown topic or a wrong entry."""
    there = {path.stem: path for path in ROWS.glob("*.yml")}
    if topic is not None and topic not in there:
        raise ValueError(f"No topic {topic!r} in the ledger; there is {', '.join(sorted(there))}.")
    names = [name for name in ORDER if name in there] + sorted(set(there) - set(ORDER)) if topic is None else [topic]
    read = []
    for name in names:
        for entry in yaml.safe_load(there[name].read_text(encoding="utf-8")):
            figures = {str(key): float(value) for key, value in entry.pop("figures", {}).items()}  # YAML reads 1e-5 as a word
            try:
                read.append(Row(topic=name, figures=figures, **entry))
            except TypeError as error:
                raise ValueError(f"An entry of {name}.yml is not a row ({entry.get('id', 'without an id')}): {error}.") from None
    return read


def functions() -> dict[str, Callable[[], Computed]]:
    """Every claim's function by id; imports all of `computing` on the first call."""
    package = importlib.import_module("courselib.claims.computing")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return dict(REGISTERED)


def disagreements(row: Row, computed: Computed) -> list[str]:
    """What row and computation say differently, a sentence each. An open verdict says nothing about `holds`."""
    found = []
    if row.verdict != "open" and computed.holds != (row.verdict in TRUE):
        outcome = "holds" if computed.holds else "fails"
        found.append(f"the verdict is {row.verdict!r} and the computation says that the claim {outcome}")
    for name, stated in row.figures.items():
        if name not in computed.figures:
            found.append(f"{name!r} is not among what was computed ({', '.join(computed.figures)})")
            continue
        value = computed.figures[name]
        near = abs(value) <= 1e-6 if stated == 0 else math.isclose(value, stated, rel_tol=row.close)
        if not near:
            found.append(f"{name!r} is stated as {stated:g} and computed as {value:g}")
    return found


def recompute(chosen: Iterable[Row]) -> list[Line]:
    """Every row with what its function gives now; a function that serves several rows runs once."""
    known, ran, lines = functions(), {}, []
    for row in chosen:
        function = known.get(row.id)
        if function is not None and function not in ran:
            ran[function] = function()
        lines.append(Line(row, ran.get(function)))
    return lines


def select(
    chosen: Sequence[Row], topics: Iterable[str] | None = None, verdicts: Iterable[str] | None = None, words: str = ""
) -> list[Row]:
    """Rows of these topics (None: all) with these verdicts (None: any) in which every one of the words stands, in any case."""
    topics, verdicts = (None if few is None else set(few) for few in (topics, verdicts))
    wanted = words.casefold().split()
    found = []
    for row in chosen:
        parts = (row.id, row.topic, row.said, row.found, row.why, row.not_here or "", *row.figures)
        text = " ".join(parts).casefold()
        fits = (topics is None or row.topic in topics) and (verdicts is None or row.verdict in verdicts)
        if fits and all(word in text for word in wanted):
            found.append(row)
    return found


def counts(chosen: Iterable[Row]) -> dict[str, dict[str, int]]:
    """How many rows of each verdict a topic has: topic -> verdict -> number, every verdict named."""
    tally: dict[str, Counter[str]] = {}
    for row in chosen:
        tally.setdefault(row.topic, Counter())[row.verdict] += 1
    return {topic: {verdict: of[verdict] for verdict in VERDICTS} for topic, of in tally.items()}
