"""Tables, the small world of hacking, and the calculator: trends with their nulls."""

import pytest
import torch

from courselib.preference import small_world
from courselib.preference.calculator import PROMPT, problems, right_answers, sampled_answers, verified
from courselib.preference.on_policy import distil, forward_divergence, reverse_divergence
from courselib.preference.small_world import CAREFUL, CORRECT, LENGTH, REFERENCE, TIRED, hack, learned_reward, liked
from courselib.preference.tables import improve
from courselib.preference.verifiable import learn_from_checker

ARMS, EVEN = torch.tensor([0.0, 0.5, 1.0]), torch.full((3,), 1 / 3)


def test_the_sign_that_is_copied_wrong_teaches_the_worst_arm():
    right, wrong = (improve(EVEN, ARMS, sign=sign, steps=50, seed=1).expected(ARMS)[-1] for sign in (1, -1))
    assert right > 0.8 and wrong < 0.2


def test_a_kl_holds_near_the_exact_optimum():
    from courselib.preference.categorical import optimum

    run = improve(EVEN, ARMS, beta=0.5, steps=250, seed=0, samples=256)
    assert torch.allclose(run.policies[-1], optimum(EVEN, ARMS, 0.5), atol=0.05)
    assert run.divergences()[0] == 0 and run.divergences()[-1] > 0.05


def test_the_reward_model_is_right_about_the_annotator():
    learned = learned_reward(REFERENCE, TIRED)
    assert torch.corrcoef(torch.stack([learned, liked(TIRED)]))[0, 1] > 0.99
    assert liked(TIRED).argmax() == 0 and not CORRECT[0] and liked(CAREFUL).argmax() == 6


def test_what_holds_a_policy_and_what_does_not():
    free, held, same, careful = (
        hack(seed=0, **how) for how in ({}, {"beta": 1.0}, {"refresh": 20}, {"refresh": 20, "by": CAREFUL}))
    correct = [run.expected(CORRECT)[-1] for run in (free, held, same, careful)]
    assert correct[0] < 0.05 and correct[2] < 0.05 and correct[3] > 0.9
    assert 0.2 < correct[1] < CORRECT.mean() - 0.05  # a KL bounds the loss, and does not turn it into a gain
    proxy = learned_reward(REFERENCE, TIRED)
    assert free.expected(proxy)[-1] > free.expected(proxy)[0] + 1 and free.expected(LENGTH)[-1] > 9
    assert small_world.EFFORT.tolist() == list(range(11))


def test_problems_are_split_once_and_checked_right():
    parts = [problems(part) for part in ("train", "tune", "test")]
    keys = [set(map(tuple, part.tolist())) for part in parts]
    assert [len(k) for k in keys] == [6000, 2000, 2000] and not (keys[0] & keys[2] or keys[0] & keys[1] or keys[1] & keys[2])
    prompt = torch.tensor([[2, 7, 10, 4, 5, 11], [9, 9, 10, 0, 1, 11]])
    assert right_answers(prompt).tolist() == [[2, 7, 0], [0, 0, 1]]
    assert verified(prompt, torch.tensor([[2, 7, 0], [0, 0, 0]])).tolist() == [1, 0]
    with pytest.raises(ValueError, match="no problems 'dev'"):
        problems("dev")


class Half(torch.nn.Module):
    """Stands for a calculator: knows the right digits, and says them with a logit that can be trained."""

    def __init__(self, strength=1.0):
        super().__init__()
        self.strength = torch.nn.Parameter(torch.tensor(strength))
        self.unused = torch.nn.Parameter(torch.zeros(()))
        self.config = type("Config", (), {"hidden_size": 4})()

    def base_model(self, input_ids):
        return type("Out", (), {"last_hidden_state": torch.zeros(*input_ids.shape, 4)})()

    def forward(self, input_ids):
        answers = right_answers(input_ids[:, :PROMPT])
        logits = torch.zeros(*input_ids.shape, 12)
        for digit in range(input_ids.shape[1] - PROMPT + 1):
            if digit < 3:
                logits[:, PROMPT - 1 + digit] = self.strength * torch.nn.functional.one_hot(answers[:, digit], 12)
        return type("Out", (), {"logits": logits})()


@pytest.mark.parametrize("method, rises", [("grpo", True), ("ppo", True), ("imitation", True), ("chance", False)])
def test_a_checker_teaches_and_a_coin_does_not(method, rises):
    start = Half(3.0)  # each digit right in about two cases of three
    after = learn_from_checker(start, method, steps=12, seed=0, lr=0.05)
    assert start.strength.item() == 3.0
    assert (after.strength.item() > 3.3) is rises


def test_greedy_answers_are_the_likeliest():
    prompts = problems("test")[:50]
    assert verified(prompts, sampled_answers(Half(3.0), prompts)).all()
    with pytest.raises(ValueError, match="no method 'sarsa'"):
        learn_from_checker(Half(), "sarsa")


def test_both_divergences_and_their_mask():
    torch.manual_seed(0)
    student, teacher = torch.randn(2, 3, 5), torch.randn(2, 3, 5)
    p, q = student.softmax(-1), teacher.softmax(-1)
    each = (p * (p.log() - q.log())).sum(-1)
    assert torch.allclose(reverse_divergence(student, teacher), each.mean())
    mask = torch.tensor([[1.0, 1, 0], [1, 0, 0]])
    assert torch.allclose(reverse_divergence(student, teacher, mask), (each[0, 0] + each[0, 1] + each[1, 0]) / 3)
    assert torch.allclose(forward_divergence(student, teacher), (q * (q.log() - p.log())).sum(-1).mean())


@pytest.mark.parametrize("way", ["on policy, reverse", "off policy, forward", "off policy, hard"])
def test_a_student_comes_nearer_to_its_teacher(way):
    student = distil(Half(1.0), Half(4.0), way, steps=15, samples=32, lr=0.1)
    assert 1.5 < student.strength.item() < 5
