"""The course's causal language model: small enough to train on a laptop in front of you, and a real one where there is a GPU.

The embedded model is a Llama (Touvron et al. 2023, arXiv:2302.13971) of 1.8 million parameters, made by `models.pretrain`.
It is stored in the Hugging Face format and needs nothing of ours: `AutoModelForCausalLM.from_pretrained(folder)` opens it.
With a folder, a Hub name or COURSE_SCALE=hub the same call gives any other causal model, in a precision that suits the device.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from courselib.lab import runtime
from courselib.lab.by_length import rows_by_length
from courselib.lab.models.encoder import Pretrained, check_fit, check_length

FOLDER = Path(__file__).parent / "weights" / "causal"
HUB_ID = "HuggingFaceTB/SmolLM2-135M"  # what COURSE_SCALE=hub takes unless another is named


def load_causal(source: str | Path | None = None, *, four_bit: bool = False) -> Pretrained:
    """A causal language model and its tokenizer, in eval mode, on the course's device.

    `source` is a folder or a Hub name; None is the embedded model, or `HUB_ID` at hub scale. `four_bit` stores the weights
    in NF4 with double quantisation (Dettmers et al. 2023, arXiv:2305.14314) and computes in the device's precision; it needs
    linear layers whose widths are multiples of 64.

    Raises FileNotFoundError when a folder holds no model, ValueError when the tokenizer does not fit the model,
    ConnectionError when the Hub cannot be reached.
    """
    source = source or (HUB_ID if runtime.scale() == "hub" else FOLDER)
    folder = Path(source).expanduser()
    local = folder.is_dir()
    if not local and (isinstance(source, Path) or str(source).count("/") != 1 or str(source)[0] in "./~"):
        raise FileNotFoundError(
            f"There is no causal model at {str(source)!r}: expected a folder with config.json, model.safetensors and "
            'tokenizer.json, or a Hub name such as "Qwen/Qwen3-0.6B". The embedded one is made by '
            "`python -m courselib.pretraining.make_causal`."
        )
    if local:
        _whole(folder)
    from transformers import AutoModelForCausalLM, AutoTokenizer  # slow to import, so not before it is needed

    runtime.quiet()
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=local)
        model = AutoModelForCausalLM.from_pretrained(source, local_files_only=local, use_safetensors=True, **_how(four_bit))
    except OSError as error:
        if local:
            raise
        raise ConnectionError(
            f"{str(source)!r} is no folder here and could not be fetched from the Hugging Face Hub ({type(error).__name__}). "
            "Check the name and the network, or unset COURSE_SCALE to use the embedded model."
        ) from error
    check_fit(tokenizer, model)
    if tokenizer.pad_token is None:  # many real models have none; the end of text is never predicted from padding
        tokenizer.pad_token = tokenizer.eos_token
    if not four_bit:
        model = model.to(runtime.device())
    return Pretrained(model.eval(), tokenizer)


def _how(four_bit: bool) -> dict[str, Any]:
    """Precision and placement for this device: on a GPU the weights are read straight into its memory."""
    placed = {"device_map": {"": str(runtime.device())}} if four_bit or runtime.device().type == "cuda" else {}
    if not four_bit:
        return {"dtype": runtime.dtype(), **placed}
    from transformers import BitsAndBytesConfig

    quantised = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=runtime.dtype()
    )
    return {"dtype": runtime.dtype(), "quantization_config": quantised, **placed}


def _whole(folder: Path) -> None:
    wanted = ["config.json", "tokenizer.json"]
    missing = [name for name in wanted if not (folder / name).is_file()]
    if not list(folder.glob("*.safetensors")):
        missing.append("model.safetensors")
    if missing:
        raise FileNotFoundError(f"The model's folder {str(folder)!r} lacks {', '.join(missing)}. Copy the whole model folder.")
    for weights in folder.glob("*.safetensors"):
        check_length(weights)


def next_token_loss(model: torch.nn.Module, input_ids: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of every token given those before it, in nats: input_ids (batch, seq) -> scalar."""
    logits = model(input_ids=input_ids).logits[:, :-1]  # (batch, seq - 1, vocab)
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), input_ids[:, 1:].flatten())


@torch.no_grad()
def log_likelihood(model: torch.nn.Module, tokenizer: Any, texts: list[str], size: int = 32) -> list[float]:
    """log p(text, end of text) under the model, in nats, one for each text: compare it with a world's exact `log_prob`.

    Each text begins after an end-of-text token. Raises ValueError for a text longer than the model reads.
    """
    longest = getattr(model.config, "max_position_embeddings", tokenizer.model_max_length)
    ids = [[tokenizer.eos_token_id, *tokenizer(text)["input_ids"], tokenizer.eos_token_id] for text in texts]
    if any(len(row) > longest for row in ids):
        most = max(map(len, ids)) - 2
        raise ValueError(f"a text has {most} tokens, but the model reads {longest - 2}: cut it into shorter ones.")

    def compute(chosen: list[int]) -> torch.Tensor:
        width = max(len(ids[i]) for i in chosen)
        batch = torch.tensor([ids[i] + [tokenizer.pad_token_id] * (width - len(ids[i])) for i in chosen], device=model.device)
        mask = torch.tensor([[1] * len(ids[i]) + [0] * (width - len(ids[i])) for i in chosen], device=model.device)
        logits = model(input_ids=batch, attention_mask=mask).logits[:, :-1].float()  # (chosen, width - 1, vocab)
        log_p = logits.log_softmax(-1).gather(-1, batch[:, 1:, None]).squeeze(-1)  # (chosen, width - 1)
        return (log_p * mask[:, 1:]).sum(1)  # (chosen,)

    return rows_by_length([len(row) for row in ids], size, compute).tolist()
