"""The ledger as a page: a table that is searched and filtered, a still list, and the figure of verdicts by topic."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from courselib.claims.ledger import ORDER, VERDICTS, Line, Row, counts, select

if TYPE_CHECKING:
    import matplotlib.pyplot as plt

SHADES = dict(zip(VERDICTS, ("#0072B2", "#56B4E9", "#F0C9A0", "#E69F00", "#D55E00", "#BBBBBB"), strict=True))
CELL = "text-align:left;vertical-align:top;padding:.3em 1em .3em 0;border-bottom:1px solid #8884"
HEADS = ("said", "verdict", "found, and why", "computed now", "in the course")


def as_number(value: float) -> str:
    """A figure as a page shows it: whole numbers with commas, small ones in powers of ten, others with four digits."""
    if value == 0 or abs(value) < 1e-9:
        return "0"
    if abs(value - round(value)) < 1e-9 * abs(value) and abs(value) < 1e15:
        return f"{round(value):,}"
    return f"{value:.4g}"


def figures_of(line: Line) -> str:
    """What a line's function gave, as "name: value; …"; where there is none, why."""
    if line.computed is None:
        return f"not computed: {line.row.not_here}"
    return "; ".join(f"{name}: {as_number(value)}" for name, value in line.computed.figures.items())


def as_table(lines: Sequence[Line]) -> str:
    """The lines as an HTML table: what is said, its verdict, what was found, what was computed now, where the course shows it."""
    cells = [
        (line.row.said, line.row.verdict, f"{line.row.found} {line.row.why}", figures_of(line), line.row.where or "")
        for line in lines
    ]
    head = "".join(f"<th style='{CELL}'>{name}</th>" for name in HEADS)
    body = "".join("<tr>" + "".join(
        f"<td style='{CELL}'>{html.escape(text)}</td>" for text in row) + "</tr>" for row in cells)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def folded(lines: Sequence[Line]) -> str:
    """All lines as HTML that needs no kernel: a list of topics, each of which opens into its table."""
    topics = dict.fromkeys(line.row.topic for line in lines)
    parts = []
    for topic in topics:
        mine = [line for line in lines if line.row.topic == topic]
        parts.append(f"<details><summary><b>{topic}</b>, {len(mine)} claims</summary>{as_table(mine)}</details>")
    return "".join(parts)


def browse(lines: Sequence[Line], most: int = 25) -> None:
    """Shows a field for words, one for a topic and one for a verdict, and below them the first `most` lines that fit all three.

    The table is an ordinary output that is updated in place: it is saved as it was seen last, and can be read without a kernel.
    """
    import ipywidgets
    from IPython.display import HTML, display

    topics = dict.fromkeys(line.row.topic for line in lines)
    words = ipywidgets.Text(description="words", placeholder="LoRA memory", continuous_update=False)
    topic = ipywidgets.Dropdown(description="topic", options=["all", *topics])
    verdict = ipywidgets.Dropdown(description="verdict", options=["all", *VERDICTS], value="wrong")

    def table() -> HTML:
        found = found_by(lines, words.value, topic.value, verdict.value)
        more = f", the first {most} are shown" if len(found) > most else ""
        return HTML(f"<p>{len(found)} of {len(lines)} claims fit{more}.</p>{as_table(found[:most])}")

    static = {"text/plain": "Controls of the table, which work where a kernel runs: words, topic, verdict"}
    display(ipywidgets.HBox([words, topic, verdict])._repr_mimebundle_() | static, raw=True)
    shown = display(table(), display_id=True)
    for control in (words, topic, verdict):
        control.observe(lambda _: shown.update(table()), "value")


def found_by(lines: Sequence[Line], words: str, topic: str, verdict: str) -> list[Line]:
    """The lines that fit what the controls say; "all" leaves a control out."""
    chosen: list[Row] = select(
        [line.row for line in lines], None if topic == "all" else [topic], None if verdict == "all" else [verdict], words
    )
    wanted = {row.id for row in chosen}
    return [line for line in lines if line.row.id in wanted]


def verdicts_by_topic(lines: Sequence[Line]) -> plt.Figure:
    """Bars: of each topic, how many claims have which verdict. The title is the caller's."""
    import matplotlib.pyplot as plt

    tally = counts(line.row for line in lines)
    topics = [topic for topic in ORDER if topic in tally] + [topic for topic in tally if topic not in ORDER]
    figure, axis = plt.subplots(figsize=(10, 0.45 * len(topics) + 2))
    left = np.zeros(len(topics))
    for verdict in VERDICTS:
        width = np.array([tally[topic][verdict] for topic in topics])
        axis.barh(topics, width, left=left, color=SHADES[verdict], label=verdict, edgecolor="white", linewidth=0.8)
        for y, (count, start) in enumerate(zip(width, left, strict=True)):
            if count > 2:
                ink = "white" if verdict in ("holds", "wrong") else "black"
                axis.text(start + count / 2, y, str(count), ha="center", va="center", fontsize=11, color=ink)
        left += width
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
    axis.set(xlabel="claims")
    axis.legend(ncols=len(VERDICTS), loc="lower right", bbox_to_anchor=(1.0, 1.0), columnspacing=1.0, handlelength=1.0)
    return figure


