"""The capstone: ten strategies and the marks they earn, what is counted, and answers that try to be counted otherwise."""

import numpy as np
import pytest
import torch

from autograder import exercises, grade
from autograder.asking.probes import strategy as probing
from autograder.exercises.strategy import strategies
from autograder.judging.measures import strategy as measures
from courselib.strategy.reader import pretrained_reader

MARKS = {  # of 15, on every world that was tried (24); several where a strategy stands beside a threshold
    "nothing": {0},
    "head alone": {5},
    "everything, on labels": {5},
    "everything, pulled back": {5},
    "everything, old tasks kept": {5},
    "pair and words, no unlabelled text": {5, 11},
    "words, then head": {11},
    "words, then everything": {7, 8, 11},
    "words, then pair": {13},
    "words, then pair, old tasks kept": {15},
}


def test_there_are_ten_strategies():
    assert list(strategies.TEN) == list(MARKS) and len(MARKS) == 10


@pytest.mark.parametrize("name", MARKS)
def test_a_strategy_earns_what_it_is_worth(name):
    report = grade("strategy.capstone", strategies.TEN[name], seed=list(MARKS).index(name))  # a world of its own for each
    assert report.score in MARKS[name], report.message


def test_naive_earns_a_third_and_a_good_one_all():
    assert 3 * max(MARKS["everything, on labels"]) == exercises["strategy.capstone"].points == min(MARKS[list(MARKS)[-1]])


@pytest.fixture(scope="module")
def case():
    return exercises["strategy.capstone"].cases(np.random.default_rng(5))[0]


def laid_out(case, changes):
    return [item.numpy() for item in probing.laid_out(case.inputs["weights"], changes)]


def test_what_is_held_back_never_goes_in(case):
    flat = [case.inputs[name] for name in ("labelled", "unlabelled", "old")]
    known = {tuple(row) for texts in flat for row in texts.tolist()}
    assert not known & {tuple(row) for row in case.held["test"].tolist()}
    assert not {"test", "topic", "feeling"} & set(case.inputs) and len(case.inputs["labels"]) == 200


def test_bytes_and_numbers_are_counted_by_hand(case, monkeypatch):
    monkeypatch.setattr(measures, "LEARNED", 0.0)
    B, A = torch.zeros(48, 2), torch.ones(2, 48)
    B[:3] = 0.1  # no half number
    out = laid_out(case, {"deep": (B, A), "new_bias": torch.tensor([0.5, 0.0])})
    assert measures.numbers(out, case.held) == 6 + 96 + 1
    assert measures.stored_bytes(out, case.held) == 6 * 4 + 96 * 2 + 2
    product = laid_out(case, {"deep": B @ A})
    assert measures.numbers(product, case.held) == 3 * 48  # its rows that are not zero
    assert measures.lost(out, case.held) == pytest.approx(measures.lost(product, case.held), abs=0.002)


def test_nothing_is_credited_for_keeping_where_nothing_was_learned(case):
    out = laid_out(case, {})
    total = sum(w.numel() for w in case.inputs["weights"].values())
    assert measures.quality(out, case.held) < measures.LEARNED
    assert (measures.lost(out, case.held), measures.numbers(out, case.held)) == (1.0, total)
    assert measures.stored_bytes(out, case.held) == 4 * total


def test_a_change_is_the_same_by_a_pair_and_by_its_product(case):
    torch.manual_seed(0)
    weights, B, A = case.inputs["weights"], torch.randn(48, 16), torch.randn(16, 48)
    by_pair, by_product = (probing.changes_of(weights, probing.laid_out(weights, {"pair": c})) for c in ((B, A), [B, A]))
    assert torch.equal(by_pair["pair"], B @ A) and torch.equal(by_product["pair"], by_pair["pair"])
    model = probing.Reader(weights)
    ids = case.inputs["old"][:5]
    assert torch.allclose(model(ids, "topic", by_pair), model(ids, "topic", {"pair": (B, A)}), atol=1e-5)


@pytest.mark.parametrize(("changes", "says"), [
    ([], "a dict of changes was expected, and list came"),
    ({"depe": torch.zeros(48, 48)}, "there is no weight 'depe'"),
    ({"new": torch.zeros(48)}, "has shape (48,), and it (2, 48)"),
    ({"deep": (torch.zeros(48, 17), torch.zeros(17, 48))}, "has rank 17, and 16 is the most"),
    ({"deep": (torch.zeros(4, 48), torch.zeros(48, 4))}, "expected (48, rank) and (rank, 48)"),
    ({"new_bias": (torch.zeros(2, 1), torch.zeros(1, 1))}, "neither a tensor nor"),
    ({"new_bias": torch.tensor([float("nan"), 0.0])}, "left the finite numbers"),
], ids=["list", "name", "shape", "rank", "transposed", "vector", "nan"])  # fmt: skip
def test_what_is_no_change_is_told_so(changes, says):
    report = grade("strategy.capstone", lambda **_: changes, seed=1)
    assert report.score == 0 and says in report.message


def test_the_model_that_is_handed_out_can_be_spoilt_and_nothing_is_won():
    """The judge has its own: whoever trains the weights in place and returns nothing has changed nothing."""

    def in_place(model, **_):
        for weights in model.weights.values():
            weights.add_(1.0)
        return {}

    before = {name: w.clone() for name, w in pretrained_reader().weights.items()}
    assert grade("strategy.capstone", in_place, seed=1).score == 0
    assert all(torch.equal(before[name], w) for name, w in pretrained_reader().weights.items())
