"""The effects the course promises, measured: each with its target, and whether it was reached.

    python benchmarks/effects [--quick] [--only WORD] [--no-cache]

Five seeds, 5 to 9; `--quick` takes the first two and leaves the slowest runs out. Everything was tuned on seeds from 100 on,
which are other texts, splits, networks and permutations. Writes chapters/measured/effects.md; with `--only` the rows and sections
of those effects. An effect that a chapter shows also has its numbers written beside it, as JSON. (A quick run only prints.)

A target is reached if the mean over the seeds reaches it. If the 95 % interval (Student's t) reaches beyond the
target, that is said too. Orders ("replay above EWC") are judged on differences seed by seed.

To add an effect: write a function that takes seeds, `cache` and `quick` and returns a Measured, and add it to the EFFECTS of
its file.
"""

import argparse
import datetime
import json
import os
import platform
import sys
import time
from collections.abc import Sequence

import bits
import digits
import dreambooth
import encoder
import instruction
import objectives
import peft_encoder
import peft_family
import peft_small
import preference
import qlora
import text
import torch
from measured import Effect, Measured, as_data

from autograder.places import CHAPTERS
from courselib.lab import runtime
from courselib.lab.plots import interval

SEEDS = (5, 6, 7, 8, 9)  # 0 to 4 were looked at while the forgetting rows were tuned, so they no longer count
EFFECTS = [
    *encoder.EFFECTS, *text.EFFECTS, *digits.EFFECTS, *objectives.EFFECTS, *instruction.EFFECTS, *preference.EFFECTS,
    *peft_family.EFFECTS, *peft_encoder.EFFECTS, *peft_small.EFFECTS, *qlora.EFFECTS, *bits.EFFECTS,
    *dreambooth.EFFECTS,
]

# ---------------------------------------------------------------------------------------------------------------------
# The report

def report(results: list[tuple[Effect, Measured, float]], seeds: Sequence[int]) -> str:
    """The whole report in Markdown."""
    lines = [
        "# The effects, measured", "",
        "Made by `python benchmarks/effects`; not to be edited by hand. Mean and 95 % interval over the seeds (Student's t). "
        "Tuned on seeds from 100 on. Seconds are summed over all runs of the effect, as first computed.", "",
        "| effect | claim | target | measured | reached | seconds |", "|---|---|---|---|---|--:|",
    ]
    for effect, measured, seconds in results:
        for number, check in enumerate(measured.checks):
            name, cost = (effect.name, f"{seconds:.0f}") if number == 0 else ("", "")
            sign = "≤" if check.at_most else "≥" if check.target else ">"
            cells = [name, check.claim, f"{sign} {check.target:g}", str(interval(check.values)), check.verdict, cost]
            lines.append("| " + " | ".join(cells) + " |")
    for effect, measured, _ in results:
        columns = measured.columns
        lines += ["", f"## {effect.name}", "", f"Target: {effect.target}.", ""]
        lines += [when_and_where(measured, seeds), ""]
        lines += ["| method | " + " | ".join(columns) + " | seconds a run |", "|---" * (len(columns) + 2) + "|"]
        for setting, found in measured.table.summary().items():
            cells = [str(found.get(column, "–")) for column in columns] + [f"{found['seconds'].mean:.1f}"]
            lines.append(f"| {setting} | " + " | ".join(cells) + " |")
        lines += ["", measured.note] if measured.note else []
    return "\n".join(lines) + "\n"


def when_and_where(measured: Measured, seeds: Sequence[int]) -> str:
    """A sentence on the date, the machine and the seeds; an effect that was measured on seeds of its own names those."""
    own = measured.seeds or seeds
    return f"Measured {datetime.date.today()}, {machine()}, seeds {', '.join(map(str, own))}."


def updated(old: str, new: str) -> str:
    """The report `old` with the effects that `new` has measured anew; in the order of EFFECTS, and then what else there was."""
    rows, sections = _parts(old)
    head, _, _ = new.partition("|---|---|---|---|---|--:|\n")
    for known, fresh in zip((rows, sections), _parts(new), strict=True):
        known.update(fresh)
    names = [name for name in dict.fromkeys([effect.name for effect in EFFECTS] + list(rows)) if name in rows]
    table = "".join(rows[name] for name in names)
    return f"{head}|---|---|---|---|---|--:|\n{table}\n" + "\n".join(sections[name] for name in names)


def _parts(text: str) -> tuple[dict[str, str], dict[str, str]]:
    """The rows and the section of each effect of a report, by the name of the effect."""
    table, *found = text.partition("|---|---|---|---|---|--:|\n")[2].split("\n## ")
    rows, name = {}, ""
    for line in table.strip().splitlines():
        name = line.split(" | ")[0].removeprefix("| ").strip() or name
        rows[name] = rows.get(name, "") + line + "\n"
    return rows, {part.split("\n")[0]: f"## {part.rstrip()}\n" for part in found}


def machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30 if hasattr(os, "sysconf") else 0
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB, {runtime.device().type}, "
        f"{torch.get_num_threads()} thread(s), Python {platform.python_version()}, torch {torch.__version__}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="two seeds instead of five, without the slowest runs; prints only")
    parser.add_argument("--only", default="", metavar="WORD", help="only effects whose name has this in it")
    parser.add_argument("--no-cache", action="store_true", help="compute everything again")
    options = parser.parse_args()
    chosen = [effect for effect in EFFECTS if options.only.lower() in effect.name.lower()]
    if not chosen:
        parser.error(f"no effect has {options.only!r} in its name; there are: " + "; ".join(e.name for e in EFFECTS))
    seeds = SEEDS[:2] if options.quick else SEEDS
    runtime.start()
    torch.set_num_threads(1)  # so that seconds can be compared
    results, begun = [], time.perf_counter()
    for effect in chosen:
        print(effect.name, flush=True)
        measured = effect.measure(seeds, cache=not options.no_cache, quick=options.quick)
        results.append((effect, measured, sum(row["seconds"] for row in measured.table.rows)))
    found = report(results, seeds)
    print(f"\n{found}\n{time.perf_counter() - begun:.0f} s in all")
    path = CHAPTERS / "measured" / "effects.md"
    if not options.quick:
        path.write_text(updated(path.read_text(encoding="utf-8"), found) if path.exists() else found, encoding="utf-8")
        for effect, measured, _ in results:
            if effect.data:
                kept = json.dumps(as_data(effect, measured, when_and_where(measured, seeds)), indent=1, ensure_ascii=False)
                path.with_name(f"{effect.data}.json").write_text(kept + "\n", encoding="utf-8")
    return 0 if all(check.reached for _, measured, _ in results for check in measured.checks) else 1


if __name__ == "__main__":
    sys.exit(main())
