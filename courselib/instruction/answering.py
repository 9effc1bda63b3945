"""Asking a model: the prompt through the template, the answer token by token, and what it is worth.

A model is asked the way it was trained: the template, the opening of the assistant's turn, and then its own words until the end
of the turn. What was measured is whether it *stopped*, apart from whether it was right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

from courselib.instruction.chat import END_OF_TURN, messages_of, render_chat
from courselib.lab.data.worlds import correct
from courselib.lab.models.encoder import Pretrained
from courselib.lab.training import Step

LONGEST = 16  # tokens of an answer; the longest right one has 15


class Reply(NamedTuple):
    """What the model said, special tokens left out, and whether it ended its turn by itself."""

    text: str
    stopped: bool


@torch.no_grad()
def reply(
    pretrained: Pretrained, instructions: Sequence[str], longest: int = LONGEST, alter: Callable[[str], str] = str
) -> list[Reply]:
    """The model's likeliest answer to each instruction, token by token, at most `longest` tokens.

    `alter` may change the finished prompt, so that it is no longer the template of the training.
    """
    model, tokenizer = pretrained
    end = tokenizer.convert_tokens_to_ids(END_OF_TURN)
    texts = [alter(render_chat(messages_of(instruction), add_generation_prompt=True)) for instruction in instructions]
    rows = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    width = max(map(len, rows))  # padding goes to the left, so that every prompt ends where its answer begins
    ids = torch.tensor([[tokenizer.pad_token_id] * (width - len(row)) + row for row in rows], device=model.device)
    real = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=model.device)
    found = model.generate(
        input_ids=ids, attention_mask=real, max_new_tokens=longest, do_sample=False, eos_token_id=end,
        pad_token_id=tokenizer.pad_token_id,
    )[:, width:].tolist()
    return [Reply(tokenizer.decode(row, skip_special_tokens=True), end in row) for row in found]


class Score(NamedTuple):
    """Shares of the instructions: answered right *and* stopped; stopped at all."""

    right: float
    stopped: float


def score_answers(pretrained: Pretrained, pairs: Sequence[tuple[str, str]], alter: Callable[[str], str] = str) -> Score:
    """How well instructions of the world `instructions` are answered. Several answers may be right; all of them count."""
    replies = reply(pretrained, [instruction for instruction, _ in pairs], alter=alter)
    right = [r.stopped and correct(instruction, r.text) for (instruction, _), r in zip(pairs, replies, strict=True)]
    return Score(sum(right) / len(right), sum(r.stopped for r in replies) / len(replies))


class Panel:
    """A callback for `fit`: at certain steps the same prompts are answered, so that one sees an assistant come about.

    `pages` are (step, replies, score of the held-out pairs). Step 0 is looked at when it is made.
    """

    def __init__(self, pretrained: Pretrained, prompts: Sequence[str], held_out: Sequence[tuple[str, str]], at: Sequence[int]):
        self.pretrained, self.prompts, self.held_out, self.at = pretrained, list(prompts), list(held_out), set(at)
        self.pages: list[tuple[int, list[Reply], Score]] = []
        self._look(0)

    def __call__(self, step: Step) -> None:
        if step.number in self.at:
            step.model.eval()
            self._look(step.number)

    def _look(self, number: int) -> None:
        self.pages.append((number, reply(self.pretrained, self.prompts), score_answers(self.pretrained, self.held_out)))

    def __str__(self) -> str:
        lines = []
        for number, prompt in enumerate(self.prompts):
            lines.append(prompt)
            for step, replies, _ in self.pages:
                said = replies[number]
                lines.append(f"  step {step:4}  {said.text.strip()!r}{'' if said.stopped else ' … (does not stop)'}")
        return "\n".join(lines)
