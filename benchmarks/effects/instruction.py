"""Effects of chapter 06: response-only loss, a scratchpad, and what the chapter shows from `courselib.instruction.measurements`.

    python benchmarks/effects/instruction.py    every run of its plan, into chapters/measured/instruction.json, first
    python benchmarks/effects --only Instruction    and then the report of two of them, from there
"""

import datetime
import json
import platform
import sys
from collections.abc import Sequence

import numpy as np
import torch
from measured import Check, Effect, Measured

from courselib.instruction import measurements
from courselib.instruction.arithmetic import STYLES
from courselib.lab import measured, runtime
from courselib.lab.experiments import Table, run


def tuned(table: Table) -> Measured:
    """What is said of the loss on the response against the loss on the whole text."""
    right = table.column("known wordings", "response")
    gap = np.subtract(right, table.column("known wordings", "whole"))
    return Measured(
        [
            Check("new instructions right, above the base model's none, in points", [100 * r for r in right], 10),
            Check("held-out instructions after which it stops", table.column("stopped", "response"), 0.95),
            Check("response only minus whole text, in points", [100 * g for g in gap], 0),
        ],
        table, columns=("known wordings", "new wordings", "stopped", "loss"),
        note="The course's causal model, 150 steps of 16 pairs. For each the best of four rates on seed 100, by the loss of "
        "held-out responses. The 200 instructions asked are new; of those in known wordings, the ones are left out that training "
        "has.",
    )


def thought(table: Table) -> Measured:
    """What is said of a scratchpad."""
    quarter = np.subtract(table.column("accuracy", "scratchpad, 250"), table.column("accuracy", "plain, 1000"))
    filler = np.subtract(table.column("accuracy", "scratchpad, 250"), table.column("accuracy", "filler, 250"))
    same = np.subtract(table.column("accuracy", "scratchpad, 250"), table.column("accuracy", "plain, 250"))
    return Measured(
        [
            Check("scratchpad minus plain, 250 examples, in points", [100 * x for x in same], 0),
            Check("scratchpad from 250 examples minus plain from 1,000, in points", [100 * x for x in quarter], 0),
            Check("scratchpad minus as many dots, 250 examples, in points", [100 * x for x in filler], 0),
        ],
        table, columns=("accuracy",),
        note="Sums of two numbers of two digits; fresh models of 85,000 weights, 800 steps. The rate of each style, at each "
        "number of examples, is the best of three on seeds from 100 on. The second line is the promise of a scratchpad that "
        "needs four times fewer examples; the third is the control that credits the room for computing with its share (corrected "
        "for four questions, as in chapter 06, it reaches 0). The scratchpad's rate at 250 was 0.005 at first, as everybody's, "
        "which gave 0.353 ± 0.164; it was chosen anew, on other seeds, after that was known.",
    )


def tuning(seeds: Sequence[int], cache: bool = True, quick: bool = False) -> Measured:
    return tuned(runs_of("tuning", list(measurements.PLAN["tuning"][1]), seeds, cache))


def scratchpad(seeds: Sequence[int], cache: bool = True, quick: bool = False) -> Measured:
    styles = [style for style in STYLES if not quick or style != "reversed"]
    return thought(runs_of("sums", [f"{style}, {n}" for n in (250, 1000) for style in styles], seeds, cache))


def runs_of(name: str, chosen: list[str], seeds: Sequence[int], cache: bool) -> Table:
    """Runs of an experiment of the plan: those that `main` kept if they are on these seeds, and otherwise (or without `cache`)
    new ones."""
    if cache and tuple(seeds) == measurements.SEEDS:
        return Table([row for row in measurements.table_of(name).rows if row["setting"] in chosen])
    experiment, settings = measurements.PLAN[name]
    return run(experiment, {setting: settings[setting] for setting in chosen}, seeds, cache=cache)


EFFECTS = [
    Effect("Instruction tuning, the causal model", "answers, stops, and the response-only loss does not lose", tuning),
    Effect("A scratchpad for sums", "as good from a quarter of the examples, and better than as many dots", scratchpad),
]


def main() -> int:
    print(runtime.start())
    torch.set_num_threads(1)
    runs = []
    for name, (experiment, settings) in measurements.PLAN.items():
        table = run(experiment, settings, measurements.seeds_of(name))
        runs += [{"experiment": name} | row for row in table.rows]
        print(f"{name}\n{table if len(measurements.seeds_of(name)) > 1 else table.rows}", flush=True)
    kept(runs)
    return 0


def kept(runs: list[dict]) -> None:
    """Writes the runs to where the chapter reads them: one a line, so that a change can be read."""
    where = f"{platform.system()} {platform.machine()}, cpu, {torch.get_num_threads()} thread(s), torch {torch.__version__}"
    seeds = f"seeds {', '.join(map(str, measurements.SEEDS))}; rates on seeds from 100 on"
    said = f"Measured {datetime.date.today()}, {where}, {seeds}."
    lines = ",\n".join(" " + json.dumps({k: v for k, v in row.items() if k != "cached"}) for row in runs)
    path = measured.FOLDER / "instruction.json"
    path.write_text(f'{{"measured": {json.dumps(said)}, "runs": [\n{lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
