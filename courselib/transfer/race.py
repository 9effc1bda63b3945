"""The strategies against each other: the same sentences, the same loop, each with its own learning rate and enough steps.

    finetune("full", seed=0)                      30 steps of 8 sentences: seven and a half times through the 32 labelled ones
    finetune("full", seed=0, steps=8)             two times through: too few for some, and that is the point of asking

How many steps there are decides who wins. What trains few numbers is done early; what trains many needs longer, and is better in
the end. A race over one short budget says nothing but that. So the rates were chosen for each strategy *and* each budget, on the
validation split with seeds from 100 on, which are no seed of a reported run (`benchmarks/effects`).
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
from courselib.lab.training import fit
from courselib.lora import add_lora
from courselib.transfer.strategies import GradualUnfreezing, activation_bytes, set_trainable, static_bytes

TRAIN_SENTENCES, TEST_SENTENCES = 32, 200
BATCH, STEPS, EVERY = 8, 30, 2
# steps -> the encoder's rate (of feature_extraction: the head's, which takes 100 steps on ready vectors in either race)
RATES = {
    8: {"scratch": 3e-4, "feature_extraction": 1e-2, "top_2": 3e-4, "gradual": 1e-4, "full": 1e-4, "lora": 3e-3},
    30: {"scratch": 3e-4, "feature_extraction": 1e-2, "top_2": 1e-4, "gradual": 3e-5, "full": 3e-5, "lora": 1e-3},
}


def finetune(
    strategy: str, seed: int, *, steps: int = STEPS, split: str = "test", learning_rate: float | None = None,
    texts: int = TEST_SENTENCES,
) -> dict[str, Any]:
    """One run: 32 labelled sentences, `steps` steps of 8, and the accuracy on `texts` sentences with words never trained on.

    Returns plain numbers: `accuracy`; `topic`, how often a sentence's nearest neighbour is about the same sort of thing, an
    ability the pretrained encoder has and nobody trains; `trained` parameters (at the end), `share` of all; `static` memory
    and the `activations` of one batch, in MB of 10^6 bytes and as they are at the end; `seconds`. The seed draws sentences,
    order, dropout, and the weights of scratch. Feature extraction takes 100 steps with all sentences at once: on ready
    vectors they cost next to nothing. Raises ValueError for an unknown strategy, and for a number of steps without rates of
    its own, unless `learning_rate` is given.
    """
    if strategy not in RATES[STEPS]:
        raise ValueError(f"There is no strategy {strategy!r}; choose one of {', '.join(RATES[STEPS])}.")
    if learning_rate is None and steps not in RATES:
        raise ValueError(f"No rates were chosen for {steps} steps, only for {', '.join(map(str, RATES))}. Give a learning_rate.")
    runtime.set_seed(seed)
    pretrained, tokenizer = _encoder()
    train, held_out = sentences(TRAIN_SENTENCES, "train", seed), sentences(texts, split, seed)
    model = SentenceClassifier(_anew(pretrained) if strategy == "scratch" else copy.deepcopy(pretrained))
    callbacks = []
    if strategy == "lora":
        add_lora(model, ("query", "value"), rank=8, alpha=16, train_also=("classifier",))
    elif strategy != "gradual":
        set_trainable(model, strategy)
    lr = RATES[steps][strategy] if learning_rate is None else learning_rate

    began = time.perf_counter()
    if strategy == "feature_extraction":
        optimizer = torch.optim.AdamW(model.classifier.parameters(), lr=lr)
        train_head(model, tokenizer, *train, optimizer)
    else:
        optimizer = optimizer_for(model, lr)
        callbacks = [GradualUnfreezing(model, EVERY)] if strategy == "gradual" else []
        fit(model, batches(tokenizer, *train, size=BATCH), classification_loss, optimizer, steps=steps, callbacks=callbacks,
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
