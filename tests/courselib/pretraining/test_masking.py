"""Masking: bit for bit what transformers' collator does, and the rates that BERT states."""

import pytest
import torch
from transformers import DataCollatorForLanguageModeling

from courselib import pretraining
from courselib.pretraining import IGNORE, mat

TEXTS = [
    "the old cat sat on the mat and dreamed of mice.",
    "the dog ran",
    "the happy girl walked to the park and talked about swings.",
]


def padded(times: int = 1) -> tuple[list[dict], dict[str, torch.Tensor]]:
    tokenizer = mat.mat_tokenizer()
    features = [dict(tokenizer(text, return_special_tokens_mask=True)) for text in TEXTS * times]
    return features, tokenizer.pad([dict(f) for f in features], return_tensors="pt")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("rate", "mask_share", "random_share"), [(0.15, 0.8, 0.1), (0.4, 0.8, 0.1), (0.3, 1.0, 0.0), (0.5, 0.0, 1.0), (0.5, 0.5, 0.0)]
)
def test_bit_equal_to_the_collator(seed, rate, mask_share, random_share):
    tokenizer = mat.mat_tokenizer()
    features, batch = padded(times=5)
    collator = DataCollatorForLanguageModeling(
        tokenizer, mlm_probability=rate, mask_replace_prob=mask_share, random_replace_prob=random_share, seed=seed
    )
    theirs = collator(features)
    before = batch["input_ids"].clone()
    ours = pretraining.mlm_corrupt(
        batch["input_ids"], batch["special_tokens_mask"], tokenizer.mask_token_id, len(tokenizer), rate=rate,
        mask_share=mask_share, random_share=random_share, generator=torch.Generator().manual_seed(seed),
    )
    assert torch.equal(ours.input_ids, theirs["input_ids"])
    assert torch.equal(ours.labels, theirs["labels"])
    assert torch.equal(batch["input_ids"], before), "the input was changed in place"


def test_rates_and_that_special_tokens_are_left_alone():
    ids = torch.randint(5, 1000, (200, 100), generator=torch.Generator().manual_seed(0))
    special = torch.zeros_like(ids)
    special[:, 0] = special[:, 90:] = 1
    made = pretraining.mlm_corrupt(ids, special, 3, 1000, generator=torch.Generator().manual_seed(1))
    counts = pretraining.corruption_counts(ids, made, 3)
    words = int((special == 0).sum())
    assert counts["chosen"] / words == pytest.approx(0.15, abs=0.01)
    assert counts["hidden"] / counts["chosen"] == pytest.approx(0.8, abs=0.02)
    assert counts["swapped"] / counts["chosen"] == pytest.approx(0.1, abs=0.02)
    assert counts["hidden"] + counts["swapped"] + counts["kept"] == counts["chosen"]
    assert (made.labels[special == 1] == IGNORE).all() and torch.equal(made.input_ids[special == 1], ids[special == 1])
    assert torch.equal(made.input_ids[made.labels == IGNORE], ids[made.labels == IGNORE])


def test_labels_by_hand():
    labels = pretraining.mlm_labels(torch.tensor([[7, 8, 9]]), torch.tensor([[False, True, False]]))
    assert labels.tolist() == [[-100, 8, -100]]


def test_spans_become_sentinels_and_can_be_put_back():
    tokens = ["the", "old", "cat", "sat", "on", "the", "mat"]
    read, write = pretraining.span_corrupt(tokens, [(1, 3), (6, 7)], "<{}>")
    assert read == ["the", "<0>", "sat", "on", "the", "<1>"]
    assert write == ["<0>", "old", "cat", "<1>", "mat", "<2>"]
    put_back = []
    for word in read:
        after = f"<{int(word[1]) + 1}>" if word[0] == "<" else ""
        put_back += write[write.index(word) + 1 : write.index(after)] if after else [word]
    assert put_back == tokens
    assert pretraining.span_corrupt(tokens, [(0, 7)], "<{}>")[0] == ["<0>"]
    assert pretraining.span_corrupt(tokens, []) == (tokens, ["<extra_id_0>"])


@pytest.mark.parametrize("spans", [[(2, 2)], [(0, 2), (2, 3)], [(3, 4), (1, 2)], [(5, 9)]])
def test_spans_that_touch_or_do_not_fit_are_refused(spans):
    with pytest.raises(ValueError, match="do not fit"):
        pretraining.span_corrupt(["the", "old", "cat", "sat", "on", "the", "mat"], spans)


def test_nothing_and_everything_chosen():
    ids, none = torch.tensor([[7, 8, 9]]), torch.zeros(1, 3)
    assert (pretraining.mlm_corrupt(ids, none, 3, 50, rate=0.0).labels == IGNORE).all()
    everything = pretraining.mlm_corrupt(ids, none, 3, 50, rate=1.0, mask_share=1.0, random_share=0.0)
    assert torch.equal(everything.labels, ids) and (everything.input_ids == 3).all()


@pytest.mark.parametrize("wrong", [{"rate": 15}, {"rate": -0.1}, {"mask_share": 0.9, "random_share": 0.3}, {"random_share": -1}])
def test_rates_that_are_none_are_refused(wrong):
    with pytest.raises(ValueError, match="BERT's"):
        pretraining.mlm_corrupt(torch.ones(1, 3, dtype=torch.long), torch.zeros(1, 3), 3, 50, **wrong)


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="say for every token"):
        pretraining.mlm_labels(torch.ones(2, 3, dtype=torch.long), torch.ones(3, dtype=torch.bool))
