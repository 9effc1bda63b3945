"""Two ways to ask a language model how good it is: which of some answers it finds likeliest, and what it writes itself.

They measure different things. To know a right ending from wrong ones is easier than to write it; and what is called the likeliest
depends on whether log-probabilities are added up or averaged over an answer's tokens, since every further token costs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from courselib.lab.models.encoder import Pretrained


@dataclass(frozen=True)
class Ending:
    """A question: how a text begins, and some ways in which it may end, of which the one at `right` is its own."""

    begins: str
    endings: list[str]
    right: int


def questions_of(texts: list[str], choices: int = 4, share: float = 0.5, goes_on: list[str] | None = None) -> list[Ending]:
    """Each text cut after a share of its words, with its own ending and those of the texts after it.

    `goes_on`, one text each, is put behind the right ending, which makes it the longest. Raises ValueError where there are fewer
    texts than choices.
    """
    if len(texts) < choices:
        raise ValueError(f"{len(texts)} texts give no {choices} endings to choose from.")
    cut = [text.split() for text in texts]
    halves = [(" ".join(w[: int(share * len(w))]), " " + " ".join(w[int(share * len(w)) :])) for w in cut]
    questions = []
    for i, (begins, _) in enumerate(halves):
        right = i % choices
        others = [halves[(i + 1 + k) % len(halves)][1] for k in range(choices)]
        others[right] = halves[i][1] + (f" {goes_on[i]}" if goes_on else "")
        questions.append(Ending(begins, others, right))
    return questions


@torch.no_grad()
def log_p_of_endings(pretrained: Pretrained, question: Ending) -> tuple[Tensor, Tensor, int]:
    """Log-probability of each token: (choices, seq), 0 where there is none; lengths (choices,); tokens of the beginning."""
    model, tokenizer = pretrained
    begins = [tokenizer.eos_token_id, *tokenizer(question.begins)["input_ids"]]
    rows = [begins + tokenizer(ending)["input_ids"] + [tokenizer.eos_token_id] for ending in question.endings]
    lengths = torch.tensor([len(row) for row in rows])
    ids = torch.tensor([row + [tokenizer.pad_token_id] * (int(lengths.max()) - len(row)) for row in rows], device=model.device)
    logits = model(input_ids=ids).logits[:, :-1].float()  # (choices, seq - 1, vocab); padding comes last and is not read
    log_p = torch.zeros(ids.shape)
    log_p[:, 1:] = logits.log_softmax(-1).gather(-1, ids[:, 1:, None]).squeeze(-1).cpu()
    return log_p * (torch.arange(ids.shape[1]) < lengths[:, None]), lengths, len(begins)


@torch.no_grad()
def written_endings(pretrained: Pretrained, questions: list[Ending], tokens: int = 12) -> list[str]:
    """What the model writes itself after each beginning, likeliest token by token, until it ends the text."""
    model, tokenizer = pretrained
    out = []
    for question in questions:
        ids = torch.tensor([[tokenizer.eos_token_id, *tokenizer(question.begins)["input_ids"]]], device=model.device)
        start = ids.shape[1]
        settings = {"max_new_tokens": tokens, "do_sample": False, "pad_token_id": tokenizer.pad_token_id}
        made = model.generate(ids, attention_mask=torch.ones_like(ids), **settings)
        out.append(tokenizer.decode(made[0, start:], skip_special_tokens=True))
    return out
