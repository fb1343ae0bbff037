"""The log as JSON lines: requests in batches from a thread of their own, the rest as it comes."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import BinaryIO

import orjson

from plugin.trail import current

_CAPACITY = 20_000
_ATOMIC = 4096  # a write of at most PIPE_BUF bytes never mixes with another process's


class AccessLog:
    """Writes request records to `stream`; a reader that is stuck costs records, not requests.

    `write` only remembers a line; a thread writes them every `every` seconds. When more than a
    bounded number wait, the oldest go and the next line says how many.
    """

    def __init__(self, stream: BinaryIO, clock: Callable[[], float], every: float = 0.2) -> None:
        self._stream = stream
        self._clock = clock
        self._every = every
        self._waiting: deque[bytes] = deque(maxlen=_CAPACITY)
        self._dropped = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to write."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="access-log", daemon=True)
        self._thread.start()

    def write(self, record: dict[str, object]) -> None:
        """Remember a record for the next batch."""
        if len(self._waiting) == _CAPACITY:
            self._dropped += 1
        # At once, as a line: a second's records would keep the processor's cache cold.
        self._waiting.append(_line(self._clock(), record))

    def close(self) -> None:
        """Write what is left and end; a stuck reader is not waited for."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=2)

    def _run(self) -> None:
        stopping = False
        while not stopping:
            stopping = self._stop.wait(self._every)
            for piece in _pieces(self._lines()):
                self._put(piece)

    def _lines(self) -> Iterator[bytes]:
        while self._waiting:
            yield self._waiting.popleft()
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            yield _line(self._clock(), {"event": "records_dropped", "count": dropped})

    def _put(self, piece: bytes) -> None:
        try:
            self._stream.write(piece)
            self._stream.flush()
        except (OSError, ValueError):
            # The reader is gone. There is nowhere left to say so.
            self._dropped += piece.count(b"\n")


class JsonLines(logging.Formatter):
    """Formats what is logged through the standard library as the same kind of lines.

    What is logged while a request is answered carries its id.
    """

    def format(self, record: logging.LogRecord) -> str:
        """One line; a traceback is a field of it."""
        entry: dict[str, object] = {
            "event": "log",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        trail = current.get()
        if trail is not None:
            entry["request_id"] = trail.request_id
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return _line(record.created, entry).decode().rstrip()


def _line(moment: float, entry: dict[str, object]) -> bytes:
    second, milliseconds = divmod(int(moment * 1000), 1000)
    rest = orjson.dumps(entry, default=str, option=orjson.OPT_APPEND_NEWLINE)
    return b'{"time":"%b.%03d+00:00",%b' % (_second(second), milliseconds, rest[1:])


@lru_cache(2)
def _second(seconds: int) -> bytes:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()


def _pieces(lines: Iterator[bytes]) -> Iterator[bytes]:
    piece = b""
    for line in lines:
        if piece and len(piece) + len(line) > _ATOMIC:
            yield piece
            piece = b""
        piece += line
    if piece:
        yield piece
