"""Edits, which OpenAI retired: a chat request to any engine, answered in the shape of an edit."""

from collections.abc import Mapping
from typing import Any

import orjson

from plugin.engines.catalog import Answering
from plugin.engines.engine import Ask, Whole
from plugin.errors import ContextLengthExceeded, EngineUnavailable

_TASK = (
    "You edit texts: you apply the instruction to the text and answer with the edited text alone."
)
# Without examples a small model answers the text, or talks about it, instead of editing it.
_EXAMPLES = (
    ("Correct the spelling", "Where are yu going todai?", "Where are you going today?"),
    ("Put it into the past", "She walks home.", "She walked home."),
)
_OWN = frozenset({"input", "instruction", "stream", "user"})
"""Members that a chat request does not know, or that mean nothing to an edit."""


async def edit(
    found: Answering, given: Mapping[str, Any], unknown: tuple[str, ...] = (), caller: str = ""
) -> Whole:
    """Apply `given["instruction"]` to `given["input"]`, `given["n"]` times, for `caller`.

    Raises what the engine raises, and `EngineUnavailable` for an answer that cannot be read.
    """
    rest = {name: value for name, value in given.items() if name not in _OWN}
    body = {**rest, "messages": _messages(given["instruction"], given.get("input") or "")}
    ask = Ask("chat/completions", body, found.requested, found.model.id, unknown, caller=caller)
    try:
        answer = await found.engine.answer(ask)
    except ContextLengthExceeded as error:
        # the caller sent no messages
        param = "input" if given.get("input") else "instruction"
        raise ContextLengthExceeded(error.detail.replace("messages", param), param=param) from error
    if not isinstance(answer, Whole):
        raise _unreadable()
    return Whole(orjson.dumps(_shaped(answer.body)), answer.usage, answer.answered_by)


def _messages(instruction: str, text: str) -> list[dict[str, str]]:
    if not text:  # nothing to edit: the instruction alone says what to write
        return [{"role": "user", "content": instruction}]
    messages = [{"role": "system", "content": _TASK}]
    for example, before, after in _EXAMPLES:
        messages.append(_asked(example, before))
        messages.append({"role": "assistant", "content": after})
    return [*messages, _asked(instruction, text)]


def _asked(instruction: str, text: str) -> dict[str, str]:
    return {"role": "user", "content": f"Instruction: {instruction}\nText: {text}"}


def _shaped(chat: bytes) -> dict[str, Any]:
    try:
        reply = orjson.loads(chat)
        choices = [
            {"text": choice["message"]["content"] or "", "index": index}
            for index, choice in enumerate(reply["choices"])
        ]
        head = {"object": "edit", "created": reply["created"]}
        return {**head, "choices": choices, "usage": reply["usage"]}
    except (orjson.JSONDecodeError, LookupError, TypeError):
        raise _unreadable() from None


def _unreadable() -> EngineUnavailable:
    return EngineUnavailable(
        "The engine of this model answered an edit with what is no chat completion; ask another "
        "model, or tell the operator of this service."
    )
