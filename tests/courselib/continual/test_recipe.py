"""The recipe's arithmetic, by hand and beside transformers."""

import dataclasses

import pytest
import torch
from transformers import EarlyStoppingCallback, TrainerControl, TrainerState, TrainingArguments, get_linear_schedule_with_warmup

from courselib.continual.recipe import Recipe, first_stop, warmup_factor


def test_the_copied_recipe_has_two_mistakes_for_1000_examples_and_no_other():
    recipe = Recipe()
    assert recipe.steps(1000) == 96 and recipe.evaluations == 3 and recipe.first_stop() == 4
    assert recipe.peak(1000) == pytest.approx(0.95)
    warmup, patience = recipe.validate(1000)
    assert "100 steps is not over" in warmup and "after 96 steps" in warmup
    assert "patience of 3 can never fire" in patience and "needs 4 evaluations, and there are 3" in patience
    assert [p[:10] for p in recipe.validate(100_000)] == ["A patience"]  # enough steps to warm up
    assert recipe.pretraining_lr / recipe.lr == pytest.approx(30)


@pytest.mark.parametrize(
    ("changes", "examples", "complaints"),
    [
        ({"warmup_steps": 10, "evaluations_per_epoch": 4}, 1000, []),
        ({"warmup_steps": 95, "patience": 1}, 1000, []),  # step 95, the last of 96, uses all of it
        ({"warmup_steps": 96, "patience": 1}, 1000, ["The warm-up of 96"]),
        ({"warmup_steps": 0, "patience": 1}, 1000, []),
        ({"warmup_steps": 5, "patience": 2}, 1000, ["A patience of 2 can only fire when the training is over"]),
        ({"warmup_steps": 5, "patience": 1, "batch": 4, "target_share": 0.95}, 1000, ["A batch of 4 with 95%"]),
        ({"warmup_steps": 5, "patience": 1, "target_share": 1.0}, 1000, []),
        ({"warmup_steps": 5, "patience": 1, "lr": 3e-4}, 1000, ["The learning rate is 1 times"]),
        ({"dropout": 1.0, "epochs": 0, "lr": 0, "warmup_steps": -1}, 0, ["examples", "epochs", "lr", "warmup_steps", "dropout"]),
    ],
)
def test_validate(changes, examples, complaints):
    found = dataclasses.replace(Recipe(), **changes).validate(examples)
    assert len(found) == len(complaints)
    assert all(sentence.startswith(beginning) for sentence, beginning in zip(found, complaints, strict=True))


@pytest.mark.parametrize("warmup", [0, 1, 10, 40, 41])
def test_the_warm_up_is_that_of_transformers(warmup):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = get_linear_schedule_with_warmup(optimizer, warmup, 10_000_000)  # so long that it hardly falls
    for step in range(40):
        assert optimizer.param_groups[0]["lr"] == pytest.approx(warmup_factor(step, warmup), abs=1e-4)
        optimizer.step()
        schedule.step()


@pytest.mark.parametrize("patience", [1, 2, 5])
def test_early_stopping_fires_when_that_of_transformers_does(patience, tmp_path):
    settings = TrainingArguments(str(tmp_path), metric_for_best_model="loss", greater_is_better=False, use_cpu=True)
    callback, state, control = EarlyStoppingCallback(patience), TrainerState(), TrainerControl()
    for evaluation in range(1, 20):
        callback.on_evaluate(settings, state, control, metrics={"eval_loss": 1.0 + evaluation})
        state.best_metric = 2.0  # the Trainer writes it down after the callbacks
        if control.should_training_stop:
            break
    assert evaluation == first_stop(patience) == patience + 1
