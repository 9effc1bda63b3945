"""Chapter 01: wrong answers that no exercise declares."""

import torch
import torch.nn.functional as F


def attend(scores, attention_mask, allowed, fill=float("-inf")):
    return torch.softmax(scores.masked_fill(~(allowed & attention_mask.bool()[:, None, :]), fill), -1)


def below(scores, diagonal):
    return torch.ones_like(scores[0]).tril(diagonal).bool()


def cross_entropy(logits, input_ids, **how):
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), input_ids[:, 1:].flatten(), **how)


def logits_gradient(logits, labels):
    asked = labels != -100
    out = torch.zeros_like(logits)
    out[asked] = logits[asked].softmax(-1)
    out[asked, labels[asked]] -= 1
    return out / asked.sum()


def by_tag(tags, join):
    spans = []
    for place, tag in enumerate(tags):
        if tag == "O":
            continue
        if spans and spans[-1][1] == place and join(tags[place - 1], tag):
            spans[-1] = (spans[-1][0], place + 1)
        else:
            spans.append((place, place + 1))
    return spans


def right_spans(tags):
    return by_tag(tags, lambda before, tag: tag[0] == "I" and before[2:] == tag[2:])


def sharp(logits, k, temperature, power=1.0):
    kept = logits.topk(min(k, len(logits))).indices
    out = torch.full_like(logits, -torch.inf)
    out[kept] = logits[kept] / temperature**power
    return out


WRONG = {
    "pretraining.clm_loss": {
        "a roll that is not cut": lambda logits, input_ids: F.cross_entropy(
            logits.flatten(0, 1), input_ids.roll(-1, 1).flatten()
        ).item(),
        "softmax before cross_entropy": lambda logits, input_ids: cross_entropy(logits.softmax(-1), input_ids).item(),
        "perplexity": lambda logits, input_ids: cross_entropy(logits, input_ids).exp().item(),
        "one loss a token": lambda logits, input_ids: cross_entropy(logits, input_ids, reduction="none"),
        "the last token only": lambda logits, input_ids: F.cross_entropy(logits[:, -2], input_ids[:, -1]).item(),
        "a loss a sentence": lambda logits, input_ids: (
            cross_entropy(logits, input_ids, reduction="none").reshape(len(input_ids), -1).mean(1)
        ),
        "base 10": lambda logits, input_ids: cross_entropy(logits, input_ids).item() / 2.302585093,
        "divided by the vocabulary": lambda logits, input_ids: cross_entropy(logits, input_ids).item() / logits.shape[-1],
    },
    "pretraining.causal_attention": {
        "tril(1)": lambda scores, attention_mask: attend(scores, attention_mask, below(scores, 1)),
        "tril(-1)": lambda scores, attention_mask: attend(scores, attention_mask, below(scores, -1)),
        "an added 0/1 mask": lambda scores, attention_mask: torch.softmax(
            scores + below(scores, 0) * attention_mask[:, None, :], -1
        ),
        "triu": lambda scores, attention_mask: attend(scores, attention_mask, ~below(scores, -1)),
        "the masked scores": lambda scores, attention_mask: scores.masked_fill(~below(scores, 0), float("-inf")),
        "uniform": lambda scores, attention_mask: attend(scores * 0, attention_mask, below(scores, 0)),
        "scaled": lambda scores, attention_mask: attend(scores / scores.shape[-1] ** 0.5, attention_mask, below(scores, 0)),
        "log softmax": lambda scores, attention_mask: attend(scores, attention_mask, below(scores, 0)).log(),
    },
    "pretraining.mlm_labels": {
        "plus 100": lambda input_ids, masked: torch.where(masked, input_ids, 100),
        "the mask": lambda input_ids, masked: masked.long(),
        "shifted the other way": lambda input_ids, masked: torch.where(masked, input_ids.roll(1, 1), -100),
        "one sentence": lambda input_ids, masked: torch.where(masked, input_ids, -100)[0],
        "multiplied": lambda input_ids, masked: input_ids * masked - 100,
        "flat": lambda input_ids, masked: torch.where(masked, input_ids, -100).flatten(),
    },
    "pretraining.loss_gradient": {
        "twice": lambda logits, labels: 2 * logits_gradient(logits, labels),
        "per vocabulary": lambda logits, labels: logits_gradient(logits, labels) / logits.shape[1],
        "transposed": lambda logits, labels: logits_gradient(logits, labels).T,
        "softmax over positions": lambda logits, labels: logits_gradient(logits.softmax(0).log(), labels),
        "only the labelled rows": lambda logits, labels: logits_gradient(logits, labels)[labels != -100],
        "shifted": lambda logits, labels: logits_gradient(logits, labels.roll(-1)),
        "softmax twice": lambda logits, labels: logits_gradient(logits.softmax(-1), labels),
        "a scalar": lambda logits, labels: logits_gradient(logits, labels).sum(),
    },
    "pretraining.top_k": {
        "logits": lambda logits, k, temperature: sharp(logits, k, temperature),
        "only the kept": lambda logits, k, temperature: sharp(logits, k, temperature).softmax(-1)[: min(k, len(logits))],
        "log probabilities": lambda logits, k, temperature: sharp(logits, k, temperature).log_softmax(-1),
        "temperature squared": lambda logits, k, temperature: sharp(logits, k, temperature, 2).softmax(-1),
        "k + 1": lambda logits, k, temperature: sharp(logits, k + 1, temperature).softmax(-1),
        "sorted": lambda logits, k, temperature: sharp(logits, k, temperature).softmax(-1).sort(descending=True).values,
        "the most likely": lambda logits, k, temperature: sharp(logits, 1, temperature).softmax(-1),
        "no cap on k": lambda logits, k, temperature: sharp(logits, k, temperature).softmax(-1) if k <= len(logits) else None,
    },
    "pretraining.aggregate_entities": {
        "from one": lambda tags: [(a + 1, b + 1) for a, b in right_spans(tags)],
        "end, start": lambda tags: [(b, a) for a, b in right_spans(tags)],
        "start and length": lambda tags: [(a, b - a) for a, b in right_spans(tags)],
        "the first is lost": lambda tags: right_spans(tags)[1:],
        "backwards": lambda tags: right_spans(tags)[::-1],
        "everything joined": lambda tags: by_tag(tags, lambda before, tag: True),
        "with names": lambda tags: [(tags[a][2:], a, b) for a, b in right_spans(tags)],
    },
    "pretraining.objective": {
        "capitals": lambda task: {"sentiment": "MLM", "ner": "MLM", "dialogue": "CLM", "summary": "CLM"}[task],
        "the task": lambda task: task,
        "true": lambda task: task in ("sentiment", "ner"),
        "printed": lambda task: print("mlm"),
        "dialogue by mlm": lambda task: {"sentiment": "mlm", "ner": "mlm", "dialogue": "mlm", "summary": "clm"}[task],
    },
}
