"""Notebooks, names, dates and frames that nobody would write: each is read, or refused in the one way there is to refuse it.

A failure prints the example, made as small as it gets, and a line (`@reproduce_failure`) that makes it again.
"""

from __future__ import annotations

import copy
import json
import string

import nbformat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nbgrader.utils import compute_checksum

from autograder.asking.wire import HEAD_SIZE, Malformed, decode, encode, lengths
from autograder.exercises import exercises
from autograder.exercises.drawing import draw
from autograder.grading.classroom import _no_name
from autograder.grading.gradebook import _is_time
from autograder.grading.graded import Graded, from_plain, to_plain
from autograder.grading.inert import cell, clean, markdown, visible
from autograder.grading.marked import marked_notebook
from autograder.grading.outcomes import outcomes_of
from autograder.grading.submission import UnreadableSubmission, plan, read_released
from autograder.judging.judge import judge
from autograder.judging.report import Report
from autograder.judging.trial import PUBLIC_SEED
from submissions import EXERCISE, QUICKSTART, released, right

RELEASED = released(QUICKSTART)
READ = read_released(RELEASED)
TRIAL = draw(exercises[EXERCISE], PUBLIC_SEED)
NAMES = st.sampled_from([*READ.cells, "", "x", "quickstart-lora-forward-check"])
often = settings(max_examples=40, deadline=None, database=None, print_blob=True, suppress_health_check=list(HealthCheck))

text = st.text(st.characters(), max_size=30) | st.text(string.printable, max_size=30) | st.sampled_from(
    ["\ud800", "\x00", "\x1b[2J", "<script>", "=1+1", "![x](attachment:y)", "%%bash", "\u202e", "def f(:", "import os\n"]
)  # fmt: skip
scalars = st.none() | st.booleans() | st.integers() | st.floats() | text
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=8)
about = st.fixed_dictionaries({}, optional={
    "grade_id": NAMES | values, "locked": st.booleans() | values, "grade": st.booleans() | values, "points": values,
    "solution": values, "schema_version": values, "cell_type": values, "checksum": values,
})  # fmt: skip
cells = st.fixed_dictionaries({}, optional={
    "cell_type": st.sampled_from(["code", "markdown", "raw"]) | values,
    "source": text | st.lists(text | values, max_size=3) | values,
    "metadata": st.fixed_dictionaries({}, optional={"nbgrader": about | values, "tags": values}) | values,
    "attachments": st.dictionaries(text, st.dictionaries(text, text | values, max_size=2), max_size=2) | values,
    "outputs": values, "id": values, "execution_count": values,
})  # fmt: skip


def read_and_mark(submitted: bytes) -> None:
    try:
        work = plan(submitted, READ)
        written, notes = work.written, work.notes
        json.dumps(work.run).encode()
        encode([one["source"] for one in work.run])
    except UnreadableSubmission as error:
        written, notes = dict.fromkeys(READ.written, False), [str(error)]
    graded = Graded(1, {}, written, notes, False, True, 0.1)
    assert from_plain(json.loads(json.dumps(to_plain(graded)).encode())) == graded
    marked = marked_notebook(RELEASED, submitted, graded)
    nbformat.validate(nbformat.from_dict(json.loads(json.dumps(marked).encode())))
    for one in marked.cells:
        if one.metadata.get("nbgrader", {}).get("grade_id"):
            compute_checksum(one)  # as nbgrader will
        if one.cell_type == "markdown":
            markdown({"cell": one}, one.source)


@often
@given(st.lists(cells | values, max_size=4), values, st.integers(0, 40))
def test_cells_of_any_kind_are_read_or_refused(more, metadata, place):
    submitted = right(QUICKSTART)
    submitted["cells"][place:place] = more
    submitted["metadata"] = metadata
    read_and_mark(json.dumps(submitted).encode())


@often
@given(values, st.integers(0, 200), st.data())
def test_a_notebook_with_anything_anywhere_is_read_or_refused(value, place, data):
    """One thing in the tree of a right notebook is something else."""
    submitted = copy.deepcopy(right(QUICKSTART))
    here = submitted
    for _ in range(data.draw(st.integers(0, 4))):
        inside = [key for key in keys_of(here) if isinstance(here[key], (dict, list)) and here[key]]
        if not inside:
            break
        here = here[data.draw(st.sampled_from(inside))]
    here[data.draw(st.sampled_from(keys_of(here)))] = value
    read_and_mark(json.dumps(submitted).encode())


def keys_of(here: dict | list) -> list:
    return list(here) if isinstance(here, dict) else list(range(len(here)))


@often
@given(st.binary(max_size=60), st.integers(0), st.integers(0, 3000))
def test_bytes_of_any_kind_are_read_or_refused(more, place, cut):
    honest = json.dumps(right(QUICKSTART)).encode()
    place %= len(honest)
    read_and_mark(honest[:place] + more + honest[place + cut :])
    read_and_mark(more)


@often
@given(values, st.binary(max_size=40), st.integers(0), st.integers(0, 8))
def test_a_frame_is_a_value_or_malformed(value, more, place, cut):
    try:
        frame = encode({"id": EXERCISE, "outcomes": value})
    except Malformed:
        frame = encode({"id": EXERCISE})
    place %= len(frame)
    for mutated in (frame, frame[:place] + more + frame[place + cut :], more):
        try:
            text_size, _ = lengths(mutated[:HEAD_SIZE])
            came = decode(mutated[HEAD_SIZE : HEAD_SIZE + text_size], mutated[HEAD_SIZE + text_size :])
        except Malformed:
            continue
        assert judge(TRIAL, outcomes_of(TRIAL, came, ())).score in (0.0, 1.0, 2.0, 4.0)


OUTCOME = st.fixed_dictionaries({}, optional={
    "state": st.sampled_from(["returned", "raised", "timed out", "right", "closed"]) | values, "value": values,
    "error": text | values,
    "message": text | values, "printed": text | values, "changed": st.lists(text, max_size=2) | values,
})  # fmt: skip


@often
@given(st.lists(OUTCOME | values, min_size=len(TRIAL.cases), max_size=len(TRIAL.cases)),
       st.fixed_dictionaries({}, optional={"instead": values}))
def test_what_claims_to_be_an_answer_is_judged_and_travels(outcomes, more):
    report = judge(TRIAL, outcomes_of(TRIAL, {"id": EXERCISE, "outcomes": outcomes} | more, ()))
    assert Report.from_dict(json.loads(json.dumps(report.to_dict()).encode())) == report
    assert 0 <= report.score < 4


@often
@given(text, text)
def test_names_dates_and_text_for_other_programs(name, stamp):
    _is_time(stamp)
    if not _no_name(name):
        name.encode()
    assert visible(name).isprintable() or not name
    assert cell(name).isprintable()
    clean(name)
