"""Statements of exercises, filled anew: no word is lost, no line runs out of the cell, and what stood apart stays apart."""

import ast
import inspect
import textwrap

import pytest

from autograder.exercises import exercises
from autograder.exercises.exercise import Exercise
from autograder.publishing.statements import WIDTH, filled

CODED = [i for i in exercises if isinstance(exercises[i], Exercise)]


def source_of(exercise_id):
    return textwrap.dedent(inspect.getsource(exercises[exercise_id].answer)).rstrip()


def without_docstrings(source):
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.dump(tree)


@pytest.mark.parametrize("exercise_id", CODED)
def test_a_statement_keeps_its_words_and_stays_within_the_cell(exercise_id):
    before, after = source_of(exercise_id), filled(source_of(exercise_id))
    old, new = (ast.parse(source).body[0] for source in (before, after))
    assert (ast.get_docstring(new) or "").split() == (ast.get_docstring(old) or "").split()
    assert without_docstrings(after) == without_docstrings(before)
    text = new.body[0]
    assert max(map(len, after.splitlines()[text.lineno - 1 : text.end_lineno])) <= WIDTH
    assert filled(after) == after


def test_at_least_one_is_too_wide_as_it_was_written():
    assert any(max(map(len, source_of(i).splitlines())) > WIDTH for i in CODED)


def test_by_hand():
    wide = "word " * 22 + "end of a line that was full,"  # and so the next one goes on
    source = f'''\
def f(x, y):
    """{wide}
    and its rest. This ended early.
    So this is a line of its own.

    x: (n, d).   y: {wide}
    - {wide}
    z: short.

        x   y
        1   2
    """
    return x
'''
    lines = [line.strip() for line in filled(source).splitlines()[1:]]
    joined = "\n".join(lines)
    assert "that was full, and its rest. This ended early.\nSo this is a line of its own.\n" in joined
    assert "\nx: (n, d).\ny: word" in joined and "\n- word" in joined and "\nz: short.\n\nx   y\n1   2\n" in joined
    assert max(map(len, filled(source).splitlines())) <= WIDTH


@pytest.mark.parametrize("text", ["short.", "short, with\n    a second line.\n    "])
def test_what_fits_stays_as_it_is(text):
    source = f'def f():\n    """{text}"""\n    return 1'
    assert filled(source) == source


def test_a_single_line_that_does_not_fit_gets_an_end_of_its_own():
    source = 'def f():\n    """' + "word " * 20 + 'end."""\n    return 1'
    assert filled(source).splitlines()[2:] == ["    word word end.", '    """', "    return 1"]
