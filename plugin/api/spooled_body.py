"""The body of a request, read to its end before anything is done: to compare it, and to give it on.

A small one is kept in memory, a large one in a file without a name in the data directory: a `/tmp`
may be smaller than an upload.
"""

import asyncio
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import Self

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope

from plugin.errors import NoSpace
from plugin.pools.threads import Threads
from plugin.storage.allocation import is_full

_IN_MEMORY = 1_048_576
_PIECE = 262_144


class SpooledBody:
    """The body of the request of `scope`; what was kept of it goes when the context is left.

    `threads` read and write a large one, in `folder` (None: where temporary files lie).
    """

    def __init__(self, scope: Scope, threads: Threads, folder: Path | None = None) -> None:
        self._threads = threads
        media_type, self._boundary = _media_type(scope)
        about = (scope["method"].encode(), scope["path"].encode(), scope["query_string"])
        self._sum = sha256(b"\0".join((*about, media_type, b"")))
        self._unread = b""
        where = None if folder is None else str(folder)
        self._file = SpooledTemporaryFile[bytes](_IN_MEMORY, dir=where)
        self._size = 0
        self._given = 0
        self._receive: Receive | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        with suppress(OSError):  # bytes that did not fit the disk are not wanted either
            self._file.close()

    async def read(self, receive: Receive) -> None:
        """Read it all.

        Raises `ClientDisconnect` when the caller left before its end, `NoSpace` on a full disk.
        """
        self._receive = receive
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                raise ClientDisconnect
            more = message.get("more_body", False)
            await self._add(message.get("body", b""))
        self._sum.update(self._unread)
        self._file.seek(0)

    def fingerprint(self) -> bytes:
        """The same for an equal request: method, path, query, media type and body.

        The boundary between the parts of a form, which clients throw dice for, does not count.
        """
        return self._sum.digest()

    async def rest(self) -> Message:
        """What the connection says after the body."""
        assert self._receive is not None  # noqa: S101 - it has been read
        return await self._receive()

    async def again(self) -> Message:
        """The body once more, then what the connection says."""
        if self._given and self._given >= self._size:
            return await self.rest()
        piece = await self._next()
        self._given += len(piece) or 1
        return {"type": "http.request", "body": piece, "more_body": self._given < self._size}

    async def again_and_stay(self) -> Message:
        """The same for whoever shall not learn that the caller has left."""
        message = await self.again()
        if message["type"] == "http.disconnect":
            await asyncio.Event().wait()
        return message

    async def _next(self) -> bytes:
        if self._size <= _IN_MEMORY:
            return self._file.read()
        return await self._threads.run(self._file.read, _PIECE)

    async def _add(self, piece: bytes) -> None:
        self._count(piece)
        self._size += len(piece)
        if self._size <= _IN_MEMORY:
            self._file.write(piece)
        else:
            try:
                await self._threads.run(self._file.write, piece)
            except OSError as error:
                if is_full(error):
                    raise NoSpace from error
                raise

    def _count(self, piece: bytes) -> None:
        if not self._boundary:
            self._sum.update(piece)
            return
        *parts, rest = (self._unread + piece).split(self._boundary)
        for part in parts:
            self._sum.update(part + b"\0")
        # it may hold the beginning of a boundary
        keep = len(self._boundary) - 1
        cut = max(0, len(rest) - keep)
        self._sum.update(rest[:cut])
        self._unread = rest[cut:]


def _media_type(scope: Scope) -> tuple[bytes, bytes]:
    """The media type, and what separates the parts of a form; nothing for any other."""
    came = next((bytes(value) for name, value in scope["headers"] if name == b"content-type"), b"")
    media_type, *parameters = came.split(b";")
    if not media_type.strip().lower().startswith(b"multipart/"):
        return came, b""
    boundary, others = b"", [media_type]
    for parameter in parameters:
        name, _, value = parameter.strip().partition(b"=")
        if name.lower() == b"boundary":
            boundary = value.strip(b'"')
        else:
            others.append(parameter)
    return b";".join(others), boundary
