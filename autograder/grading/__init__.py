"""Grading a class: the wall between a student's code and the judge. `grader.Grader` is the way in."""

import sys

# jsonschema, which every reader of notebooks loads, would compile a grammar of IRIs for a second; nothing here checks one
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
