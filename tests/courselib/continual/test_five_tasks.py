"""The stream of five tasks: what each method may touch, and that its scores are read from its own matrix."""

import pytest

from courselib.continual import five_tasks
from courselib.continual.scores import average_accuracy, backward_transfer

QUICK = {"steps": 12, "hidden": 24}


def quick(name: str, seed: int = 0, **changes) -> dict:
    return five_tasks.five_tasks(seed, **five_tasks.METHODS[name] | QUICK | changes)


def test_the_question_is_always_the_same_and_no_test_picture_is_trained_on():
    tasks = five_tasks.parity_tasks(3)
    assert [task.classes for task in tasks] == [(0, 1), (2, 3), (4, 5), (6, 7), (8, 9)]
    for task in tasks:
        for y in (task.y_train, task.y_test):
            assert set(y.tolist()) == {0, 1} and 0.4 < y.float().mean() < 0.6
    train = {tuple(x.tolist()) for task in tasks for x in task.x_train}
    assert not train & {tuple(x.tolist()) for task in tasks for x in task.x_test}


@pytest.mark.parametrize("name", [name for name in five_tasks.METHODS if name != "joint"])
def test_the_scores_are_those_of_the_matrix(name):
    row = quick(name)
    R = row["R"]
    assert row["ACC"] == average_accuracy(R) and row["BWT"] == backward_transfer(R)
    assert row["BWT"] == pytest.approx(row["gained"] - row["lost"])
    assert row["learned"] == pytest.approx(sum(R[i][i] for i in range(5)) / 5)
    own_heads = five_tasks.METHODS[name].get("question") == "task"
    assert ("FWT" in row) is not own_heads
    assert all(R[i][j] == 0.5 for i in range(5) for j in range(i + 1, 5)) is own_heads


def test_isolation_changes_no_old_answer_and_heads_alone_do():
    for name in ("frozen trunk", "adapters"):
        R = quick(name)["R"]
        assert all(R[i][j] == R[j][j] for j in range(5) for i in range(j, 5))
    R = quick("heads alone", steps=40)["R"]
    assert any(R[i][j] != R[j][j] for j in range(5) for i in range(j, 5))


def test_with_no_weight_every_remedy_is_the_naive_method():
    naive = quick("naive")["R"]
    assert quick("EWC", strength=0.0)["R"] == naive
    assert quick("SI", strength=0.0)["R"] == naive
    assert quick("distillation", strength=0.0)["R"] == naive
    assert quick("LwF", strength=0.0)["R"] == quick("EWC, heads", strength=0.0)["R"] == quick("heads alone")["R"]
    assert quick("distillation", strength=5.0)["R"] != naive
    assert quick("replay")["R"] != naive
    assert quick("replay")["R"][0] == naive[0]  # nothing is old in the first task


def test_a_very_strong_teacher_or_spring_lets_nothing_be_learned():
    """The second task's answers stay where the first task left them."""
    free, held = quick("naive", steps=60)["R"], quick("distillation", steps=60, strength=1000.0)["R"]
    assert held[1][0] == pytest.approx(held[0][0], abs=0.03)
    assert abs(held[1][1] - held[0][1]) < 0.2 < free[1][1] - free[0][1]


def test_joint_training_has_no_matrix_and_sees_every_task():
    row = quick("joint", steps=40)
    assert set(row) == {"ACC"} and row["ACC"] > 0.8


def test_the_same_seed_gives_the_same_matrix_and_another_seed_another():
    assert quick("replay", 1)["R"] == quick("replay", 1)["R"] != quick("replay", 2)["R"]


@pytest.mark.parametrize(("method", "options", "sentence"), [
    ("rehearsal", {}, "no method 'rehearsal' for the question 'domain'; choose one of naive, EWC"),
    ("adapters", {"question": "class"}, "no method 'adapters' for the question 'class'"),
    ("naive", {"question": "all"}, "no question 'all'; choose 'domain', 'task' or 'class'"),
    ("EWC", {"strength": 1.0, "anchors": "first"}, "choose 'latest' or 'each'"),
    ("replay", {"kept": 5, "strength": 1.0}, "'replay' has no option 'strength'; it has kept, share"),
    ("naive", {"kept": 5}, "'naive' has no option 'kept'; it has none"),
    ("EWC", {}, "'EWC' needs its option 'strength'"),
    ("EWC", {"strength": -1.0}, "strength is -1.0; a negative spring"),
    ("distillation", {"temperature": 0.0}, "the temperature above 0"),
    ("replay", {"kept": 0}, "at least 1 example"),
    ("replay", {"kept": 1, "share": 1.0}, "between 0 and 1"),
])
def test_what_cannot_be_is_refused_before_anything_is_trained(method, options, sentence, monkeypatch):
    monkeypatch.setattr(five_tasks, "learn_next", None)
    with pytest.raises(ValueError, match=sentence):
        five_tasks.five_tasks(0, method, **options)


def test_only_adapters_have_a_bottleneck():
    thin, wide = quick("adapters", bottleneck=1), quick("adapters", bottleneck=30)
    assert thin["R"] != wide["R"] and thin["R"][0] == wide["R"][0]  # the first task has none
    assert quick("frozen trunk", bottleneck=1) == quick("frozen trunk", bottleneck=30)


def test_three_questions_about_the_same_pictures():
    answers = {q: quick("replay, heads" if q == "task" else "replay", question=q) for q in ("task", "domain", "class")}
    R = {q: row["R"] for q, row in answers.items()}
    assert all(R["class"][0][j] == 0 for j in range(1, 5))  # classes not yet seen are never answered
    assert all(R["domain"][0][j] > 0.1 for j in range(1, 5)) and all(R["task"][0][j] == 0.5 for j in range(1, 5))


@pytest.mark.parametrize("seed", [0, 1])
def test_one_head_makes_the_teacher_contradict_the_labels_and_a_head_each_does_not(seed):
    """The corrected statement of chapter 05, with its control: heads without a teacher."""
    small = {"steps": 40, "hidden": 60}
    one, heads, lwf = (quick(name, seed, **small) for name in ("distillation", "heads alone", "LwF"))
    assert one["learned"] < lwf["learned"] - 0.04 and lwf["learned"] > heads["learned"] - 0.03
    assert lwf["lost"] < heads["lost"] and lwf["ACC"] > one["ACC"] + 0.05
