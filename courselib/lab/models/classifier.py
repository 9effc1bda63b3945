"""A sentence classifier: a pretrained encoder, the mean of its word vectors, and one linear layer.

The mean runs over real tokens only (Reimers and Gurevych 2019, section 3, arXiv:1908.10084). Sentences of unequal
length are padded to one rectangle, and a classifier whose answer depends on the padding depends on its neighbours
in the batch.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from courselib.lab import runtime


class SentenceClassifier(nn.Module):
    """Logits `(batch, classes)` for tokenised sentences. `encoder` is any Hugging Face encoder; it is not copied.

    The head is called `classifier`. It begins at zero, so the first answer to everything is "equally likely" and
    two methods compared begin at the same function.
    """

    def __init__(self, encoder: nn.Module, classes: int = 2) -> None:
        super().__init__()
        self.encoder = encoder
        self.classifier = nn.Linear(encoder.config.hidden_size, classes, device=encoder.device)
        nn.init.zeros_(self.classifier.weight)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, **tokens: Tensor) -> Tensor:
        """`tokens` is what `tokenise` returns: `input_ids` and `attention_mask`, both `(batch, seq)`."""
        return self.classifier(self.features(**tokens))  # (batch, classes)

    def features(self, **tokens: Tensor) -> Tensor:
        """The mean vector of each sentence, `(batch, hidden)`."""
        hidden = self.encoder(**tokens).last_hidden_state  # (batch, seq, hidden)
        return mean_pool(hidden, tokens["attention_mask"])


def mean_pool(hidden: Tensor, attention_mask: Tensor) -> Tensor:
    """Mean over the real tokens: `hidden` `(batch, seq, d)`, `attention_mask` `(batch, seq)` of 0 and 1 -> `(batch, d)`."""
    weight = attention_mask.unsqueeze(-1).to(hidden.dtype)  # (batch, seq, 1)
    return (hidden * weight).sum(1) / weight.sum(1).clamp(min=1)


def tokenise(tokenizer: Any, texts: list[str]) -> dict[str, Tensor]:
    """`input_ids` and `attention_mask` `(batch, seq)`, padded to the longest text, on the course's device.

    Texts longer than the model can read are cut. Raises ValueError for no texts, or a single string.
    """
    if isinstance(texts, str) or not texts:
        raise ValueError(f"tokenise takes a list of at least one text; it got {texts!r}.")
    batch = tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt")
    return {name: batch[name].to(runtime.device()) for name in ("input_ids", "attention_mask")}
