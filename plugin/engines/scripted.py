"""Fixed answers, for tests and the harness; never a silent default."""

import base64
import hashlib
import struct
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from plugin.engines.engine import Ask, Events, Whole
from plugin.errors import EngineUnavailable, NotOffered
from plugin.messages import AnsweredBy, Usage

ANSWERED_BY = AnsweredBy("scripted (fixed answers)")
DIMENSIONS = 8
_CREATED = 1_700_000_000
_DONE = b"data: [DONE]\n\n"


@dataclass(slots=True)
class Scripted:
    """Answers each request with the next of `texts`, embeddings with numbers made of the input.

    `refuses` is raised instead of an answer. A stream breaks off with `breaks` after some `events`.
    A token is a word. `asked` remembers what came, `stopped` counts streams that were left.
    """

    texts: Sequence[str] = ("Hello there, how can I help?",)
    refuses: Exception | None = None
    breaks: Exception | None = None
    events: int = 2
    asked: list[Ask] = field(default_factory=list)
    stopped: int = 0

    async def answer(self, ask: Ask) -> Whole | Events:
        """See `Engine`."""
        self.asked.append(ask)
        if self.refuses is not None:
            raise self.refuses
        if ask.path == "embeddings":
            return _embeddings(ask)
        kind = _KINDS.get(ask.path)
        if kind is None:
            raise NotOffered(f"The scripted engine has no answers for {ask.path}.")
        reply = _Reply(ask, kind, self._texts(ask.body.get("n", 1)), f"{len(self.asked):08}")
        if not ask.stream:
            return Whole(orjson.dumps(reply.whole()), reply.usage, ANSWERED_BY)
        return Events(self._pieces(reply), ANSWERED_BY, reply.usage)

    def _texts(self, count: int) -> list[str]:
        first = len(self.asked) - 1
        return [self.texts[(first + place) % len(self.texts)] for place in range(count)]

    async def _pieces(self, reply: "_Reply") -> AsyncIterator[bytes]:
        sent = 0
        try:
            for chunk in reply.chunks():
                if self.breaks is not None and sent == self.events:
                    raise self.breaks
                yield b"data: " + orjson.dumps(chunk) + b"\n\n"
                sent += 1
            yield _DONE
        except GeneratorExit:
            self.stopped += 1
            raise


def breaking_off() -> EngineUnavailable:
    """What an engine raises that stops in the middle of an answer."""
    return EngineUnavailable("The engine stopped while it answered; try again.")


@dataclass(frozen=True, slots=True)
class _Kind:
    """The two shapes of texts: the beginning of the id, and what the objects are called."""

    id: str
    whole: str
    chunk: str
    chat: bool


_KINDS = {
    "chat/completions": _Kind("chatcmpl-", "chat.completion", "chat.completion.chunk", chat=True),
    "completions": _Kind("cmpl-", "text_completion", "text_completion", chat=False),
}


class _Reply:
    """One answer, whole or in chunks."""

    def __init__(self, ask: Ask, kind: _Kind, texts: Sequence[str], number: str) -> None:
        self._kind, self._texts = kind, texts
        self._head = {"id": kind.id + number, "created": _CREATED, "model": ask.requested}
        options = ask.body.get("stream_options") or {}
        self._tells_usage = bool(options.get("include_usage"))
        asked = ask.body.get("messages", ask.body.get("prompt", ""))
        self.usage = Usage(prompt_tokens=_words(asked))
        if not ask.stream:
            self.usage.completion_tokens = sum(len(text.split()) for text in texts)

    def whole(self) -> dict[str, Any]:
        choices = [self._choice(place, text) for place, text in enumerate(self._texts)]
        told = {"choices": choices, "usage": _written(self.usage)}
        return {**self._head, "object": self._kind.whole, **told}

    def chunks(self) -> Iterator[dict[str, Any]]:
        for place, text in enumerate(self._texts):
            if self._kind.chat:
                yield self._chunk(place, {"delta": {"role": "assistant", "content": ""}})
            for number, word in enumerate(text.split(" ")):
                self.usage.completion_tokens += 1
                yield self._chunk(place, self._piece(f" {word}" if number else word))
            yield self._chunk(place, self._piece(None), "stop")
        if self._tells_usage:
            told = {"choices": [], "usage": _written(self.usage)}
            yield {**self._head, "object": self._kind.chunk, **told}

    def _choice(self, place: int, text: str) -> dict[str, Any]:
        message = {"role": "assistant", "content": text, "refusal": None}
        said: dict[str, Any] = {"message": message} if self._kind.chat else {"text": text}
        return {"index": place, **said, "logprobs": None, "finish_reason": "stop"}

    def _piece(self, text: str | None) -> dict[str, Any]:
        if self._kind.chat:
            return {"delta": {} if text is None else {"content": text}}
        return {"text": text or "", "logprobs": None}

    def _chunk(
        self, place: int, said: Mapping[str, Any], reason: str | None = None
    ) -> dict[str, Any]:
        choice = {"index": place, **said, "finish_reason": reason}
        usage = {"usage": None} if self._tells_usage else {}
        return {**self._head, "object": self._kind.chunk, "choices": [choice], **usage}


def _embeddings(ask: Ask) -> Whole:
    given = ask.body["input"]
    one = isinstance(given, str) or (bool(given) and isinstance(given[0], int))
    inputs = [given] if one else given
    size = ask.body.get("dimensions", DIMENSIONS)
    packed = ask.body.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": index, "embedding": _vector(item, size, packed=packed)}
        for index, item in enumerate(inputs)
    ]
    usage = Usage(prompt_tokens=sum(map(_words, inputs)))
    counted = {"prompt_tokens": usage.prompt_tokens, "total_tokens": usage.prompt_tokens}
    reply = {"object": "list", "model": ask.requested, "data": data, "usage": counted}
    return Whole(orjson.dumps(reply), usage, ANSWERED_BY)


def _vector(item: Any, size: int, *, packed: bool) -> str | list[float]:
    digest = hashlib.sha256(orjson.dumps(item)).digest()
    raw = [digest[place % len(digest)] - 127.5 for place in range(size)]
    length = sum(number * number for number in raw) ** 0.5
    numbers = struct.pack(f"<{size}f", *(number / length for number in raw))
    if packed:
        return base64.b64encode(numbers).decode()
    return list(struct.unpack(f"<{size}f", numbers))


def _words(value: Any) -> int:
    """Words of all texts in a value; a number is a token."""
    match value:
        case str():
            return len(value.split())
        case list():
            return sum(map(_words, value))
        case dict():
            return _words(value.get("content", value.get("text", "")))
    return int(isinstance(value, int))


def _written(usage: Usage) -> dict[str, int]:
    total = usage.prompt_tokens + usage.completion_tokens
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": total,
    }
