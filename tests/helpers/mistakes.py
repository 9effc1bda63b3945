"""A documented mistake as a student would hand it in: code for the answer cell that needs nothing of ours.

Where it runs there are no exercises, no solutions, and none of the modules that the exercise closes. Not every mistake is a
function whose text could be copied; so it is pickled by value, with all that it uses of those.
"""

from __future__ import annotations

import base64
import sys
from contextlib import ExitStack

import cloudpickle

from autograder.exercises.exercise import Exercise, Misconception


def as_source(exercise: Exercise, mistake: Misconception) -> str:
    """Code that defines the function of `exercise` as `mistake` has it."""
    absent = ("autograder.exercises", "solutions", *exercise.closed)
    with ExitStack() as registered:
        for name, module in list(sys.modules.items()):
            if any(name == other or name.startswith(other + ".") for other in absent):
                cloudpickle.register_pickle_by_value(module)
                registered.callback(cloudpickle.unregister_pickle_by_value, module)
        text = base64.b64encode(cloudpickle.dumps(mistake.wrong)).decode()
    return f"import base64, pickle\n\n{exercise.name} = pickle.loads(base64.b64decode({text!r}))"
