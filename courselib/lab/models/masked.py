"""The course's encoder with a head for masked words: BERT's `[MASK]` game, played by all-MiniLM-L6-v2.

The published model comes without such a head: it was taken off when the encoder was trained to compare sentences. So **the
head is trained here**, by `python -m courselib.pretraining.make_masked`: a linear layer, a layer norm, and a bias for every
word. What decides between words are the encoder's own word vectors, as in BERT (Devlin et al. 2018, arXiv:1810.04805,
appendix A.1; the tying is Press and Wolf's, 2017, arXiv:1608.05859).

A head on the frozen encoder was tried first and learned little more than which words are common: an encoder for sentences has at
every place the sense of the whole, not the word that belongs there. So LoRA adapters on its linear layers are trained with the
head, and merged into the weights when it is loaded. `load("encoder")` is the published one, untouched.

It has read little: the world `general`, reviews, and the prose that comes with Python. Hold it to that.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from courselib.lab.models.encoder import SHA256, Pretrained, check_length, load_encoder

HEAD = Path(__file__).parent / "weights" / "masked" / "head.safetensors"
HEAD_NAMES = ("transform.dense.weight", "transform.dense.bias", "transform.LayerNorm.weight", "transform.LayerNorm.bias", "bias")


def load_masked(source: str | Path | None = None, *, head: str | Path | None = HEAD) -> Pretrained:
    """A `BertForMaskedLM` around the course's encoder, and its tokenizer; float32, in eval mode, on the course's device.

    `source` is where the encoder is (see `load_encoder`); the head fits all-MiniLM-L6-v2 only, which is verified. With `head`
    None the encoder is the published one and the head a fresh one that passes its vectors through, to train one's own.

    Raises FileNotFoundError if there is no head at `head`, ValueError if its file is cut short or was trained on another encoder.
    """
    if head is not None:
        weights = _checked(Path(head).expanduser())
    encoder, tokenizer = load_encoder(source)
    from transformers import BertForMaskedLM  # slow to import, so not before it is needed

    with torch.device("meta"):  # no memory and no random numbers for weights that are about to be replaced
        model = BertForMaskedLM(encoder.config)
    model.bert = encoder
    vectors = encoder.embeddings.word_embeddings.weight  # (vocab, hidden)
    part = model.cls.predictions.to_empty(device=vectors.device)
    with torch.no_grad():
        part.transform.dense.weight.copy_(torch.eye(vectors.shape[1]))
        part.transform.LayerNorm.weight.fill_(1.0)
        for zero in (part.transform.dense.bias, part.transform.LayerNorm.bias, part.bias):
            zero.zero_()
    part.decoder.weight, part.decoder.bias = vectors, part.bias
    if head is not None:
        part.load_state_dict({name: weights[name].float() for name in HEAD_NAMES}, strict=False)
        _merge(encoder, weights)
    return Pretrained(model.eval(), tokenizer)


def trained_weights(model: Any) -> dict[str, Tensor]:
    """What `load_masked` reads back, in half precision: the head without the tied word vectors, and the adapters.

    `model` is a `BertForMaskedLM` with LoRA adapters; their scaling is put into B.
    """
    found = {name: value for name, value in model.cls.predictions.state_dict().items() if name in HEAD_NAMES}
    for path, layer in model.bert.named_modules():
        if hasattr(layer, "lora_A"):
            found[f"{path}.lora_A"] = layer.lora_A["default"].weight  # (rank, d_in)
            found[f"{path}.lora_B"] = layer.lora_B["default"].weight * layer.scaling["default"]  # (d_out, rank)
    return {name: value.detach().half().contiguous().cpu() for name, value in found.items()}


@torch.no_grad()
def _merge(encoder: Any, weights: dict[str, Tensor]) -> None:
    """W + B A for every adapted layer. By hand, so that a chapter may close `courselib.lora` and still load the model."""
    for name, A in weights.items():
        if name.endswith(".lora_A"):
            weight = encoder.get_submodule(name.removesuffix(".lora_A")).weight  # (d_out, d_in)
            B = weights[name.removesuffix("A") + "B"]
            weight += B.float().to(weight.device) @ A.float().to(weight.device)


def _checked(file: Path) -> dict[str, Tensor]:
    if not file.is_file():
        raise FileNotFoundError(
            f"There is no head for masked words at {str(file)!r}. `python -m courselib.pretraining.make_masked` makes it; "
            "with head=None the encoder gets a fresh one."
        )
    check_length(file)
    with safe_open(file, framework="pt") as opened:
        trained_on = (opened.metadata() or {}).get("encoder", "it does not say which")
    if trained_on != SHA256:
        raise ValueError(
            f"The head at {str(file)!r} was trained on another encoder ({trained_on}) than all-MiniLM-L6-v2 ({SHA256}). "
            "Make it again: `python -m courselib.pretraining.make_masked`."
        )
    return load_file(file)


@torch.no_grad()
def masked_words(pretrained: Pretrained, text: str, k: int = 5) -> list[list[tuple[str, float]]]:
    """For every [MASK] of a text the `k` likeliest tokens with their probabilities, likeliest first.

    Each is predicted with all other masks still in place. Raises ValueError for a text without a mask.
    """
    model, tokenizer = pretrained
    batch = tokenizer([text], return_tensors="pt", truncation=True).to(model.device)
    places = (batch["input_ids"][0] == tokenizer.mask_token_id).nonzero().squeeze(1)
    if not len(places):
        raise ValueError(f"There is no {tokenizer.mask_token} in {text!r}: put it where a word is to be guessed.")
    chances = model(**batch).logits[0, places].softmax(-1)  # (masks, vocab)
    found = chances.topk(k)
    return [
        list(zip(tokenizer.convert_ids_to_tokens(ids.tolist()), best.tolist(), strict=True))
        for best, ids in zip(found.values, found.indices, strict=True)
    ]
