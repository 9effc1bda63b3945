"""Effects of chapter 07: alignment of the causal model by preferences, and of a calculator by a checker."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import cache as remembered
from typing import Any

from measured import Check, Effect, Measured

from courselib.lab import models
from courselib.lab.experiments import Table, run
from courselib.preference import runs
from courselib.preference.calculator import problems, solved, taught_calculator
from courselib.preference.on_policy import WAYS_TO_DISTIL, distil
from courselib.preference.reward_model import RewardModel
from courselib.preference.runs import Judged, Material, dpo_run, judged, material, ppo_run, reward_model_of
from courselib.preference.verifiable import METHODS, learn_from_checker

STEPS, SHORT, TEACHER = 80, 40, 50
LONG, LONGER = 20, 60  # steps of PPO on the causal model


@remembered
def beginning(seed: int) -> tuple[Material, RewardModel, Judged]:
    """What all runs of a seed share: pairs, a reward model, and the reference judged against itself."""
    given = material(models.load("causal"), seed)
    reward_model = reward_model_of(given)
    return given, reward_model, judged(given.start.model, given, reward_model)


@remembered
def calculator(seed: int, until: float) -> Any:
    """A calculator taught to the given share."""
    return taught_calculator(seed, until)


def align(seed: int, how: str, steps: int = LONG) -> dict:
    """DPO, or PPO held in one of runs.RUNS, from one set of preferences: what is reached on other prompts, and the way there."""
    given, reward_model, before = beginning(seed)
    if how == "DPO":
        policy, way = dpo_run(given), {}
    else:
        policy, seen = ppo_run(given, reward_model, how, replace(runs.RUNS[how], steps=steps))
        way = {f"way: {name}": values for name, values in asdict(seen).items() if name != "texts"}
        way["said"] = {str(step): seen.texts[step][0] for step in range(9, steps, 10)}
    after = judged(policy, given, reward_model)
    return {
        "win, %": 100 * after.win, "KL, nats": after.kl, "proxy before": before.proxy, "proxy": after.proxy,
        "truth before": before.truth, "truth": after.truth, "words": after.words, **way,
    }


COLUMNS = ("win, %", "KL, nats", "proxy before", "proxy", "truth before", "truth", "words")


def without_a_kl(table: Table) -> list[Check]:
    """What is promised of PPO that nothing but the clip holds: the proxy up, the truth down."""
    before, after = (table.column(name, "no KL") for name in ("proxy before", "proxy"))
    return [
        Check("without a KL: the proxy rises", [b - a for a, b in zip(before, after, strict=True)], 0),
        Check("without a KL: points of win rate lost against the reference's 50 %",
              [50 - win for win in table.column("win, %", "no KL")], 30),
    ]


def alignment(seeds: Sequence[int], cache: bool = True, quick: bool = False) -> Measured:
    held = ("DPO", "KL", "no KL") if quick else ("DPO", "KL", "no KL", "no KL, no clip", "refreshed")
    table = run(align, {how: {"how": how} for how in held}, seeds, cache=cache)

    return Measured(
        [
            Check("DPO wins against the reference, % of prompts and samples", table.column("win, %", "DPO"), 80),
            Check("PPO with a KL wins, %", table.column("win, %", "KL"), 80),
            Check("KL of DPO to the reference, nats a response", table.column("KL, nats", "DPO"), 3, at_most=True),
            Check("KL of PPO, nats a response", table.column("KL, nats", "KL"), 3, at_most=True),
            *without_a_kl(table),
        ],
        table, columns=COLUMNS,
        note="A win is a higher true reward than the reference's answer to the same prompt, a tie one half. The prompts of the "
        "test are two names that nothing was trained on, and there is one annotator: intervals are over seeds (pairs, reward "
        "model, samples). Refreshed: no KL, and a reward model learned anew every five steps, with clicks of the same annotator "
        "on what the policy says by then. The proxy is the first reward model's score, whatever is trained on.",
    )


def longer(seeds: Sequence[int], cache: bool = True, quick: bool = False) -> Measured:
    table = run(align, {how: {"how": how, "steps": LONGER} for how in ("KL", "no KL")}, seeds, cache=cache)
    return Measured(
        [
            Check("PPO with a KL wins, %", table.column("win, %", "KL"), 80),
            Check("KL of PPO, nats a response", table.column("KL, nats", "KL"), 3, at_most=True),
            *without_a_kl(table),
        ],
        table, columns=COLUMNS,
        note=f"{LONGER} steps in the place of {LONG}, all else as above. Added after {LONG} steps had shown no fall; the number "
        "of steps was chosen before any run of this length.",
    )


def check(seed: int, method: str) -> dict:
    """A calculator that has half learned to add, then STEPS steps with a checker: held-out accuracy, sampled and greedy."""
    start, test = calculator(seed, 0.45), problems("test")
    rewards: list[float] = []
    after = learn_from_checker(
        start, method, steps=STEPS, seed=seed, watch=lambda number, model, found: rewards.append(found.rewards.mean().item()))
    return {
        "sampled before, %": 100 * solved(start, test), "sampled after, %": 100 * solved(after, test),
        "greedy before, %": 100 * solved(start, test, None), "greedy after, %": 100 * solved(after, test, None),
        "way: rewards": rewards,
    }


def checked(seeds: Sequence[int], cache: bool = True, quick: bool = False) -> Measured:
    table = run(check, {method: {"method": method} for method in METHODS}, seeds, cache=cache)

    def gain(method: str, how: str = "sampled") -> list[float]:
        return [b - a for a, b in zip(*(table.column(f"{how} {when}, %", method) for when in ("before", "after")), strict=True)]

    return Measured(
        [
            Check("GRPO raises accuracy on held-out sums, sampled, by points", gain("grpo"), 20),
            Check("GRPO above random rewards, in points", [a - b for a, b in zip(gain("grpo"), gain("chance"), strict=True)], 20),
        ],
        table, columns=("sampled before, %", "sampled after, %", "greedy before, %", "greedy after, %"),
        note=f"{STEPS} steps of 256 samples for every method, each at a rate of its own, the best of five on seeds 100 to 102, "
        "chosen after a first result at one rate for all was known; GRPO's stayed what it had been. PPO and imitation of right "
        "samples are beside it without a target.",
    )


def handed_down(seed: int, way: str) -> dict:
    """A half-taught calculator learns from a well-taught one, SHORT steps of 64 answers: held-out accuracy."""
    start, teacher, test = calculator(seed, 0.45), calculator(TEACHER, 0.97), problems("test")
    after = distil(start, teacher, way, steps=SHORT, seed=seed)
    right = {"before": start, "after": after, "teacher": teacher}
    return {f"{name}, %": 100 * solved(model, test) for name, model in right.items()}


def distillation(seeds: Sequence[int], cache: bool = True, quick: bool = False) -> Measured:
    table = run(handed_down, {way: {"way": way} for way in WAYS_TO_DISTIL}, seeds, cache=cache)
    on, off = (table.column("after, %", way) for way in WAYS_TO_DISTIL[:2])
    return Measured(
        [Check("on the student's own samples against the teacher's: points", [a - b for a, b in zip(on, off, strict=True)], 0)],
        table, columns=("before, %", "after, %", "teacher, %"),
        note=f"{SHORT} steps of 64 answers each: as many samples for every way; one rate and one teacher for all.",
    )


EFFECTS = [
    Effect(
        "Preference alignment of the causal model",
        "win rate >= 80 % at a KL of at most 3 nats; without KL the proxy up and the truth down by 30 points",
        alignment, "preference",
    ),
    Effect("Preference alignment, three times as long", "as above: with a KL it holds, without one it falls", longer, "longer"),
    Effect("A calculator and a checker: GRPO", "held-out accuracy up by 20 points", checked, "checker"),
    Effect("On-policy distillation", "above distillation on the teacher's samples", distillation, "distillation"),
]
