"""Fine-tuning the small reader: what is frozen stays, what is held back is held back, and the settings do what they say."""

import numpy as np
import pytest
import torch
from torch import nn

from courselib.lab.models.encoder import Pretrained
from courselib.strategy import learning, scoring
from courselib.strategy.reader import Tuned, pretrained_reader
from courselib.strategy.world import old_texts


def test_a_head_loses_nothing_and_everything_loses_something():
    assert learning.fine_tuned("head", 0, rate=0.1, steps=20)["lost"] == 0.0
    assert learning.fine_tuned("everything", 0, rate=0.03, steps=100)["lost"] > 0.05


def test_keeping_the_old_keeps_it():
    naive, kept = (learning.fine_tuned("everything", 1, rate=0.03, steps=100, keep=k)["lost"] for k in (0.0, 1.0))
    assert kept < naive / 2


def test_the_same_seed_gives_the_same_and_only_leaked_texts_are_told_apart():
    first, again = (learning.fine_tuned("pair", 3, steps=10) for _ in range(2))
    assert first == again and first["right_leaked"] is None and first["right_clean"] == first["accuracy"]
    leaked = learning.fine_tuned("pair", 3, steps=10, leaked=250)
    assert leaked["accuracy"] == pytest.approx(0.25 * leaked["right_leaked"] + 0.75 * leaked["right_clean"])
    with pytest.raises(ValueError, match="There is no way 'half'"):
        learning.fine_tuned("half", 0)


def test_a_tuned_reader_begins_as_the_reader_and_trains_what_it_says():
    reader, ids = pretrained_reader(), old_texts(9, np.random.default_rng(0)).ids
    tuned = Tuned(reader, {"deep": 3, "new": 0})
    assert torch.equal(tuned(ids, "topic"), reader(ids, "topic"))
    assert sum(p.numel() for p in tuned.parameters()) == 3 * (48 + 48) + 2 * 48
    tuned(ids, "topic").sum().backward()
    assert tuned.Bs["deep"].grad.abs().sum() > 0 and tuned.wholes["new"].grad is None


class Counting(nn.Module):
    """Likes the next number: token t + 1 after t, with log-odds 5."""

    device = torch.device("cpu")

    def forward(self, input_ids):
        logits = torch.zeros(*input_ids.shape, 10)
        return type("Out", (), {"logits": logits.scatter(-1, ((input_ids + 1) % 10)[..., None], 5.0)})


class Digits:
    eos_token_id, pad_token_id = 0, 0

    def __call__(self, text):
        return {"input_ids": [int(c) for c in text if c.isdigit()]}


def test_each_token_of_an_ending_is_scored_given_those_before_it():
    question = scoring.Ending("1 2", [" 3 4", " 3", " 7 7 7"], 0)
    log_p, lengths, asked = scoring.log_p_of_endings(Pretrained(Counting(), Digits()), question)
    likely, other = 5 - np.log(np.exp(5) + 9), -np.log(np.exp(5) + 9)
    assert lengths.tolist() == [6, 5, 7] and asked == 3  # eos 1 2 | 3 4 eos
    assert log_p[0].tolist() == pytest.approx([0, likely, likely, likely, likely, other, 0], abs=1e-5)
    assert log_p[2, asked:].tolist() == pytest.approx([other] * 4, abs=1e-5)


def test_questions_hold_their_own_ending_at_the_place_they_say():
    texts = [f"{w} one two {w} end" for w in "abcde"]
    for i, question in enumerate(scoring.questions_of(texts, choices=3, share=0.4, goes_on=[f"more {w}" for w in "abcde"])):
        word = "abcde"[i]
        assert question.begins == f"{word} one" and question.endings[question.right] == f" two {word} end more {word}"
        assert len(question.endings) == 3 and len(set(question.endings)) == 3
    with pytest.raises(ValueError, match="2 texts give no 4 endings"):
        scoring.questions_of(["a b", "c d"])
