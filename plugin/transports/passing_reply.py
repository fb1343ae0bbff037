"""A reply while it passes through the recording proxy: what is kept of it, and when it is whole."""

import asyncio
from collections.abc import Sequence

from plugin.harness.recording.recorded_reply import Body, has_ended
from plugin.harness.recording.recorder import Recorder
from plugin.outbound.client import Streamed

Headers = Sequence[tuple[bytes, bytes]]

_MOST_KEPT = 8
"""Bodies of the largest size that are kept at once; beyond, replies pass without being recorded."""

_TAIL = 200
"""Bytes before a piece that may hold the beginning of a stream's last event."""


class Memory:
    """How much may be kept to be recorded: of one body, and of all at once."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._left = _MOST_KEPT * limit

    def take(self, size: int) -> bool:
        """Reserve some bytes, if there are as many."""
        if size > self._left:
            return False
        self._left -= size
        return True

    def give_back(self, size: int) -> None:
        """Free them again."""
        self._left += size


class Kept:
    """A body that is kept while it passes, as long as it is not too large."""

    def __init__(self, memory: Memory, *, wanted: bool = True) -> None:
        self._memory = memory
        self._content = bytearray()
        self.wanted = wanted
        self.overflowed = False

    def add(self, piece: bytes) -> None:
        """Keep a piece, or let go of everything."""
        if not self.wanted or self.overflowed:
            return
        size = len(piece)
        if len(self._content) + size > self._memory.limit or not self._memory.take(size):
            self.drop()
            self.overflowed = True
        else:
            self._content += piece

    def drop(self) -> None:
        """Let go of what is kept."""
        self._memory.give_back(len(self._content))
        self._content = bytearray()

    @property
    def content(self) -> bytes:
        """What is kept."""
        return bytes(self._content)

    @property
    def tail(self) -> str:
        """The last signs of it."""
        return self._content[-_TAIL:].decode("utf-8", "replace")

    @property
    def size(self) -> int:
        """Its bytes."""
        return len(self._content)


class ReplyInPassing:
    """What may be a model's reply, while it passes."""

    def __init__(
        self, recorder: Recorder, path: str, headers: Headers, asked: Kept, answered: Kept
    ) -> None:
        self._recorder = recorder
        self._path = path
        self._asked = asked
        self._answered = answered
        self._asked_encoding = header(headers, b"content-encoding")
        self._encoding = ""
        self._length = -1
        self._streamed = False
        self._candidate = False
        self.has_begun = False

    def begin(self, answer: Streamed) -> None:
        """The head of the answer is there."""
        self.has_begun = True
        media_type = header(answer.headers, b"content-type").lower()
        self._streamed = "event-stream" in media_type
        successful = 200 <= answer.status < 300  # noqa: PLR2004 - the class of success
        self._candidate = (
            self._asked.wanted and successful and (self._streamed or "json" in media_type)
        )
        self._encoding = header(answer.headers, b"content-encoding")
        length = header(answer.headers, b"content-length")
        self._length = int(length) if length.isdecimal() else -1

    def give_up(self, reason: str) -> None:
        """Let go of what is kept; a reply that is not recorded yet will not be."""
        if self._candidate:
            self._recorder.skip(reason)
        self._candidate = False
        self._asked.drop()
        self._answered.drop()

    def ends_with(self, piece: bytes) -> bool:
        """Keep a piece; whether nothing of the reply comes after it."""
        if not self._candidate:
            return False
        before = self._answered.tail
        self._answered.add(piece)
        if self._streamed:
            return has_ended(before + piece.decode("utf-8", "replace"))
        return self._answered.size == self._length

    async def record(self) -> None:
        """Write the row, once; away from the event loop, so that other replies go on."""
        if not self._candidate:
            return
        self._candidate = False
        if self._asked.overflowed or self._answered.overflowed:
            self._recorder.skip("it is too large to be kept (see --max-row)")
            return
        asked = Body(self._asked.content, self._asked_encoding)
        answered = Body(self._answered.content, self._encoding)
        await asyncio.to_thread(self._recorder.reply, self._path, asked, answered)


def header(headers: Headers, wanted: bytes) -> str:
    """The first value of a header, empty where there is none."""
    found = (value for name, value in headers if name.lower() == wanted)
    return str(next(found, b"").decode("latin-1"))
