"""Many clients that call as fast as they are answered, and what their answers say about a limit."""

import asyncio
import bisect
import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Any, NamedTuple

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
    """`clients` connections to a port, each with one request at a time.

    Between its calls each pauses for `pause` seconds, or for as long as a refusal tells it to.
    """

    def __init__(
        self,
        port: int,
        key: str,
        clients: int,
        path: str = "/todos",
        *,
        pause: float = 0.0,
        patient: bool = False,
    ) -> None:
        self._port = port
        self._clients = clients
        self._pause = pause
        self._patient = patient
        self._request = (
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\r\n"
        ).encode()

    async def for_seconds(self, seconds: float) -> list[Call]:
        """What came of calling all the time."""
        until = time.monotonic() + seconds
        step = self._pause / self._clients
        rounds = [self._keep_calling(until, step * number) for number in range(self._clients)]
        return [call for calls in await asyncio.gather(*rounds) for call in calls]

    async def at_once(self, each: int = 1) -> list[Call]:
        """What came of calls that were sent as nearly at once as can be, `each` by every client."""
        ends = [
            await asyncio.open_connection("127.0.0.1", self._port) for _ in range(self._clients)
        ]
        rounds = [self._call_often(reader, writer, each) for reader, writer in ends]
        return [call for calls in await asyncio.gather(*rounds) for call in calls]

    async def _keep_calling(self, until: float, later: float) -> list[Call]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        await asyncio.sleep(later)
        calls = []
        while time.monotonic() < until:
            call = await self._call(reader, writer)
            calls.append(call)
            told = call.retry_after if self._patient else None
            pause = self._pause if told is None else told
            if pause:
                await asyncio.sleep(min(pause, max(0.0, until - time.monotonic())))
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


class Seen(NamedTuple):
    """A call as the service saw it: when it came, and how it was answered."""

    came: float
    status: int


def seen(records: Iterable[Mapping[str, Any]], path: str = "/todos") -> list[Seen]:
    """The calls in the service's own log."""
    return sorted(
        Seen(datetime.fromisoformat(one["time"]).timestamp() - one["ms"] / 1000, one["status"])
        for one in records
        if one.get("path") == path
    )


def pace(times: Sequence[float], cap: int) -> float:
    """The seconds that `cap` calls take, under full load.

    The mean over calls as many times `cap` apart as can be, each first one among the first `cap`:
    so it does not matter in which part of a period the load begins and ends.
    """
    most = len(times) // cap - 1
    took = [last - first for first, last in zip(times[:cap], times[most * cap :], strict=False)]
    return sum(took) / len(took) / most


def exact(calls: Iterable[Seen], cap: int, period: float) -> list[float]:
    """When an exact sliding window lets calls in that is asked the same ones at the same times.

    What nobody asked for, because the machine or the callers were not fast enough, it has not.
    """
    let_in = list[float]()
    for call in calls:
        if len(let_in) < cap or call.came - let_in[-cap] >= period:
            let_in.append(call.came)
    return let_in


def misled(
    calls: Sequence[Call], by_service: Sequence[Seen], within: float = 1.0
) -> tuple[int, int, float]:
    """Refusals whose time was wrong by more than `within` seconds, all of them, the worst.

    Nobody may have been let in before, and somebody must have been right after. A refusal was
    decided between its sending and its answer; one whose time nobody tried out says nothing.
    """
    from_wall = time.monotonic() - time.time()
    let_in = [call.came + from_wall for call in by_service if call.status == OK]
    last = by_service[-1].came + from_wall
    errors = []
    for call in calls:
        following = bisect.bisect_right(let_in, call.answered)
        if call.retry_after is None or following == len(let_in):
            continue
        earliest, latest = call.sent + call.retry_after, call.answered + call.retry_after
        if latest < last:
            moment = let_in[following]
            errors.append(max(0.0, earliest - moment, moment - latest))
    return sum(error > within for error in errors), len(errors), max(errors, default=0.0)


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
