"""Grading in a storm: many submissions, some of them hostile, and everything that grades killed at random moments.

    python benchmarks/storm.py                 # 1,000 submissions of 00_quickstart, 10 % of them hostile
    python benchmarks/storm.py --students 100

The same class is graded twice: once in calm, and once with Dask workers and the command itself killed again and again, and run
again until it is done. At the end every submission has to be graded once, and every mark has to be the calm one.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbgrader.api import Gradebook

from autograder import places
from autograder.exercises import exercises
from autograder.notebooks import cells
from autograder.publishing import build, chapter

ROOT = Path(__file__).resolve().parents[1]
ASSIGNMENT, EXERCISE = "00_quickstart", "quickstart.lora_forward"
ENVIRONMENT = os.environ | {
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]), "PYTHONPATH": str(ROOT),
    "OMP_NUM_THREADS": "1",
}
GRADE = [sys.executable, "-m", "autograder.commands", "grade", ASSIGNMENT]
HOSTILE = {  # each ends the process it runs in, or tries to take others along
    "exit": "import os\n\n\ndef lora_forward(x, W0, lora_A, lora_B):\n    os._exit(0)",
    "kill everybody": "import os, signal\n\n\ndef lora_forward(x, W0, lora_A, lora_B):\n    os.kill(-1, signal.SIGKILL)",
    "exit at once": "import os\n\nos._exit(3)",
    "memory": "def lora_forward(x, W0, lora_A, lora_B):\n    return [bytearray(1 << 30) for _ in range(64)]",
    "flood": "def lora_forward(x, W0, lora_A, lora_B):\n    while True:\n        print('x' * 10_000)",
}


@dataclass(frozen=True)
class Weather:
    """What a grading came to: the marks by student, how often anybody was killed, how many results a student has, seconds."""

    marks: dict[str, float]
    killed: int
    results: dict[str, int]
    seconds: float


def make_class(folder: Path, students: int, hostile: float = 0.1) -> dict[str, str]:
    """Release the assignment and hand in for everybody; return who handed in what."""
    build.build_class(folder)
    subprocess.run([sys.executable, "-m", "nbgrader", "generate_assignment", ASSIGNMENT], cwd=folder, env=ENVIRONMENT, check=True,
                   capture_output=True)
    untouched = nbformat.read(folder / "release" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb", as_version=4)
    right = chapter.model_answers(places.CHAPTERS / f"{ASSIGNMENT}.md")[EXERCISE]
    sources = {"right": right, "wrong": "def lora_forward(x, W0, lora_A, lora_B):\n    return x @ W0.T"} | HOSTILE
    texts = {kind: nbformat.writes(cells.with_answers(untouched, {EXERCISE: source})) for kind, source in sources.items()}
    kinds = {}
    for number in range(students):
        attack = list(HOSTILE)[number % len(HOSTILE)] if number < round(hostile * students) else None
        kinds[f"s{number:04}"] = attack or ("right" if number % 2 else "wrong")
        path = folder / "submitted" / f"s{number:04}" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(texts[kinds[f"s{number:04}"]], encoding="utf-8")
    return kinds


def grade(folder: Path, workers: int, kills: int = 0, seed: int = 0) -> Weather:
    """Grade the class until it is done, killing a worker or the whole command `kills` times: after random numbers of results,
    all before four fifths of the class are through, so that a fast machine is hit as often as a slow one."""
    rng, killed, begun = random.Random(seed), 0, time.monotonic()
    students = sum(1 for _ in (folder / "submitted").iterdir())
    moments = sorted(rng.sample(range(1, max(2, students * 4 // 5)), min(kills, max(1, students * 4 // 5 - 1)))) if kills else []
    journal = folder / ".course" / f"{ASSIGNMENT}.jsonl"
    while True:
        run = subprocess.Popen([*GRADE, "--workers", str(workers)], cwd=folder, env=ENVIRONMENT, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            while run.poll() is None:
                time.sleep(0.02)
                if killed < len(moments) and sum(_results(journal).values()) >= moments[killed]:
                    with contextlib.suppress(ProcessLookupError):  # it was done a moment ago
                        if killed % 3 == 2:
                            os.killpg(run.pid, signal.SIGKILL)
                        else:
                            os.kill(rng.choice(_workers(run.pid) or [run.pid]), signal.SIGKILL)
                        killed += 1
        finally:
            if run.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(run.pid, signal.SIGKILL)
        if run.wait() == 0:
            break
        if time.monotonic() - begun > 3000:
            raise SystemExit("It was not done after 50 minutes.")
    return Weather(_marks(folder), killed, _results(journal), time.monotonic() - begun)


def _workers(parent: int) -> list[int]:
    """The Dask workers that a command started."""
    said = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(parent)], capture_output=True, text=True).stdout
    lines = [line for line in said.splitlines() if "spawn_main" in line]
    return [int(line.split()[0]) for line in lines]


def _marks(folder: Path) -> dict[str, float]:
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as book:
        return {s.student.id: s.score for s in book.assignment_submissions(ASSIGNMENT)}


def _results(journal: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    if not journal.exists():
        return found
    for line in journal.read_bytes().splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        found[entry["student"]] = found.get(entry["student"], 0) + ("graded" in entry)
    return found


def storm(place: Path, students: int, workers: int, kills: int) -> tuple[dict[str, str], Weather, Weather]:
    """Who handed in what, and what the calm and the stormy grading came to."""
    kinds = make_class(place / "calm", students)
    shutil.copytree(place / "calm", place / "storm")
    return kinds, grade(place / "calm", workers), grade(place / "storm", workers, kills)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--students", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kills", type=int, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        kinds, calm, stormy = storm(Path(place), arguments.students, arguments.workers, arguments.kills)
    hostile = [student for student, kind in kinds.items() if kind in HOSTILE]
    print(f"{len(kinds)} submissions, {len(hostile)} hostile, {arguments.workers} workers")
    earned = sum(calm.marks[s] for s in hostile)
    print(f"calm:  {calm.seconds:.0f} s, {len(calm.marks)} graded; hostile ones earned {earned:g} points")
    print(f"storm: {stormy.seconds:.0f} s, {stormy.killed} kills, {len(stormy.marks)} graded")
    same, once = stormy.marks == calm.marks, set(stormy.results.values()) == {1}
    print(f"every mark the same: {same}; every submission graded exactly once: {once}")
    points = exercises[EXERCISE].points
    assert all(calm.marks[s] == points for s, kind in kinds.items() if kind == "right")
    if not (same and once and len(calm.marks) == len(kinds)):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
