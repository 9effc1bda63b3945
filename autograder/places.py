"""Where things lie. Every other module asks here, so that one that moves finds them all the same."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]  # of the course, or of a student's bundle
CHAPTERS = ROOT / "chapters"
WORKBOOK = ROOT / "workbook"  # a student's own copies of the notebooks
PUBLIC = ROOT / "autograder" / "public"  # the public cases as data; exists in a student's bundle only
