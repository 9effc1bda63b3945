"""Rules of thumb: looked up as they are passed on, at their edges, and contradicting one another where they do."""

import pytest

from courselib.domain import guidelines


@pytest.mark.parametrize(
    ("samples", "says"),
    [
        (0, "prompt"), (999, "prompt"), (1_000, "LoRA"), (10_000, "top layers"), (100_000, "small learning rate"),
        (1_000_000, "continued pretraining"), (10**12, "continued pretraining"),
    ],
)
def test_the_rule_by_samples(samples, says):
    advice = guidelines.recommend_by_size(samples)
    assert says in advice.says and advice.low <= samples <= advice.high and advice.against


@pytest.mark.parametrize(("gigabytes", "says"), [(0, "0.1 to 0.3"), (1, "0.3 to 0.5"), (9.9, "0.3 to 0.5"), (10, "0.5 to 0.8")])
def test_the_rule_by_gigabytes(gigabytes, says):
    assert says in guidelines.alpha_by_size(gigabytes).says


def test_no_size_is_refused():
    with pytest.raises(ValueError, match="-1 samples"):
        guidelines.recommend_by_size(-1)
    with pytest.raises(ValueError, match="nan gigabytes"):
        guidelines.alpha_by_size(float("nan"))


def test_the_two_rules_for_alpha_exclude_each_other_below_ten_gigabytes():
    largest = max(float(guidelines.alpha_by_size(gb).says.split()[-1]) for gb in (0.5, 5))
    assert largest < guidelines.ALPHA_WITHOUT_SIZE[0]
