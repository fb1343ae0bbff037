"""What an upstream answers: unpacked, with the caller's model name; usage and errors found."""

import re
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from math import ceil
from typing import Any

import orjson

from plugin.engines.engine import Ask
from plugin.engines.json_bytes import object_at, value_starts, with_text
from plugin.engines.upstream_errors import CallFailed, broken, told_in_passing
from plugin.engines.upstream_request import choices_asked, guessed_tokens
from plugin.engines.upstream_words import error_in, said
from plugin.messages import Usage

_RESULTS = {
    "chat/completions": "choices",
    "completions": "choices",
    "edits": "choices",
    "embeddings": "data",
    "moderations": "results",
}
"""The member that a whole answer has, by path; an error may come in its place."""

_NAMES = frozenset({b"model", b"usage", b"error", b"choices", b"data", b"results", b"object"})
_LARGEST_BODY = 268_435_456
_LARGEST_EVENT = 33_554_432
_PIECE = 1_048_576
_QUICKLY_PARSED = 65_536
_MOST = 1e12
_SPACE = b" \t\r\n"

_END = b"data: [DONE]\n\n"
_DONE = re.compile(rb"^data: ?\[DONE\]\s*", re.MULTILINE)
_IMAGE_DONE = re.compile(rb"^event: ?image_\w+\.completed\b", re.MULTILINE)
_DATA = re.compile(rb"^data: ?(?=\{)", re.MULTILINE)
_TELLING = re.compile(rb'"(?:usage"\s*:\s*\{|error"\s*:\s*(?!null|false)|object"\s*:\s*"error")')
_FINISHED = re.compile(rb'"finish_reason"\s*:\s*"')
_WRITTEN = re.compile(rb'"(?:content|reasoning_content|text|arguments|refusal)"\s*:\s*"(?!")')
_EVENT = re.compile(rb".+?(?:\n\r?\n|\Z)", re.DOTALL)
_NOTHING_CHOSEN = re.compile(rb"\[\s*\]")


class _NotAnObjectError(ValueError):
    """A whole answer is something else than one JSON object."""


def count(usage: Usage, told: Mapping[str, Any], ask: Ask) -> None:
    """Take the numbers that an upstream tells into `usage`; a sum alone is split by the prompt."""
    tokens_in = _number(told, "prompt_tokens", "input_tokens")
    tokens_out = _number(told, "completion_tokens", "output_tokens")
    total = _number(told, "total_tokens")
    if total > tokens_in + tokens_out:
        if not tokens_in:
            tokens_in = total - tokens_out if tokens_out else min(total, guessed_tokens(ask.body))
        tokens_out = tokens_out or total - tokens_in
    usage.prompt_tokens, usage.completion_tokens = tokens_in, tokens_out


def _number(told: Mapping[str, Any], *names: str) -> int:
    found = next((told[name] for name in names if told.get(name) is not None), 0)
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found < _MOST:
        return 0
    return ceil(found)


def written_tokens(body: bytes) -> int:
    """About how many tokens the texts of a whole answer are, where the upstream does not say."""
    value = orjson.loads(body)
    return sum(
        guessed_tokens(choice.get("message") or choice)
        for choice in value.get("choices") or ()
        if isinstance(choice, dict)
    )


async def unpacked(pieces: AsyncIterator[bytes], encoding: str, name: str) -> AsyncIterator[bytes]:
    """The pieces of a body without the packing that we did not ask for, but some apply."""
    if encoding in {"", "identity"}:
        async for piece in pieces:
            yield piece
        return
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise broken(name, f"packs its answers as {encoding[:40]!r}, which was not asked for")
    unpack = zlib.decompressobj(zlib.MAX_WBITS if encoding == "deflate" else zlib.MAX_WBITS + 16)
    try:
        async for piece in pieces:
            for part in _parts(unpack, piece, name):
                yield part
    except zlib.error as error:
        raise broken(name, "sent a packed answer that cannot be unpacked") from error
    if not unpack.eof:
        raise broken(name, "broke off in the middle of its answer")


def _parts(unpack: "zlib._Decompress", piece: bytes, name: str) -> Iterator[bytes]:
    if unpack.eof:
        raise broken(name, "sent more than one packed answer")
    data = piece
    while data:
        yield unpack.decompress(data, _PIECE)
        data = unpack.unconsumed_tail


async def whole(pieces: AsyncIterator[bytes], name: str) -> bytes:
    """The body, all of it."""
    held: list[bytes] = []
    size = 0
    async for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size > _LARGEST_BODY:
            raise broken(name, f"sent more than {_LARGEST_BODY} bytes")
    return b"".join(held)


def finished(body: bytes, ask: Ask, usage: Usage, name: str) -> bytes:
    """A whole answer for the caller of `ask`, with the model's name that was asked for.

    Fills `usage`. Raises `CallFailed` for what is not one whole result.
    """
    try:
        if len(body) < _QUICKLY_PARSED:
            says = _parsed(body, ask, usage, name)
            if says is None or says == ask.requested:
                return body
        return _searched(body, ask, usage, name)
    except ValueError as error:
        what = said(body[:_QUICKLY_PARSED]).message
        answered = "answered with something that is not a JSON object"
        raise broken(name, f"{answered}: {what}" if what else answered) from error


def _parsed(body: bytes, ask: Ask, usage: Usage, name: str) -> str | None:
    """The model that a small answer names: parsing it is quicker than searching."""
    value = orjson.loads(body)
    if not isinstance(value, dict):
        raise _NotAnObjectError
    _check(value, ask, name)
    told, model = value.get("usage"), value.get("model")
    if isinstance(told, dict):
        count(usage, told, ask)
    return model if isinstance(model, str) else None


def _check(value: Mapping[str, Any], ask: Ask, name: str) -> None:
    """Raise `CallFailed` for an error, or anything else, in the place of a result."""
    expected = _RESULTS.get(ask.path)
    error = error_in(value, expected)
    if error is not None:
        raise told_in_passing(name, error)
    if expected is not None and expected not in value:
        raise broken(name, f"answered without `{expected}`")


def _searched(body: bytes, ask: Ask, usage: Usage, name: str) -> bytes:
    start = len(body) - len(body.lstrip(_SPACE))
    if body[start : start + 1] != b"{":
        raise _NotAnObjectError
    starts, end = value_starts(body, _NAMES, start)
    if body[end:].strip(_SPACE):
        raise ValueError("more than one object")
    expected = _RESULTS.get(ask.path)
    if b"error" in starts or (expected is not None and expected.encode() not in starts):
        _check(orjson.loads(body), ask, name)
    _hear(body, starts, ask, usage)
    if b"model" not in starts:
        return body
    return with_text(body, starts[b"model"], orjson.dumps(ask.requested))


def _hear(data: bytes, starts: Mapping[bytes, int], ask: Ask, usage: Usage) -> bool:
    """Take in an object's usage; whether there was any."""
    told = object_at(data, starts[b"usage"]) if b"usage" in starts else None
    if told is not None:
        count(usage, told, ask)
    return told is not None


def _may_tell(ready: bytes) -> bool:
    # what is rarely there is looked for in the quicker way first
    if b'"usage"' in ready or b'"error"' in ready:
        return _TELLING.search(ready) is not None
    return b'"choices"' not in ready and b"data: {" in ready


def _brings(ready: bytes) -> bool:
    """Whether an event of choices holds more than the beginning of a message."""
    return (
        _WRITTEN.search(ready) is not None
        or b'"tool_calls"' in ready
        or b'"function_call"' in ready
        or b'"audio"' in ready
        or _FINISHED.search(ready) is not None
    )


class Edited:
    """A stream of events on its way to the caller: whole events, as read but for what must differ.

    That is the model's name, when the upstream says another than was asked for, and the one event
    that tells the usage to nobody but us (`drops_usage`). `done` once the end was seen; `failure`
    once the upstream told an error in the place of an event: it is for raising, after what came.

    `usage` is what the upstream says, as soon as it does. Until then, and where it breaks off or is
    hung up before, each piece of text that was passed on counts as a token: `counts_itself`.
    `has_content` once something came that a caller would miss.
    """

    def __init__(self, ask: Ask, usage: Usage, name: str, *, drops_usage: bool) -> None:
        self._ask = ask
        self._quoted = orjson.dumps(ask.requested)
        self._of_choices = _RESULTS.get(ask.path) == "choices"
        self._finished: set[int] = set()
        self.has_content = False
        self._usage = usage
        self._name = name
        self._drops_usage = drops_usage
        self._renames: bool | None = None
        self._held = bytearray()
        self.counts_itself = True
        self.done = False
        self.failure: CallFailed | None = None

    def add(self, piece: bytes) -> bytes:
        """What can be passed on now that `piece` has come: up to the end of an event."""
        ready = self._ready(piece)
        if not ready:
            return b""
        if self.counts_itself:
            self._usage.completion_tokens += len(_WRITTEN.findall(ready))
        if b'"finish_reason"' in ready and _FINISHED.search(ready):
            self._finish(ready)
        if not self.has_content:
            self.has_content = not self._of_choices or _brings(ready)
        if b"[DONE]" in ready and (found := _DONE.search(ready)):
            self.done, ready = True, ready[: found.end()]
        elif b".completed" in ready and _IMAGE_DONE.search(ready):
            self.done = True
        if self._renames is not False or _may_tell(ready):
            return self._edited(ready)
        return ready

    @property
    def is_complete(self) -> bool:
        """Whether every choice that was asked for has come to its end."""
        return len(self._finished) >= choices_asked(self._ask.body)

    def end(self) -> bytes:
        """What can be passed on now that nothing more comes.

        That is a last line that was left open, and the end mark where the upstream has none, though
        all choices are there.
        """
        ready = self.add(b"\n\n") if self._held else b""
        if self.done or self.failure is not None or not self.is_complete:
            return ready
        self.done = True
        return ready + _END

    def _finish(self, ready: bytes) -> None:
        """Note the choices that end in these events."""
        for event in _EVENT.findall(ready):
            data = _DATA.search(event)
            if data is None or not _FINISHED.search(event):
                continue
            with suppress(ValueError, KeyError, TypeError, AttributeError):
                for choice in orjson.loads(event[data.end() :])["choices"]:
                    if choice.get("finish_reason"):
                        self._finished.add(choice.get("index", 0))

    def _ready(self, piece: bytes) -> bytes:
        if not self._held and piece.endswith(b"\n\n"):
            return piece
        seen = max(0, len(self._held) - 3)
        self._held += piece
        plain, carriage = self._held.rfind(b"\n\n", seen), self._held.rfind(b"\n\r\n", seen)
        end = carriage + 3 if carriage > plain else plain + 2
        if plain == carriage == -1:
            if len(self._held) > _LARGEST_EVENT:
                raise broken(self._name, f"sent an event of more than {_LARGEST_EVENT} bytes")
            return b""
        ready = bytes(self._held[:end])
        del self._held[:end]
        return ready

    def _edited(self, ready: bytes) -> bytes:
        kept: list[bytes] = []
        for event in _EVENT.findall(ready):
            try:
                kept.append(self._edit(event))
            except CallFailed as failure:
                self.failure = failure
                break
        return b"".join(kept)

    def _edit(self, event: bytes) -> bytes:
        data = _DATA.search(event)
        if data is None:
            return event
        try:
            starts, end = value_starts(event, _NAMES, data.end())
            if b"error" in starts or (self._of_choices and b"choices" not in starts):
                self._judge(orjson.loads(event[data.end() : end]))
            counted = self._hear(event, starts)
        except ValueError:
            return event  # not for us to judge: the caller reads it as it came
        if counted and self._drops_usage and self._is_empty(event, starts):
            return b""
        if self._renames is not False and b"model" in starts:
            renamed = with_text(event, starts[b"model"], self._quoted)
            self._renames = self._renames or renamed is not event
            return renamed
        return event

    def _judge(self, value: Mapping[str, Any]) -> None:
        """Raise `CallFailed` for an event that tells an error."""
        error = error_in(value, "choices" if self._of_choices else None)
        if error is not None:
            raise told_in_passing(self._name, error)

    def _hear(self, event: bytes, starts: Mapping[bytes, int]) -> bool:
        """Whether the event tells the usage; some servers begin with one of nothing."""
        ours = self._usage.completion_tokens
        counted = _hear(event, starts, self._ask, self._usage)
        if counted and self._usage.completion_tokens:
            self.counts_itself = False
        elif self.counts_itself:
            self._usage.completion_tokens = ours
        return counted

    def _is_empty(self, event: bytes, starts: Mapping[bytes, int]) -> bool:
        return b"choices" in starts and bool(_NOTHING_CHOSEN.match(event, starts[b"choices"]))
