"""How much of a pretrained network to train: six answers, under the same conditions.

    scratch              the architecture alone is kept; weights are drawn anew and all of them are trained
    feature_extraction   the encoder is frozen, the new head is trained (a linear probe)
    top_N                the head and the N uppermost layers are trained, what lies below is frozen
    gradual              begins as feature_extraction; every few steps the next layer below is set free
                         (Howard and Ruder 2018, section 3.3, arXiv:1801.06146)
    full                 everything is trained
    lora                 the encoder is frozen, thin adapters and the head are trained (chapter 08)

A network is a stack of blocks, from the input up: "embeddings", "layer.0", "layer.1", ..., "head". A strategy is a
choice of blocks; all but the last one are one line of `requires_grad_`.
"""

from __future__ import annotations

import copy
import re
import time
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from courselib.lab import models, runtime
from courselib.lab.classification import batches, classification_loss, optimizer_for, sentence_vectors, train_head
from courselib.lab.data.sentiment import THINGS, sentences
from courselib.lab.models import SentenceClassifier, tokenise
from courselib.lab.training import Step, fit
from courselib.lora import add_lora

LAYER = re.compile(r"\blayer\.(\d+)\.")
# Of the encoder's weights; of the head for feature_extraction. Chosen on the validation split with seeds from 100 on, for this
# budget: 8 steps of 6 sentences. Chapter 08 takes 18 of 16, and what is best for more steps is smaller (lora.finetuning).
RATES_IN_8_STEPS = {"scratch": 3e-4, "feature_extraction": 1e-2, "top_2": 3e-4, "gradual": 3e-4, "full": 1e-4, "lora": 3e-3}
TRAIN_SENTENCES, TEST_SENTENCES = 32, 40
BATCH, STEPS, EVERY = 6, 8, 2


def blocks(model: nn.Module) -> dict[str, list[nn.Parameter]]:
    """The parameters of a sentence classifier by block: "embeddings", "layer.0", ..., "head", from the input up.

    `layer.3.` in a parameter's name puts it in block "layer.3", `embeddings.` in "embeddings", and what remains is the head.
    """
    found: dict[str, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        layer = LAYER.search(name)
        block = f"layer.{layer[1]}" if layer else "embeddings" if "embeddings." in name else "head"
        found.setdefault(block, []).append(parameter)
    return found


def parameter_counts(model: nn.Module) -> dict[str, int]:
    """How many numbers each block holds, in the order of `blocks`."""
    return {name: sum(p.numel() for p in parameters) for name, parameters in blocks(model).items()}


def trained_blocks(names: list[str], strategy: str) -> list[str]:
    """Which of the blocks `names` (from the input up, the head last) a strategy trains, in the same order.

    "scratch" and "full" train all, "feature_extraction" the head, "top_N" the head and the N uppermost layers. The embeddings
    are no layer. Raises ValueError for an unknown strategy, and for a top_N of more layers than there are.
    """
    if strategy in ("full", "scratch"):
        return list(names)
    top = re.fullmatch(r"top_(\d+)", strategy)
    if not top and strategy != "feature_extraction":
        raise ValueError(f"There is no strategy {strategy!r}; the blocks know scratch, full, feature_extraction and top_N.")
    layers = [name for name in names if name.startswith("layer.")]
    n = int(top[1]) if top else 0
    if n > len(layers):
        raise ValueError(f"{strategy} was asked for, but there are only {len(layers)} layers. Try top_{len(layers)}.")
    chosen = set(layers[len(layers) - n :]) | {"head"}
    return [name for name in names if name in chosen]


def set_trainable(model: nn.Module, strategy: str) -> int:
    """Freezes and frees the blocks of `model` as `strategy` says, and returns how many numbers are now trained."""
    stack = blocks(model)
    chosen = trained_blocks(list(stack), strategy)
    for name, parameters in stack.items():
        for parameter in parameters:
            parameter.requires_grad_(name in chosen)
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def unfrozen_at(step: int, every: int, names: list[str]) -> list[str]:
    """The blocks that gradual unfreezing trains in step `step` (from 1): the head, and one more block every `every` steps.

    Set free from the top down: the uppermost layer first, the embeddings last. Same order as `names`.
    """
    if step < 1 or every < 1:
        raise ValueError(f"Steps count from 1 and a period is at least 1; step {step} and every {every} came.")
    return list(names)[max(0, len(names) - 1 - (step - 1) // every) :]


class GradualUnfreezing:
    """A callback for `fit`: after each step, frees what the next step trains. `history` keeps the numbers trained.

    Make the optimizer over all parameters first: what is frozen has no gradient, and the optimizer passes over it.
    """

    def __init__(self, model: nn.Module, every: int) -> None:
        self.every, self.stack, self.history = every, blocks(model), []
        self._free(1)

    def __call__(self, state: Step) -> None:
        self._free(state.number + 1)

    def _free(self, step: int) -> None:
        free = unfrozen_at(step, self.every, list(self.stack))
        for name, parameters in self.stack.items():
            for parameter in parameters:
                parameter.requires_grad_(name in free)
        self.history.append(sum(p.numel() for name in free for p in self.stack[name]))


def static_bytes(model: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """What weights, gradients and the optimizer's moments really occupy now, in bytes: measured, not calculated."""
    tensors = list(model.parameters())
    tensors += [p.grad for p in tensors if p.grad is not None]
    tensors += [t for state in optimizer.state.values() for t in state.values() if isinstance(t, Tensor) and t.dim()]
    return sum(t.numel() * t.element_size() for t in tensors)


def activation_bytes(model: nn.Module, tokens: dict[str, Tensor]) -> int:
    """What a forward pass in train mode keeps for the backward pass, in bytes. Parameters and views count once or not at all."""
    kept: dict[int, int] = {}
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}
    alive = []  # a freed address would be used again, and then counted once for two

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
            alive.append(tensor)
        return tensor

    model.train()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model(**tokens)
    model.eval()
    return sum(kept.values())


def finetune(strategy: str, seed: int, *, split: str = "test", learning_rate: float | None = None) -> dict[str, Any]:
    """One run: 32 labelled sentences, 8 steps of 6, and the accuracy on 40 sentences with words never trained on.

    Returns plain numbers: `accuracy`; `topic`, how often a sentence's nearest neighbour is about the same sort of thing, an
    ability the pretrained encoder has and nobody trains; `trained` parameters (at the end), `share` of all; `static` memory
    and the `activations` of one batch, in MB of 10^6 bytes and as they are at the end; `seconds`. The seed draws sentences,
    order, dropout, and the weights of scratch. Feature extraction takes 100 steps with all sentences at once: on ready
    vectors they cost next to nothing.
    """
    if strategy not in RATES_IN_8_STEPS:
        raise ValueError(f"There is no strategy {strategy!r}; choose one of {', '.join(RATES_IN_8_STEPS)}.")
    runtime.set_seed(seed)
    pretrained, tokenizer = _encoder()
    train, held_out = sentences(TRAIN_SENTENCES, "train", seed), sentences(TEST_SENTENCES, split, seed)
    model = SentenceClassifier(_anew(pretrained) if strategy == "scratch" else copy.deepcopy(pretrained))
    callbacks = []
    if strategy == "lora":
        add_lora(model, ("query", "value"), rank=8, alpha=16, train_also=("classifier",))
    elif strategy != "gradual":
        set_trainable(model, strategy)
    lr = RATES_IN_8_STEPS[strategy] if learning_rate is None else learning_rate

    began = time.perf_counter()
    if strategy == "feature_extraction":
        optimizer = torch.optim.AdamW(model.classifier.parameters(), lr=lr)
        train_head(model, tokenizer, *train, optimizer)
    else:
        optimizer = optimizer_for(model, lr)
        callbacks = [GradualUnfreezing(model, EVERY)] if strategy == "gradual" else []
        fit(model, batches(tokenizer, *train, size=BATCH), classification_loss, optimizer, steps=STEPS, callbacks=callbacks,
            progress=False)
    seconds = time.perf_counter() - began

    features = sentence_vectors(model, tokenizer, held_out[0])
    with torch.no_grad():
        right = model.classifier(features).argmax(-1).cpu() == torch.tensor(held_out[1])
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    total = sum(p.numel() for p in model.parameters())
    return {
        "accuracy": right.double().mean().item(),
        "topic": topic_accuracy(features, held_out[0]),
        "trained": trained,
        "share": trained / total,
        "static": static_bytes(model, optimizer) / 1e6,
        "activations": activation_bytes(model, tokenise(tokenizer, train[0][:BATCH])) / 1e6,
        "seconds": seconds,
    }


def topic(text: str) -> int:
    """What sort of thing a review is about: the number of its group in `sentiment.THINGS`, 0 to 8."""
    words = set(re.findall(r"[a-z]+", text.lower()))
    return next(i for i, (things, parts) in enumerate(THINGS.items()) if words & {*things, *parts})


def topic_accuracy(features: Tensor, texts: list[str]) -> float:
    """The share of texts whose nearest other text, by the angle between their vectors, is about the same sort of thing."""
    topics = torch.tensor([topic(text) for text in texts])
    unit = nn.functional.normalize(features, dim=-1)
    likeness = (unit @ unit.T).fill_diagonal_(-2)  # (n, n)
    return (topics[likeness.argmax(1).cpu()] == topics).double().mean().item()


def _anew(pretrained: nn.Module) -> nn.Module:
    """The same architecture with weights as they are before any training."""
    model = type(pretrained)(pretrained.config)
    model.pooler = None
    return model.to(pretrained.device)


@cache
def _encoder() -> models.Pretrained:
    return models.load("encoder")
