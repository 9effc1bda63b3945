"""Model answers of chapter 01."""

import torch
from torch import Tensor


def mlm_labels(input_ids: Tensor, masked: Tensor) -> Tensor:
    """The labels of masked language modelling: what the loss asks for at every position.

    input_ids: (batch, seq), the tokens as they were before corruption.
    masked: (batch, seq), True where a token was chosen for prediction.
    Returns (batch, seq): the original token where one was chosen, -100 where the loss shall ask nothing.
    """
    return torch.where(masked, input_ids, -100)


def loss_gradient(logits: Tensor, labels: Tensor) -> Tensor:
    """The gradient of the mean cross-entropy with respect to the logits, by hand: no autograd.

    logits: (n, vocab).   labels: (n,), whole numbers; -100 where nothing is asked. The loss is the mean over the positions that
    have a label, of which there is at least one.
    Returns (n, vocab).
    """
    asked = labels != -100
    gradient = torch.zeros_like(logits)
    gradient[asked] = torch.softmax(logits[asked], dim=-1)
    gradient[asked, labels[asked]] -= 1
    return gradient / asked.sum()


def clm_loss(logits: Tensor, input_ids: Tensor) -> float:
    """The loss of causal language modelling, in nats: the mean over all tokens that are predicted.

    logits: (batch, seq, vocab); those at position i were computed from the tokens up to and including i.
    input_ids: (batch, seq). There is no padding. Logits may be as large as a few hundred.
    """
    log_p = torch.log_softmax(logits[:, :-1], dim=-1)  # (batch, seq - 1, vocab)
    return -log_p.gather(-1, input_ids[:, 1:, None]).mean().item()


def causal_attention(scores: Tensor, attention_mask: Tensor) -> Tensor:
    """The attention weights of a causal model, from raw scores.

    scores: (batch, n, n); entry [b, i, j] says how much position i would like to look at position j.
    attention_mask: (batch, n), 1 for a token, 0 for padding, which stands at the end. Position 0 is always a token.
    Returns (batch, n, n): each row sums to 1, and no position looks at a later one or at padding. (Rows of padding positions are
    computed like all others; nobody will use them.)
    """
    n = scores.shape[-1]
    allowed = torch.ones(n, n).tril().bool() & attention_mask.bool()[:, None, :]
    return torch.softmax(scores.masked_fill(~allowed, float("-inf")), dim=-1)


def top_k(logits: Tensor, k: int, temperature: float) -> Tensor:
    """The distribution that top-k sampling at a temperature draws the next token from.

    logits: (vocab,), no two equal.   k: at least 1; if it exceeds the vocabulary, all tokens stay.   temperature: above 0.
    Returns (vocab,): probabilities, exactly zero for all but the k likeliest tokens.
    """
    kept = logits.topk(min(k, len(logits))).indices
    scaled = torch.full_like(logits, float("-inf"))
    scaled[kept] = logits[kept] / temperature
    return torch.softmax(scaled, dim=-1)


def aggregate_entities(tags: list[str]) -> list[tuple[int, int]]:
    """The entities that a tagger has found, as spans of tokens.

    tags: one for each token: "O", or "B-" or "I-" and a kind, such as "B-PER" or "I-LOC". A B begins an entity. An I directly
    after a tag of the same kind belongs to the same entity; any other I begins a new one.
    Returns (start, end) for every entity, in order; `end` is the first token after it.
    """
    spans: list[tuple[int, int]] = []
    before = "O"
    for place, tag in enumerate(tags):
        if tag != "O":
            if tag.startswith("I-") and before[2:] == tag[2:]:
                spans[-1] = (spans[-1][0], place + 1)
            else:
                spans.append((place, place + 1))
        before = tag
    return spans


def objective(task: str) -> str:
    """Which pretraining fits the task better, "mlm" or "clm"?

    task: "sentiment" (is this review praise or blame?), "dialogue" (answer the user), "ner" (mark the names in a text), or
    "summary" (write a short version of a text).
    """
    return {"sentiment": "mlm", "ner": "mlm", "dialogue": "clm", "summary": "clm"}[task]


def efficiency() -> str:
    """A widely copied table compares the two objectives in a row called "training efficiency": MLM "learns from all tokens", CLM
    "predicts one token at a time". What is wrong with each half? Write the row as it should be, with numbers for a sequence of
    128 tokens, and say how much of the difference that this chapter measured is due to the labels. Then say why anyone would
    still choose MLM.

    Write five to eight sentences. Name the measurements of this chapter that support you.
    """
    return """
Both halves are the wrong way round. MLM reads all tokens, but it is asked about 15 % of them: its loss, and so its
gradient at the outputs, is exactly zero at all other positions. CLM predicts one token at a time when it generates; in
training, the causal mask lets every position predict its successor in one and the same pass. The row should read: of
128 tokens, MLM learns from about 19 in a pass, CLM from 127. In the chapter's experiment both models were asked about
the same blanks, against exact answers, and the causal one got within one nat after a fraction of the sentences. When
the loss of the causal model was cut down to 15 % of its positions, it needed more sentences than before, but still far
fewer than MLM. So the labels explain a part of the difference and not all of it: the masked question itself is slower
to learn from. One would still choose MLM where a text is to be understood rather than written, as in tagging or
classification: each token's vector has seen both sides, and a blank is filled in one pass, for which the causal model
needed one pass for every word of the vocabulary.
"""
