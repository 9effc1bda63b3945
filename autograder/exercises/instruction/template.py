"""Exercises of chapter 06 on conversations as text: the template, the labels, and a batch that is collated wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

import solutions.instruction as answers
from autograder.exercises.draws import integer
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

# --- render_chat ------------------------------------------------------------------------------------------------------

SAID = ["Name three tools", "Count these words: sun,  lamp", "  Two spaces, kept", "Two\nlines", "Thanks.", "Hammer, saw and "
"rake.\n", "Why?"]


def render_cases(rng: np.random.Generator) -> list[Case]:
    def turns(*roles: str) -> list[dict[str, str]]:
        said = rng.permutation(SAID)
        return [{"role": role, "content": f"{said[i]} {integer(rng, 1, 99)}" + "\n" * (i == 1)} for i, role in enumerate(roles)]

    return [
        Case("one question, to be answered", {"messages": turns("user"), "add_generation_prompt": True}, "open"),
        Case("system, user, assistant, user, to be answered",
             {"messages": turns("system", "user", "assistant", "user"), "add_generation_prompt": True}, "open"),
        Case("a question and its answer", {"messages": turns("user", "assistant"), "add_generation_prompt": False}, "closed"),
        Case("two rounds",
             {"messages": turns("system", "user", "assistant", "user", "assistant"), "add_generation_prompt": False}, "closed"),
    ]


def _rendered(break_: str = "\n", between: str = "", end: str = "<|end|>", opening: str = "<|assistant|>\n",
              edit: Callable[[str], str] = str, roles: bool = True, open_too: bool = False,
              always: bool = False) -> Callable[..., str]:
    """The answer with one thing wrong, chosen by a keyword."""

    def wrong(messages: list[dict[str, str]], add_generation_prompt: bool) -> str:
        turns = []
        for message in messages:
            role = message["role"] if roles else "user"
            last = end if message["role"] != "assistant" or not open_too else ""
            turns.append(f"<|{role}|>{break_}{edit(message['content'])}{last}")
        return between.join(turns) + (opening if add_generation_prompt or always else "")

    return wrong


render_chat = Exercise(
    id="instruction.render_chat",
    answer=answers.instruction_render_chat,
    cases=render_cases,
    parts=[Part("to be answered", 1, on="open"), Part("with its answer", 1, on="closed")],
    misconceptions=[
        Misconception(
            "no_break", _rendered(break_=" "),
            "After the role comes a line break, not a space. One character is enough to make a prompt that the model has never "
            "seen.",
        ),
        Misconception(
            "a_line_a_turn", _rendered(between="\n", opening="\n<|assistant|>\n"),
            "You put a line break between the turns. This template has none: <|end|> and the next role stand side by side.",
        ),
        Misconception(
            "no_end", _rendered(end=""),
            "<|end|> is missing. Nobody would ever see a turn end, and the model would not learn to end its own.",
        ),
        Misconception(
            "assistant_not_ended", _rendered(open_too=True), earns=0,
            says="The assistant's own turns are not ended. That <|end|> is the very token by which it learns to stop.",
        ),
        Misconception(
            "never_opened", _rendered(opening=""), earns=1,
            says="add_generation_prompt does nothing: the model would have to begin with its own role, or continue the user's "
            "turn.",
        ),
        Misconception(
            "always_opened", _rendered(always=True), earns=1,
            says="You open an assistant's turn whether it is asked for or not. In training that would be a second, empty answer.",
        ),
        Misconception(
            "opened_without_break", _rendered(opening="<|assistant|>"), earns=1,
            says="The opening ends too soon: the line break after <|assistant|> belongs to it. In training every answer came "
            "after one.",
        ),
        Misconception(
            "stripped", _rendered(edit=str.strip),
            "You tidied up the content. It goes in as it is, with its spaces and line breaks.",
        ),
        Misconception(
            "one_role", _rendered(roles=False),
            "Every turn has the user's role. Each message says whose it is.",
        ),
    ],
)

# --- response_labels --------------------------------------------------------------------------------------------------

END = 2  # in these cases the end of a turn is also what fills up


def labels_cases(rng: np.random.Generator) -> list[Case]:
    def row(*lengths: int) -> tuple[list[int], list[int]]:
        """User and assistant in turn, each turn closed by END."""
        ids, mask = [], []
        for turn, length in enumerate(lengths):
            ids += [integer(rng, 5, 90) for _ in range(length)] + [END]
            mask += [turn % 2] * (length + 1)
        return ids, mask

    def batch(*rows: tuple[list[int], list[int]]) -> dict[str, Tensor]:
        width = max(len(ids) for ids, _ in rows)
        return {"input_ids": torch.tensor([ids + [END] * (width - len(ids)) for ids, _ in rows]),
                "assistant_mask": torch.tensor([mask + [0] * (width - len(mask)) for _, mask in rows])}

    return [
        Case("two rows, the end of a turn is also the padding", batch(row(3, 2), row(2, 5)), "one round"),
        Case("two rounds", batch(row(2, 3, 2, 2), row(3, 1, 1, 1)), "two rounds"),
    ]


def _last_said_only(input_ids: Tensor, assistant_mask: Tensor) -> Tensor:
    """Learns the last round's answer alone."""
    mask = torch.as_tensor(assistant_mask)
    before = (mask.diff(dim=1, prepend=torch.zeros_like(mask[:, :1])) == 1).cumsum(1)  # which answer this is, or comes after
    return torch.where((mask == 1) & (before == before.amax(1, keepdim=True)), torch.as_tensor(input_ids), -100)


response_labels = Exercise(
    id="instruction.response_labels",
    answer=answers.instruction_response_labels,
    cases=labels_cases,
    parts=[Part("one round", 1, on="one round"), Part("two rounds", 1, on="two rounds")],
    misconceptions=[
        Misconception(
            "user_learned", lambda input_ids, assistant_mask: torch.where(assistant_mask == 1, -100, input_ids),
            "This is the other way round: the model would learn to be the user.",
        ),
        Misconception(
            "everything", lambda input_ids, assistant_mask: input_ids,
            "These are the labels of continued pretraining: every token is to be learned, the user's words and the padding too.",
        ),
        Misconception(
            "zero", lambda input_ids, assistant_mask: input_ids * assistant_mask,
            "You put 0 where nothing is to be learned. 0 is a token like any other, and the model would learn to say it. -100 "
            "is left out.",
        ),
        Misconception(
            "minus_one", lambda input_ids, assistant_mask: torch.where(assistant_mask == 1, input_ids, -1),
            "You put -1 where nothing is to be learned. torch leaves out -100, and stops at any other negative label.",
        ),
        Misconception(
            "end_masked",
            lambda input_ids, assistant_mask: torch.where((assistant_mask == 1) & (input_ids != END), input_ids, -100),
            "The end of the turn has no label. It is the assistant's too, also where the same token is used for padding: "
            "without it the "
            "model never learns to stop.",
        ),
        Misconception(
            "shifted",
            lambda input_ids, assistant_mask: torch.where(assistant_mask == 1, input_ids, -100).roll(-1, dims=1),
            "You shifted the labels. The loss does that; twice would teach each position the token after the next.",
        ),
        Misconception(
            "padding_only", lambda input_ids, assistant_mask: torch.where(input_ids == END, -100, input_ids),
            "You left out what looks like padding. What is to be learned is said by the mask, not by which token it is.",
        ),
        Misconception(
            "last_answer", _last_said_only, earns=1,
            says="In a conversation of two rounds you took the last answer only. The mask has both.",
        ),
    ],
)

# --- mend_collate -----------------------------------------------------------------------------------------------------


def collate_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, pad: int, group: str, *shapes: tuple[int, int]) -> Case:
        rows, masks = [], []
        for asked, said in shapes:
            rows.append([integer(rng, 5, 90) for _ in range(asked)] + [END] + [integer(rng, 5, 90) for _ in range(said)] + [END])
            masks.append([0] * (asked + 1) + [1] * (said + 1))
        return Case(label, {"rows": rows, "assistant_masks": masks, "pad": pad}, group)

    return [
        case("a padding token of its own", 0, "own", (2, 3), (4, 5), (1, 1)),
        case("the end of a turn is the padding", END, "shared", (3, 2), (2, 6)),
        case("the end of a turn is the padding, one row", END, "shared", (2, 4)),
    ]


def _collated(rows: list[list[int]], assistant_masks: list[list[int]], pad: int, *, labels_by: str = "mask",
              real_by: str = "place", left: bool = False, user: bool = False,
              ignored: int = -100) -> tuple[Tensor, Tensor, Tensor]:
    """The answer with one thing wrong, chosen by a keyword."""
    width = max(map(len, rows))

    def filled(values: list[int], with_: int) -> list[int]:
        more = [with_] * (width - len(values))
        return more + values if left else values + more

    ids = torch.tensor([filled(row, pad) for row in rows])
    place = torch.tensor([filled([1] * len(row), 0) for row in rows])
    said = place if user else torch.tensor([filled(mask, 0) for mask in assistant_masks])
    real = (ids != pad).long() if real_by == "id" else place
    labels = torch.where(said == 1, ids, ignored)
    if labels_by == "id":
        labels = torch.where(ids == pad, ignored, labels)
    return ids, real, labels


def _wrong_collate(**how: Any) -> Callable[..., Any]:
    return lambda rows, assistant_masks, pad: _collated(rows, assistant_masks, pad, **how)


mend_collate = Exercise(
    id="instruction.mend_collate",
    answer=answers.instruction_mend_collate,
    cases=collate_cases,
    parts=[
        Part("a padding token of its own", 1, on="own"), Part("shared: ids", 1, of=0, on="shared"),
        Part("shared: real tokens", 1, of=1, on="shared"), Part("shared: labels", 1, of=2, on="shared"),
    ],
    misconceptions=[
        Misconception(
            "labels_by_id", _wrong_collate(labels_by="id"), earns=3,
            says="The bug is still there: you take away the labels of all tokens that equal the padding token, and the end of "
            "the turn is "
            "one of them. Padding is known by its place.",
        ),
        Misconception(
            "attention_by_id", _wrong_collate(real_by="id"), earns=3,
            says="The labels are right. But your mask of real tokens still goes by the token's id, so the model does not see "
            "where a turn "
            "ends.",
        ),
        Misconception(
            "both_by_id", _wrong_collate(labels_by="id", real_by="id"), earns=2,
            says="This is the code as it was: both the labels and the mask of real tokens go by the id, so every end of a turn "
            "counts as "
            "padding.",
        ),
        Misconception(
            "whole", _wrong_collate(user=True), earns=2,
            says="The padding is mended, but now the user's tokens have labels as well.",
        ),
        Misconception(
            "left", _wrong_collate(left=True),
            says="You padded on the left. That is for generating, where every prompt has to end at the same place; here it is "
            "on the right.",
        ),
        Misconception(
            "ignored_zero", _wrong_collate(ignored=0), earns=2,
            says="A label of 0 is a token to be learned. What is left out is -100.",
        ),
    ],
)
