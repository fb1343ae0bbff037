"""One JSON value under a schema: live where its grammar vouches for it, else checked first."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from plugin.engines.llama.chat_ask import ChatAsk
from plugin.engines.llama.counted import total
from plugin.engines.llama.decoded import decoded
from plugin.engines.llama.grammar.preparation import Prepared, Unfit
from plugin.engines.llama.grammar.schema import Grammar
from plugin.engines.llama.grammar.schema_work import SchemaWork
from plugin.engines.llama.link import Link
from plugin.engines.llama.refusals import left_the_schema
from plugin.messages import Usage

_STEADY: Mapping[str, Any] = {
    "temperature": 0,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "logit_bias": [],
    "stop": [],
    "logprobs": False,
}
"""JSON repeats its signs: a penalty for that spoils it."""

_RETRIES = 2
_MOST_UNSEEN = 512
"""Tokens that all tries of one value may take together before the caller sees any of them."""

_TEMPLATE = 64
"""Tokens that the chat template adds, at most, for a short conversation."""
_PIECE = 24
"""Characters of a piece where what was checked first is streamed afterwards."""


@dataclass(slots=True)
class Guided:
    """Writes a value of `schema`, `param` of the request; `usage` grows with each try."""

    link: Link
    work: SchemaWork
    ask: ChatAsk
    messages: Sequence[Mapping[str, str]]
    schema: Any
    param: str
    prepared: Prepared
    adapter: int | None = None
    usage: Usage = field(default_factory=Usage)

    @property
    def live(self) -> bool:
        """Whether what the engine writes can be passed on unseen: valid, and sure to end."""
        told = sum(len(message["content"].encode()) + _TEMPLATE for message in self.messages)
        grammar = self.prepared.grammar
        return grammar.exact and told + grammar.longest <= self.link.context()

    async def pieces(self) -> AsyncGenerator[str]:
        """The value as JSON text, in pieces.

        Raises EngineUnavailable rather than end with a value that is not valid.
        """
        if self.live:
            told = ""
            async with aclosing(self._written(self.prepared.grammar)) as written:
                async for piece in written:
                    told += piece
                    yield piece
            await self._check(told)
            return
        text = await self._checked()
        for start in range(0, len(text), _PIECE):
            yield text[start : start + _PIECE]

    async def _checked(self) -> str:
        written = self.usage.completion_tokens
        for turn in range(_RETRIES + 1):
            left = written + _MOST_UNSEEN - self.usage.completion_tokens
            if left <= 0:
                break
            grammar = self.prepared.wider if turn else self.prepared.grammar
            again: dict[str, Any] = (
                {"temperature": 0.8, "seed": (self.ask.seed or 0) + turn} if turn else {}
            )
            again |= {"max_tokens": min(grammar.longest + 1, left)}
            text = "".join([piece async for piece in self._written(grammar, **again)])
            try:
                found = await self.work.judged(self.schema, text)
            except Unfit:
                break
            if found is not None:
                return found
        return self.prepared.least

    async def _check(self, told: str) -> None:
        """Raise for an answer that is not valid, and for one that takes too long to judge."""
        try:
            found = await self.work.judged(self.schema, told)
        except Unfit:
            found = None
        if found is None:
            raise left_the_schema()

    async def _written(self, grammar: Grammar, **changed: Any) -> AsyncGenerator[str]:
        body: dict[str, Any] = {
            **_STEADY,
            "messages": self.messages,
            "grammar": grammar.text,
            "max_tokens": grammar.longest + 1,
            **changed,
        }
        if self.adapter is not None:
            body["lora"] = [{"id": self.adapter, "scale": 1.0}]
        before = self.usage
        async with aclosing(decoded(self.link, self.ask, self.param, **body)) as deltas:
            async for delta in deltas:
                if delta.usage is not None:
                    self.usage = total(before, delta.usage)
                if delta.content:
                    yield delta.content
