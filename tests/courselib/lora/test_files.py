"""Adapters on disk: ours opens in peft, peft's opens in ours, and what cannot be opened is told why."""

import json
import os
import re

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import DistilBertConfig, DistilBertForSequenceClassification

from courselib.lora import LinearLoRA, add_lora, load_adapter, save_adapter, set_adapter, trainable_report
from tiny_models import bert, close, fill_B, llama, logits

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
MODELS = [(bert, ("query", "value")), (llama, ("q_proj", "v_proj"))]


def trained(build=bert, targets=("query", "value"), rslora=False, **settings) -> nn.Module:
    model = add_lora(build(), targets, rank=3, alpha=7, rslora=rslora, **settings)
    fill_B(model, settings.get("name", "default"))
    return model


def test_a_file_that_does_not_speak_of_rslora_means_alpha_over_rank(tmp_path):
    ours = trained()  # alpha 7, rank 3
    save_adapter(ours, tmp_path)
    config = json.loads((tmp_path / CONFIG).read_text())
    del config["use_rslora"]  # as in files from before there was such a thing
    (tmp_path / CONFIG).write_text(json.dumps(config))
    loaded = load_adapter(bert(), tmp_path)
    assert close(logits(loaded), logits(ours)) and not close(logits(ours), logits(bert()))


def change_head(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.Linear) and module.out_features == 3:
            module.weight.data += 1


@pytest.mark.parametrize("build, targets", MODELS)
@pytest.mark.parametrize("rslora", [False, True])
def test_peft_opens_ours(tmp_path, build, targets, rslora):
    ours = trained(build, targets, rslora, dropout=0.1)
    assert save_adapter(ours, tmp_path / "deep" / "er") == tmp_path / "deep" / "er"
    theirs = PeftModel.from_pretrained(build(), tmp_path / "deep" / "er").eval()
    assert close(logits(theirs), logits(ours)) and not close(logits(ours), logits(build()))
    config = theirs.peft_config["default"]
    assert (config.r, config.lora_alpha, config.lora_dropout, config.use_rslora) == (3, 7, 0.1, rslora)
    assert sorted(config.target_modules) == sorted(targets)


@pytest.mark.parametrize("build, targets", MODELS)
@pytest.mark.parametrize("rslora", [False, True])
@pytest.mark.parametrize("as_pattern", [False, True])
def test_ours_opens_pefts(tmp_path, build, targets, rslora, as_pattern):
    wanted = rf".*\.({'|'.join(targets)})" if as_pattern else list(targets)
    settings = LoraConfig(r=3, lora_alpha=7, lora_dropout=0.1, use_rslora=rslora, target_modules=wanted)
    theirs = get_peft_model(build(), settings).eval()
    fill_B(theirs)
    theirs.save_pretrained(tmp_path)
    ours = build()
    assert load_adapter(ours, tmp_path) is ours
    assert close(logits(ours), logits(theirs)) and not close(logits(ours), logits(build()))
    layer = next(module for module in ours.modules() if isinstance(module, LinearLoRA))
    assert (layer.rank, layer.alpha, layer.rslora) == ({"default": 3}, {"default": 7}, {"default": rslora})
    assert layer.lora_dropout["default"].p == 0.1


def test_a_trained_classifier_travels_to_peft_and_back(tmp_path):
    ours = trained(train_also=("classifier",))
    change_head(ours)
    save_adapter(ours, tmp_path / "ours")
    theirs = PeftModel.from_pretrained(bert(), tmp_path / "ours").eval()
    assert close(logits(theirs), logits(ours))
    theirs.save_pretrained(tmp_path / "theirs")
    again = load_adapter(bert(), tmp_path / "theirs")
    assert logits(again).equal(logits(ours))
    assert trainable_report(again) == trainable_report(ours)


def test_pefts_sequence_classification_file_opens_with_its_head(tmp_path):
    settings = LoraConfig(r=3, lora_alpha=7, target_modules=["query", "value"], task_type="SEQ_CLS")
    theirs = get_peft_model(bert(), settings).eval()
    fill_B(theirs)
    change_head(theirs)
    theirs.save_pretrained(tmp_path)
    assert close(logits(load_adapter(bert(), tmp_path)), logits(theirs))


def test_a_head_whose_name_ends_another_follows_pefts_rule(tmp_path):
    def build() -> nn.Module:
        torch.manual_seed(0)
        return DistilBertForSequenceClassification(DistilBertConfig(
            vocab_size=20, dim=12, n_layers=1, n_heads=2, hidden_dim=16, max_position_embeddings=16)).eval()

    ours = trained(build, ("q_lin",), train_also=("classifier",))  # the model has a pre_classifier as well
    save_adapter(ours, tmp_path / "ours")
    assert close(logits(PeftModel.from_pretrained(build(), tmp_path / "ours").eval()), logits(ours))
    theirs = get_peft_model(build(), LoraConfig(r=3, target_modules=["q_lin"], modules_to_save=["classifier"])).eval()
    fill_B(theirs)
    theirs.save_pretrained(tmp_path / "theirs")
    assert close(logits(load_adapter(build(), tmp_path / "theirs")), logits(theirs))


def test_layers_picked_by_full_name_travel_too(tmp_path):
    ours = trained(targets=("layer.1.attention.self.query", "layer.0.attention.output.dense"))
    save_adapter(ours, tmp_path)
    assert close(logits(PeftModel.from_pretrained(bert(), tmp_path).eval()), logits(ours))
    assert logits(load_adapter(bert(), tmp_path)).equal(logits(ours))


def test_several_adapters_of_one_model_are_saved_apart(tmp_path):
    model = trained(name="first", train_also=("classifier",))
    change_head(model)
    add_lora(model, ("key",), rank=2, alpha=9, name="second")  # freezes the classifier that "first" trained
    fill_B(model, "second", seed=5)
    outputs = {}
    for name in ("first", "second"):
        set_adapter(model, name)
        outputs[name] = logits(model)
        save_adapter(model, tmp_path / name, name)
    assert json.loads((tmp_path / "second" / CONFIG).read_text())["target_modules"] == ["key"]
    fresh = bert()
    load_adapter(fresh, tmp_path / "second", "b")
    load_adapter(fresh, tmp_path / "first", "a")
    for name, saved_as in (("a", "first"), ("b", "second")):
        set_adapter(fresh, name)
        assert logits(fresh).equal(outputs[saved_as])


def test_what_was_unfrozen_by_hand_is_saved(tmp_path):
    ours = trained()
    norm = ours.bert.encoder.layer[1].output.LayerNorm.requires_grad_(True)
    norm.weight.data += 0.5
    save_adapter(ours, tmp_path)
    assert logits(load_adapter(bert(), tmp_path)).equal(logits(ours))
    assert close(logits(PeftModel.from_pretrained(bert(), tmp_path).eval()), logits(ours))


def test_a_parameter_outside_all_modules_has_no_place(tmp_path):
    model = nn.Sequential(nn.Linear(3, 3))
    add_lora(model, ("0",), rank=2)
    model.temperature = nn.Parameter(torch.ones(1))
    with pytest.raises(ValueError, match="parameter 'temperature' is trained but belongs to no module"):
        save_adapter(model, tmp_path)


def test_saving_again_replaces_the_files_and_only_them(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    save_adapter(trained(), tmp_path)
    second = trained(targets=("key",))
    save_adapter(second, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [CONFIG, WEIGHTS, "notes.txt"]
    assert logits(load_adapter(bert(), tmp_path)).equal(logits(second))


def test_an_interrupted_save_leaves_the_old_adapter(tmp_path, monkeypatch):
    first = trained()
    save_adapter(first, tmp_path)

    def full_disk(path, data):
        if CONFIG in path.name:
            raise OSError("no space left on device")
        return write(path, data)

    write = type(tmp_path).write_bytes
    monkeypatch.setattr(type(tmp_path), "write_bytes", full_disk)
    with pytest.raises(OSError, match="no space left"):
        save_adapter(trained(targets=("key",)), tmp_path)
    assert sorted(os.listdir(tmp_path)) == [CONFIG, WEIGHTS]
    assert logits(load_adapter(bert(), tmp_path)).equal(logits(first))


def test_saving_refuses_what_is_not_there_or_not_one_thing(tmp_path):
    with pytest.raises(ValueError, match="this BertForSequenceClassification has no adapter 'default' to save"):
        save_adapter(bert(), tmp_path)
    with pytest.raises(ValueError, match="has no adapter 'other' to save"):
        save_adapter(trained(), tmp_path, "other")
    mixed = trained()
    mixed.bert.encoder.layer[0].attention.self.query.alpha["default"] = 9
    with pytest.raises(ValueError, match="adapter 'default' has different settings in different layers"):
        save_adapter(mixed, tmp_path)
    assert not list(tmp_path.iterdir())


def edit_config(folder, **changes) -> None:
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps(config | changes))


def edit_tensors(folder, edit) -> None:
    tensors = load_file(folder / WEIGHTS)
    edit(tensors)
    save_file(tensors, folder / WEIGHTS)


def first_key(tensors: dict, part: str) -> str:
    return next(key for key in sorted(tensors) if part in key)


def drop_both(tensors: dict) -> None:
    for part in ("layer.1.attention.self.value.lora_A", "layer.1.attention.self.value.lora_B"):
        del tensors[first_key(tensors, part)]


DAMAGES = {
    "truncated weights": (lambda f: (f / WEIGHTS).write_bytes((f / WEIGHTS).read_bytes()[:200]), "is damaged"),
    "no JSON": (lambda f: (f / CONFIG).write_text("{"), "is damaged"),
    "a list": (lambda f: (f / CONFIG).write_text("[]"), "says peft_type None"),
    "another method": (lambda f: edit_config(f, peft_type="IA3"), "expected a LoRA adapter"),
    "no alpha": (lambda f: edit_config(f, lora_alpha=None), "does not say lora_alpha"),
    "bad alpha": (lambda f: edit_config(f, lora_alpha=-2), "alpha should be a positive number"),
    "another rank": (lambda f: edit_config(f, r=4), "has the shape (3, 12), but the model and the rank"),
    "DoRA": (lambda f: edit_config(f, use_dora=True), "uses use_dora, which LinearLoRA does not compute"),
    "ranks by layer": (lambda f: edit_config(f, rank_pattern={"query": 5}), "uses rank_pattern"),
    "PiSSA": (lambda f: edit_config(f, init_lora_weights="pissa"), "uses init_lora_weights"),
    "one factor": (lambda f: edit_tensors(f, lambda t: t.pop(first_key(t, "lora_B"))), "its partner is missing"),
    "no factors": (lambda f: edit_tensors(f, lambda t: [t.pop(k) for k in list(t) if "lora" in k]), "holds no LoRA"),
    "one layer less": (lambda f: edit_tensors(f, drop_both), "should hold matrices for 'bert.encoder.layer.1.att"),
    "no head": (lambda f: edit_tensors(f, lambda t: t.pop(first_key(t, "classifier.bias"))), "'classifier.bias', by its"),
    "a head too small": (lambda f: edit_tensors(f, lambda t: t.update(
        {first_key(t, "classifier.weight"): torch.zeros(2, 12)})), "classifier.weight in"),
    "a stranger": (lambda f: edit_tensors(f, lambda t: t.update({"base_model.model.bert.x": torch.zeros(2)})),
                   "holds 'bert.x', which has no place in this BertForSequenceClassification"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_adapters_are_told_and_leave_the_model_as_it_was(tmp_path, damage):
    save_adapter(trained(train_also=("classifier",)), tmp_path)
    do, sentence = DAMAGES[damage]
    do(tmp_path)
    model = bert()
    with pytest.raises(ValueError, match=re.escape(sentence)):
        load_adapter(model, tmp_path)
    untouched = bert()
    assert set(model.state_dict()) == set(untouched.state_dict())
    assert all(p.requires_grad for p in model.parameters())
    assert logits(model).equal(logits(untouched))


def test_another_models_adapter_is_refused(tmp_path):
    save_adapter(trained(llama, ("q_proj",)), tmp_path)
    with pytest.raises(ValueError, match="is for a linear layer 'model.layers.0.self_attn.q_proj', and this BertFor"):
        load_adapter(bert(), tmp_path)


@pytest.mark.parametrize("missing", [CONFIG, WEIGHTS])
def test_a_folder_without_an_adapter_is_refused(tmp_path, missing):
    save_adapter(trained(), tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(FileNotFoundError, match=f"is not the folder of an adapter: it has no {missing}"):
        load_adapter(bert(), tmp_path)
    with pytest.raises(FileNotFoundError, match="is not the folder of an adapter"):
        load_adapter(bert(), tmp_path / "nowhere")


def test_a_name_taken_is_refused(tmp_path):
    model = trained()
    save_adapter(model, tmp_path)
    with pytest.raises(ValueError, match="there is an adapter 'default' in this model already"):
        load_adapter(model, tmp_path)


def test_real_dora_and_bias_adapters_of_peft_are_refused(tmp_path):
    for settings in ({"use_dora": True}, {"bias": "lora_only"}, {"lora_bias": True}):
        theirs = get_peft_model(bert(), LoraConfig(r=3, target_modules=["query", "value"], **settings))
        theirs.save_pretrained(tmp_path)
        with pytest.raises(ValueError, match="does not compute|which has no place"):
            load_adapter(bert(), tmp_path)
