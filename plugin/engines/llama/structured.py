"""Structured output of the embedded model: any JSON object, or a value of the caller's schema."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from plugin.engines.llama.chat_ask import ChatAsk, Delta
from plugin.engines.llama.counted import total
from plugin.engines.llama.decoded import decoded
from plugin.engines.llama.grammar.preparation import Prepared, Unfit
from plugin.engines.llama.grammar.schema_work import SchemaWork
from plugin.engines.llama.link import Link
from plugin.engines.llama.refusals import left_the_schema
from plugin.errors import InvalidRequest
from plugin.messages import Usage

_PARAM = "response_format.json_schema.schema"
_TRIES = 3
_PIECE = 24
_ANY_OBJECT: Mapping[str, Any] = {"type": "object", "additionalProperties": True}


async def structured(link: Link, work: SchemaWork, ask: ChatAsk) -> AsyncGenerator[Delta]:
    """The deltas of an answer in the form that `ask.response_format` asks for.

    What ends with "stop" is valid; what ends with "length" was cut by the caller's own limit.
    Raises `InvalidRequest` for a schema that cannot be written.
    """
    wanted = ask.response_format or {}
    schema: Any = _ANY_OBJECT
    if wanted.get("type") == "json_schema":
        schema = (wanted.get("json_schema") or {}).get("schema")
        schema = True if schema is None else schema
    try:
        prepared = await work.of_format(schema)
    except Unfit as reason:
        raise _refused(reason) from None
    asked = _Asked(link, work, ask, schema, prepared)
    return asked.live() if prepared.grammar.exact else asked.checked()


class _Asked:
    """One answer under a schema."""

    def __init__(
        self, link: Link, work: SchemaWork, ask: ChatAsk, schema: Any, prepared: Prepared
    ) -> None:
        self._link = link
        self._work = work
        self._ask = ask
        self._schema = schema
        self._prepared = prepared

    async def live(self) -> AsyncGenerator[Delta]:
        """The answer as it is written, its end only once it is known to be valid.

        The engine drops a grammar without an error when it gets too complex for it.
        """
        text = ""
        writing = self._written()
        async with aclosing(writing) as deltas:
            async for delta in deltas:
                text += delta.content or ""
                # a stop sequence of the caller may have cut it
                if delta.finish == "stop" and not self._ask.stop and not await self._valid(text):
                    raise left_the_schema()
                yield delta

    async def checked(self) -> AsyncGenerator[Delta]:
        """Whole answers until one is valid; the smallest valid value if none is.

        While they are written, the deltas say what that takes, and nothing else.
        """
        before = Usage()
        for turn in range(_TRIES):
            again: Mapping[str, Any] = (
                {"seed": (self._ask.seed or 0) + turn, "temperature": 0.8} if turn else {}
            )
            text, finish, usage = "", "stop", before
            writing = self._written(logprobs=False, **again)
            async with aclosing(writing) as deltas:
                async for delta in deltas:
                    text += delta.content or ""
                    finish = delta.finish or finish
                    if delta.usage is not None:
                        usage = total(before, delta.usage)
                        yield Delta(usage=usage)
            before = usage
            if finish == "length" or await self._valid(text):
                break
        else:
            text, finish = self._prepared.least, "stop"
        for start in range(0, len(text), _PIECE):
            yield Delta(content=text[start : start + _PIECE])
        yield Delta(finish=finish, usage=before)

    def _written(self, **changed: Any) -> AsyncGenerator[Delta]:
        grammar = self._prepared.grammar.text
        return decoded(self._link, self._ask, _PARAM, grammar=grammar, **changed)

    async def _valid(self, text: str) -> bool:
        try:
            return await self._work.judged(self._schema, text) is not None
        except Unfit as reason:
            raise _refused(reason) from None


def _refused(reason: Unfit) -> InvalidRequest:
    return InvalidRequest(
        f"The schema cannot be followed by the embedded model: {reason}. Simplify it, or ask a "
        "model of an upstream (PLUGIN_UPSTREAMS).",
        param=_PARAM,
    )
