"""Adapters on disk, in peft's own format: a small file that turns the shared base into one task's model.

A folder holds two files. `adapter_config.json` says what the adapter is (rank, alpha, target modules ...),
and `adapter_model.safetensors` holds its tensors, named

    base_model.model.<path of the layer>.lora_A.weight    (rank, d_in)
    base_model.model.<path of the layer>.lora_B.weight    (d_out, rank)

and modules trained in full under their own path. `peft.PeftModel.from_pretrained(base, folder)` opens what
`save_adapter` writes, and `load_adapter` opens what peft's `save_pretrained` writes. The adapter's name is no
part of the files: it is chosen anew at each loading. Sharing adapters instead of models: Hu et al. 2021,
arXiv:2106.09685.
"""

import json
import os
import re
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from courselib.lora.inject import (
    add_adapters,
    is_under,
    linear_layers,
    lora_layers,
    matches_name,
    visible_modules,
)
from courselib.lora.layer import LinearLoRA

CONFIG, WEIGHTS, PREFIX = "adapter_config.json", "adapter_model.safetensors", "base_model.model."
# settings of peft that change what an adapter computes, in ways that LinearLoRA does not know
UNKNOWN = (
    "use_dora", "use_qalora", "use_bdlora", "lora_bias", "fan_in_fan_out", "rank_pattern", "alpha_pattern",
    "layer_replication", "target_parameters", "trainable_token_indices", "alora_invocation_tokens",
    "arrow_config", "velora_config", "monteclora_config", "kasa_config",
)
PLAIN_STARTS = (True, False, "gaussian", "orthogonal", "eva")  # pissa, olora ... change the base weight too


def save_adapter(model: nn.Module, folder: str | Path, name: str = "default") -> Path:
    """Writes adapter `name`, and what was trained in full beside it, and returns the folder.

    Trained in full: what `add_lora` was told in `train_also` for this adapter, and whatever else outside the
    LoRA layers requires gradients now. Both files are complete on disk before either takes its place, so an
    interruption leaves the older pair. Other files in the folder are not touched. Raises ValueError when the
    model has no such adapter, or it differs in its settings from layer to layer.
    """
    layers = {path: layer for path, layer in lora_layers(model) if name in layer.lora_A}
    if not layers:
        raise ValueError(f"this {type(model).__name__} has no adapter {name!r} to save; call add_lora first.")
    settings = {(layer.rank[name], layer.alpha[name], layer.lora_dropout[name].p, layer.rslora[name])
                for layer in layers.values()}
    if len(settings) > 1:
        raise ValueError(f"adapter {name!r} has different settings in different layers, {sorted(settings)}, "
                         "but a file holds one setting for all. Add it with one call of add_lora.")
    rank, alpha, dropout, rslora = settings.pop()
    full = _trained_in_full(model, name)
    tensors = {}
    for path, layer in layers.items():
        tensors[f"{path}.lora_A.weight"] = layer.lora_A[name].weight
        tensors[f"{path}.lora_B.weight"] = layer.lora_B[name].weight
    for path in full:
        tensors |= {f"{path}.{key}": value for key, value in model.get_submodule(path).state_dict().items()}
    config = {
        "peft_type": "LORA", "task_type": None, "base_model_name_or_path": None, "inference_mode": True,
        "r": rank, "lora_alpha": alpha, "lora_dropout": dropout, "use_rslora": rslora, "bias": "none",
        "fan_in_fan_out": False, "init_lora_weights": True,
        "target_modules": _shortest_targets(model, list(layers)), "modules_to_save": full or None,
    }
    on_cpu = {PREFIX + key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
    _write_together(Path(folder), {
        WEIGHTS: save(on_cpu, metadata={"format": "pt"}),
        CONFIG: (json.dumps(config, indent=2, sort_keys=True) + "\n").encode(),
    })
    return Path(folder)


def load_adapter(model: nn.Module, folder: str | Path, name: str = "default") -> nn.Module:
    """Adds the adapter in `folder` to the model under `name`, active and trainable, and returns the model.

    Which layers get it is read from the file. Modules trained in full replace the model's own: there is one
    of each, so two adapters with two classifiers need two models. The base is frozen. Raises
    FileNotFoundError when the folder holds no adapter, and ValueError when the adapter is damaged, is of a
    kind that LinearLoRA cannot compute, or belongs to another model. In each case the model is left as it
    was.
    """
    config, tensors = _read(Path(folder))
    matrices, others = _sort_tensors(tensors, folder)
    full = _matched_by_peft(model, config.get("modules_to_save") or [])
    state = {key: value for key, value in model.state_dict().items() if is_under(key, full)}
    _check_layers(model, config, matrices, full, folder)
    _check_others(model, state, others, folder)
    add_adapters(
        model, list(matrices), full, name, config["r"], config["lora_alpha"], config.get("lora_dropout", 0.0),
        config.get("use_rslora", False),
    )
    with torch.no_grad():
        for path, pair in matrices.items():
            layer = model.get_submodule(path)
            layer.lora_A[name].weight.copy_(pair["A"])
            layer.lora_B[name].weight.copy_(pair["B"])
        for key, value in others.items():
            state[key].copy_(value)
    return model


def _read(folder: Path) -> tuple[dict, dict[str, Tensor]]:
    for file in (CONFIG, WEIGHTS):
        if not (folder / file).is_file():
            raise FileNotFoundError(f"{folder} is not the folder of an adapter: it has no {file}. Give the "
                                    "folder that save_adapter or peft's save_pretrained wrote.")
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        tensors = load((folder / WEIGHTS).read_bytes())
    except (ValueError, SafetensorError) as problem:
        raise ValueError(f"the adapter in {folder} is damaged: {problem}. Save it again.") from None
    if not isinstance(config, dict) or config.get("peft_type") != "LORA":
        kind = config.get("peft_type") if isinstance(config, dict) else None
        raise ValueError(f"expected a LoRA adapter in {folder}, but its {CONFIG} says peft_type {kind!r}.")
    if missing := [key for key in ("r", "lora_alpha", "target_modules") if not config.get(key)]:
        raise ValueError(f"the {CONFIG} in {folder} does not say {' or '.join(missing)}. Save it again.")
    unknown = [key for key in UNKNOWN if config.get(key)]
    unknown += ["init_lora_weights"] if config.get("init_lora_weights", True) not in PLAIN_STARTS else []
    if unknown:
        raise ValueError(f"the adapter in {folder} uses {', '.join(unknown)}, which LinearLoRA does not "
                         "compute. Open it with peft.PeftModel.from_pretrained.")
    return config, tensors


def _sort_tensors(
    tensors: dict[str, Tensor], folder: str | Path
) -> tuple[dict[str, dict[str, Tensor]], dict[str, Tensor]]:
    """{path: {"A": ..., "B": ...}} of the LoRA matrices, and all other tensors by their key in the model."""
    matrices, others = {}, {}
    # sorted, because safetensors gives no fixed order, and an error should name the same layer each time
    for key, value in sorted(tensors.items()):
        key = key.removeprefix(PREFIX)
        if match := re.fullmatch(r"(.+)\.lora_([AB])\.weight", key):
            matrices.setdefault(match[1], {})[match[2]] = value
        else:
            others[key] = value
    for path, pair in matrices.items():
        if len(pair) < 2:
            raise ValueError(f"the adapter in {folder} has only lora_{next(iter(pair))} for {path!r}; its "
                             "partner is missing. Save the adapter again.")
    if not matrices:
        raise ValueError(f"the adapter in {folder} holds no LoRA matrices at all. Save the adapter again.")
    return matrices, others


def _check_layers(
    model: nn.Module, config: dict, matrices: dict, full: list[str], folder: str | Path
) -> None:
    linear, targets = linear_layers(model), config["target_modules"]
    for path, pair in matrices.items():
        if path not in linear:
            raise ValueError(f"the adapter in {folder} is for a linear layer {path!r}, and this "
                             f"{type(model).__name__} has none there (but {next(iter(linear), None)!r}, for "
                             "one). Load the model that the adapter was trained on.")
        base = getattr(linear[path], "base_layer", linear[path])
        _check_shape(path + ".lora_A", pair["A"], (config["r"], base.in_features), folder)
        _check_shape(path + ".lora_B", pair["B"], (base.out_features, config["r"]), folder)
    if config.get("exclude_modules") or config.get("layers_to_transform") is not None:
        return  # then which layers should be there is peft's own affair, and those in the file are taken
    for path in linear:
        wanted = re.fullmatch(targets, path) if isinstance(targets, str) else matches_name(path, targets)
        if wanted and path not in matrices and not is_under(path, full):
            raise ValueError(f"the adapter in {folder} should hold matrices for {path!r}, by its "
                             f"target_modules {targets}, but it does not. It is incomplete, or made for "
                             "another model.")


def _check_others(model: nn.Module, state: dict, others: dict, folder: str | Path) -> None:
    if unknown := [key for key in others if key not in state]:
        raise ValueError(f"the adapter in {folder} holds {unknown[0]!r}, which has no place in this "
                         f"{type(model).__name__}. It was made for another model, or by another method.")
    if missing := [key for key in state if key not in others]:
        raise ValueError(f"the adapter in {folder} should hold {missing[0]!r}, by its modules_to_save, but "
                         "it does not. It is incomplete, or made for another model.")
    for key, value in others.items():
        _check_shape(key, value, tuple(state[key].shape), folder)


def _check_shape(what: str, tensor: Tensor, expected: tuple[int, ...], folder: str | Path) -> None:
    if tuple(tensor.shape) != expected:
        raise ValueError(f"{what} in {folder} has the shape {tuple(tensor.shape)}, but the model and the "
                         f"rank in {CONFIG} call for {expected}. It is another model's adapter, or its two "
                         "files do not belong together.")


def _matched_by_peft(model: nn.Module, modules_to_save: list[str]) -> list[str]:
    """peft's rule here knows no dots: "classifier" takes "pre_classifier" along, so both are in the file."""
    return [path for path, module in visible_modules(model).items()
            if path.endswith(tuple(modules_to_save)) and not isinstance(module, LinearLoRA)]


def _trained_in_full(model: nn.Module, name: str) -> list[str]:
    paths = list(getattr(model, "lora_train_also", {}).get(name, ()))
    known = [path for path, _ in lora_layers(model)]
    for key, parameter in model.named_parameters():
        owner = key.rpartition(".")[0]
        if parameter.requires_grad and not is_under(key, known + paths):
            if not owner:
                raise ValueError(f"parameter {key!r} is trained but belongs to no module inside the model, "
                                 "and peft's format has no place for it. Freeze it, or put it into a module.")
            paths.append(owner)
    return _matched_by_peft(model, paths)


def _shortest_targets(model: nn.Module, paths: list[str]) -> list[str]:
    """Last names such as ["query", "value"] where they mean exactly these layers, else the whole paths."""
    endings = list(dict.fromkeys(path.rpartition(".")[2] for path in paths))
    matched = [path for path in linear_layers(model) if matches_name(path, endings)]
    return endings if paths == matched else paths


def _write_together(folder: Path, contents: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    written = {folder / file: folder / f".{file}.{os.getpid()}.tmp" for file in contents}
    try:
        for path, temporary in written.items():
            temporary.write_bytes(contents[path.name])
        for path, temporary in written.items():
            os.replace(temporary, path)
    finally:
        for temporary in written.values():
            temporary.unlink(missing_ok=True)
