"""Exercises of chapter 03 on judging what was measured: predictions before a run, and choices after it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import solutions.domain as answers
from autograder.exercises.exercise import Case, Exercise, Misconception, Part, Written

# --- predict_forgetting -----------------------------------------------------------------------------------------------


def predict_forgetting_cases(rng: np.random.Generator) -> list[Case]:
    return [Case("your three predictions, in the order of the questions", {})]


def _says(*predictions: str) -> Callable[[], tuple[str, ...]]:
    return lambda: predictions


predict_forgetting = Exercise(
    id="domain.predict_forgetting",
    answer=answers.domain_predict_forgetting,
    cases=predict_forgetting_cases,
    parts=[
        Part("LoRA against plain training that learned as much", 1, of=0), Part("EWC, which ends farther away", 1, of=1),
        Part("replay, trained for longer", 1, of=2),
    ],
    misconceptions=[
        Misconception(
            "lora_protects", _says("less", "less", "less"), earns=2,
            says="Wrong in the first: frozen weights are not frozen behaviour. Run on, and look at what LoRA may not touch: "
            "the vectors "
            "of the words.",
        ),
        Misconception(
            "longer_forgets_more", _says("more", "less", "more"), earns=2,
            says="Wrong in the third: half of what replay reads in the longer run is general text. Forgetting is not a toll "
            "on each step.",
        ),
        Misconception(
            "farther_forgets_more", _says("more", "more", "less"), earns=2,
            says="Wrong in the second: EWC moves far where the Fisher information says that it does not matter. The "
            "direction counts.",
        ),
        Misconception(
            "all_the_slogans", _says("less", "more", "more"), earns=0,
            says="These are the three slogans: LoRA protects, small steps protect, more training forgets more. Each of them is "
            "measured in the next cells.",
        ),
    ],
)

# --- choose_protection ------------------------------------------------------------------------------------------------

choose_protection = Written(
    id="domain.choose_protection",
    answer=answers.domain_choose_protection,
    rubric=[
        (1, "a choice that keeps the contract: nothing that reads general text during the adaptation (EWC, or plain "
            "training at a "
            "gentle rate; replay breaks it)"),
        (2, "the choice rests on two measured numbers with their intervals: the rise of the general loss against 0.6, and "
            "the domain loss "
            "against that of a rejected method"),
        (1, "rejects LoRA with a measured reason (adapter on: learns less, forgets more; adapter off: the notes are gone)"),
        (1, "names something that the intervals do not cover (pretrained model, test texts, real notes) and a measurement "
            "that would "
            "change the choice"),
        (1, "60 steps and the text at hand: replay, from its measured longer run; or says that EWC at 60 steps was not measured"),
    ],
)

# --- medical_bert -----------------------------------------------------------------------------------------------------

medical_bert = Written(
    id="domain.medical_bert",
    answer=answers.domain_medical_bert,
    rubric=[
        (2, "two different obstacles out of: vocabulary that is cut up, style and form, missing knowledge, a low ceiling "
            "(few or noisy labels, or a concept that differs)"),
        (2, "for each a measurement that could come out either way (tokens a word; loss or divergence against held-out general "
            "text; a test on unseen names; agreement of annotators)"),
        (2, "for each a remedy that fits it: continued pretraining, extended vocabulary with sensible new embeddings, a model "
            "of the domain, better labels"),
        (1, "what to watch: general loss before and after (mixing), a test split without leaks"),
    ],
)
