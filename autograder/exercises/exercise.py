"""What an exercise is: a model answer, cases that discriminate, and the mistakes people really make.

An author writes

    gradient = Exercise(
        id="lora.gradient",
        answer=solutions.lora.lora_gradient,       # its signature and docstring are the student's statement too
        cases=gradient_cases,                       # rng -> list of Case
        parts=[Part("grad_A", 2, of=0), Part("grad_B", 2, of=1)],
        misconceptions=[Misconception("no_scale", without_scale, "you left out the factor alpha / rank ...")],
    )

in a file of `autograder/exercises/<topic>/`, and one marker in the chapter. Everything else is built from that.

An exercise may train: the student writes a step, the probe runs it, and parts with a `measure` say what has to be reached:

    adapt = Exercise(
        id="lora.adapt",
        answer=solutions.lora.adapt,
        probe=probes.lora.adapt,                   # runs the student's function on the inputs, returns predictions, weights ...
        cases=shifted_tasks,                       # rng -> list of Case(..., inputs=..., held={"labels": ...})
        expected=lambda **inputs: torch.zeros(64), # the form of the output only: nobody trains to know that
        parts=[Part("learned", 2, measure=measures.lora.accuracy, at_least=0.8, says="It did not learn the task: ...")],
        misconceptions=[Misconception("frozen", no_step, says="It did not learn the task: ...")],
    )
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograder.asking.ask import SECONDS
from autograder.asking.probes import call
from autograder.asking.values import RELATIVE_TOLERANCE


class AuthorError(ValueError):
    """A mistake in the course itself. It stops the build; the text begins with `file:line:`."""


@dataclass(frozen=True)
class Case:
    """One set of inputs. `label` is what the student reads when it fails; `group` ties it to the parts with `on=group`.

    `held` is what a measure holds the output against. It stays with the judge and never goes in. A case that holds something
    back is looked at by parts with a measure only, and a case that does not by the others only.
    """

    label: str
    inputs: dict[str, Any]
    group: str = "main"
    held: dict[str, Any] | None = None


@dataclass(frozen=True)
class Part:
    """Points that are earned together: when every case of group `on` agrees (all groups when `on` is None).

    `of` picks one component of a tuple output. `shape_only` compares shapes and nothing else.

    With a `measure` (a function of `autograder.judging.measures`) nothing is compared: in every case that holds something back,
    `measure(output, held)` has to be `at_least` or `at_most` so much, and `says` is what the student reads where it is not.
    """

    name: str
    points: float
    of: int | None = None
    on: str | None = None
    shape_only: bool = False
    measure: Callable[[Any, dict[str, Any]], float] | None = None
    at_least: float | None = None
    at_most: float | None = None
    says: str = ""


@dataclass(frozen=True)
class Misconception:
    """A wrong answer people really give: what it computes, the sentence that teaches, the points it still earns.

    In an exercise that only measures it is a weak strategy, and its sentence is that of the first part it misses.
    """

    name: str
    wrong: Callable
    says: str
    earns: float = 0.0


@dataclass(frozen=True)
class Exercise:
    """An exercise that grades itself. See the module's docstring."""

    id: str
    answer: Callable
    cases: Callable[[np.random.Generator], list[Case]]
    parts: Sequence[Part]
    misconceptions: Sequence[Misconception]
    probe: Callable = call  # must live in autograder.asking.probes: it runs beside the student's code
    expected: Callable[..., Any] | None = None  # inputs -> output (its form, where it is measured); if None the model answer
    tolerance: float = RELATIVE_TOLERANCE
    refuses: type[Exception] | None = None  # what the model answer raises for inputs that have to be turned down
    keeps_inputs: bool = False  # the statement says that inputs stay as they were, so changing them in place costs the values
    seconds: float = SECONDS  # for all its cases together, on a machine that does nothing else; grading gives twice as long
    origin: str = field(default_factory=lambda: _caller())

    @property
    def name(self) -> str:
        """The name of the function the student writes."""
        return self.answer.__name__

    @property
    def points(self) -> float:
        return float(sum(part.points for part in self.parts))

    @property
    def measured(self) -> bool:
        """Whether parts of it measure what was reached, because the student's answer trains."""
        return any(part.measure for part in self.parts)

    @property
    def closed(self) -> tuple[str, ...]:
        """The modules that are shut while it is checked and graded, the same for all exercises of its topic.

        The topic's room in courselib, and what `CLOSES` of the topic's folder names: files of the lab that hold an answer.
        """
        topic = self.id.split(".")[0]
        folder = sys.modules.get(f"autograder.exercises.{topic}")
        return f"courselib.{topic}", *getattr(folder, "CLOSES", ())

    def fail(self, what: str) -> AuthorError:
        return AuthorError(f"{self.origin}: exercise {self.id!r}: {what}")


@dataclass(frozen=True)
class Written:
    """A question answered in words and marked by a person. `answer()` returns the model answer, its docstring asks.

    `rubric` is a list of (points, criterion) that the marker reads; the student sees the question only.
    """

    id: str
    answer: Callable[[], str]
    rubric: Sequence[tuple[float, str]]
    origin: str = field(default_factory=lambda: _caller())

    @property
    def points(self) -> float:
        return float(sum(points for points, _ in self.rubric))

    @property
    def question(self) -> str:
        return inspect.getdoc(self.answer) or ""


def _caller() -> str:
    """`file:line` of the author's code that made the exercise: two frames above the dataclass's __init__."""
    frame = inspect.currentframe()
    while frame and frame.f_code.co_name in ("_caller", "<lambda>", "__init__"):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else "unknown:0"
