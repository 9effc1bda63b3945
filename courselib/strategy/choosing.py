"""A decision procedure: rules about a project, each with the measurement of this course that stands behind it.

No rule is a law. Each says what to try *first*, and its evidence says in which small world that was better, and by how much. The
numbers are read from the report of the effects when they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from courselib.lab.measured import report_of_effects

ADAMW, FROZEN, FOUR_BIT = 16, 4, 0.55  # bytes a parameter: trained in float32, lying still, lying still in 4 bits
ROOM = 0.5  # of the memory stays free for activations
MANY = 5  # tasks
FEW = 2000  # labels


@dataclass(frozen=True)
class Project:
    """What one knows before one begins. `parameters` in billions, `memory` in GB.

    `signal` is what there is to learn from: "labels", "answers" to imitate, or "preferences" between answers.
    """

    labels: int
    parameters: float
    memory: float
    tasks: int = 1
    unlabelled: bool = False
    new_words: bool = False
    keep_old: bool = False
    signal: str = "labels"


@dataclass(frozen=True)
class DecisionRule:
    """`when` it holds for a project, what it `says`, and the (effect, claim) of the report behind it; none for arithmetic."""

    name: str
    when: Callable[[Project], bool]
    says: str
    behind: tuple[tuple[str, str], ...] = ()

    def evidence(self) -> list[str]:
        """One line a measurement, as it stands in the report: claim, mean ± half-width."""
        return [f"{claim}: {reported(effect, claim)}" for effect, claim in self.behind]


def needs(project: Project, each: float) -> float:
    """GB for all parameters at `each` bytes."""
    return each * project.parameters


DECISION_RULES = (
    DecisionRule(
        "control", lambda p: True, "train a head on the frozen model first: what it reaches is what the rest has to beat",
        (("How much to train, and how long", "30 steps: full fine-tuning above the probe, in points"),),
    ),
    DecisionRule(
        "words", lambda p: p.new_words and p.unlabelled, "continue pretraining on the unlabelled text before any label",
        (("Domain adaptation, general to clinical", "perplexity of clinical notes falls, in percent"),
         ("Domain adaptation, general to clinical", "control: as many steps on general text, that fall, in percent")),
    ),
    DecisionRule(
        "full", lambda p: p.tasks < MANY and needs(p, ADAMW) <= ROOM * p.memory,
        "full fine-tuning is in the race, at its own rate",
        (("The family, a fair race", "full without embeddings minus LoRA, as such a share"),),
    ),
    DecisionRule(
        "adapter", lambda p: p.tasks >= MANY or needs(p, ADAMW) > ROOM * p.memory,
        "LoRA on every linear layer: one base, small files",
        (("LoRA, the causal model", "LoRA stays behind it by, in points"),
         ("The family, a fair race", "LoRA minus prompt, as such a share")),
    ),
    DecisionRule(
        "four bits", lambda p: needs(p, FROZEN) > ROOM * p.memory, "the frozen base in four bits (QLoRA)",
        (("QLoRA, the causal model", "QLoRA stays behind LoRA by, in points"),),
    ),
    DecisionRule(
        "too large", lambda p: needs(p, FOUR_BIT) > ROOM * p.memory,
        "even in four bits the base fills more than half of the memory: take a smaller one",
    ),
    DecisionRule(
        "keep", lambda p: p.keep_old,
        "hold on to the old by replay, mixed data or distillation, and measure it; LoRA alone does not do it",
        (("Domain adaptation, general to clinical", "share of the forgetting that mixing half general text in removes"),
         ("Forgetting, permuted digits", "share of them that replay of 200 keeps")),
    ),
    DecisionRule(
        "answers", lambda p: p.signal == "answers", "instruction tuning, with the loss on the response only",
        (("Instruction tuning, the causal model", "response only minus whole text, in points"),),
    ),
    DecisionRule(
        "preferences", lambda p: p.signal == "preferences",
        "DPO, with its distance from the reference watched",
        (("Preference alignment of the causal model", "DPO wins against the reference, % of prompts and samples"),
         ("Preference alignment of the causal model", "KL of DPO to the reference, nats a response")),
    ),
    DecisionRule(
        "few labels", lambda p: p.labels < FEW and p.signal == "labels",
        "five seeds or splits, in pairs: with few labels they differ more than the methods do",
        (("How much to train, and how long", "LoRA: what 22 more steps give, in points"),),
    ),
    DecisionRule(
        "rate", lambda p: True, "three or four rates for each method, a factor of three apart, on validation data",
        (("Learning rates of the race", "full fine-tuning: points lost at 33 times its best rate"),),
    ),
)  # fmt: skip


def recommended(project: Project) -> list[DecisionRule]:
    """The rules that hold for a project, in the order in which to follow them. ValueError for what is no project."""
    if project.labels < 0 or project.parameters <= 0 or project.memory <= 0 or project.tasks < 1:
        raise ValueError(f"{project} has a negative or an empty size.")
    if project.signal not in ("labels", "answers", "preferences"):
        raise ValueError(f"signal is {project.signal!r}; it may be 'labels', 'answers' or 'preferences'.")
    return [rule for rule in DECISION_RULES if rule.when(project)]


def reported(effect: str, claim: str) -> str:
    """What was measured for one claim of one effect, "9.300 ± 4.468". ValueError for a claim that the report does not hold."""
    rows = _report()
    if (effect, claim) not in rows:
        effects = ", ".join(sorted({name for name, _ in rows}))
        raise ValueError(f"The report of the effects holds no claim {claim!r} of {effect!r}; its effects: {effects}.")
    return rows[effect, claim]


@cache
def _report() -> dict[tuple[str, str], str]:
    """(effect, claim) -> measured, of the report's first table. A row without an effect goes on with the last one."""
    rows, effect = {}, ""
    for line in report_of_effects().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == 6 and "±" in cells[3]:
            effect = cells[0] or effect
            rows[effect, cells[1]] = cells[3]
    return rows
