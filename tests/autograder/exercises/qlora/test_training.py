"""The exercises of chapter 10 that run: how far the model answer and the weak strategies are from the thresholds."""

import numpy as np
import pytest
import torch

from autograder.exercises.qlora.fitting import fit_levels
from autograder.exercises.qlora.layer import backward
from autograder.judging.measures import qlora as measures

SEEDS = range(30, 33)


def reached(exercise, answer, seeds=SEEDS):
    """Name of a part -> what was measured in its cases, over the seeds."""
    found = {part.name: [] for part in exercise.parts}
    for seed in seeds:
        for case in exercise.cases(np.random.default_rng(seed)):
            output = exercise.probe(answer, case.inputs)
            for part in exercise.parts:
                if part.on in (None, case.group):
                    found[part.name].append(part.measure(output, case.held))
    return found


@pytest.mark.parametrize("exercise", [backward, fit_levels], ids=lambda e: e.id)
def test_model_answers_clear_the_thresholds_by_a_margin(exercise):
    for part in exercise.parts:
        assert max(reached(exercise, exercise.answer)[part.name]) <= 0.95 * part.at_most


@pytest.mark.parametrize("exercise", [backward, fit_levels], ids=lambda e: e.id)
def test_weak_strategies_miss_one_by_a_margin(exercise):
    for weak in exercise.misconceptions:
        found = reached(exercise, weak.wrong)
        missed = {part.name for part in exercise.parts if max(found[part.name]) > part.at_most}
        assert missed, weak.name
        for part in exercise.parts:
            if part.name in missed and part.at_most > 1e-3:
                assert min(v for v in found[part.name] if v > part.at_most) > 1.08 * part.at_most, weak.name


def test_autograd_is_no_backward_pass_by_hand():
    def answer(x, grad_h, W, lora_A, lora_B, alpha):
        x = x.clone().requires_grad_()
        (x @ W.T).backward(grad_h)
        return x.grad, lora_A, lora_B

    with pytest.raises(RuntimeError, match="by hand"):
        backward.probe(answer, backward.cases(np.random.default_rng(0))[0].inputs)


@pytest.mark.parametrize("answer, word", [(lambda **i: 1, "three gradients"), (lambda **i: (i["x"], i["x"], i["x"]), "grad_A")])
def test_what_is_no_gradient_is_said(answer, word):
    with pytest.raises(ValueError, match=word):
        backward.probe(answer, backward.cases(np.random.default_rng(0))[0].inputs)


def test_measures_by_hand():
    held = {"y_test": torch.tensor([[2.0]]), "before": torch.tensor([[0.0]])}
    assert measures.error_left(np.array([[1.0]]), held) == 0.25
    levels = torch.tensor([-1.0, 0.0, 1.0])
    held = {"weights": torch.tensor([1.0, 0.6, 2.0, 0.0]), "block_size": 2, "nf4": torch.tensor([-1.0, 0.5, 1.0])}
    # ours: 0.6 goes to 1, error 0.16; nf4's place: 0.6 to 0.5 (0.01), 0.0 to 1.0 (1.0)
    assert measures.beside_nf4(levels.numpy(), held) == pytest.approx(0.16 / 1.01)
    assert measures.out_of_order(np.array([-1.0, 0.3, 0.1, 1.2]), {}) == pytest.approx(0.2)
