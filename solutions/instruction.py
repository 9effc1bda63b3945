"""Model answers of chapter 06. A label of -100 is left out of every loss; position t of the logits predicts token t + 1."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def instruction_render_chat(messages: list[dict], add_generation_prompt: bool) -> str:
    """A conversation as the one string that the course's causal model reads.

    messages: the turns in order, each {"role": "system", "user" or "assistant", "content": what was said}. A turn is its role in
    <| and |>, a line break, the content as it is, and <|end|>. Nothing stands between two turns.
    add_generation_prompt: whether the opening of an assistant's turn, up to its line break, comes after the last turn.
    """
    text = ""
    for turn in messages:
        text += "<|" + turn["role"] + "|>\n" + turn["content"] + "<|end|>"
    return text + "<|assistant|>\n" if add_generation_prompt else text


def instruction_response_labels(input_ids: Tensor, assistant_mask: Tensor) -> Tensor:
    """The labels of instruction tuning: what the assistant said is to be learned, and nothing else.

    input_ids: (batch, seq), whole numbers.   assistant_mask: (batch, seq), 1 where a token is the assistant's, otherwise 0.
    Returns (batch, seq): the token's id where it is to be learned, -100 elsewhere. Not shifted. Leaves input_ids as they were.
    """
    return torch.where(assistant_mask == 1, input_ids, -100)


def instruction_response_loss(logits: Tensor, labels: Tensor) -> float:
    """The loss of instruction tuning: the mean negative log-likelihood, in nats, over all counted tokens of the batch.

    logits: (batch, seq, vocab).   labels: (batch, seq), not shifted, -100 where a token is not to be learned.
    The logits at one position are about the token that comes next.
    """
    flat = F.log_softmax(logits[:, :-1], dim=-1).reshape(-1, logits.shape[-1])  # ((batch * (seq - 1)), vocab)
    wanted = labels[:, 1:].reshape(-1)
    rows = torch.nonzero(wanted != -100).flatten()
    return -flat[rows, wanted[rows]].mean().item()


def instruction_share_of_gradient(lengths: list[int], mean: str, micro_batch: int) -> tuple[float, ...]:
    """Which part of a training step each response of a batch gets: the sum of its tokens' weights in the loss.

    lengths: the counted tokens of each response.   mean: "token", the mean over all counted tokens of the batch; "sequence", the
    mean over responses of each one's mean; or "accumulated", where `micro_batch` responses at a time go through the model, each
    such piece with its own mean over tokens, and the gradients of the pieces are averaged. The number of responses is a multiple
    of it. Returns one number a response; together they are 1.
    """
    if mean == "sequence":
        micro_batch = 1
    elif mean == "token":
        micro_batch = len(lengths)
    pieces = [lengths[i : i + micro_batch] for i in range(0, len(lengths), micro_batch)]
    return tuple(length / sum(piece) / len(pieces) for piece in pieces for length in piece)


def instruction_mend_collate(rows: list[list[int]], assistant_masks: list[list[int]], pad: int) -> tuple[Tensor, Tensor, Tensor]:
    """Conversations of unequal length as one batch, padded on the right. The padding token may also be a token that is said.

    rows: the ids of each conversation.   assistant_masks: for each of their tokens 1 if it is the assistant's.   pad: the token
    to fill up with. Returns three tensors (batch, longest): the ids; 1 where there is a real token and 0 where there is padding;
    the labels, -100 wherever a token is not the assistant's.
    """
    shape = (len(rows), max(map(len, rows)))
    ids, real, labels = torch.full(shape, pad), torch.zeros(shape, dtype=torch.long), torch.full(shape, -100)
    for i, (row, mask) in enumerate(zip(rows, assistant_masks, strict=True)):
        for j, (token, said) in enumerate(zip(row, mask, strict=True)):
            ids[i, j], real[i, j] = token, 1
            if said:
                labels[i, j] = token
    return ids, real, labels


def instruction_sft_step(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer, input_ids: Tensor, assistant_mask: Tensor
) -> None:
    """One step of instruction tuning, in place. It is called again and again, each time with a new batch.

    model: model(input_ids) returns logits (batch, seq, vocab); those at one position are about the next token.
    optimizer: a torch optimizer of the model's parameters.   input_ids, assistant_mask: (batch, seq), no padding; the mask is 1
    on what the assistant says and on the end of its turn. Only that is to be learned. Nothing needs to be returned.
    """
    targets = instruction_response_labels(input_ids, assistant_mask)[:, 1:]
    loss = F.cross_entropy(model(input_ids)[:, :-1].transpose(1, 2), targets, ignore_index=-100)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def instruction_chain_loss(steps: list[Tensor]) -> float:
    """The loss of a chain of thought, as of any other response: the mean negative log-likelihood a token.

    steps: for each reasoning step the log-probabilities of its tokens, and last those of the answer; of any lengths.
    """
    tokens = torch.cat(list(steps))
    return -(tokens.sum() / tokens.numel()).item()


def instruction_answer_log_probability(logits: Tensor, input_ids: Tensor, answer_start: int) -> float:
    """log p(a | x, r): how likely the model holds the whole answer, given the question and the reasons, in nats.

    logits: (seq, vocab).   input_ids: (seq,), question, reasons and answer one after another.   answer_start: the position of the
    answer's first token; it reaches to the end.
    """
    log_p = F.log_softmax(logits, dim=-1)
    return sum(log_p[at - 1, input_ids[at]].item() for at in range(answer_start, len(input_ids)))


def instruction_length_weight(length: float, max_length: float, gamma: float) -> float:
    """The weight of an example by its length: 1 up to max_length, and beyond it exp(-gamma) for each token more, multiplied.

    length: the tokens of the response.   gamma: 0 or more.
    """
    excess = max(0, length - max_length)
    return math.exp(-gamma * excess)


def instruction_block_mask(segments: Tensor) -> Tensor:
    """Which token of a packed row may look at which, in a causal model.

    segments: (seq,), for each token the number of the conversation that it is of; equal numbers stand together.
    Returns (seq, seq) with true (or 1) in row i and column j where token i may look at token j: at itself, and at what came
    before it in its own conversation.
    """
    at = torch.arange(len(segments))
    return (segments.unsqueeze(1) == segments.unsqueeze(0)) & (at.unsqueeze(1) >= at.unsqueeze(0))


def instruction_break_even_quality(samples: float, quality: float, other_samples: float) -> float:
    """Under the law that performance depends on samples times quality alone: the quality at which the other set draws level.

    samples, quality: of the first set.   other_samples: of the other. A result above 1 says that no quality is enough.
    """
    return samples / other_samples * quality


def instruction_select_examples(kinds: list[int], quality: list[float], budget: int) -> list[int]:
    """Which examples to fine-tune on, if only `budget` of them may be taken.

    kinds: for each example what kind of instruction it is; the test asks all kinds equally.   quality: for each an estimate,
    larger is better, of whether its response is right; responses of low quality are mostly wrong. `budget` is at least twice the
    number of kinds. Returns the positions of the chosen examples, none of them twice.
    """
    best = sorted(range(len(kinds)), key=lambda i: -quality[i])
    queues = {kind: [i for i in best if kinds[i] == kind] for kind in sorted(set(kinds))}
    chosen: list[int] = []
    while len(chosen) < budget and any(queues.values()):
        for queue in queues.values():
            if queue and len(chosen) < budget:
                chosen.append(queue.pop(0))
    return chosen


def instruction_choose_data() -> str:
    """You may spend one month on a set of instructions for a small model. Offer A: 5,000 pairs that a program writes, of which
    about four in ten are wrong. Offer B: 1,000 pairs that people have checked, all of one kind of instruction. Offer C: the
    money of A and B for 600 checked pairs of all kinds.

    What would you take, and what would you measure before you decide? Write five to eight sentences. Name the measurements of
    this chapter that speak for your choice, and say of at least one of them why it may not carry over.
    """
    return """
I would take C, or C together with the part of A that a check lets through. The grid of section 9 says that both more pairs and
cleaner pairs help, but not in exchange for one another at the rate of the law N·q: its two fitted exponents differ, and a clean
small set beat a larger one with the same N·q. By that law A's 5,000 pairs at 0.6 would be worth five times C's 600, which the
grid does not bear out. B I would refuse: in the chapter the model that had been given few kinds of instruction was good at those
and poor at kinds that it had not seen, however clean its pairs were, and the test asks all kinds. Before deciding I would
fine-tune on small samples of each offer, with five seeds and a rate of its own for each, and compare accuracy on held-out
wordings of all kinds; and I would check a hundred of A's pairs by hand, because the share that is wrong is the seller's figure.
What may not carry over: the wrong responses of the grid were drawn at random, and such errors average out with more pairs, while
a program's errors are mostly the same one over and over, which no amount of data averages out. The small model was also fresh,
and a pretrained one may need far fewer pairs for everything.
"""
