"""What grading a class costs: `course grade` beside `nbgrader autograde`, on the same submissions of 08_lora.

    python benchmarks/grading.py              # 20 submissions; about twenty minutes
    python benchmarks/grading.py --flat       # also 500 submissions: the cost of one more

Plain nbgrader is measured twice: with demonstrations skipped, which is fair (imports and exercises on both sides), and as it
comes, with every cell executed (two submissions of those, for each takes a minute). Everything is pinned to one core, so
that seconds are seconds of a core. Then the same on as many cores as there are, with one worker and with two: the process that
writes the gradebook works beside them, so one worker uses more than one core, and two cores are too few for two.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat

from autograder import places
from autograder.notebooks import cells
from autograder.publishing import build, chapter

ROOT = Path(__file__).resolve().parents[1]
ASSIGNMENT = "08_lora"
ENVIRONMENT = os.environ | {
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]), "PYTHONPATH": str(ROOT),
    "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1",
}
PLAIN = """\
c = get_config()
c.CourseDirectory.course_id = "finetuning"
c.Execute.timeout = 600
c.Execute.skip_cells_with_tag = {skip!r}
"""


def timed(folder: Path, module: str, *arguments: str, cores: set[int] | None = None) -> float:
    """Wall-clock seconds of one command in `folder`, on these cores."""
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True,
        preexec_fn=(lambda: os.sched_setaffinity(0, cores)) if cores else None,
    )
    if done.returncode:
        raise SystemExit(f"{module} {' '.join(arguments)} failed:\n{done.stdout}\n{done.stderr}")
    return time.perf_counter() - begun


def class_of(folder: Path, students: int) -> Path:
    """A released class in which every second student is right and the others have not written a line."""
    build.build_class(folder)
    timed(folder, "nbgrader", "generate_assignment", ASSIGNMENT)
    untouched = nbformat.read(folder / "release" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb", as_version=4)
    right = cells.with_answers(untouched, chapter.model_answers(places.CHAPTERS / f"{ASSIGNMENT}.md"))
    for number in range(students):
        path = folder / "submitted" / f"s{number:04}" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(right if number % 2 else untouched, path)
    return folder


def scores(folder: Path) -> dict[str, float]:
    """The score of every student, as nbgrader exports it."""
    import csv

    timed(folder, "nbgrader", "export")
    with (folder / "grades.csv").open(newline="") as file:
        return {row["student_id"]: float(row["score"]) for row in csv.DictReader(file) if row["assignment"] == ASSIGNMENT}


def copy(folder: Path, name: str, students: int) -> Path:
    """The class with the first `students` of its students, ungraded."""
    target = folder.parent / name
    shutil.copytree(folder, target, ignore=shutil.ignore_patterns("submitted"))
    for place in sorted((folder / "submitted").iterdir())[:students]:
        shutil.copytree(place, target / "submitted" / place.name)
    return target


def ours(folder: Path, name: str, students: int, workers: int = 1, cores: set[int] | None = None) -> tuple[float, Path]:
    target = copy(folder, name, students)
    return timed(target, "autograder.commands", "grade", ASSIGNMENT, "--workers", str(workers), cores=cores), target


def plain(folder: Path, name: str, students: int, skip: str) -> tuple[float, Path]:
    target = copy(folder, name, students)
    (target / "nbgrader_config.py").write_text(PLAIN.format(skip=skip), encoding="utf-8")
    return timed(target, "nbgrader", "autograde", ASSIGNMENT, cores={min(os.sched_getaffinity(0))}), target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flat", action="store_true", help="also grade 500 submissions")
    parser.add_argument("--students", type=int, default=20)
    arguments = parser.parse_args()
    n, core = arguments.students, {min(os.sched_getaffinity(0))}
    with tempfile.TemporaryDirectory() as place:
        folder = class_of(Path(place) / "class", 500 if arguments.flat else 4 * n)
        fair, fair_class = plain(folder, "fair", n, "demonstration")
        whole, _ = plain(folder, "whole", 2, "")
        first, our_class = ours(folder, "ours", n, cores=core)
        many, _ = ours(folder, "more", 4 * n, cores=core)
        if scores(fair_class) != scores(our_class):
            raise SystemExit("The two did not give the same scores.")
        steady = (many - first) / (3 * n)
        print(f"| {n} submissions of {ASSIGNMENT}, one core | seconds | a submission | times faster |")
        print("|---|--:|--:|--:|")
        print(f"| nbgrader, demonstrations skipped | {fair:.1f} | {fair / n:.2f} | 1 |")
        print(f"| nbgrader, every cell | {whole:.1f} for 2 | {whole / 2:.2f} | |")
        print(f"| course grade, with its start | {first:.1f} | {first / n:.2f} | {fair / first:.0f} |")
        print(f"| course grade, one more submission | | {steady:.3f} | {fair / n / steady:.0f} |")
        print(f"| course grade, one more against every cell | | {steady:.3f} | {whole / 2 / steady:.0f} |")
        if len(os.sched_getaffinity(0)) > 1:
            one, two = (
                (ours(folder, f"m{w}", 4 * n, w)[0] - ours(folder, f"f{w}", n, w)[0]) / (3 * n) for w in (1, 2)
            )
            print(f"| one more, one worker on all cores | | {one:.3f} | {fair / n / one:.0f} |")
            print(f"| one more, two workers on all cores | | {two:.3f} | {fair / n / two:.0f} |")
        if arguments.flat:
            large, _ = ours(folder, "large", 500, cores=core)
            print(f"| one more, from {4 * n} to 500 | | {(large - many) / (500 - 4 * n):.3f} | |")


if __name__ == "__main__":
    main()
