"""Domain adaptation: hand-worked numbers, the batches, and the trade between the new domain and the old."""

import copy
import itertools

import pytest
import torch

from courselib.domain import adaptation
from courselib.lab import models
from courselib.lab.data import worlds
from courselib.lab.data.windows import Windows, token_stream
from courselib.lab.models.causal import next_token_loss


def test_perplexity_and_forgetting_by_hand():
    assert adaptation.perplexity(0.0) == 1.0
    assert adaptation.perplexity(2.0) == pytest.approx(7.389056)
    assert adaptation.forgetting_percent(4.0, 5.0) == 25.0
    assert adaptation.forgetting_percent(5.0, 4.0) == -20.0  # the old domain may get better
    with pytest.raises(ValueError, match="sign turned round"):
        adaptation.perplexity(-1.0)


def test_windows_come_in_their_shares_and_begin_where_they_are_told():
    low, high = torch.arange(0, 100), torch.arange(1000, 1050)
    batches = list(itertools.islice(Windows([low, high], [3, 1], 7, seed=4), 5))
    for batch in batches:
        assert batch.shape == (4, 7)
        assert (batch[:3] < 100).all() and (batch[3] >= 1000).all()
        assert (batch.diff(dim=1) == 1).all()  # each row is one piece of its stream
    later = next(iter(Windows([low, high], [3, 1], 7, seed=4, first=3)))
    assert torch.equal(later, batches[3]) and not torch.equal(batches[0], batches[1])
    with pytest.raises(ValueError, match="stream 1 has 50 tokens, and a window takes 60"):
        Windows([low, high], [1, 1], 60, seed=0)


def test_documents_end_with_the_end_of_text():
    tokenizer = models.load("causal").tokenizer
    stream = token_stream(tokenizer, ["One.", "Two more."])
    assert (stream == tokenizer.eos_token_id).sum() == 2 and stream[-1] == tokenizer.eos_token_id
    assert tokenizer.decode(stream) == "One.<|endoftext|>Two more.<|endoftext|>"


def test_the_new_domain_is_learned_and_mixing_keeps_the_old():
    start = models.load("causal")
    weights = start.model.state_dict()["model.embed_tokens.weight"].clone()
    only, mixed = (adaptation.continue_pretraining(start, "clinical", alpha=alpha, steps=30, window=32) for alpha in (1.0, 0.5))
    clinical = [adaptation.nats_per_word(model, "clinical", texts=10) for model in (start, only, mixed)]
    general = [adaptation.nats_per_word(model, "general", texts=10) for model in (start, only, mixed)]
    assert clinical[1] < clinical[0] - 5 and clinical[2] < clinical[0] - 5
    assert general[1] > general[0] + 0.2  # forgotten
    assert general[2] - general[0] < 0.5 * (general[1] - general[0])
    assert torch.equal(start.model.state_dict()["model.embed_tokens.weight"], weights)  # a copy was trained
    with pytest.raises(ValueError, match="0.5 mixes evenly"):
        adaptation.continue_pretraining(start, "clinical", alpha=0.0)


def test_hooks_of_continued_pretraining():
    start, seen = models.load("causal"), []

    def freeze(model):
        model.requires_grad_(False)
        model.model.norm.requires_grad_(True)

    after = adaptation.continue_pretraining(
        start, "clinical", steps=2, window=16, documents=20, prepare=freeze,
        penalty=lambda model: 0 * model.model.norm.weight.sum(), callbacks=[lambda step: seen.append(step.number)],
    )
    assert seen == [1, 2]
    changed = {
        name for (name, a), (_, b) in zip(start.model.named_parameters(), after.model.named_parameters(), strict=True)
        if not torch.equal(a, b)
    }
    assert changed == {"model.norm.weight"}
    with pytest.raises(FloatingPointError):
        adaptation.continue_pretraining(start, "clinical", steps=1, window=16, documents=20,
                                    penalty=lambda model: model.model.norm.weight.sum() * float("nan"))


def test_mixing_and_choosing_by_hand():
    assert adaptation.mixed_loss(4.0, 2.0, 0.25) == 2.5
    with pytest.raises(ValueError, match="from 0 to 1"):
        adaptation.mixed_loss(4.0, 2.0, 1.5)
    alphas, new, old = [0.25, 0.5, 1.0], [4.0, 3.0, 2.5], [0.9, 1.5, 5.0]
    assert adaptation.penalised(new, old, 1.0, 2.0) == [4.0, 4.0, 10.5]  # a general loss that fell is no credit
    assert [adaptation.choose_alpha(alphas, new, old, 1.0, penalty) for penalty in (0, 0.1, 1, 10)] == [1.0, 1.0, 0.5, 0.25]
    with pytest.raises(ValueError, match="reward forgetting"):
        adaptation.choose_alpha(alphas, new, old, 1.0, -1)
    with pytest.raises(ValueError, match="came 3, 2, 3"):
        adaptation.choose_alpha(alphas, new[:2], old, 1.0, 1)


def test_the_mix_adds_up_and_the_domain_comes_first():
    assert adaptation.data_mix(1000, 0.1) == (900, 100)
    assert adaptation.data_mix(7, 0.4) == (4, 3)
    assert adaptation.data_mix(5, 0.5) == (2, 3) and adaptation.data_mix(7, 0.5) == (3, 4)  # a half goes up; round(2.5) is 2
    assert adaptation.data_mix(50, 0.0) == (50, 0) and adaptation.data_mix(50, 1.0) == (0, 50)
    assert all(sum(adaptation.data_mix(n, share / 7)) == n for n in range(1, 40) for share in range(8))
    with pytest.raises(ValueError, match="0.1 means a tenth"):
        adaptation.data_mix(1000, 10)


def test_nats_a_token_and_a_character():
    causal = models.load("causal")
    text = " ".join(worlds.world("general").texts(12, "test"))
    token, character = adaptation.nats_per_character(causal, [text], window=64)
    ids = token_stream(causal.tokenizer, [text])
    rows = [next_token_loss(causal.model, part[None]).item() for part in ids.split(64) if len(part) == 64]
    assert token == pytest.approx(sum(rows) / len(rows))
    assert 3 < token / character < 8  # characters a token
    with pytest.raises(ValueError, match="one window takes 64"):
        adaptation.nats_per_character(causal, ["Short."], window=64)


def test_a_stream_is_made_once_for_each_tokenizer():
    """Runs that are compared share their tokens; another tokenizer, seed or world does not get them."""
    make, tokenizer = adaptation._training_stream, models.load("causal").tokenizer
    first = make(tokenizer, "clinical", 5, 0)
    assert make(tokenizer, "clinical", 5, 0) is first
    assert make(copy.deepcopy(tokenizer), "clinical", 5, 0) is not first
    for world, seed in (("clinical", 1), ("general", 0)):
        assert not torch.equal(make(tokenizer, world, 5, seed)[:20], first[:20])
