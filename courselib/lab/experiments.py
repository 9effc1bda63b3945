"""One way to run an experiment: over settings and seeds, with a progress bar, and never twice.

    table = run(finetune, {"lora": {"method": "lora"}, "full": {"method": "full"}}, seeds=range(5))
    print(table)                     # mean and 95 % interval of everything measured, by setting

`finetune(seed=..., method=...)` returns a dict of what it measured. Results are kept on disk under the hash of all
they could depend on: the experiment's code and whatever of ours it can reach, the lab and the rooms of courselib that
it reaches, settings, seed, device, COURSE_* variables, and library versions. Change any of it, and the result is computed again;
so there is no stale result and nothing to clear. A damaged entry counts as absent.

They lie in $COURSE_CACHE or else in $XDG_CACHE_HOME/finetuning-course (~/.cache by default), as JSON: one small
file a result, which may be deleted at any time. COURSE_CACHE=off switches the cache off, as does `cache=False`.
"""

from __future__ import annotations

import json
import operator
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from courselib.lab import runtime
from courselib.lab.fingerprint import fingerprint, hash_of, rooms_of
from courselib.lab.plots import Interval, interval
from courselib.lab.reach import room_hashes

_AT_IMPORT = room_hashes()


@dataclass(frozen=True)
class Table:
    """What was measured. A row is a dict: "setting", "seed", "seconds", "cached", and what the experiment returned.

    `seconds` is what the run took when it was computed, also if it comes from the cache now.
    """

    rows: list[dict[str, Any]]

    def column(self, name: str, setting: str) -> list[Any]:
        """One value a seed, in the order of the seeds, so that two settings can be compared pair by pair.

        Raises ValueError for a name or a setting that is not there, and for a column that some seeds lack: the values of
        the others would no longer stand beside those of the same seed.
        """
        rows = [row for row in self.rows if row["setting"] == setting]
        lacking = [row["seed"] for row in rows if name not in row]
        if rows and 0 < len(lacking) < len(rows):
            raise ValueError(
                f"{name!r} was measured for {setting!r}, but not with the seeds {', '.join(map(str, lacking))}, so its values "
                "cannot be paired. Let the experiment return it for every seed; None says that there is none."
            )
        if len(lacking) == len(rows):
            settings = ", ".join(dict.fromkeys(row["setting"] for row in self.rows))
            names = ", ".join(dict.fromkeys(key for row in self.rows for key in row))
            raise ValueError(f"Nothing called {name!r} was measured for {setting!r}. Settings: {settings}. Columns: {names}.")
        return [row[name] for row in rows]

    def summary(self) -> dict[str, dict[str, Interval]]:
        """Setting -> column -> mean and 95 % interval over the seeds, for every column of numbers. Needs two seeds."""
        found: dict[str, dict[str, Interval]] = {}
        for setting in dict.fromkeys(row["setting"] for row in self.rows):
            names = dict.fromkeys(key for row in self.rows if row["setting"] == setting for key in row)
            numbers = [name for name in names if name not in ("setting", "seed", "cached") and self._numeric(name, setting)]
            found[setting] = {name: interval(self.column(name, setting)) for name in numbers}
        return found

    def _numeric(self, name: str, setting: str) -> bool:
        return all(isinstance(value, int | float) for value in self.column(name, setting))

    def __str__(self) -> str:
        summary = self.summary()
        names = list(dict.fromkeys(name for columns in summary.values() for name in columns))
        lines = [["setting", *names]] + [[s, *(str(c.get(n, "")) for n in names)] for s, c in summary.items()]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def run(
    experiment: Callable[..., Mapping[str, Any]],
    settings: Mapping[str, Mapping[str, Any]],
    seeds: Iterable[int],
    *,
    cache: bool = True,
    progress: bool = True,
) -> Table:
    """Calls experiment(seed=seed, **setting) for every named setting and every seed, and returns the Table.

    All generators are seeded with `seed` before each call, so no run depends on another. What the experiment
    returns, and every setting, has to be plain data (numbers, strings, lists, dicts): it is kept as JSON. An error in one run
    ends the whole; finished runs stay in the cache. Raises ValueError for no settings or seeds, and for anything
    that is not plain data; before the first run, where it can be known. A seed is any whole number, NumPy's too.
    """
    seeds = [_whole(seed) for seed in seeds]
    if not settings or not seeds:
        raise ValueError(f"There is nothing to run: {len(settings)} settings and {len(seeds)} seeds. Give at least one of each.")
    for name, setting in settings.items():
        _plain(dict(setting), f"The setting {name!r}")
    folder = _folder() if cache else None
    if folder and (changed := _changed(rooms_of(experiment))):
        print(f"courselib ({', '.join(changed)}) has changed on disk since it was imported, so nothing is cached. "
              "Restart the kernel to cache again.")
        folder = None
    code = fingerprint(experiment) if folder else ""
    rows = []
    with tqdm(total=len(settings) * len(seeds), file=sys.stdout, leave=False, disable=not progress, unit="run") as bar:
        for name, setting in settings.items():
            for seed in seeds:
                bar.set_description(f"{name}, seed {seed}")
                path = folder / f"{hash_of(code, json.dumps([dict(setting), seed], sort_keys=True))}.json" if folder else None
                result = _read(path) if path else None
                cached = result is not None
                if result is None:
                    runtime.set_seed(seed)
                    start = time.perf_counter()
                    values = _plain(dict(experiment(seed=seed, **setting)), "What the experiment returned")
                    result = {"values": values, "seconds": time.perf_counter() - start}
                    if path:
                        _write(path, result)
                rows.append({"setting": name, "seed": seed, **result["values"], "seconds": result["seconds"], "cached": cached})
                bar.update()
    return Table(rows)


def _whole(seed: Any) -> int:
    try:
        return operator.index(seed)
    except TypeError:
        raise ValueError(f"A seed is a whole number; {seed!r} came. Try range(5).") from None


def _changed(rooms: list[str]) -> list[str]:
    """Those of the rooms whose files are no longer what they were when this was imported: memory and disk may differ."""
    now = room_hashes()
    return [room for room in rooms if now.get(room) != _AT_IMPORT.get(room)]


def _plain(data: dict[str, Any], what: str) -> dict[str, Any]:
    """`data` as JSON gives it back, so that a result is the same whether it was kept or not."""
    try:
        return json.loads(json.dumps(data, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what} has to be plain, finite data for JSON: {error}. Try float(...) or .tolist().") from None


def _folder() -> Path | None:
    chosen = os.environ.get("COURSE_CACHE", "").strip()
    if chosen.lower() == "off":
        return None
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(chosen).expanduser() if chosen else home / "finetuning-course"


def _read(path: Path) -> dict[str, Any] | None:
    """The result kept at `path`; None if there is none, or if what is there is not what was written."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        whole = kept["hash"] == hash_of(json.dumps(kept["result"], sort_keys=True))
        return kept["result"] if whole else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(path: Path, result: dict[str, Any]) -> None:
    """All or nothing: written beside, then renamed. A cache that cannot be written costs time, not the result."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".part", delete=False, encoding="utf-8") as file:
            json.dump({"hash": hash_of(json.dumps(result, sort_keys=True)), "result": result}, file)
        os.replace(file.name, path)
    except OSError as error:
        print(f"The result was not kept: {error}. Set COURSE_CACHE to a folder that can be written, or to off.")
