"""What pretraining saves: how many labels a network needs, begun from pretrained weights and from random ones.

The same labelled texts (`data.remarks`), the same loss and the same loop; only the start differs:

    pretrained    the course's encoder, every weight trained                                 22.6 million parameters
    same          the same architecture, from random weights                                 22.6 million
    small         a two-layer Transformer of width 128, from random weights                   4.2 million
    words         one trained vector a word, averaged, and a linear layer: no order at all     2.0 million

`same` is the comparison that changes one thing only. It is also unfair: nobody would train so large a network on 500
texts. `small` and `words` are what one would take who has nothing but the labels, and the best of them is what fine-tuning has
to beat. Each start has a recipe of its own, chosen on seeds that no reported run uses.

    learn("small", 512, seed=0, pretrained=models.load("encoder"))      -> its test accuracy after 512 labels
    labels_needed({64: 0.6, 128: 0.8, 256: 0.9}, target=0.85)           -> 181.0: where the curve crosses 0.85

The idea that a learner is measured by how many examples it needs is old (Vapnik and Chervonenkis 1971); that language models
pretrained on unlabelled text need far fewer was shown by Howard and Ruder 2018 (ULMFiT, arXiv:1801.06146, figure 3).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from courselib.lab import runtime
from courselib.lab.classification import batches, classification_loss, optimizer_for, text_accuracy
from courselib.lab.models import Pretrained, SentenceClassifier
from courselib.lab.rates import falling_rate
from courselib.lab.training import fit
from courselib.transfer.remarks import remarks

TEST_TEXTS, BATCH, WARMUP = 200, 16, 10


@dataclass(frozen=True)
class StartRecipe:
    """How a start is trained: peak learning rates of the encoder and of the head, rounds through the labels, least steps."""

    lr: float
    head_lr: float
    epochs: int
    least: int

    def steps(self, labels: int) -> int:
        """`epochs` times through `labels` texts in batches, but `least` steps at least: few labels are not few steps."""
        return max(self.least, self.epochs * math.ceil(labels / BATCH))


RECIPES = {
    "pretrained": StartRecipe(lr=1e-4, head_lr=3e-3, epochs=8, least=32),
    "same": StartRecipe(lr=1e-4, head_lr=3e-3, epochs=10, least=40),
    "small": StartRecipe(lr=1e-3, head_lr=3e-3, epochs=20, least=80),
    "words": StartRecipe(lr=1e-2, head_lr=1e-2, epochs=40, least=160),
}


class WordVectors(nn.Module):
    """One trained vector a token and nothing else, dressed as an encoder: (batch, seq) ids -> (batch, seq, hidden)."""

    def __init__(self, vocabulary: int, hidden: int = 64) -> None:
        super().__init__()
        from transformers import PretrainedConfig

        self.config = PretrainedConfig(hidden_size=hidden)
        self.embedding = nn.Embedding(vocabulary, hidden)
        nn.init.normal_(self.embedding.weight, std=0.1)

    @property
    def device(self) -> torch.device:
        return self.embedding.weight.device

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None):
        from transformers.modeling_outputs import BaseModelOutput

        return BaseModelOutput(last_hidden_state=self.embedding(input_ids))


def fresh_classifier(start: str, pretrained: Pretrained) -> SentenceClassifier:
    """A fresh classifier that begins at `start`; random weights come from torch's generator. ValueError for another start.

    `pretrained` gives the tokenizer, the architecture of "same" and the weights of "pretrained", and is left as it was.
    """
    if start not in RECIPES:
        raise ValueError(f"There is no start {start!r}; choose one of {', '.join(RECIPES)}.")
    if start == "pretrained":
        encoder = copy.deepcopy(pretrained.model)
    elif start == "words":
        encoder = WordVectors(len(pretrained.tokenizer))
    else:
        from transformers import AutoModel, BertConfig

        shape = dict(hidden_size=128, intermediate_size=256, num_hidden_layers=2, num_attention_heads=4)
        config = pretrained.model.config if start == "same" else BertConfig(vocab_size=len(pretrained.tokenizer), **shape)
        encoder = AutoModel.from_config(config)
        encoder.pooler = None  # not used, as in the pretrained one
    return SentenceClassifier(encoder.to(runtime.device()))


def train_by_recipe(
    model: SentenceClassifier, tokenizer, texts: list[str], labels: list[int], recipe: StartRecipe
) -> list[float]:
    """Trains every weight by the recipe, with a short warm-up and a linear decay to 0; returns the losses."""
    steps = recipe.steps(len(texts))
    optimizer = optimizer_for(model, recipe.lr, recipe.head_lr)
    schedule = falling_rate(optimizer, WARMUP, steps)
    data = batches(tokenizer, texts, labels, BATCH)
    return fit(model, data, classification_loss, optimizer, steps=steps, scheduler=schedule, max_grad_norm=1.0, progress=False)


def learn(
    start: str, labels: int, seed: int, pretrained: Pretrained, *, kind: str = "seen", recipe: StartRecipe | None = None
) -> float:
    """Accuracy, 0 to 1, on 200 test texts of a network trained on `labels` labelled ones.

    `kind` is "seen" (every word of a test text occurs in the training texts) or "unseen" (none of its words of praise or
    blame does). The seed draws the texts, the random weights, the order of the batches and the dropout; two starts with the
    same seed and labels see the same texts. `recipe` replaces the start's own. Raises ValueError as `fresh_classifier` and
    `remarks` do.
    """
    runtime.set_seed(seed)
    model = fresh_classifier(start, pretrained)
    (texts, answers), test = remarks(labels, TEST_TEXTS, kind, seed)
    train_by_recipe(model, pretrained.tokenizer, texts, answers, recipe or RECIPES[start])
    return text_accuracy(model, pretrained.tokenizer, *test)


def labels_needed(curve: Mapping[int, float], target: float) -> float:
    """How many labels a learning curve {labels: accuracy} needs to reach `target`: infinity if it never does.

    Between two points the curve is taken as straight over the logarithm of the labels; a curve that begins above the target
    needs at most its first number, which is returned. Raises ValueError for an empty curve.
    """
    if not curve:
        raise ValueError("The learning curve is empty: give at least one {labels: accuracy}.")
    before: tuple[int, float] | None = None
    for labels, reached in sorted(curve.items()):
        if reached >= target:
            if before is None:
                return float(labels)
            share = (target - before[1]) / (reached - before[1])
            return math.exp(math.log(before[0]) + share * math.log(labels / before[0]))
        before = labels, reached
    return math.inf
