"""The race: what a run measures, and what the kept numbers say that chapter 02 reads from them."""

import pytest

from courselib.lab.measured import kept, report_of_effects
from courselib.lab.plots import interval
from courselib.transfer import race


def points(runs, first, second, column="accuracy"):
    one, other = ({run["seed"]: run[column] for run in runs if run["setting"] == setting} for setting in (first, second))
    assert one.keys() == other.keys() and len(one) == 5
    return interval([100 * (one[seed] - other[seed]) for seed in one])


def test_one_seed_of_the_real_encoder(pretrained):
    frozen, full = (race.finetune(name, 0, steps=8, texts=60) for name in ("feature_extraction", "full"))
    assert frozen["trained"] == 384 * 2 + 2 and full["share"] == 1.0
    assert frozen["accuracy"] > 0.65 and full["accuracy"] > 0.75
    assert frozen["topic"] > full["topic"] + 0.1
    assert full["static"] == pytest.approx(16 * 22_566_146 / 1e6)
    head, encoder = 384 * 2 + 2, 22_566_146 - (384 * 2 + 2)
    assert frozen["static"] == pytest.approx((4 * encoder + 16 * head) / 1e6, abs=1e-4)  # moments too: its optimizer has stepped
    # eight sentences of about ten tokens through six layers: 2 to 50 kB a token and layer
    assert 8 * 10 * 6 * 2e3 < full["activations"] * 1e6 < 8 * 20 * 6 * 5e4
    assert 0 < frozen["activations"] < full["activations"] / 20  # nothing below the head is kept


def test_what_has_no_rate_is_refused():
    with pytest.raises(ValueError, match="'magic'"):
        race.finetune("magic", 0)
    with pytest.raises(ValueError, match="No rates were chosen for 9 steps, only for 8, 30"):
        race.finetune("full", 0, steps=9)


def test_every_budget_has_rates_for_the_same_strategies():
    names = [set(rates) for rates in race.RATES.values()]
    assert names[0] == names[1] and race.STEPS in race.RATES
    assert all(rates["lora"] > rates["full"] for rates in race.RATES.values())


def test_the_kept_race_tells_budgets_apart():
    runs = kept("race")["runs"]
    assert {run["setting"] for run in runs} == {f"{name}, {steps} steps" for steps in race.RATES for name in race.RATES[steps]}
    early, late = (points(runs, f"full, {steps} steps", f"gradual, {steps} steps") for steps in (8, 30))
    assert early.mean > 1.66 * early.half_width and abs(late.mean) < late.half_width
    above = points(runs, "lora, 30 steps", "feature_extraction, 30 steps")
    assert above.mean > 1.66 * above.half_width  # five comparisons
    assert points(runs, "feature_extraction, 30 steps", "full, 30 steps", "topic").mean > 20


def test_the_rates_of_the_race_are_those_the_sweep_found():
    found = {}
    for setting, values in kept("rates")["summary"].items():
        name, rate = setting.split(" at ")
        found.setdefault(name, {})[float(rate)] = values["accuracy"][0]
    for name in ("full", "lora", "top_2", "gradual"):
        assert max(found[name], key=found[name].get) == race.RATES[30][name], name
    assert max(found["feature_extraction"].values()) - found["feature_extraction"][race.RATES[30]["feature_extraction"]] < 0.02


def test_kept_numbers_are_those_of_the_report():
    report = report_of_effects()
    for name in ("race", "rates", "sample_efficiency"):
        data = kept(name)
        assert data["measured"] in report
        for claim in data["claims"]:
            assert f"{claim['claim']} | " in report and "{:.3f} ± {:.3f}".format(*claim["interval"]) in report
