"""Chapter 06: wrong answers that no exercise declares."""

import math

import torch


def written(messages, add_generation_prompt, turn="<|{role}|>\n{content}<|end|>", opening="<|assistant|>\n"):
    return "".join(turn.format(**message) for message in messages) + (opening if add_generation_prompt else "")


def nll(logits, labels):
    """Of each counted token: its negative log-likelihood, in nats."""
    log_p, wanted = logits[:, :-1].log_softmax(-1), labels[:, 1:]
    return -log_p.gather(-1, wanted.clamp(min=0)[..., None])[..., 0][wanted != -100]


def of_answer(logits, input_ids, answer_start):
    log_p = logits.log_softmax(-1)
    return [log_p[at - 1, input_ids[at]].item() for at in range(answer_start, len(input_ids))]


def shares(lengths, mean, micro_batch):
    size = {"token": len(lengths), "sequence": 1, "accumulated": micro_batch}[mean]
    pieces = [lengths[i : i + size] for i in range(0, len(lengths), size)]
    return [length / sum(piece) / len(pieces) for piece in pieces for length in piece]


def kept_apart(segments):
    return (segments[:, None] == segments[None, :]).tril()


WRONG = {
    "instruction.render_chat": {
        "loud roles": lambda messages, add_generation_prompt: written(
            [{**m, "role": m["role"].upper()} for m in messages], add_generation_prompt
        ),
        "windows breaks": lambda messages, add_generation_prompt: written(messages, add_generation_prompt).replace("\n", "\r\n"),
        "a break before the end": lambda messages, add_generation_prompt: written(
            messages, add_generation_prompt, turn="<|{role}|>\n{content}\n<|end|>"
        ),
        "another family's marks": lambda messages, add_generation_prompt: written(
            messages, add_generation_prompt, turn="<|im_start|>{role}\n{content}<|im_end|>\n", opening="<|im_start|>assistant\n"
        ),
        "the last turn alone": lambda messages, add_generation_prompt: written(messages[-1:], add_generation_prompt),
        "no system turn": lambda messages, add_generation_prompt: written(
            [m for m in messages if m["role"] != "system"], add_generation_prompt
        ),
    },
    "instruction.response_labels": {
        "the mask": lambda input_ids, assistant_mask: assistant_mask,
        "plus a hundred": lambda input_ids, assistant_mask: torch.where(assistant_mask == 1, input_ids, 100),
        "true and false": lambda input_ids, assistant_mask: assistant_mask == 1,
        "first row for all": lambda input_ids, assistant_mask: torch.where(assistant_mask[:1] == 1, input_ids, -100),
    },
    "instruction.response_loss": {
        "in bits": lambda logits, labels: nll(logits, labels).mean().item() / math.log(2),
        "perplexity": lambda logits, labels: nll(logits, labels).mean().exp().item(),
        "first row": lambda logits, labels: nll(logits[:1], labels[:1]).mean().item(),
        "half": lambda logits, labels: nll(logits, labels).mean().item() / 2,
        "rounded": lambda logits, labels: round(nll(logits, labels).mean().item(), 1),
        "a token each": lambda logits, labels: nll(logits, labels),
    },
    "instruction.share_of_gradient": {
        "in per cent": lambda lengths, mean, micro_batch: tuple(100 * s for s in shares(lengths, mean, micro_batch)),
        "sorted": lambda lengths, mean, micro_batch: tuple(sorted(shares(lengths, mean, micro_batch))),
        "backwards": lambda lengths, mean, micro_batch: tuple(shares(lengths, mean, micro_batch)[::-1]),
        "lengths": lambda lengths, mean, micro_batch: tuple(float(n) for n in lengths),
        "a token's weight": lambda lengths, mean, micro_batch: tuple(
            s / n for s, n in zip(shares(lengths, mean, micro_batch), lengths, strict=True)
        ),
    },
    "instruction.chain_loss": {
        "in bits": lambda steps: -torch.cat(list(steps)).mean().item() / math.log(2),
        "perplexity": lambda steps: torch.cat(list(steps)).mean().neg().exp().item(),
        "first step": lambda steps: -steps[0].mean().item(),
        "without the answer": lambda steps: -torch.cat(list(steps[:-1] or steps)).mean().item() / 2,
        "probabilities": lambda steps: torch.cat(list(steps)).exp().mean().item(),
    },
    "instruction.answer_log_probability": {
        "first token": lambda logits, input_ids, answer_start: of_answer(logits, input_ids, answer_start)[0],
        "in bits": lambda logits, input_ids, answer_start: sum(of_answer(logits, input_ids, answer_start)) / math.log(2),
        "raw logits": lambda logits, input_ids, answer_start: sum(
            logits[at - 1, input_ids[at]].item() for at in range(answer_start, len(input_ids))
        ),
        "the likeliest tokens": lambda logits, input_ids, answer_start: logits.log_softmax(-1)[answer_start - 1 : -1]
        .amax(-1).sum().item(),
        "each token": lambda logits, input_ids, answer_start: of_answer(logits, input_ids, answer_start),
        "in per cent": lambda logits, input_ids, answer_start: 100 * sum(of_answer(logits, input_ids, answer_start)),
    },
    "instruction.length_weight": {
        "base two": lambda length, max_length, gamma: 2.0 ** (-gamma * max(0, length - max_length)),
        "absolute": lambda length, max_length, gamma: math.exp(-gamma * abs(length - max_length)),
        "the logarithm": lambda length, max_length, gamma: -gamma * max(0, length - max_length),
        "rounded": lambda length, max_length, gamma: round(math.exp(-gamma * max(0, length - max_length)), 1),
        "gamma squared": lambda length, max_length, gamma: math.exp(-(gamma**2) * max(0, length - max_length)),
        "always one": lambda length, max_length, gamma: 1.0,
    },
    "instruction.block_mask": {
        "all": lambda segments: torch.ones(len(segments), len(segments), dtype=torch.bool),
        "only itself": lambda segments: torch.eye(len(segments), dtype=torch.bool),
        "added to scores": lambda segments: torch.zeros(len(segments), len(segments)).masked_fill(
            ~kept_apart(segments), -math.inf
        ),
        "segment numbers": lambda segments: kept_apart(segments) * segments[:, None],
        "a row of sums": lambda segments: kept_apart(segments).sum(1),
    },
    "instruction.break_even_quality": {
        "in per cent": lambda samples, quality, other_samples: 100 * samples * quality / other_samples,
        "the product": lambda samples, quality, other_samples: samples * quality * other_samples,
        "pairs, not quality": lambda samples, quality, other_samples: samples * quality,
        "what is missing": lambda samples, quality, other_samples: 1 - samples * quality / other_samples,
        "the same quality": lambda samples, quality, other_samples: quality,
    },
}
