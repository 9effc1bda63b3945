"""Wrong answers that were invented without looking at what an exercise declares, by topic in `wrong_answers/`.

Each is what somebody might hand in. They are written for the ids and not for the cases: an exercise that is new has none,
and one that is gone is passed over.
"""

import importlib
from pathlib import Path

from autograder import exercises
from autograder.exercises.exercise import Exercise

TOPICS = sorted(path.stem for path in (Path(__file__).parent / "wrong_answers").glob("*.py"))


def wrong_answers():
    """`{exercise id: {name: function}}`, of exercises that are there."""
    found = {}
    for topic in TOPICS:
        for exercise_id, answers in importlib.import_module(f"wrong_answers.{topic}").WRONG.items():
            found[exercise_id] = found.get(exercise_id, {}) | answers
    return {i: answers for i, answers in found.items() if i in exercises and isinstance(exercises[i], Exercise)}
