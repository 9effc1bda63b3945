"""Fine-tuning and asking: batches whose labels are where they belong, and a model that changes as it should in a few steps."""

import copy
import math

import pytest
import torch

from courselib.instruction import answering, chat, loss, tuning
from courselib.lab.data import worlds
from courselib.lab.models.encoder import Pretrained

PAIRS = worlds.world("instructions").pairs(40, "train", 2)


def fresh(causal):
    return Pretrained(copy.deepcopy(causal.model), causal.tokenizer)


def test_a_batch_pads_by_place_also_where_padding_is_the_end(causal):
    chats = tuning.encode_pairs(causal.tokenizer, PAIRS[:6])
    end = causal.tokenizer.convert_tokens_to_ids(chat.END_OF_TURN)
    batch = tuning.chat_batch(chats, pad=end)
    for row, encoded in enumerate(chats):
        length = len(encoded.input_ids)
        assert batch.attention_mask[row].tolist() == [1] * length + [0] * (batch.input_ids.shape[1] - length)
        assert (batch.labels[row] != -100).tolist()[:length] == [bool(said) for said in encoded.assistant_mask]
        assert batch.labels[row, length - 1] == end and (batch.labels[row, length:] == -100).all()
    assert len({len(encoded.input_ids) for encoded in chats}) > 1


def test_what_is_learned_can_be_chosen_and_a_typing_error_is_named(causal):
    chats = tuning.encode_pairs(causal.tokenizer, PAIRS[:6])
    end, pad = causal.tokenizer.convert_tokens_to_ids(chat.END_OF_TURN), causal.tokenizer.pad_token_id
    counts = {name: (tuning.chat_batch(chats, pad, name, end).labels != -100).sum().item() for name in tuning.LEARNED}
    assert counts["whole"] == sum(len(encoded.input_ids) for encoded in chats)
    assert counts["response"] - counts["no end"] == len(chats)
    with pytest.raises(ValueError, match="'answer'"):
        tuning.chat_batch(chats, pad, "answer")


def test_the_saving_changes_nothing(causal):
    """Only labelled positions go through the output layer: same loss, same gradient as with all of them."""
    batch = tuning.chat_batch(tuning.encode_pairs(causal.tokenizer, PAIRS[:5]), causal.tokenizer.pad_token_id)
    model = causal.model
    logits = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits
    whole, saved = loss.response_loss(logits, batch.labels), tuning.chat_loss(model, batch)
    assert saved.item() == pytest.approx(whole.item(), rel=1e-6)
    weight = model.model.layers[0].self_attn.q_proj.weight
    assert torch.allclose(*(torch.autograd.grad(value, weight)[0] for value in (whole, saved)), atol=1e-6)


def test_every_conversation_comes_once_a_round_in_an_order_of_the_seed():
    chats = list(range(10))
    rounds = []
    for seed in (1, 1, 2):
        batches = iter(tuning.ChatBatches(chats, 5, seed, list))
        rounds.append([*next(batches), *next(batches)])
    assert sorted(rounds[0]) == chats and rounds[0] == rounds[1] != rounds[2]


def test_a_few_steps_teach_it_to_stop_and_the_bug_keeps_it_from_it(causal):
    stops = {}
    for learned in ("response", "no end"):
        pretrained = fresh(causal)
        losses = tuning.instruct(pretrained, PAIRS, steps=20, seed=0, batch=8, learned=learned)
        assert losses[-1] < losses[0] - 2
        stops[learned] = answering.score_answers(pretrained, PAIRS[:20]).stopped
    assert stops["response"] > 0.8 and stops["no end"] == 0


def test_a_reply_ends_before_the_end_and_does_not_depend_on_its_neighbours(causal):
    pretrained = fresh(causal)
    tuning.instruct(pretrained, PAIRS, steps=15, seed=0, batch=8)
    asked = ["Name three tools.", "Count these words: sun, lamp, bell, door.", "Say this: x."]
    together, alone = answering.reply(pretrained, asked), [answering.reply(pretrained, [one])[0] for one in asked]
    assert together == alone
    assert all("<|" not in said.text for said in together)


def test_held_out_loss_begins_above_uniform_guessing(causal):
    """The model has never seen an instruction: worse than to hold all 4,096 tokens for equally likely."""
    assert tuning.held_out_loss(causal, PAIRS) > math.log(4096)
