"""Calls that are remembered one by one, and what the ledger says of each of them."""

import asyncio
import itertools
import json
import sqlite3
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

NOT_LET_IN = "not let in"
"""What is put for the code of a call that was turned away because it could not be written down."""

REFUSED = frozenset({NOT_LET_IN, "rate_limit_exceeded", "draining"})
"""Codes of calls that nobody let in."""


@dataclass(frozen=True, slots=True)
class Told:
    """One answered call; times in seconds by the monotonic clock."""

    request_id: str
    at: float
    took: float
    status: int
    code: str = ""


@dataclass
class Accounted:
    """`clients` connections that call `requests` (method, path, body) by turns until told.

    Each pauses for `pause` seconds between two calls.
    """

    port: int
    key: str
    clients: int
    requests: Sequence[tuple[str, str, bytes]]
    pause: float = 0.0
    calls: list[Told] = field(default_factory=list)
    unanswered: set[str] = field(default_factory=set)

    async def until(self, stop: asyncio.Event, name: str = "c") -> None:
        """Call all the time; a call that was begun is waited for."""
        await asyncio.gather(
            *(self._client(f"{name}{number:03d}", stop) for number in range(self.clients))
        )

    async def _client(self, name: str, stop: asyncio.Event) -> None:
        numbers = itertools.count()
        while not stop.is_set():
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except ConnectionError:
                await asyncio.sleep(0.05)
                continue
            try:
                while not stop.is_set():
                    number = next(numbers)
                    method, path, body = self.requests[number % len(self.requests)]
                    await self._call(reader, writer, f"{name}-{number:07d}", method, path, body)
                    if self.pause:
                        await asyncio.sleep(self.pause)
            except (ConnectionError, asyncio.IncompleteReadError):
                pass
            finally:
                writer.close()

    async def _call(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        name: str,
        method: str,
        path: str,
        body: bytes,
    ) -> None:
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.key}\r\n"
            f"X-Request-Id: {name}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        sent = time.monotonic()
        self.unanswered.add(name)
        writer.write(head.encode() + body)
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:] if line)
        content = await reader.readexactly(int(headers["content-length"]))
        now, status = time.monotonic(), int(lines[0].split()[1])
        self.unanswered.discard(name)
        code = _code(content) if status >= 400 else ""
        self.calls.append(Told(name, now, now - sent, status, code))


def _code(content: bytes) -> str:
    if b"lets nobody in" in content:
        return NOT_LET_IN
    said = json.loads(content)
    return str(said.get("code") or said.get("error", {}).get("code"))


@dataclass(frozen=True)
class Account:
    """What does not add up; all of it empty when everything does."""

    missing: Sequence[str]
    doubled: Sequence[str]
    unfounded: Sequence[str]

    @property
    def is_right(self) -> bool:
        """Whether every answered call has the row that it must have, and no other has one."""
        return not (self.missing or self.doubled or self.unfounded)


def account(database: Path, load: Accounted) -> Account:
    """Compare what was answered with the rows that there are."""
    rows = Counter(rows_of(database))
    answered = {call.request_id: call for call in load.calls}
    return Account(
        [name for name, call in answered.items() if call.code not in REFUSED and not rows[name]],
        [name for name, count in rows.items() if count > 1],
        [name for name, call in answered.items() if call.code in REFUSED and rows[name]],
    )


def rows_of(database: Path) -> list[str]:
    """The request id of each row of a call."""
    return [name for name, _ in _rows(database)]


def ends_of(database: Path) -> Mapping[str, str]:
    """How each call ended, by request id."""
    return dict(_rows(database))


def acts_of(database: Path) -> list[str]:
    """The acts that there are, such as "journal damaged"."""
    connection = sqlite3.connect(database, timeout=30)
    try:
        found = connection.execute("SELECT action FROM ledger WHERE kind = 'act' ORDER BY serial")
        return [str(row[0]) for row in found]
    finally:
        connection.close()


def _rows(database: Path) -> list[tuple[str, str]]:
    connection = sqlite3.connect(database, timeout=30)
    try:
        return connection.execute(
            "SELECT request_id, ended FROM ledger WHERE kind = 'call'"
        ).fetchall()
    finally:
        connection.close()
