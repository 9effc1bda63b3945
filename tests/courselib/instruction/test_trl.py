"""Our loss beside trl's: the same conversations, the same labels, the same number. trl is slow to import, so all of it is
here."""

import pytest
import torch

from courselib.instruction import chat, loss, tuning
from courselib.lab.data import worlds

TOLERANCE = 5e-7


@pytest.fixture(scope="module")
def trainer(causal, tmp_path_factory):
    """trl's trainer of a copy of the causal model on six conversations of unequal length, one of them of two rounds."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    messages = [chat.messages_of(*pair) for pair in worlds.world("instructions").pairs(5, "train", 3)]
    messages.append([*messages[0], *chat.messages_of("Name three fruits.", "Plum, pear and apple.")])
    config = SFTConfig(
        output_dir=str(tmp_path_factory.mktemp("trl")), use_cpu=True, bf16=False, assistant_only_loss=True, report_to="none",
        gradient_checkpointing=False, per_device_train_batch_size=6, max_length=512, dataset_num_proc=None, disable_tqdm=True,
        eos_token="<|end|>", remove_unused_columns=False, activation_offloading=False,
    )
    return SFTTrainer(causal.model, config, train_dataset=Dataset.from_list([{"messages": m} for m in messages]),
                      processing_class=causal.tokenizer), messages


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
    model = causal.model.eval()
    theirs = sft.compute_loss(model, dict(batch))
    gradient = torch.autograd.grad(theirs, model.lm_head.weight)[0]
    ours = tuning.chat_batch([chat.encode_chat(causal.tokenizer, m) for m in messages], causal.tokenizer.pad_token_id)
    logits = model(input_ids=ours.input_ids, attention_mask=ours.attention_mask).logits
    mine = loss.response_loss(logits, ours.labels)
    assert abs(float(theirs) - float(mine)) <= TOLERANCE * max(1, abs(float(mine)))
    assert torch.allclose(torch.autograd.grad(mine, model.lm_head.weight)[0], gradient, atol=1e-6)
    assert abs(float(tuning.chat_loss(model, ours)) - float(mine)) <= 2 * TOLERANCE * float(mine)


def test_the_means_differ_where_lengths_do(trainer, causal):
    """What would pass if the mean were taken over sequences: this must not."""
    _, messages = trainer
    ours = tuning.chat_batch([chat.encode_chat(causal.tokenizer, m) for m in messages], causal.tokenizer.pad_token_id)
    with torch.no_grad():
        logits = causal.model(input_ids=ours.input_ids, attention_mask=ours.attention_mask).logits
    assert abs(float(loss.response_loss(logits, ours.labels)) - float(loss.sequence_mean_loss(logits, ours.labels))) > 1e-3
