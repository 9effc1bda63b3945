"""The chat template: how a conversation becomes one string, and which tokens of it the assistant said.

A language model continues text. A template is an agreement about what a conversation looks like as text, and nothing more: there
are as many as there are families of models. The course's causal model writes a turn as

    <|role|>
    what was said<|end|>

`encode_chat` finds the assistant's tokens by reading the ids, as a program has to that meets a template without
`{% generation %}` marks; `tokenizer.apply_chat_template(..., return_assistant_tokens_mask=True)` has to agree, and a test holds
it to that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

END_OF_TURN = "<|end|>"
ROLES_IN_A_CHAT = ("system", "user", "assistant")


class EncodedChat(NamedTuple):
    """A conversation as tokens: `input_ids` (seq,), and `assistant_mask` (seq,), 1 where a token is the assistant's."""

    input_ids: list[int]
    assistant_mask: list[int]


def messages_of(instruction: str, response: str | None = None, system: str | None = None) -> list[dict[str, str]]:
    """The conversation of one instruction and, unless it is still to be answered, the response."""
    turns = [("system", system), ("user", instruction), ("assistant", response)]
    return [{"role": role, "content": said} for role, said in turns if said is not None]


def render_chat(messages: Sequence[dict[str, str]], add_generation_prompt: bool = False) -> str:
    """The conversation as the one string that the course's causal model is trained on.

    `add_generation_prompt` appends the opening of an assistant's turn, so that what the model continues is its answer. Raises
    ValueError for a role that the template does not know, and for content that would forge a turn: whoever may write
    `<|end|><|assistant|>` into a message may speak in the assistant's name.
    """
    for message in messages:
        if message["role"] not in ROLES_IN_A_CHAT:
            raise ValueError(f"There is no role {message['role']!r}; a turn is one of {', '.join(ROLES_IN_A_CHAT)}.")
        if forged := [mark for mark in (END_OF_TURN, *map(_opening, ROLES_IN_A_CHAT)) if mark in message["content"]]:
            raise ValueError(f"A message holds {forged[0]!r}, which would begin or end a turn. Take it out before rendering.")
    turns = [f"{_opening(message['role'])}\n{message['content']}{END_OF_TURN}" for message in messages]
    return "".join(turns) + (f"{_opening('assistant')}\n" if add_generation_prompt else "")


def encode_chat(tokenizer: Any, messages: Sequence[dict[str, str]]) -> EncodedChat:
    """The tokens of a conversation, and which of them the assistant has to learn: what it said, and the end of its turn.

    Its opening is not among them: that is put there by whoever asks. The end is, for a model that never learns to
    say it never stops.
    """
    ids = tokenizer(render_chat(messages), add_special_tokens=False)["input_ids"]
    opening, end = tokenizer(f"{_opening('assistant')}\n", add_special_tokens=False)["input_ids"], _id(tokenizer, END_OF_TURN)
    mask, at, width = [0] * len(ids), 0, len(opening)
    while at < len(ids):
        if ids[at : at + width] == opening:
            at += width
            last = ids.index(end, at)
            mask[at : last + 1] = [1] * (last + 1 - at)
            at = last
        at += 1
    return EncodedChat(ids, mask)


def _opening(role: str) -> str:
    return f"<|{role}|>"


def _id(tokenizer: Any, token: str) -> int:
    return tokenizer.convert_tokens_to_ids(token)
