"""Many clients that call as fast as they are answered, and what their answers say about a limit."""

import asyncio
import bisect
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

OK, TOO_MANY = 200, 429


@dataclass(frozen=True, slots=True)
class Call:
    """One call: when it was sent and answered, by the client's clock, and how."""

    sent: float
    answered: float
    status: int
    retry_after: float | None = None
    """In seconds, by the exact one of the two headers."""
    whole_seconds: int | None = None
    body: bytes = b""


class Load:
    """`clients` connections to a port, each with one request at a time."""

    def __init__(self, port: int, key: str, clients: int, path: str = "/todos") -> None:
        self._port = port
        self._clients = clients
        self._request = (
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\r\n"
        ).encode()

    async def for_seconds(self, seconds: float) -> list[Call]:
        """What came of calling all the time."""
        until = time.monotonic() + seconds
        rounds = [self._keep_calling(until) for _ in range(self._clients)]
        return [call for calls in await asyncio.gather(*rounds) for call in calls]

    async def at_once(self, each: int = 1) -> list[Call]:
        """What came of calls that were sent as nearly at once as can be, `each` by every client."""
        ends = [
            await asyncio.open_connection("127.0.0.1", self._port) for _ in range(self._clients)
        ]
        rounds = [self._call_often(reader, writer, each) for reader, writer in ends]
        return [call for calls in await asyncio.gather(*rounds) for call in calls]

    async def _keep_calling(self, until: float) -> list[Call]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        calls = []
        while time.monotonic() < until:
            calls.append(await self._call(reader, writer))
        writer.close()
        return calls

    async def _call_often(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, times: int
    ) -> list[Call]:
        calls = [await self._call(reader, writer) for _ in range(times)]
        writer.close()
        return calls

    async def _call(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Call:
        sent = time.monotonic()
        writer.write(self._request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        answered = time.monotonic()
        first, *lines = head.split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines if line)
        body = await reader.readexactly(int(headers["content-length"]))
        exact, whole = headers.get("retry-after-ms"), headers.get("retry-after")
        return Call(
            sent,
            answered,
            int(first.split()[1]),
            None if exact is None else int(exact) / 1000,
            None if whole is None else int(whole),
            body,
        )


def most_within(calls: Sequence[Call], period: float) -> int:
    """The most calls that were let through for certain within any `period` seconds."""
    passed = sorted((call for call in calls if call.status == OK), key=lambda call: call.answered)
    answered = [call.answered for call in passed]
    most = 0
    for begin in {call.sent for call in passed}:
        stop = bisect.bisect_right(answered, begin + period)
        start = bisect.bisect_left(answered, begin)
        most = max(most, sum(call.sent >= begin for call in passed[start:stop]))
    return most


def unjust(calls: Sequence[Call], cap: int, period: float) -> list[Call]:
    """Refusals for which fewer than `cap` calls can have been let through just before.

    A limit may see a stretch that is a 127th longer: so it loses less than 1 % of what it allows.
    """
    sent = sorted(call.sent for call in calls if call.status == OK)
    answered = sorted(call.answered for call in calls if call.status == OK)
    found = []
    for call in calls:
        too_old = bisect.bisect_left(answered, call.sent - period * 128 / 127)
        later = len(sent) - bisect.bisect_right(sent, call.answered)
        if call.status == TOO_MANY and len(sent) - too_old - later < cap:
            found.append(call)
    return found


def passed(calls: Sequence[Call]) -> int:
    """How many were let through."""
    return sum(call.status == OK for call in calls)


def rate(calls: Sequence[Call], period: float) -> float:
    """How many were let through in a `period`: a limit lets them come in bursts, one a period."""
    answered = [call.answered for call in calls if call.status == OK]
    return len(answered) * period / (max(answered) - min(answered) + period)


def wrong_waits(calls: Sequence[Call]) -> Iterator[Call]:
    """Refusals that gave no time, or one that is not right within a second.

    The exact time is that until the first call can pass; the whole seconds are that, rounded up.
    """
    for call in calls:
        if call.status != TOO_MANY:
            continue
        exact, whole = call.retry_after, call.whole_seconds
        if exact is None or whole is None or whole != max(1, ceil(exact)):
            yield call


def statuses(calls: Sequence[Call]) -> Mapping[int, int]:
    """How many calls there were of each status."""
    return dict(Counter(call.status for call in calls))


def detail(call: Call) -> str:
    """What a refusal says."""
    return str(json.loads(call.body)["detail"])
