"""Model answers of chapter 03."""

import math

import numpy as np
import torch
from torch import Tensor


def domain_kl_divergence(p: list[float], q: list[float]) -> float:
    """The Kullback-Leibler divergence KL(p || q) of two distributions over the same things, in nats.

    p, q: equally many probabilities. Where p is 0, the term is 0, whatever q is. Where q is 0 and p is not, the
    divergence is infinite (math.inf). Raises ValueError when p or q has a negative entry, or does not sum to 1 within 1e-6.
    """
    for probabilities in (p, q):
        if min(probabilities) < 0 or abs(sum(probabilities) - 1) > 1e-6:
            raise ValueError("expected probabilities: not negative, and with sum 1")
    total = 0.0
    for p_i, q_i in zip(p, q, strict=True):
        if p_i > 0:
            total += p_i * math.log(p_i / q_i) if q_i > 0 else math.inf
    return float(total)


def domain_shift_kind(source: list[list[float]], target: list[list[float]]) -> str:
    """Which kind of shift lies between two joint distributions P(x, y): "none", "covariate", "label" or "concept".

    source, target: tables of one shape, a row an x, a column a y, each with sum 1; all entries of `source` are above 0. In
    `target` some x or some y may not occur at all: then nothing conditioned on it can have moved. "covariate": P(y|x) stands,
    for every x that occurs. "label": P(x|y) stands, for every y that occurs. "concept": neither stands. "none": the tables are
    equal.
    The numbers were computed with floats: what differs by less than 1e-9 is equal.
    """
    a, b = np.asarray(source, dtype=float), np.asarray(target, dtype=float)

    def rows_stand(a: np.ndarray, b: np.ndarray) -> bool:
        occurs = b.sum(1) > 0
        before, after = (t[occurs] / t[occurs].sum(1, keepdims=True) for t in (a, b))
        return np.allclose(before, after, rtol=0, atol=1e-9)

    if np.allclose(a, b, rtol=0, atol=1e-9):
        return "none"
    if rows_stand(a, b):
        return "covariate"
    return "label" if rows_stand(a.T, b.T) else "concept"


def domain_perplexity(token_log_probs: list[float]) -> float:
    """The perplexity of a text from the log-probability (natural log) that the model gave to each of its tokens.

    token_log_probs: one number a token, none positive; from one to many thousands of them.
    """
    return float(np.exp(-np.mean(token_log_probs)))


def domain_corpus_loss(nats: Tensor, mask: Tensor, normaliser: str) -> float:
    """The loss of a padded batch of documents, in nats a token: what `padded_loss` above should have computed.

    nats: (documents, longest), -log p of each token; where there is padding it may hold anything, even nan.
    mask: (documents, longest), True where there is a token.
    normaliser: "token", the mean over all tokens, or "document", the mean of the documents' means. A document without any token
    is no document: it is left out.
    """
    totals = nats.masked_fill(~mask, 0.0).sum(1)  # (documents,)
    lengths = mask.sum(1)
    if normaliser == "token":
        return float(totals.sum() / lengths.sum())
    some = lengths > 0
    return float((totals[some] / lengths[some]).mean())


def domain_nll_gradient(logits: Tensor, target: Tensor) -> Tensor:
    """The gradient, with respect to the logits, of the mean negative log-likelihood of the targets. By hand: no autograd.

    logits: (positions, vocab), of any size: they may be in the thousands.   target: (positions,), the token that came, as an
    index into the vocabulary; or -100, where a position does not count (padding). The mean is over the positions that count;
    the others get a gradient of zero. Where no position counts at all, the whole gradient is zero.
    Returns (positions, vocab).
    """
    counts = target != -100  # (positions,)
    gradient = torch.softmax(logits, dim=-1)
    gradient[counts, target[counts]] -= 1
    return gradient * counts[:, None] / counts.sum().clamp(min=1)


def domain_choose_alpha(
    alphas: list[float], domain_losses: list[float], general_losses: list[float], general_before: float, penalty: float
) -> float:
    """The mixing share with the best trade-off on validation data: the alpha that minimises

        domain loss + penalty * forgetting,   where forgetting is how far the general loss has risen above `general_before`.

    alphas: the shares tried.   domain_losses, general_losses: what the model that was trained with each of them reaches.
    general_before: the general loss before any adaptation. A general loss that fell counts as no forgetting, not as
    negative forgetting. penalty: 0 or more.   Returns one of the alphas (not its position).
    """
    scores = [
        domain + penalty * max(0.0, general - general_before)
        for domain, general in zip(domain_losses, general_losses, strict=True)
    ]
    return alphas[scores.index(min(scores))]


def domain_adapt_step(model: torch.nn.Module, optimizer: torch.optim.Optimizer, notes: Tensor, general: Tensor) -> None:
    """One step of continued pretraining that learns the notes and does not lose what the model knew. Change the model in place.

    model: was pretrained on general text. `model(ids)` takes tokens (windows, n) and returns logits (windows, n, vocab): those at
    a position are for the token that comes next.   optimizer: Adam over the model's parameters, at a rate that is right for
    learning the notes; its gradients are zero.
    notes, general: 8 windows each, (8, length); other ones at each step.

    Your step is carried out 150 times. Then it is measured, exactly: which share of the distance to the notes is gone (it should
    be 0.87 at least), and how far the model has left the general text behind (0.14 at most; 1 is a model of notes alone).
    """
    windows = torch.cat([notes, general])
    predicted = model(windows[:, :-1]).flatten(0, 1)  # (16 * (length - 1), vocab)
    torch.nn.functional.cross_entropy(predicted, windows[:, 1:].flatten()).backward()
    optimizer.step()


def domain_predict_forgetting() -> tuple[str, str, str]:
    """Three predictions about the small model, each "more" or "less". Commit yourself before the next cells show it.

    First, LoRA on the blocks, adapter on. Take the plain run whose learning rate was made so small that it has learned the notes
    just as well as LoRA. Has LoRA forgotten more or less of the general text than this plain run?
    Second, EWC. It ends farther away from the pretrained weights than plain training does. Has it forgotten more or less?
    Third, replay with half general text, trained for two and a half times as many steps. Has it then forgotten more or less
    than after the usual number of steps?
    """
    return "more", "less", "less"


def domain_data_mix(samples: int, general_share: float) -> tuple[int, int]:
    """How many of `samples` training samples to take from the domain and how many from general data, in this order.

    general_share: the share of general data in the whole, from 0 to 1. Round the number of general samples to the nearest whole
    number, a half up (2.5 becomes 3), and make sure that the two numbers add up to `samples`.   Returns (domain, general).
    """
    general = math.floor(samples * general_share + 0.5)
    return samples - general, general


def domain_curriculum_weights(difficulty: list[float], beta: float) -> np.ndarray:
    """The probability with which a curriculum draws each document: proportional to exp(-beta * difficulty).

    difficulty: one number a document, of any size.   beta: 0 draws all alike, a positive one prefers easy documents, a
    negative one hard ones. It may be as large as 1000 or as small as -1000: no result may overflow or become nan.
    Returns one probability a document; they sum to 1.
    """
    scores = -beta * np.asarray(difficulty, dtype=float)
    raised = np.exp(scores - scores.max())
    return raised / raised.sum()


def domain_packed_mask(lengths: list[int]) -> Tensor:
    """The attention mask of several documents that are packed, one after another, into one sequence.

    lengths: how many tokens each document has, at least 1.   Returns (seq, seq), seq being the sum of the lengths, of whole
    numbers: 1 in row i and column j where the token at position i may look at the one at position j, and 0 where it may not. A
    token sees itself, and those before it in its own document; nothing else.
    """
    document = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))  # (seq,)
    return (document[:, None] == document[None, :]).tril().long()


def domain_choose_protection() -> str:
    """A clinic adapts the small model of this chapter. Its rules: the general loss may rise by at most 0.6 nats a word; there is
    time for 24 steps; and the contract for the general text ends *before* the adaptation begins. (Until then it may be read.)

    Choose a method out of the tables of sections 4 and 5. In at most eight sentences: say which, and which you reject and
    why; quote the measurements with their intervals that decide it; name one thing that the intervals do not cover, and one
    measurement that would change your mind. Would you choose the same with time for 60 steps and no end to the contract?
    """
    return """
I choose EWC. Replay would keep the rule on forgetting too, but it needs the general text while it trains, and the contract ends
before; EWC reads that text once, for the Fisher information, and then needs only the weights and one number for each. Plain
training is out: at the rate of section 3 its general loss rises by about three nats a word, and the gentle run (1e-3), which
keeps to 0.6, has learned much less of the notes than EWC, far outside both intervals. LoRA with its adapter on learns
less and forgets more than EWC; only with the adapter off is everything back, and then the notes are gone too. The intervals
cover five seeds of the adaptation; they do not cover another pretrained model, other test texts, or real notes. I
would change my mind if EWC on a second pretrained model rose by more than 0.6. With 60 steps and the text at hand I would take
replay: that run was measured, it learned more than EWC did in 24 steps, and its general loss rose by less than 0.6. EWC at 60
steps was not measured, so I would run it before I called replay the better one.
"""


def domain_medical_bert() -> str:
    """A clinic wants to sort its notes with BERT-base, a model of general English, and a few hundred labelled notes. The first
    try disappoints. Name **two** different things that can stand in the way in this domain. For each, say how you would *measure*
    whether it is there, and what you would do about it. Then say what you would watch so that the remedy does no harm.

    At most eight sentences. Use numbers of this chapter where you can.
    """
    return """
First, knowledge that is missing: the model may not know that two drug names belong together. I would fine-tune on some names
and test on others, as in section 3, where the model that had read no more notes stayed far behind the one that had. The remedy
is continued pretraining on unlabelled notes, of which a clinic has plenty, and then the task; the other order overwrites the
task.
Second, a low ceiling: few labels, noisy ones, or a concept that differs between clinics (the same words, another label). I would
let two doctors label the same notes and measure how far they agree; if they do not, the remedy is better labels, not a better
encoder. A vocabulary that is cut up is the third suspect, but I would measure before I believe it: "myocardial infarction" is six
pieces, and the encoder of section 7 still found its description at once. I would watch the general loss before and
after, and the task's score on a test split by patient.
"""
