"""Submitted files: what is run of them, in which order, and what is said about what was changed."""

import json

import pytest

from autograder.exercises import exercises
from autograder.grading.classroom import classroom
from autograder.grading.submission import MOST_BYTES, UnreadableSubmission, plan, read_released
from submissions import answered, cell, code, data, released, right

QUICKSTART, LORA = "00_quickstart", "08_lora"


@pytest.fixture(scope="module")
def handed_out():
    return read_released(released(LORA))


def test_the_released_notebook_is_read(handed_out):
    ids = [i for i in exercises if i.startswith("lora.")]
    assert sorted([*handed_out.exercises, *handed_out.written]) == sorted(ids)
    assert handed_out.written == {"lora.why_scale": "lora-why-scale", "lora.choose_settings": "lora-choose-settings"}
    assert handed_out.exercises["lora.parameter_count"] == "lora-parameter-count"
    assert len(handed_out.setup) == 1


def test_cells_run_in_the_order_they_were_handed_in_and_locked_ones_as_they_were_handed_out(handed_out):
    submitted = right(LORA)
    setup = handed_out.setup[0]
    cell(submitted, setup.name)["source"] = "import torch as changed"
    submitted["cells"].insert(0, code("first = 1"))
    submitted["cells"].append(code("last = 1"))
    work = plan(data(submitted), handed_out)
    assert work.run[0] == {"id": "cell 1", "source": "first = 1"}
    assert work.run[1] == {"id": setup.name, "source": setup.source}
    assert work.run[-1]["source"] == "last = 1"
    assert [one["id"] for one in work.run[2:-1]] == list(handed_out.exercises.values())
    assert work.notes == [f"the locked cell {setup.name} was changed; the released one counts"]


def test_a_deleted_setup_cell_is_put_back(handed_out):
    submitted = right(LORA)
    submitted["cells"].remove(cell(submitted, handed_out.setup[0].name))
    work = plan(data(submitted), handed_out)
    assert work.run[0]["id"] == handed_out.setup[0].name
    assert work.notes == [f"the setup cell {handed_out.setup[0].name} was deleted; the released one ran first"]


@pytest.mark.parametrize(("said", "attempted"), [("Write your answer here.", False), ("  \n", False), ("Because.", True)])
def test_a_written_answer_is_attempted_when_something_is_written(handed_out, said, attempted):
    assert plan(data(answered(LORA, {"lora.why_scale": said})), handed_out).written == {
        "lora.why_scale": attempted, "lora.choose_settings": False,
    }


def test_source_may_be_text_or_lines_and_the_format_may_be_older():
    import nbformat

    submitted = right(QUICKSTART)
    expected = plan(data(submitted), read_released(released(QUICKSTART))).run
    for one in submitted["cells"]:
        one["source"] = "".join(one["source"]).splitlines(keepends=True)
    assert plan(data(submitted), read_released(released(QUICKSTART))).run == expected
    older = nbformat.v4.downgrade(nbformat.reads(released(QUICKSTART).decode(), as_version=4))
    assert len(plan(json.dumps(older).encode(), read_released(released(QUICKSTART))).run) == len(expected)


def test_a_large_file_is_read_without_its_outputs(handed_out):
    submitted = right(LORA)
    expected = plan(data(submitted), handed_out).run
    big = {"output_type": "stream", "name": "stdout", "text": "x" * 10_000_000}
    submitted["cells"][-1] |= {"outputs": [big, big], "attachments": {"a": "x" * 1_000_000}}
    assert len(data(submitted)) > 20_000_000
    assert plan(data(submitted), handed_out).run == expected


def test_notes_stay_few(handed_out):
    submitted = right(LORA)
    submitted["cells"] += [json.loads(json.dumps(one)) | {"source": f"x{n}"} for n in range(20) for one in submitted["cells"]]
    assert len(plan(data(submitted), handed_out).notes) <= 50


def test_a_sentence_says_what_is_no_notebook(handed_out):
    with pytest.raises(UnreadableSubmission, match="it is not JSON"):
        plan(b"nope", handed_out)
    with pytest.raises(UnreadableSubmission, match="no cells"):
        plan(b'{"nbformat": 4, "cells": []}', handed_out)


def test_one_size_is_too_large_in_a_class_folder_and_out_of_it(handed_out, tmp_path):
    place = tmp_path / "submitted" / "ada" / LORA
    place.mkdir(parents=True)
    (tmp_path / "nbgrader_config.py").write_text("c = get_config()\n")
    (tmp_path / "release" / LORA).mkdir(parents=True)
    (tmp_path / "release" / LORA / f"{LORA}.ipynb").write_bytes(released(LORA))
    room = classroom(tmp_path, LORA)
    for more in (0, 1):
        with (place / f"{LORA}.ipynb").open("wb") as file:
            file.truncate(MOST_BYTES + more)  # a hole, which takes no room
        assert room.submission("ada").refused == (
            f"{LORA}.ipynb was not read: it has 128 MB, more than the 128 MB that are read" if more else "")
        with pytest.raises(UnreadableSubmission, match="that is no notebook of this course" if more else "is not a notebook"):
            plan(bytes(MOST_BYTES + more), handed_out)
