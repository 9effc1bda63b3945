"""An exception of the student's code, in words: the type, what it says, and the line of their own where it came from."""

from __future__ import annotations

import builtins
import linecache
import os
import re
import traceback

OURS = os.path.dirname(__file__) + os.sep  # whose lines are no use to a student
_MATRICES = (  # how torch and NumPy say that two matrices cannot be multiplied
    (re.compile(r"mat1 and mat2 shapes cannot be multiplied \((\d+)x(\d+) and (\d+)x(\d+)\)"),
     "a matrix of shape ({0}, {1}) cannot be multiplied by one of shape ({2}, {3}), since {1} is not {2}"),
    (re.compile(r"Expected size for first two dimensions of batch2 tensor to be: \[(\d+), (\d+)\] but got: \[(\d+), (\d+)\]\.?"),
     "the matrices cannot be multiplied: the first ones have {1} columns and the second ones {3} rows"),
    (re.compile(r"matmul: Input operand 1 has a mismatch in its core dimension.*\(size (\d+) is different from (\d+)\)"),
     "the matrices cannot be multiplied: the first has {1} columns and the second {0} rows"),
    (re.compile(r"shapes \((\d+),(\d+)\) and \((\d+),(\d+)\) not aligned: .*"),
     "a matrix of shape ({0}, {1}) cannot be multiplied by one of shape ({2}, {3}), since {1} is not {2}"),
)


def say(error: BaseException) -> str:
    """`it raised KeyError: 'x' (line 7: `y = table['x']`)`: the last line of the student's own code is the useful one."""
    said = in_words(text_of(error))
    return f"it raised {type(error).__name__[:60]}{': ' + said if said else ''}{_where(error)}"


def text_of(error: BaseException) -> str:
    """What the exception says, on one line; nothing when saying it fails."""
    try:
        return " ".join(str(error).split())[:300]
    except Exception:
        return ""


def in_a_cell(error: BaseException) -> str:
    """What an exception that ended a cell says, without the name that IPython gave the cell."""
    return re.sub(r"\((?:<[^>]*>|[^()]*\.py), line (\d+)\)", r"(line \1)", text_of(error))


def name_of(error: BaseException) -> str:
    """The name of the nearest built-in type of the exception: `ValueError` for a student's own kind of it."""
    return next(kind.__name__ for kind in type(error).__mro__ if getattr(builtins, kind.__name__, None) is kind)


def in_words(text: str) -> str:
    """The text, with which shapes met in place of a library's way to put it."""
    for pattern, words in _MATRICES:
        text = pattern.sub(lambda found, words=words: words.format(*found.groups()) + "; is a transpose missing?", text)
    return text


def _where(error: BaseException) -> str:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(OURS)]
    own = [f for f in frames if "site-packages" not in f.filename and "/lib/python" not in f.filename] or frames
    if not own or not own[-1].lineno:
        return ""
    line = (own[-1].line or linecache.getline(own[-1].filename, own[-1].lineno) or "").strip()
    return f" (line {own[-1].lineno}: `{line}`)" if line else ""
