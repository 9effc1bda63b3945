"""The head for masked words: what it can do, that it is Hugging Face's own class, and what is refused."""

import shutil
import time

import pytest
import torch
from safetensors.torch import load_file, save_file

from courselib.lab import models
from courselib.lab.data import worlds
from courselib.lab.models.encoder import SHA256
from courselib.lab.models.masked import HEAD, HEAD_NAMES, load_masked, masked_words
from courselib.pretraining import make_masked


@pytest.fixture(scope="module")
def filled():
    return models.load("masked")


def test_it_guesses_words_of_what_it_has_read(filled):
    measured = {name: make_masked.measure(filled, worlds.world(name).texts(60, "test", 7), windows=16)
                for name in ("general", "clinical")}  # fmt: skip
    general, clinical = measured.values()
    assert general["first"] > general["commonest"] + 0.3
    assert general["nats"] < clinical["nats"] - 1  # it never read a clinical note


def test_it_knows_what_kind_of_word_is_missing(filled):
    best = {word for word, _ in masked_words(filled, "This film was [MASK].", k=10)[0]}
    praise = "wonderful superb excellent charming brilliant terrible awful boring great good bad amazing fantastic beautiful poor"
    assert len(best & set(praise.split())) >= 3
    several = masked_words(filled, "[MASK] plays handball [MASK] work.", k=3)
    assert [len(words) for words in several] == [3, 3]
    assert all(sum(p for _, p in words) <= 1 and words == sorted(words, key=lambda w: -w[1]) for words in several)
    with pytest.raises(ValueError, match=r"no \[MASK\] in 'nothing here'"):
        masked_words(filled, "nothing here")


def test_it_is_a_model_of_transformers_and_survives_saving(filled, tmp_path):
    from transformers import AutoModelForMaskedLM, pipeline

    filled.model.save_pretrained(tmp_path)
    filled.tokenizer.save_pretrained(tmp_path)
    again = AutoModelForMaskedLM.from_pretrained(tmp_path)
    batch = filled.tokenizer(["The [MASK] is closed on Sunday."], return_tensors="pt")
    with torch.no_grad():
        torch.testing.assert_close(again(**batch).logits, filled.model(**batch).logits)
    answers = pipeline("fill-mask", model=again, tokenizer=filled.tokenizer)("The [MASK] is closed on Sunday.", top_k=3)
    ours = masked_words(filled, "The [MASK] is closed on Sunday.", k=3)[0]
    assert [a["token_str"] for a in answers] == [word for word, _ in ours]
    assert [a["score"] for a in answers] == pytest.approx([p for _, p in ours], abs=1e-4)


def test_the_word_vectors_are_shared_and_the_encoder_is_the_published_one_plus_the_adapters(filled, pretrained):
    model = filled.model
    assert model.cls.predictions.decoder.weight is model.bert.embeddings.word_embeddings.weight
    stored = load_file(HEAD)
    for name, value in pretrained.model.named_parameters():
        path = name.removesuffix(".weight")
        expected = value
        if f"{path}.lora_A" in stored:
            expected = value + stored[f"{path}.lora_B"].float() @ stored[f"{path}.lora_A"].float()
            assert not torch.equal(expected, value)
        torch.testing.assert_close(model.bert.get_parameter(name), expected, rtol=0, atol=1e-6)
    assert {name for name in stored if "lora" not in name} == set(HEAD_NAMES)
    assert sum(1 for name in stored if name.endswith("lora_A")) == 6 * 6  # six linear layers in each of six


def test_a_fresh_head_leaves_the_encoder_as_it_is(pretrained):
    model = load_masked(head=None).model
    assert all(torch.equal(a, b) for a, b in zip(model.bert.parameters(), pretrained.model.parameters(), strict=True))
    assert torch.equal(model.cls.predictions.transform.dense.weight, torch.eye(384))


def test_the_weights_are_small_and_loading_them_is_quick(filled):
    assert HEAD.stat().st_size < 800_000
    begun = time.process_time()
    load_masked()
    assert time.process_time() - begun < 1.5  # the hash of the encoder's 90 MB is a part of it


def test_training_again_is_reproducible_and_learns(tmp_path, monkeypatch):
    monkeypatch.setattr(make_masked, "BATCH", 4)
    monkeypatch.setattr(make_masked, "SHARES", {"general": 4})
    monkeypatch.setattr(make_masked, "WINDOW", 32)
    monkeypatch.setattr(make_masked, "WARMUP", 2)
    monkeypatch.setattr(make_masked, "HELD_OUT_WINDOWS", 4)
    monkeypatch.setattr(make_masked, "corpora",
                        lambda split, documents=0: {"general": worlds.world("general").texts(60, split, 0)})  # fmt: skip
    for name in ("one", "two"):
        make_masked.masked(tmp_path / name / "head.safetensors", steps=12)
    one, two = (load_file(tmp_path / name / "head.safetensors") for name in ("one", "two"))
    assert all(torch.equal(one[name], two[name]) for name in one)
    losses = [float(row.split(",")[1]) for row in (tmp_path / "one" / "loss.csv").read_text().splitlines()[1:]]
    assert losses[-1] < 10  # it begins near log 30,522 = 10.3 or above
    card = (tmp_path / "one" / "README.md").read_text()
    assert SHA256 in card and "| general |" in card and "12 steps" in card


def test_a_head_that_is_missing_cut_short_or_for_another_encoder_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no head for masked words.*make_masked"):
        load_masked(head=tmp_path / "none.safetensors")
    short = tmp_path / "short.safetensors"
    short.write_bytes(HEAD.read_bytes()[:-10])
    with pytest.raises(ValueError, match="broke off"):
        load_masked(head=short)
    other = tmp_path / "other.safetensors"
    save_file(load_file(HEAD), other, metadata={"encoder": "0" * 64})
    with pytest.raises(ValueError, match="another encoder"):
        load_masked(head=other)
    shutil.copy(HEAD, tmp_path / "same.safetensors")
    assert load_masked(head=tmp_path / "same.safetensors").model is not None
