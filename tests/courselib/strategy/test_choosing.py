"""The decision procedure: every rule has its evidence in the report, and projects get the rules that their numbers ask for."""

import pytest

from courselib.lab.measured import report_of_effects
from courselib.strategy.choosing import DECISION_RULES, Project, needs, recommended, reported


def names(**project):
    return [rule.name for rule in recommended(Project(**({"labels": 5000, "parameters": 0.1, "memory": 24} | project)))]


def test_evidence_stands_in_the_report_as_it_is_said():
    report = report_of_effects()
    for rule in DECISION_RULES:
        assert len(rule.evidence()) == len(rule.behind)
        for (_, claim), line in zip(rule.behind, rule.evidence(), strict=True):
            assert f"| {claim} |" in report and f"| {line.removeprefix(f'{claim}: ')} |" in report
    assert [rule.name for rule in DECISION_RULES if not rule.behind] == ["too large"]


def test_a_claim_of_two_effects_is_read_from_its_own():
    claim = "share of them that replay of 200 keeps"
    split = reported("Forgetting, split by class, one head", f"five tasks of two digits: {claim}")
    assert reported("Forgetting, permuted digits", claim) != split
    with pytest.raises(ValueError, match="no claim 'it is better'"):
        reported("Forgetting, permuted digits", "it is better")


def test_memory_decides_between_everything_adapters_and_four_bits():
    assert needs(Project(1, 7, 24), 16) == 112
    assert "full" in names(parameters=0.75) and "adapter" not in names(parameters=0.75)  # 12 GB, just half of 24
    assert "adapter" in names(parameters=0.76) and "full" not in names(parameters=0.76)
    assert "four bits" not in names(parameters=3) and "four bits" in names(parameters=3.1)  # 12 GB lying still
    assert "too large" not in names(parameters=7) and "too large" in names(parameters=70)


def test_many_tasks_ask_for_adapters_though_everything_fits():
    assert "full" in names(tasks=4) and "full" not in names(tasks=5) and "adapter" in names(tasks=5)


def test_the_other_axes():
    assert "words" in names(new_words=True, unlabelled=True) and "words" not in names(new_words=True)
    assert "words" not in names(unlabelled=True) and "keep" in names(keep_old=True) and "keep" not in names()
    assert "answers" in names(signal="answers") and "preferences" in names(signal="preferences")
    assert "few labels" in names(labels=1999) and "few labels" not in names(labels=2000)
    assert names()[0] == "control" and names()[-1] == "rate"


def test_what_is_no_project_is_told_so():
    for wrong in ({"memory": 0}, {"tasks": 0}, {"signal": "gold"}):
        with pytest.raises(ValueError):
            names(**wrong)
