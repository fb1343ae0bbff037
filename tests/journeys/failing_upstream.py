"""The whole service before an upstream that fails for a while, and what its callers are told.

The upstream runs in the process that calls: it sees what the service really sends.
"""

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from tests.engines.scripted_upstream import KEY, reply
from tests.journeys.running import new_key, running

How = Literal["well", "errors", "refused", "hanging"]

_GOOD = json.dumps(reply()).encode()
_HEAD = b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
_BAD = json.dumps({"error": {"message": "no", "type": "server_error"}}).encode()


class Failing:
    """The upstream; `asked` holds when each request came, by the monotonic clock, and its user."""

    def __init__(self) -> None:
        self.asked: list[tuple[float, str]] = []
        self.port = 0
        self._how: How = "well"
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def become(self, how: How) -> None:
        """From now on it answers like this; what hangs stays so."""
        self._how = how
        if how == "refused":
            await self.close()
        elif self._server is None:
            self._server = await asyncio.start_server(self._handle, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Listen no more, and end what is open."""
        if self._server is not None:
            self._server.close()
            self._server = None
        open_now = list(self._writers)
        for writer in open_now:
            writer.transport.abort()
        await asyncio.gather(*(one.wait_closed() for one in open_now), return_exceptions=True)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                body = json.loads(await reader.readexactly(length))
                self.asked.append((time.monotonic(), body["user"]))
                if self._how == "hanging":
                    await asyncio.sleep(3600)
                status, said = (200, _GOOD) if self._how == "well" else (500, _BAD)
                writer.write(_HEAD % (status, len(said)) + said)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # what hangs is cancelled at the end of all
        finally:
            self._writers.discard(writer)
            writer.close()


@asynccontextmanager
async def failing_upstream() -> AsyncIterator[Failing]:
    """One that answers well at first."""
    found = Failing()
    await found.become("well")
    try:
        yield found
    finally:
        await found.close()


Kind = Literal["answered", "failed", "left alone"]


@dataclass(frozen=True, slots=True)
class Told:
    """One call; times in seconds by the monotonic clock."""

    user: str
    sent: float
    answered: float
    kind: Kind

    @property
    def took(self) -> float:
        return self.answered - self.sent


@dataclass(frozen=True)
class Trial:
    """What came of it. `failing` and `healed` are when the upstream changed."""

    failing: float
    healed: float
    calls: Sequence[Told]
    asked: Sequence[tuple[float, str]]
    log_ms: Sequence[float]
    """What the service says it took for those that it turned away, in milliseconds."""

    @property
    def opened(self) -> float:
        """When the first call was turned away without asking."""
        return min(call.answered for call in self.calls if call.kind == "left alone")

    @property
    def turned_away(self) -> Sequence[float]:
        """The times of calls that were turned away without asking, in milliseconds."""
        return [call.took * 1000 for call in self.calls if call.kind == "left alone"]

    @property
    def probes(self) -> Sequence[Told]:
        """Calls that were sent when it was open and passed all the same, until one went well."""
        tried = [
            call for call in self.calls if call.sent > self.opened and call.kind != "left alone"
        ]
        tried.sort(key=lambda call: call.sent)
        good = next((at for at, call in enumerate(tried) if call.kind == "answered"), len(tried))
        return tried[: good + 1]

    @property
    def back_after(self) -> float:
        """From the healing until the first answer."""
        good = [call.answered for call in self.calls if call.kind == "answered"]
        return min((at for at in good if at > self.healed), default=math.inf) - self.healed

    @property
    def back_for_good(self) -> bool:
        """Whether every call was answered from the first answer on."""
        since = self.healed + self.back_after
        return all(call.kind == "answered" for call in self.calls if call.sent > since)

    @property
    def retries(self) -> int:
        """How often the upstream was asked the same thing again."""
        return len(self.asked) - len({user for _, user in self.asked})


async def trial(
    directory: Path, how: How, seconds: float, *, rate: float = 40, patience: float = 2.0
) -> Trial:
    """Ask steadily while the upstream fails for `seconds`, until a second after it is back.

    The service waits `patience` seconds for each of its answers.
    """
    (found,) = await trials(directory, {how: (seconds, patience)}, rate=rate)
    return found


async def trials(
    directory: Path, ways: Mapping[How, tuple[float, float]], *, rate: float = 40
) -> list[Trial]:
    """Run one trial a way to fail, all at once, each before an upstream of its own.

    A way has the seconds for which the upstream fails, and the patience of the service with it.
    """
    async with AsyncExitStack() as stack:
        far = {how: await stack.enter_async_context(failing_upstream()) for how in ways}
        upstreams = [
            {
                "name": how,
                "base_url": far[how].url,
                "api_key": KEY,
                "models": [how],
                "timeout": patience,
            }
            for how, (_, patience) in ways.items()
        ]
        settings = {"PLUGIN_UPSTREAMS": json.dumps(upstreams)}
        entering = running(directory, "serve", settings=settings)
        started = await asyncio.to_thread(entering.__enter__)
        try:
            key = (await asyncio.to_thread(new_key, directory))["key"]
            asking = {how: _Asking(started.address.port, key, rate, how) for how in ways}
            tried = (_try(how, far[how], asking[how], ways[how][0]) for how in ways)
            found = await asyncio.gather(*tried)
        finally:
            await asyncio.to_thread(entering.__exit__, None, None, None)
        records = started.records()
    return [_told(one, records) for one in found]


async def _try(how: How, far: Failing, asking: "_Asking", seconds: float) -> Trial:
    await asking.some(1.0)
    failing = time.monotonic()
    await far.become(how)
    await asking.some(seconds)
    await far.become("well")
    healed = time.monotonic()
    while not asking.is_back(healed) and time.monotonic() < healed + _LONGEST:
        await asking.some(0.5)
    await asking.some(1.0)
    return Trial(failing, healed, await asking.all(), far.asked, [])


def _told(found: Trial, records: Sequence[Mapping[str, Any]]) -> Trial:
    away = {call.user for call in found.calls if call.kind == "left alone"}
    return replace(found, log_ms=[one["ms"] for one in records if one.get("request_id") in away])


_LONGEST = 90.0


class _Asking:
    """Calls at a steady rate, whether or not those before were answered."""

    def __init__(self, port: int, key: str, rate: float, model: str) -> None:
        self._port = port
        self._key = key
        self._pause = 1 / rate
        self._model = model
        self._number = 0
        self._tasks: list[asyncio.Task[Told]] = []
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._opened: list[asyncio.StreamWriter] = []

    async def some(self, seconds: float) -> None:
        """Ask for so long."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._number += 1
            self._tasks.append(asyncio.create_task(self._ask(f"{self._model}-{self._number:06d}")))
            await asyncio.sleep(self._pause)

    def is_back(self, since: float) -> bool:
        """Whether a call was answered well after that time."""
        done = (task.result() for task in self._tasks[-500:] if task.done())
        return any(call.kind == "answered" and call.answered > since for call in done)

    async def all(self) -> list[Told]:
        """What came of every call."""
        found = await asyncio.gather(*self._tasks)
        for writer in self._opened:
            writer.close()
        # Those that the service has ended may say so; what counts is that all are closed.
        closing = (writer.wait_closed() for writer in self._opened)
        await asyncio.gather(*closing, return_exceptions=True)
        return list(found)

    async def _ask(self, user: str) -> Told:
        body = json.dumps({**_QUESTION, "model": self._model, "user": user}).encode()
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self._key}"
            f"\r\nContent-Type: application/json\r\nX-Request-Id: {user}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        # the service ends connections that were idle for a while
        self._idle = [one for one in self._idle if not one[0].at_eof()]
        if self._idle:
            reader, writer = self._idle.pop()
        else:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            self._opened.append(writer)
        sent = time.monotonic()
        writer.write(head.encode() + body)
        lines = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(lines.split(b"content-length: ")[1].split(b"\r\n")[0])
        said = await reader.readexactly(length)
        answered = time.monotonic()
        self._idle.append((reader, writer))
        kind: Kind = "answered" if lines.startswith(b"http/1.1 200") else "failed"
        return Told(user, sent, answered, "left alone" if b"is left alone" in said else kind)


_QUESTION = {"messages": [{"role": "user", "content": "hi"}]}
