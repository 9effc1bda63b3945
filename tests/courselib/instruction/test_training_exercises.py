"""The exercises that train: thresholds lie between the model answer and every weak strategy, on seeds that chose nothing.

On seeds 0 to 99 the model step answered 1.00 and stopped 1.00; whole text answered 0.28 to 0.81, user and no update at most 0.1,
and without its end it never stopped. On seeds 0 to 399 the model choice was right on 0.90 to 0.98, on its worst kind on 0.78 to
0.95; the weak choices on at most 0.72 and 0.62.
"""

import numpy as np
import pytest

import solutions.instruction as answers
from autograder.asking.probes import instruction as probing
from autograder.exercises.instruction import training
from autograder.judging.measures import instruction as measures

SEEDS = range(1000, 1004)


def reached(step, seed):
    case = training.sft_cases(np.random.default_rng(seed))[0]
    output = probing.fine_tune(step, case.inputs).numpy()
    return measures.answered(output, case.held), measures.stopped(output, case.held)


def test_steps_are_far_from_their_thresholds():
    for seed in SEEDS:
        assert min(reached(answers.instruction_sft_step, seed)) > 0.95
        answered, stopped = reached(training.end_not_learned, seed)
        assert answered > 0.95 and stopped < 0.1
        assert reached(training.whole_text, seed)[0] < 0.85
        assert all(reached(step, seed)[0] < 0.3 for step in (training.user_learned, training.no_update, training.not_shifted,
                                                             training.zero_for_ignored))


def test_choices_are_far_from_their_thresholds():
    for seed in range(1000, 1020):
        case = training.selection_cases(np.random.default_rng(seed))[0]
        found = {}
        for choose in (answers.instruction_select_examples, training.first_come, training.best_of_all, training.even_but_unread,
                       training.worst_of_each):
            output = probing.fine_tune_on_choice(choose, case.inputs).numpy()
            whole, worst = (m(output, case.held) for m in (measures.right_on_the_whole, measures.right_on_the_worst_kind))
            found[choose.__name__] = whole, worst
        whole, worst = found.pop("instruction_select_examples")
        assert whole > 0.86 and worst > 0.74
        assert all(a < 0.78 and b < 0.66 for a, b in found.values())


@pytest.mark.parametrize("choice, said", [(lambda kinds, quality, budget: range(budget + 1), "the budget is"),
                                          (lambda kinds, quality, budget: [1, 1], "twice")])
def test_a_choice_that_breaks_the_rules_is_told(choice, said):
    case = training.selection_cases(np.random.default_rng(0))[0]
    with pytest.raises(ValueError, match=said):
        probing.fine_tune_on_choice(choice, case.inputs)
