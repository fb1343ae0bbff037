"""What an upstream answers: unpacked, the model's name made the caller's, its usage found."""

import re
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import orjson

from plugin.engines.json_bytes import object_at, value_starts, with_text
from plugin.engines.upstream_errors import CallFailed, broken, told_in_passing
from plugin.messages import Usage

_NAMES = frozenset({b"model", b"usage", b"error", b"choices"})
_LARGEST_BODY = 268_435_456
_LARGEST_EVENT = 33_554_432
_PIECE = 1_048_576
_QUICKLY_PARSED = 65_536
_SPACE = b" \t\r\n"

_DONE = re.compile(rb"^data: ?\[DONE\]\s*", re.MULTILINE)
_IMAGE_DONE = re.compile(rb"^event: ?image_\w+\.completed\b", re.MULTILINE)
_DATA = re.compile(rb"^data: ?(?=\{)", re.MULTILINE)
_TELLING = re.compile(rb'"(?:usage|error)"\s*:\s*\{')
_WRITTEN = re.compile(rb'"(?:content|reasoning_content|text|arguments|refusal)"\s*:\s*"(?!")')
_EVENT = re.compile(rb".+?(?:\n\r?\n|\Z)", re.DOTALL)
_NOTHING_CHOSEN = re.compile(rb"\[\s*\]")


def count(usage: Usage, told: Mapping[str, Any]) -> None:
    """Take the numbers that an upstream tells into `usage`."""
    usage.prompt_tokens = _number(told, "prompt_tokens", "input_tokens")
    usage.completion_tokens = _number(told, "completion_tokens", "output_tokens")


def _number(told: Mapping[str, Any], *names: str) -> int:
    found = next((told[name] for name in names if name in told), 0)
    return max(0, found) if isinstance(found, int) else 0


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


def finished(body: bytes, requested: str, usage: Usage, name: str) -> bytes:
    """A whole answer for a caller who asked for the model `requested`; fills `usage`.

    Raises `CallFailed` for what is not one whole JSON object, or an error in its place.
    """
    try:
        if len(body) < _QUICKLY_PARSED:
            says = _parsed(body, usage, name)
            if says is None or says == requested:
                return body
        return _searched(body, requested, usage, name)
    except ValueError as error:
        raise broken(name, "answered with something that is not a JSON object") from error


def _parsed(body: bytes, usage: Usage, name: str) -> str | None:
    """The model that a small answer names: parsing it is quicker than searching."""
    value = orjson.loads(body)
    if not isinstance(value, dict):
        raise broken(name, "answered with something that is not a JSON object")
    error, told, model = value.get("error"), value.get("usage"), value.get("model")
    if isinstance(error, dict):
        raise told_in_passing(name, error)
    if isinstance(told, dict):
        count(usage, told)
    return model if isinstance(model, str) else None


def _searched(body: bytes, requested: str, usage: Usage, name: str) -> bytes:
    start = len(body) - len(body.lstrip(_SPACE))
    if body[start : start + 1] != b"{":
        raise ValueError("no object")
    starts, end = value_starts(body, _NAMES, start)
    if body[end:].strip(_SPACE):
        raise ValueError("more than one object")
    _hear(body, starts, usage, name)
    if b"model" not in starts:
        return body
    return with_text(body, starts[b"model"], orjson.dumps(requested))


def _hear(data: bytes, starts: Mapping[bytes, int], usage: Usage, name: str) -> bool:
    """Take in an object's usage; whether there was any. Raises `CallFailed` for an error."""
    error = object_at(data, starts[b"error"]) if b"error" in starts else None
    if error is not None:
        raise told_in_passing(name, error)
    told = object_at(data, starts[b"usage"]) if b"usage" in starts else None
    if told is not None:
        count(usage, told)
    return told is not None


def _may_tell(ready: bytes) -> bool:
    # what is rarely there is looked for in the quicker way first
    named = b'"usage"' in ready or b'"error"' in ready
    return named and _TELLING.search(ready) is not None


class Edited:
    """A stream of events on its way to the caller: whole events, as read but for what must differ.

    That is the model's name, when the upstream says another than was asked for, and the one event
    that tells the usage to nobody but us (`drops_usage`). `done` once the end was seen; `failure`
    once the upstream told an error in the place of an event: it is for raising, after what came.

    `usage` is what the upstream says, as soon as it does. Until then, and where it breaks off or is
    hung up before, each piece of text that was passed on counts as a token: `counts_itself`.
    """

    def __init__(self, requested: str, usage: Usage, name: str, *, drops_usage: bool) -> None:
        self._quoted = orjson.dumps(requested)
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
        if b"[DONE]" in ready and (found := _DONE.search(ready)):
            self.done, ready = True, ready[: found.end()]
        elif b".completed" in ready and _IMAGE_DONE.search(ready):
            self.done = True
        if self._renames is not False or _may_tell(ready):
            return self._edited(ready)
        return ready

    def end(self) -> bytes:
        """What can be passed on now that nothing more comes: a last line that was left open."""
        return self.add(b"\n\n") if _DONE.search(self._held) else b""

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
            starts, _ = value_starts(event, _NAMES, data.end())
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

    def _hear(self, event: bytes, starts: Mapping[bytes, int]) -> bool:
        """Whether the event tells the usage; some servers begin with one of nothing."""
        ours = self._usage.completion_tokens
        counted = _hear(event, starts, self._usage, self._name)
        if counted and self._usage.completion_tokens:
            self.counts_itself = False
        elif self.counts_itself:
            self._usage.completion_tokens = ours
        return counted

    def _is_empty(self, event: bytes, starts: Mapping[bytes, int]) -> bool:
        return b"choices" in starts and bool(_NOTHING_CHOSEN.match(event, starts[b"choices"]))
