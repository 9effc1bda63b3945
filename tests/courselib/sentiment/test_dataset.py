"""The dataset: truncation keeps the end mark, padding is masked, and batches can be taken up in the middle."""

import pytest
import torch

from courselib.sentiment import dataset
from courselib.sentiment.dataset import Batches, SentimentDataset


@pytest.fixture(scope="module")
def some(pretrained):
    texts = ["Good.", "I found the soup in this cafe truly dreadful.", "What a film!", "Never again.", "Lovely music, my dear."]
    return SentimentDataset(texts, [1, 0, 1, 0, 1], pretrained.tokenizer, max_length=8)


def test_an_item_is_cut_and_keeps_its_end_mark(some, pretrained):
    tokenizer = pretrained.tokenizer
    item = some[1]
    assert len(some) == 5 and item["labels"] == 0 and len(item["input_ids"]) == 8
    assert (item["input_ids"][0], item["input_ids"][-1]) == (tokenizer.cls_token_id, tokenizer.sep_token_id)
    assert some[0]["input_ids"] == tokenizer("Good.")["input_ids"]


@pytest.mark.parametrize(("labels", "longest", "sentence"), [([1], 8, "each text needs one"), ([1, 0], 2, "at least 3")])
def test_a_wrong_dataset_is_told(pretrained, labels, longest, sentence):
    with pytest.raises(ValueError, match=sentence):
        SentimentDataset(["a", "b"], labels, pretrained.tokenizer, longest)


def test_three_tokens_hold_a_word(pretrained):
    tokenizer = pretrained.tokenizer
    found = SentimentDataset(["good film"], [1], tokenizer, 3)[0]["input_ids"]
    assert found == [tokenizer.cls_token_id, tokenizer.convert_tokens_to_ids("good"), tokenizer.sep_token_id]


def test_padding_is_the_tokenizers_own(some, pretrained):
    tokens, labels = dataset.collate([some[i] for i in range(5)], pretrained.tokenizer.pad_token_id)
    theirs = pretrained.tokenizer.pad([{"input_ids": some[i]["input_ids"]} for i in range(5)], return_tensors="pt")
    assert torch.equal(tokens["input_ids"].cpu(), theirs["input_ids"])
    assert torch.equal(tokens["attention_mask"].cpu(), theirs["attention_mask"])
    assert labels.tolist() == [1, 0, 1, 0, 1]


def test_the_mask_comes_from_lengths_not_from_ids():
    assert dataset.pad([[5, 0, 6], [5]], 0)["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert dataset.pad([[5], [5, 6]], 9)["input_ids"].tolist() == [[5, 9], [5, 6]]


def ids_of(batches):
    return [tokens["input_ids"].tolist() for tokens, _ in batches]


def test_every_example_comes_once_an_epoch_in_a_new_order(some):
    batches = Batches(some, 2, seed=1)
    assert len(batches) == 3
    for epoch in range(2):
        assert sum(len(labels) for _, labels in batches) == 5
        assert sorted(batches.order(epoch)) == list(range(5))
    assert len({tuple(batches.order(epoch)) for epoch in range(20)}) > 10


def test_the_order_depends_on_the_seed_and_on_no_global_generator(some):
    torch.manual_seed(0)
    first = ids_of(Batches(some, 2, seed=1))
    torch.manual_seed(9)
    assert ids_of(Batches(some, 2, seed=1)) == first
    assert any(ids_of(Batches(some, 2, seed=seed)) != first for seed in (2, 3, 4))


@pytest.mark.parametrize("stop", range(1, 7))
def test_it_can_be_taken_up_after_any_batch(some, stop):
    def endless(batches):
        while True:
            yield from batches

    whole, batches = endless(Batches(some, 2, seed=4)), Batches(some, 2, seed=4)
    expected = [tokens["input_ids"].tolist() for tokens, _ in (next(whole) for _ in range(9))]
    running = endless(batches)
    seen = [next(running)[0]["input_ids"].tolist() for _ in range(stop)]
    again = Batches(some, 2, seed=0)
    again.load_state_dict(batches.state_dict())
    going_on = endless(again)
    seen += [next(going_on)[0]["input_ids"].tolist() for _ in range(9 - stop)]
    assert seen == expected


def test_a_batch_size_below_one_is_told(some):
    with pytest.raises(ValueError, match="at least 1"):
        Batches(some, 0)


def test_lengths_count_the_special_tokens(pretrained):
    lengths = dataset.token_lengths(["good", "a good film"], pretrained.tokenizer)
    assert lengths == [3, 5]
    assert dataset.length_statistics(lengths) == (4.0, 5.0, 5)
    assert dataset.length_statistics(list(range(1, 101))) == (50.5, 96.0, 100)  # a length that occurs, rounded up
