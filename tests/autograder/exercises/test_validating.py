"""Every mistake of an author that the build has to find, each with file, line and a sentence."""

import numpy as np
import pytest

from autograder.exercises import exercises
from autograder.exercises.exercise import AuthorError, Case, Exercise, Misconception, Part
from autograder.exercises.validating import validated

CUBE = Misconception("cube", lambda x: x**3, "that is the cube")
SQUARE = Misconception("square", lambda x: x * x, "that is the square")
HALF = Misconception("half", lambda x: x / 2, "that is the half")


def exercise(**changes):
    given = dict(
        id="demo.double", answer=lambda x: 2 * x, cases=lambda rng: [Case("x = 3", {"x": 3.0})], parts=[Part("value", 1)],
        misconceptions=[CUBE, SQUARE, HALF],
    )
    return Exercise(**given | changes)


def fails(x):
    raise RuntimeError


def refuses(x):
    raise ValueError("no")


def sometimes(rng):
    """One seed in five draws the case at which 2 x = x²."""
    return [Case("x", {"x": float(rng.choice([2.0, 3.0, 4.0, 5.0, 6.0]))})]


TWO = lambda rng: [Case("x = 3", {"x": 3.0}, "small"), Case("x = 5", {"x": 5.0}, "large")]  # noqa: E731
PAIR = dict(answer=lambda x: (x, 2 * x), misconceptions=[
    Misconception("swapped", lambda x: (2 * x, x), "swapped"), Misconception("same", lambda x: (x, x), "same", earns=1),
    Misconception("halves", lambda x: (x / 2, x / 2), "halves"),
])  # fmt: skip
NUMBERS = dict(answer=lambda x: 2.0, misconceptions=[
    Misconception(f"m{i}", lambda x, i=i: float(i), f"sentence {i}") for i in range(3, 6)
])  # fmt: skip


def with_third(*third, **how):
    return dict(misconceptions=[CUBE, SQUARE, Misconception(*third, **how)])


BROKEN = {
    "no cases": (dict(cases=lambda rng: []), "it has no cases with seed 0"),
    "a group that is not there": (dict(cases=TWO, parts=[Part("value", 1), Part("big", 1, on="lagre")]),
                                  "part 'big': no case is of group 'lagre'; with seed 0 there are 'large', 'small'"),
    "a component of what is no tuple": (dict(parts=[Part("value", 1, of=0)]),
                                        "part 'value': of=0 picks nothing: .* 'x = 3' is no tuple"),
    "a component too far": (PAIR | dict(parts=[Part("value", 1, of=2)]), "of=2 picks nothing: .* is a tuple of 2"),
    "a component from the end": (PAIR | dict(parts=[Part("value", 1, of=-1)]), "of=-1 picks nothing"),
    "two parts of one name": (dict(parts=[Part("value", 1), Part("value", 2)]), "the part 'value' is there twice"),
    "two misconceptions of one name": (dict(misconceptions=[CUBE, SQUARE, HALF, CUBE]),
                                       "the misconception 'cube' is there twice"),
    "one sentence for two": (with_third("third", lambda x: x, CUBE.says), "the sentence"),
    "no parts": (dict(parts=[]), "no parts"),
    "a part for nothing": (dict(parts=[Part("value", 1), Part("more", 0)]), "part 'more' is worth 0 points"),
    "a part that costs": (dict(parts=[Part("value", -1)]), "part 'value' is worth -1 points"),
    "two misconceptions only": (dict(misconceptions=[CUBE, SQUARE]), "it knows 2 misconceptions, 3 are the least"),
    "one that is right": (with_third("sum", lambda x: x + x, "a sum"),
                          "misconception 'sum' cannot be told from the right answer with seed 0"),
    "one that always raises": (with_third("broken", fails, "never read"), "cannot be told"),
    "one within a rounding of right": (with_third("near", lambda x: 2.001 * x, "n"), "misconception 'near' cannot be told"),
    "one that some seeds hide": (dict(cases=sometimes),
                                 r"misconception 'square' cannot be told from the right answer with seed \d+:"),
    "one that earns less than it declares": (with_third("half", lambda x: x / 2, "h", earns=1),
                                             "misconception 'half' declares 1 points and earns 0 with seed 0"),
    "one that earns more": (dict(parts=[Part("shape", 1, shape_only=True), Part("value", 1)]),
                            "'cube' declares 0 points and earns 1"),
    "two that are the same": (with_third("power", lambda x: x**2, "a power"),
                              "misconception 'power' is taken for 'square' with seed 0"),
    "a question that is too large": (NUMBERS | dict(cases=lambda rng: [Case("much", {"x": [1.0] * 50_000})]),
                                     "its inputs cannot travel: more than 40 containers .* draw smaller cases"),
    "an input that cannot travel": (NUMBERS | dict(cases=lambda rng: [Case("rng", {"x": np.random.default_rng(0)})]),
                                    "its inputs cannot travel: Generator is not plain data"),
}  # fmt: skip


@pytest.mark.parametrize("how", BROKEN)
def test_a_mistake_of_the_author_stops_the_build(how):
    changes, sentence = BROKEN[how]
    with pytest.raises(AuthorError, match=rf"test_validating.py:\d+: exercise 'demo.double': .*{sentence}"):
        validated(exercise(**changes))


def test_what_is_in_order_passes():
    validated(exercise())
    validated(exercise(**PAIR, parts=[Part("first", 1, of=0), Part("second", 1, of=1)]))
    refusing = lambda wrong: lambda x: wrong(x) if x > 0 else refuses(x)  # noqa: E731
    validated(exercise(
        answer=refusing(lambda x: 2 * x), refuses=ValueError,
        cases=lambda rng: [Case("x = 3", {"x": 3.0}), Case("x = -1", {"x": -1.0}, "refused")],
        parts=[Part("value", 1, on="main"), Part("refuses", 1, on="refused")],
        misconceptions=[Misconception("cube", refusing(lambda x: x**3), "cube", earns=1),
                        Misconception("square", lambda x: x * x, "square"),
                        Misconception("unchecked", lambda x: 2 * x, "refuse what is negative", earns=1)],
    ))  # fmt: skip


def test_a_model_answer_that_raises_unasked_is_an_error_of_its_own():
    with pytest.raises(ValueError, match="no"):
        validated(exercise(answer=refuses))


@pytest.mark.parametrize("exercise_id", [i for i in exercises if isinstance(exercises[i], Exercise)])
def test_every_exercise_of_the_course_is_in_order(exercise_id):
    """As `course build` finds it."""
    validated(exercises[exercise_id])
