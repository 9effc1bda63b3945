"""Our loss beside trl's: the same conversations, the same labels, the same number. trl is slow to import, so all of it is
here."""

import copy

import pytest
import torch

from courselib.instruction import chat, loss, tuning
from courselib.lab.data import worlds

TOLERANCE = 5e-7


def trained_by(causal, folder, rows, **settings):
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    config = SFTConfig(
        output_dir=str(folder), use_cpu=True, bf16=False, report_to="none", gradient_checkpointing=False, max_length=512,
        per_device_train_batch_size=6, dataset_num_proc=None, disable_tqdm=True, eos_token="<|end|>", remove_unused_columns=False,
        activation_offloading=False, **settings,
    )
    model, tokenizer = copy.deepcopy(causal.model), copy.deepcopy(causal.tokenizer)  # a trainer changes both
    return SFTTrainer(model, config, train_dataset=Dataset.from_list(rows), processing_class=tokenizer)


@pytest.fixture(scope="module")
def trainer(causal, tmp_path_factory):
    """trl's trainer of a copy of the causal model on six conversations of unequal length, one of them of two rounds."""
    messages = [chat.messages_of(*pair) for pair in worlds.world("instructions").pairs(5, "train", 3)]
    messages.append([*messages[0], *chat.messages_of("Name three fruits.", "Plum, pear and apple.")])
    folder = tmp_path_factory.mktemp("trl")
    return trained_by(causal, folder, [{"messages": m} for m in messages], assistant_only_loss=True), messages


def test_the_labels_are_trls(trainer, causal):
    sft, messages = trainer
    theirs = sft.data_collator([sft.train_dataset[i] for i in range(6)])
    ours = tuning.chat_batch([chat.encode_chat(causal.tokenizer, m) for m in messages], causal.tokenizer.pad_token_id)
    assert torch.equal(theirs["input_ids"], ours.input_ids)
    assert torch.equal(theirs["labels"], ours.labels)
    assert (ours.labels != -100).sum() < (ours.attention_mask == 1).sum()  # some tokens are the user's


def test_the_loss_and_its_gradient_are_trls(trainer, causal):
    sft, messages = trainer
    batch = sft.data_collator([sft.train_dataset[i] for i in range(6)])
    model = sft.model.eval()
    theirs = sft.compute_loss(model, dict(batch))
    gradient = torch.autograd.grad(theirs, model.lm_head.weight)[0]
    ours = tuning.chat_batch([chat.encode_chat(causal.tokenizer, m) for m in messages], causal.tokenizer.pad_token_id)
    logits = model(input_ids=ours.input_ids, attention_mask=ours.attention_mask).logits
    mine = loss.response_loss(logits, ours.labels)
    assert abs(theirs.item() - mine.item()) <= TOLERANCE * max(1, mine.item())
    assert torch.allclose(torch.autograd.grad(mine, model.lm_head.weight)[0], gradient, atol=1e-6)
    assert abs(tuning.chat_loss(model, ours).item() - mine.item()) <= 2 * TOLERANCE * mine.item()


def test_the_means_differ_where_lengths_do(trainer, causal):
    """What would pass if the mean were taken over sequences: this must not."""
    _, messages = trainer
    ours = tuning.chat_batch([chat.encode_chat(causal.tokenizer, m) for m in messages], causal.tokenizer.pad_token_id)
    with torch.no_grad():
        logits = causal.model(input_ids=ours.input_ids, attention_mask=ours.attention_mask).logits
    assert abs(float(loss.response_loss(logits, ours.labels)) - float(loss.sequence_mean_loss(logits, ours.labels))) > 1e-3


def test_what_trl_does_unless_told_otherwise(causal, tmp_path):
    """Of messages every token is learned; a prompt that is a string is left out, and gets no template."""
    messages = chat.messages_of("Name three fruits.", "Plum, pear and apple.")
    sft = trained_by(causal, tmp_path, [{"messages": messages}])
    found = sft.data_collator([sft.train_dataset[0]])
    assert torch.equal(found["labels"], found["input_ids"])
    sft = trained_by(causal, tmp_path, [{"prompt": "Name three fruits.", "completion": " Plum."}])
    found = sft.data_collator([sft.train_dataset[0]])
    assert causal.tokenizer.decode(found["input_ids"][0]) == "Name three fruits. Plum.<|end|>"
    assert causal.tokenizer.decode(found["labels"][found["labels"] != -100]) == " Plum.<|end|>"
