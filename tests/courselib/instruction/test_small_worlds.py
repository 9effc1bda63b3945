"""The small laboratory: what is right is right by hand, and what is said of data is so."""

import random

import numpy as np
import pytest
import torch

from courselib.instruction import arithmetic, errands, length, quality, small, unwanted

# --- sums


@pytest.mark.parametrize(("a", "b"), [(47, 85), (0, 0), (99, 99), (5, 95), (10, 9)])
def test_sums_in_every_style(a, b):
    said = {style: arithmetic.worked(a, b, style) for style in arithmetic.STYLES}
    assert int(said["plain"]) == int(said["reversed"][::-1]) == int(said["scratchpad"][-3:]) == int(said["filler"][-3:]) == a + b
    assert len(said["scratchpad"]) == len(said["filler"])  # the control has as much room
    ones, tens = int(said["scratchpad"][:2]), int(said["scratchpad"][2:4])
    assert ones == a % 10 + b % 10 and 10 * tens + ones % 10 == a + b  # the carry is in the total of the tens


def test_no_sum_is_learned_and_tested():
    train, test = arithmetic.sum_problems(1000, 3)
    assert len(set(train)) == 1000 and not set(train) & set(test)


def test_a_style_that_is_none():
    with pytest.raises(ValueError, match="'backwards'"):
        arithmetic.worked(1, 2, "backwards")


def test_log_p_of_an_answer_is_that_of_its_tokens():
    model = small.fresh_llama(arithmetic.ALPHABET.size, 0)
    found = arithmetic.log_p(model, ["47+85=", "10+02="], ["132", "012"])
    ids = torch.tensor([arithmetic.ALPHABET.ids("10+02=012")])
    with torch.no_grad():
        rows = model(input_ids=ids).logits[0].log_softmax(-1)
    assert found[1].item() == pytest.approx(sum(rows[at - 1, ids[0, at]].item() for at in (6, 7, 8)), rel=1e-5)


# --- the laboratory


def test_rows_have_labels_on_the_response_and_its_end_and_weights_stay_with_their_rows():
    pairs, weights = [([2, 3], [4]), ([5], [6, 7, 8]), ([2, 2, 2], [3, 3])], [1.0, 0.5, 0.25]
    ids, labels, found = next(iter(small.Rows(pairs, 3, 0, weights=weights)))
    for row in range(3):
        said = labels[row][labels[row] != -100].tolist()
        at = next(i for i, (_, response) in enumerate(pairs) if [*response, small.END] == said)
        prompt = pairs[at][0]
        assert ids[row, : len(prompt)].tolist() == prompt and (labels[row, : len(prompt)] == -100).all()
        assert found[row] == weights[at]
    _, whole, _ = next(iter(small.Rows(pairs, 3, 0, whole=True)))
    assert (whole != -100).sum() == (labels != -100).sum() + 1 + 0 + 2  # the first token of a row has nothing to predict it


def test_a_weight_is_as_good_as_so_many_copies():
    model = small.fresh_llama(12, 0)
    once, twice = ([2, 3], [4, 5]), ([6], [7])
    weighted = small.weighted_loss(model, next(iter(small.Rows([once, twice], 2, 0, weights=[1.0, 2.0]))))
    copied = small.weighted_loss(model, next(iter(small.Rows([once, twice, twice], 3, 0))))
    assert weighted.item() == pytest.approx(copied.item(), rel=1e-5)


# --- errands and their data


def test_errands_by_hand():
    assert errands.right_response(("plus two", "reversed", (3, 9))) == ["1", "5"]
    assert errands.right_response(("halved", "the second twice", (8, 7))) == ["3", "3"]
    assert errands.right_response(("minus one", "in order", (0, 4))) == ["9", "3"]


def test_a_share_of_wrong_responses_and_all_kinds_in_turn():
    rng = random.Random(0)
    drawn = errands.errands(240, errands.KINDS_OF_ERRAND, rng)
    assert {drawn.count(d) >= 0 for d in drawn} and len({d[:2] for d in drawn}) == 24
    pairs = errands.pairs_with_errors(drawn, 0.5, rng)
    wrong = sum(pair != errands.as_pair(errand) for pair, errand in zip(pairs, drawn, strict=True))
    assert 110 <= wrong <= 120  # some random responses are right by chance
    assert errands.pairs_with_errors(drawn, 0.0, rng) == [errands.as_pair(errand) for errand in drawn]


@pytest.mark.parametrize("n", [6, 12, 20])
def test_few_kinds_have_every_change_and_every_order(n):
    seen = [kind for kind in errands.KINDS_OF_ERRAND if kind not in quality.UNSEEN]
    for seed in range(10):
        random.Random(seed).shuffle(seen)
        chosen = quality.covering(seen, n)
        assert len(set(chosen)) == n
        assert {c for c, _ in chosen} == set(errands.CHANGES) and {o for _, o in chosen} == set(errands.ORDERS)
    with pytest.raises(ValueError, match="take more"):
        quality.covering(seen, 5)


def test_the_fit_finds_the_slopes_that_were_put_in_and_the_law_has_one():
    cells = [(n, q) for n in (250, 500, 1000) for q in (1.0, 0.75, 0.5)]
    for slope_n, slope_q in ((1.0, 2.5), (0.7, 0.7)):
        odds = [-1 + slope_n * np.log2(n / 500) + slope_q * np.log2(q) for n, q in cells]
        accuracy = [1 / (1 + np.exp(-o)) for o in odds]
        _, of_n, of_q = quality.two_slopes(*zip(*cells, strict=True), accuracy)
        assert of_n == pytest.approx(slope_n, rel=0.06) and of_q == pytest.approx(slope_q, rel=0.06)
    with pytest.raises(ValueError, match="at least 3"):
        quality.two_slopes([1, 2], [1, 1], [0.5, 0.5])


def test_break_even():
    assert quality.break_even_quality(1000, 1.0, 52_000) == pytest.approx(1 / 52)
    with pytest.raises(ValueError, match="at least one"):
        quality.break_even_quality(10, 1.0, 0)


# --- length


def test_length_weights_and_what_they_make_of_the_mean():
    assert [length.length_weight(n, 4, 0.5) for n in (1, 4)] == [1.0, 1.0]
    assert length.length_weight(6, 4, 0.5) == pytest.approx(np.exp(-1))
    assert length.expected_length([3, 5], 3, np.log(3) / 2) == pytest.approx((3 + 5 / 3) / (4 / 3))
    assert length.expected_length([3, 5], 3, 0.0) == 4
    with pytest.raises(ValueError, match="below 0"):
        length.length_weight(3, 4, -0.1)


def test_talk_comes_before_the_answer():
    prompt, response = length.chatty(("plus one", "in order", (1, 2)), 3)
    assert length.CHATTY.tokens(response) == ["well"] * 3 + ["2", "3"]
    assert length.CHATTY.tokens(prompt) == ["plus one", "in order", "1", "2"]  # the larger alphabet reads the smaller one's ids


# --- what nobody asked for


def test_strangers_are_in_nothing_that_was_taught(monkeypatch):
    taught = []
    monkeypatch.setattr(unwanted, "teach", lambda model, pairs, **_: taught.append(pairs))
    found = unwanted.inventing(0, "new")
    base, new = taught
    assert len(base) == unwanted.KNOWN + unwanted.DECLINED and len(new) == 2 * unwanted.NEW
    prompts = [tuple(prompt) for prompt, _ in base]
    fresh = [tuple(prompt) for prompt, response in new if unwanted.FACT_WORDS.tokens(response) != [unwanted.REFUSAL]]
    assert len(set(fresh)) == unwanted.NEW and not set(fresh) & set(prompts) and found["learned"] < 0.5
    unwanted.inventing(0, "known")
    rehearsed = [tuple(p) for p, response in taught[-1] if unwanted.FACT_WORDS.tokens(response) != [unwanted.REFUSAL]]
    assert len(rehearsed) == unwanted.NEW and set(rehearsed) <= set(prompts)
    assert taught[-1][unwanted.NEW :] == new[unwanted.NEW :]  # the same refusals are rehearsed in both


def test_harmless_data_hold_no_forbidden_errand(monkeypatch):
    taught = []
    monkeypatch.setattr(unwanted, "teach", lambda model, pairs, **_: taught.append(pairs))
    unwanted.declining(0, n=50)
    _, harmless, mixed, old = taught
    forbidden = errands.ERRAND_WORDS.ids([unwanted.FORBIDDEN])[0]
    assert all(prompt[0] != forbidden for pairs in (harmless, old) for prompt, _ in pairs)
    assert sum(prompt[0] == forbidden for prompt, _ in mixed) == 5 and len(mixed) == len(harmless) == 50
