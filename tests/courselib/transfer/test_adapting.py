"""The exercise that adapts a network: its task needs what was known and what is new; its thresholds leave room on both sides."""

import numpy as np
import torch

import solutions.transfer as answers
from autograder import grade
from autograder.exercises.transfer import training
from autograder.judging.measures import transfer as measures

SEEDS = range(200, 205)


def reached(answer):
    found = []
    for seed in SEEDS:
        case = training.adapt.cases(np.random.default_rng(seed))[0]
        output = training.adapt.probe(answer, dict(case.inputs)).numpy()
        found.append([measures.shape_accuracy(output, case.held), measures.colour_accuracy(output, case.held)])
    return np.array(found)


def test_the_pretrained_network_knows_shapes_and_no_colour():
    case = training.adapt.cases(np.random.default_rng(0))[0]
    first, second, third = case.inputs["weights"]
    x, labels = case.inputs["x_test"], np.asarray(case.held["labels"])
    scores = torch.relu(torch.relu(x @ first.T) @ second.T) @ third.T
    assert (scores.argmax(1).numpy() == labels // 2).mean() > 0.8
    assert (first[:, -2:] == 0).all() and 0.4 < (labels % 2).mean() < 0.6
    assert not {tuple(row) for row in x.tolist()} & {tuple(row) for row in case.inputs["x"].tolist()}


def test_what_is_asked_for_lies_between_the_model_answer_and_each_weak_strategy():
    model, scratch, head = (reached(answer) for answer in (answers.transfer_adapt, training.from_scratch, training.head_alone))
    shapes, colours = (part.at_least for part in training.adapt.parts)
    assert model[:, 0].min() > shapes and model[:, 1].min() > colours + 0.05
    assert scratch[:, 0].max() < shapes - 0.02 and scratch[:, 1].min() > colours + 0.05
    assert head[:, 1].max() < colours - 0.2 and head[:, 0].min() > shapes


def test_gradual_from_a_zero_head_is_another_right_way():
    """The head first is not the only way: a head that begins at zero, and a small rate for the rest."""

    def otherwise(network, x, y, classes):
        head = torch.nn.Linear(24, classes)
        torch.nn.init.zeros_(head.weight)
        body = network[:-1]
        optimizer = torch.optim.AdamW([{"params": head.parameters(), "lr": 3e-2}, {"params": body.parameters(), "lr": 1e-3}])
        for _ in range(150):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(head(body(x)), y).backward()
            optimizer.step()
        return torch.nn.Sequential(body, head)

    assert sum(grade("transfer.adapt", otherwise, seed).score == 4 for seed in range(4)) >= 3
