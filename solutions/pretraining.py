"""Model answers of chapter 01."""

import math
from collections import Counter

import torch
from torch import Tensor, nn


def train_bpe(words: dict[str, int], merges: int) -> tuple[tuple[str, str], ...]:
    """The merges that byte-pair encoding learns from a text.

    words: how often each word occurs in the text. At first every word is cut into its single characters.
    merges: how many to learn. There are always enough pairs, and no two pairs are ever equally frequent at the top.
    Returns the merged pairs, the one learned first first: such as (("t", "h"), ("th", "e")). No pair crosses the end of a word.
    """
    cut = {word: list(word) for word in words}
    learned = []
    for _ in range(merges):
        counts = Counter()
        for word, pieces in cut.items():
            for left, right in zip(pieces, pieces[1:], strict=False):
                counts[left, right] += words[word]
        pair = max(counts, key=counts.get)
        learned.append(pair)
        for pieces in cut.values():
            i = 0
            while i < len(pieces) - 1:
                if (pieces[i], pieces[i + 1]) == pair:
                    pieces[i : i + 2] = ["".join(pair)]
                i += 1
    return tuple(learned)


def mlm_labels(input_ids: Tensor, masked: Tensor) -> Tensor:
    """The labels of masked language modelling: what the loss asks for at every position.

    input_ids: (batch, seq), the tokens as they were before corruption.
    masked: (batch, seq), True where a token was chosen for prediction (whether it then becomes [MASK] or not).
    Returns (batch, seq): the original token where one was chosen, -100 where the loss shall ask nothing.
    """
    return torch.where(masked, input_ids, -100)


def mlm_corrupt(
    input_ids: Tensor, special: Tensor, chance: Tensor, fate: Tensor, words: Tensor, mask_id: int
) -> tuple[Tensor, Tensor]:
    """What a masked model reads, and what it is asked: the whole rule, 15 % and 80/10/10.

    Five tensors of one shape (batch, seq):
    input_ids: the tokens.   special: True at brackets and padding, which are never chosen.
    chance: uniform numbers from 0 to 1; a token is chosen where its number is below 0.15.
    fate: other uniform numbers; they decide what becomes of a chosen token: [MASK] below 0.8, a random token from there to below
    0.9, itself from 0.9 on.   words: the random tokens, one for every place, for where one is needed.
    mask_id: the number of [MASK].
    Returns (read, labels), both (batch, seq). Labels are -100 where nothing is asked.
    """
    chosen = (chance < 0.15) & ~special
    read = torch.where(chosen & (fate < 0.8), mask_id, input_ids)
    read = torch.where(chosen & (fate >= 0.8) & (fate < 0.9), words, read)
    return read, torch.where(chosen, input_ids, -100)


def masked_step(model: nn.Module, optimizer: torch.optim.Optimizer, ids: Tensor, rate: float, mask_id: int) -> float:
    """One training step of masked language modelling, in its plain form: every chosen word is hidden.

    model: `model(ids)` are logits, (n, length, words).   optimizer: holds the model's parameters.   ids: (n, length), sentences
    without padding.   rate: the share of words to choose, at random.   mask_id: what stands in the place of a hidden word.
    Returns the loss of this step, a float: the mean over the hidden words. Autograd is welcome.
    """
    targets = ids.clone()
    visible = torch.rand(ids.shape) >= rate
    targets[visible] = -100
    read = torch.where(visible, ids, mask_id)
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(read).transpose(1, 2), targets)
    loss.backward()
    optimizer.step()
    return loss.item()


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


def top_p(logits: Tensor, p: float) -> Tensor:
    """Find the bug. Top-p sampling (the "nucleus") keeps the fewest likeliest tokens whose probabilities together reach p, and
    draws from those. The code below runs. But the text that it writes at p = 0.9 is worse than without it, and whenever one token
    alone has more than 0.9, all probabilities are NaN. There is more than one mistake. Write it right.

        ordered, order = logits.sort(descending=True)
        total = ordered.softmax(-1).cumsum(-1)          # what the likeliest 1, 2, 3 ... tokens have together
        kept = logits.masked_fill(total > p, -math.inf)
        return kept.softmax(-1)

    logits: (vocab,), no two equal.   p: above 0 and below 1.
    Returns (vocab,): probabilities that sum to 1, exactly zero for every token that is not kept.
    """
    order = logits.argsort(descending=True)
    chances = logits.softmax(-1)[order]
    nucleus = order[chances.cumsum(-1) - chances < p]  # what the likelier tokens have together is still below p
    kept = torch.zeros(len(logits), dtype=torch.bool)
    kept[nucleus] = True
    return logits.masked_fill(~kept, -math.inf).softmax(-1)


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


def forecast(vocab_size: int) -> tuple[float, str]:
    """Predict, then run: commit yourself before the next cells show it.

    1. A model that has learned nothing gives every token about the same probability. What is its loss, in nats a label, for a
       vocabulary of `vocab_size` tokens?
    2. A causal model, the same with its loss at a random 15 % of the positions ("few"), and a masked model that chooses 15 %:
       all of one size, on the same sentences, asked about the same blanks. Which needs the fewest sentences, which the most?
       Each letter names the one that needs the fewest first.
       "A": causal, few, masked.   "B": causal, masked, few.   "C": masked, causal, few.   "D": masked, few, causal.

    Returns (loss, letter), such as (0.5, "C").
    """
    return math.log(vocab_size), "A"


def fill_blank(log_p: Tensor, place: int) -> Tensor:
    """How a causal model answers a blank: Bayes' rule over whole sentences.

    log_p: (candidates, n), in nats. In row w the candidate w stands in the blank, and entry [w, i] is the log-probability that
    the model gives the i-th token, given the tokens before it. A row may sum to less than -1000.
    place: the position of the blank, from 0 to n - 1.
    Returns (candidates,): the probability of each candidate, given everything else in the sentence.
    """
    return log_p[:, place:].sum(-1).softmax(-1)  # what stands left of the blank is the same for all: it cancels


def choose() -> str:
    """Choose and justify. Three jobs, and one budget of text for each:

    (a) A million forms come in a day. In each of them one illegible word is to be filled in, from a list of 100 words.
    (b) A model shall be useful as early as possible: only a thousand sentences of a rare dialect exist.
    (c) Replies to letters are to be written.

    Choose an objective for each, and for every masked model a masking rate. Support each choice with a measurement of this
    chapter (its number and its interval), say which measurement speaks against it, and what you would measure before you
    believe it.

    Write eight to twelve sentences.
    """
    return """
(a) Masked. Answering decides here: one pass fills the blank, where a causal model needs one for each of the 100 words, a
hundred million passes a day instead of one million. Against it speaks that the causal model got within a nat after a fraction
of the sentences; but forms come by the million, and after long training the masked model's answers were close to the exact
ones too. As rate I would begin with 40 %, which needed fewer sentences than 15 % in our experiment, with an interval that lies
below 1. (b) Causal. Learning decides: with about a thousand sentences the causal model was already within a nat, and the masked
one had hardly begun. The price, a pass for each candidate, does not matter while there is little to answer. (c) Causal,
because a reply has to be written from left to right, and separate answers for several blanks gave impossible pairs the same
probability as possible ones. None of this was measured on real text or on a large model: the factors belong to one small
language of 111 tokens and two layers. Before I believed them I would train both objectives, with learning rates of their own
and several seeds, on a part of the forms, and measure the answers on forms that nobody trained on. Nor did we measure a masked
model that goes on from a causal one, or an encoder-decoder, which might serve (a) and (c) at once.
"""


def efficiency() -> str:
    """You may meet a table that compares the two objectives in a row called "training efficiency": MLM "learns from all tokens",
    CLM "predicts one token at a time". What is wrong with each half? Write the row as it should be, with numbers for a sequence
    of 128 tokens, and say how much of the difference that this chapter measured is due to the labels. Then say why anyone
    would still choose MLM.

    Write five to eight sentences. Name the measurements of this chapter that support you.
    """
    return """
Both halves are the wrong way round. MLM reads all tokens, but it is asked about 15 % of them: its loss, and so its
gradient at the outputs, is exactly zero at all other positions. CLM predicts one token at a time when it generates; in
training, the causal mask lets every position predict its successor in one and the same pass. The row should read: of
128 tokens, MLM learns from about 19 in a pass, CLM from 127. In the chapter's experiment both models were asked about
the same blanks, against exact answers, and the causal one got within one nat after a fraction of the sentences. When
the loss of the causal model was cut down to 15 % of its positions, it needed more sentences than before, but still far
fewer than MLM. So the labels explain a part of the difference and not all of it. Nor do the
swapped words explain much of the rest: without them the masked model needed only somewhat fewer sentences. One would still
choose MLM where a text is to be understood rather than written, as in tagging or classification: each token's vector has
seen both sides, and a blank is filled in one pass, for which the causal model needed one pass for every word of the
vocabulary.
"""
