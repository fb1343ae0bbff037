"""Structured output of the embedded model: any JSON object, or a value of the caller's schema."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from plugin.engines.llama.chat_ask import ChatAsk, Delta
from plugin.engines.llama.compact_json import compact
from plugin.engines.llama.counted import total
from plugin.engines.llama.decoded import decoded
from plugin.engines.llama.grammar_schema import LADDER, WIDE, Grammar, Impossible, grammar
from plugin.engines.llama.link import Link
from plugin.engines.llama.minimal import minimal
from plugin.engines.llama.schema_form import Form, Oversized
from plugin.errors import InvalidRequest
from plugin.messages import Usage

_PARAM = "response_format.json_schema.schema"
_TRIES = 3
_PIECE = 24


async def structured(link: Link, ask: ChatAsk) -> AsyncGenerator[Delta]:
    """The deltas of an answer in the form that `ask.response_format` asks for.

    What ends with "stop" is valid; what ends with "length" was cut by the caller's own limit.
    Raises `InvalidRequest` for a schema that cannot be written.
    """
    wanted = ask.response_format or {}
    if wanted.get("type") == "json_schema":
        schema = (wanted.get("json_schema") or {}).get("schema")
        form, written = await asyncio.to_thread(_read, True if schema is None else schema)
    else:
        form = Form({"type": "object", "additionalProperties": True})
        written = grammar(form, room=4096, ladder=(WIDE, *LADDER))
    if written.exact:
        return decoded(link, ask, grammar=written.text)
    return _checked(link, ask, form, written)


def _read(schema: Any) -> tuple[Form, Grammar]:
    try:
        form = Form(schema)
        found = grammar(form, room=4096, ladder=(WIDE, *LADDER))
        if not found.exact:
            minimal(form)
    except (Oversized, Impossible) as reason:
        raise InvalidRequest(
            f"The schema cannot be followed by the embedded model: {reason}. Simplify it, or ask "
            "a model of an upstream (PLUGIN_UPSTREAMS).",
            param=_PARAM,
        ) from None
    return form, found


async def _checked(link: Link, ask: ChatAsk, form: Form, written: Grammar) -> AsyncGenerator[Delta]:
    """Whole answers until one is valid; the smallest valid value if none is.

    While they are written, the deltas say what that takes, and nothing else.
    """
    before = Usage()
    for turn in range(_TRIES):
        again: Mapping[str, Any] = (
            {"seed": (ask.seed or 0) + turn, "temperature": 0.8} if turn else {}
        )
        text, finish, usage = "", "stop", before
        writing = decoded(link, ask, grammar=written.text, logprobs=False, **again)
        async with aclosing(writing) as deltas:
            async for delta in deltas:
                text += delta.content or ""
                finish = delta.finish or finish
                if delta.usage is not None:
                    usage = total(before, delta.usage)
                    yield Delta(usage=usage)
        before = usage
        if finish == "length" or _valid(form, text):
            break
    else:
        text, finish = compact(minimal(form)), "stop"
    for start in range(0, len(text), _PIECE):
        yield Delta(content=text[start : start + _PIECE])
    yield Delta(finish=finish, usage=before)


def _valid(form: Form, text: str) -> bool:
    try:
        return bool(form.validator.is_valid(json.loads(text)))
    except ValueError:
        return False
