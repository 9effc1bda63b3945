"""LoRA in whole models: a tiny BERT and a tiny Llama, built from their configurations, beside peft."""

import copy
import re

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from courselib.lora import (
    LinearLoRA,
    adapter_names,
    add_lora,
    disabled,
    linear_layers,
    merge,
    set_adapter,
    trainable_report,
    unmerge,
)
from tiny_models import bert, close, fill_B, llama, logits


@pytest.mark.parametrize("build, targets", [(bert, ("query", "value")), (llama, ("q_proj", "v_proj", "down_proj"))])
@pytest.mark.parametrize("rslora", [False, True])
def test_the_whole_model_is_pefts(build, targets, rslora):
    torch.manual_seed(1)
    ours = add_lora(build(), targets, rank=3, alpha=7, rslora=rslora)
    torch.manual_seed(1)
    config = LoraConfig(r=3, lora_alpha=7, use_rslora=rslora, target_modules=list(targets))
    theirs = get_peft_model(build(), config)
    assert theirs.get_nb_trainable_parameters() == (trainable_report(ours).trainable, trainable_report(ours).total)
    initial = {f"base_model.model.{key}": value for key, value in ours.state_dict().items()}
    assert set(initial) == set(theirs.state_dict())
    assert all(value.equal(initial[key]) for key, value in theirs.state_dict().items())  # the same bits
    fill_B(ours)
    fill_B(theirs)
    assert close(logits(ours), logits(theirs)) and not close(logits(ours), logits(build()))
    for model in (ours, theirs):
        (logits(model) ** 2).sum().backward()
    gradients = {key: p.grad for key, p in theirs.named_parameters() if p.requires_grad}
    for key, parameter in ours.named_parameters():
        if parameter.requires_grad:
            assert close(parameter.grad, gradients.pop("base_model.model." + key)), key
    assert not gradients


def test_only_adapters_train_and_train_also():
    model = add_lora(bert(), rank=3, train_also=("classifier",))
    trainable = {key for key, p in model.named_parameters() if p.requires_grad}
    assert {key for key in trainable if ".lora_" not in key} == {"classifier.weight", "classifier.bias"}
    assert len(trainable) == 2 + 2 * 2 * 2  # two layers, query and value, A and B


def test_names_match_at_a_dot_only():
    model = nn.ModuleDict({"query": nn.Linear(4, 4), "subquery": nn.Linear(4, 4),
                           "block": nn.ModuleDict({"query": nn.Linear(4, 4), "key": nn.Linear(4, 4)})})
    add_lora(model, ("query",), rank=2)
    adapted = {path for path, module in model.named_modules() if isinstance(module, LinearLoRA)}
    assert adapted == {"query", "block.query"}
    assert list(linear_layers(model)) == ["query", "subquery", "block.query", "block.key"]


def test_a_longer_name_picks_one_layer_and_a_string_is_one_name():
    model = add_lora(bert(), "layer.1.attention.self.query", rank=2)
    adapted = [path for path, module in model.named_modules() if isinstance(module, LinearLoRA)]
    assert adapted == ["bert.encoder.layer.1.attention.self.query"]


def test_layers_of_a_sequential_can_be_named_by_number():
    model = add_lora(nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2)), ("2",), rank=2)
    assert isinstance(model[2], LinearLoRA) and not isinstance(model[0], LinearLoRA)
    assert model(torch.randn(3, 4)).shape == (3, 2)


def test_attention_output_dense_is_not_every_dense():
    hidden, layers, rank = 12, 2, 3
    four = add_lora(bert(), ("query", "key", "value", "attention.output.dense"), rank=rank)
    assert trainable_report(four).trainable == layers * 4 * rank * 2 * hidden
    every = add_lora(bert(), ("query", "key", "value", "dense"), rank=rank)  # both feed-forward layers, and the pooler
    assert trainable_report(every).trainable > trainable_report(four).trainable


def two_adapters() -> nn.Module:
    """"first" on query and value of rank 3, "second" on value and key of rank 2."""
    model = add_lora(bert(), rank=3, alpha=7, name="first")
    add_lora(model, ("value", "key"), rank=2, alpha=9, name="second")
    fill_B(model, "first")
    fill_B(model, "second", seed=5)
    return model


def test_switching_between_adapters_on_different_layers_is_pefts():
    ours = two_adapters()
    theirs = get_peft_model(bert(), LoraConfig(r=3, lora_alpha=7, target_modules=["query", "value"]), "first")
    theirs.add_adapter("second", LoraConfig(r=2, lora_alpha=9, target_modules=["value", "key"]))
    state = {f"base_model.model.{key}": value for key, value in ours.state_dict().items()}
    theirs.load_state_dict(state)
    assert adapter_names(ours) == ["first", "second"]
    for name in ("first", "second", "first"):
        set_adapter(ours, name)
        theirs.set_adapter(name)
        assert close(logits(ours), logits(theirs))
        trainable = {f"base_model.model.{key}" for key, p in ours.named_parameters() if p.requires_grad}
        assert trainable == {key for key, p in theirs.named_parameters() if p.requires_grad}
        assert all(f".{name}." in key for key in trainable)


def test_disabled_is_the_base_model_exactly_and_everything_comes_back():
    model = two_adapters()
    base, before = logits(bert()), logits(model)
    grads = [p.requires_grad for p in model.parameters()]
    with disabled(model) as inside:
        assert inside is model and logits(model).equal(base)
    assert logits(model).equal(before)
    with pytest.raises(ZeroDivisionError), disabled(model):
        raise ZeroDivisionError
    assert logits(model).equal(before)
    assert [p.requires_grad for p in model.parameters()] == grads
    set_adapter(model, None)
    assert logits(model).equal(base) and trainable_report(model).trainable == 0
    with disabled(model):
        pass
    assert logits(model).equal(base)  # what was off stays off


def test_merge_and_unmerge():
    model = two_adapters()
    bits = {key: value.clone() for key, value in model.state_dict().items()}
    for name in ("second", "first"):
        set_adapter(model, name)
        before = logits(model)
        assert merge(model) is model
        assert close(logits(model), before)
        assert unmerge(model) is model
        assert logits(model).equal(before)
    assert all(value.equal(bits[key]) for key, value in model.state_dict().items())


def test_an_eval_model_stays_in_eval_mode_and_a_training_one_in_training():
    model = add_lora(bert(), dropout=0.5)
    fill_B(model)
    assert logits(model).equal(logits(model))
    assert all(m.training for m in add_lora(bert().train(), dropout=0.5).modules())


def test_report_by_hand():
    model = add_lora(nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2)), ("0",), rank=2)
    report = trainable_report(model)
    assert (report.trainable, report.total) == (2 * 9, 25 + 12 + 18)
    assert report.percent == pytest.approx(100 * 18 / 55)
    assert str(report) == "trainable params: 18 || all params: 55 || trainable%: 32.7273"


# sentences; whatever is refused leaves the model as it was


@pytest.mark.parametrize("settings, sentence", [
    ({"targets": ("query", "q_proj")}, "no linear layer of this BertForSequenceClassification has a name that ends "
                                       "in 'q_proj'. Its linear layers are called query, key, value, dense, classifier"),
    ({"targets": ("uery",)}, "ends in 'uery'"),
    ({"targets": ()}, "no linear layer"),
    ({"train_also": ("head",)}, "train_also names 'head', but no module of this BertForSequenceClassification has a "
                                "name that ends so. At the top it has bert, dropout, classifier"),
    ({"targets": ("query", "classifier"), "train_also": ("classifier",)},
     "'classifier' would have an adapter and be trained in full as well"),
    ({"train_also": ("encoder",)}, "'bert.encoder.layer.0.attention.self.query' would have an adapter and be trained"),
    ({"rank": 0}, "rank should be a whole number"),
    ({"alpha": -1}, "alpha should be a positive number"),
    ({"dropout": 1}, "dropout is a probability"),
    ({"name": "a.b"}, "an adapter's name should be"),
])
def test_refused_settings(settings, sentence):
    model = bert()
    with pytest.raises(ValueError, match=re.escape(sentence)):
        add_lora(model, **settings)
    assert all(p.requires_grad for p in model.parameters())
    assert not any(isinstance(module, LinearLoRA) for module in model.modules())


def test_refused_second_adapters():
    model = two_adapters()
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(ValueError, match="there is an adapter 'first' in this model already"):
        add_lora(model, ("key",), name="first")
    with pytest.raises(ValueError, match="'bert.encoder.layer.0.attention.self.key' would have an adapter and be"):
        add_lora(model, ("query",), name="third", train_also=("key",))
    merge(model)
    with pytest.raises(ValueError, match="has an adapter merged into its weight"):
        add_lora(model, ("key",), name="third")
    unmerge(model)
    assert set(model.state_dict()) == set(before)


def test_an_adapter_may_be_named_as_a_module():
    model = add_lora(bert(), rank=2, name="classifier")
    add_lora(model, rank=2, name="second", train_also=("classifier",))
    trainable = {key for key, p in model.named_parameters() if p.requires_grad}
    assert not any(".classifier." in key for key in trainable)
    assert {"classifier.weight", "classifier.bias"} < trainable


def test_a_model_without_linear_layers_is_told_why():
    with pytest.raises(ValueError, match="It has no nn.Linear at all"):
        add_lora(nn.Sequential(nn.ReLU()))


@pytest.mark.parametrize("call", [lambda m: set_adapter(m, "default"), merge, unmerge, lambda m: disabled(m).__enter__()])
def test_a_model_without_lora_is_told_so(call):
    with pytest.raises(ValueError, match="this BertForSequenceClassification has no LoRA layers. Call add_lora"):
        call(bert())


def test_wrong_orders_are_refused():
    model = two_adapters()
    with pytest.raises(ValueError, match="no adapter is merged into this model"):
        unmerge(model)
    with pytest.raises(ValueError, match="there is no adapter 'third' in this model; it has first, second"):
        set_adapter(model, "third")
    merge(model)
    with pytest.raises(ValueError, match="merging again would add it twice"):
        merge(model)
    with pytest.raises(ValueError, match=r"adapter 'second' is merged into the weights; unmerge\(model\) before switch"):
        set_adapter(model, "first")
    with pytest.raises(ValueError, match=r"unmerge\(model\) before disabling"), disabled(model):
        pass
    unmerge(model)
    set_adapter(model, None)
    with pytest.raises(ValueError, match="no adapter is active, so there is nothing to merge. Activate one of first, s"):
        merge(model)
