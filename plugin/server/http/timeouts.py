"""Time limits of connections, and the oldest idle ones closed when descriptors run short."""

import logging
import resource
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from plugin.errors import RequestTimedOut
from plugin.server.http.protocol import BODY, HEAD, GuardedHttp

_DESCRIPTORS = Path("/proc/self/fd")
_CROWDED = 0.8
"""The part of the descriptors from which idle connections are closed."""
_SPARE = 0.05
"""The part of the descriptors that is freed beyond that, and that is left for ourselves."""
_LAST = 4
"""Connections that are accepted when no more may be, for operators: see `GuardedHttp.last`."""
_LAST_SECONDS = 2.0
"""Seconds that the head of a request may take on these."""
_YOUNG = 0.25
"""Seconds for the first request of a new connection to come, before it may be closed as idle."""
_LINGER = 2.0
"""Seconds for the other side to read a refusal and to end the connection."""
_AGAIN = 10.0
"""Seconds between two lines of the log about a lack of descriptors."""

_SELDOM = 10
"""Looks between two counts of the descriptors while there are plenty."""
_MANY = 1 << 20

log = logging.getLogger("plugin.worker")


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds: for the head of a request, between bytes of its body, and between requests."""

    header: float
    body: float
    idle: float


def open_files() -> int:
    """How many descriptors this process may have."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MANY if limit == resource.RLIM_INFINITY else min(limit, _MANY)


class Watch:
    """Looks once a second at all connections, which saves a timer for each request.

    `connections` are those of the server; `descriptors` is how many this process may have.
    """

    def __init__(
        self,
        connections: Collection[object],
        times: Times,
        descriptors: int,
        clock: Callable[[], float],
    ) -> None:
        self._connections = connections
        self._times = times
        self._descriptors = descriptors
        self._clock = clock
        self._others = 0
        self._logged = float("-inf")
        self._closed = 0
        self._looks = 0
        self._count()

    @property
    def crowded(self) -> bool:
        """Whether connections have used up what they may have of the descriptors."""
        return len(self._connections) + self._others >= self._descriptors * _CROWDED

    @property
    def full(self) -> bool:
        """Whether what is left is for this process's own work: files, the database, engines."""
        return len(self._connections) + self._others >= self._descriptors * (1 - _SPARE)

    @property
    def has_last_place(self) -> bool:
        """Whether one more connection may be accepted for what operators ask.

        Not as long as another one may be closed instead, in a moment.
        """
        if self._idle():
            return False
        most = min(_LAST, int(self._descriptors * _SPARE) // 2)
        return (
            sum(1 for one in self._connections if isinstance(one, GuardedHttp) and one.last) < most
        )

    def look(self) -> None:
        """Answer or close what is over its time, and make room where descriptors run short."""
        now = self._clock()
        for connection in list(self._connections):
            if isinstance(connection, GuardedHttp):
                self._look_at(connection, now)
        self._looks += 1
        used = len(self._connections) + self._others
        if self._looks % _SELDOM == 0 or used > self._descriptors * _CROWDED / 2:
            self._count()
        if self.crowded:
            self.make_room()

    def make_room(self, error: OSError | None = None) -> None:
        """Close the connections that have been idle for longest; one line of the log for many.

        `error` is why one could not be accepted.
        """
        now = self._clock()
        idle = [one for one in self._idle() if now - one.since > _YOUNG]
        idle.sort(key=lambda connection: connection.since)
        wanted = len(self._connections) + self._others
        wanted -= int(self._descriptors * (_CROWDED - _SPARE))
        for connection in idle[: max(1, wanted)]:
            connection.give_up()
        self._closed += min(len(idle), max(1, wanted))
        self._tell(error)

    def _idle(self) -> list[GuardedHttp]:
        """The connections that may be closed; the last ones end soon by themselves."""
        return [
            one
            for one in self._connections
            if isinstance(one, GuardedHttp) and one.has_nothing_to_do and not one.last
        ]

    def _tell(self, error: OSError | None) -> None:
        """Write what the lack of descriptors has led to, at most once in ten seconds."""
        now = self._clock()
        if now - self._logged < _AGAIN:
            return
        failed = "" if error is None else f"a connection could not be accepted ({error}); "
        log.warning(
            "%s%d of %d file descriptors are in use; %d idle connections were closed. Raise the "
            "limit of open files, or allow fewer connections in the proxy",
            failed,
            len(self._connections) + self._others,
            self._descriptors,
            self._closed,
        )
        self._logged, self._closed = now, 0

    def _look_at(self, connection: GuardedHttp, now: float) -> None:
        waited = now - connection.since
        if connection.unread_seconds(now) > self._times.body:
            connection.transport.abort()
        elif connection.refused:
            if connection.said_all and waited > _LINGER:
                connection.give_up()
        elif connection.waits_for_us:
            connection.since = now
        else:
            self._hurry(connection, waited)

    def _hurry(self, connection: GuardedHttp, waited: float) -> None:
        times = self._times
        header = min(times.header, _LAST_SECONDS) if connection.last else times.header
        if connection.part == HEAD:
            if waited > header:
                connection.refuse(_late_head(header))
        elif connection.part == BODY:
            if waited > times.body:
                connection.refuse(_late_body(times.body))
        elif waited > (header if connection.cycle is None else times.idle):
            connection.give_up()

    def _count(self) -> None:
        """Count descriptors that are not connections; without /proc, assume a fixed share."""
        try:
            found = sum(1 for _ in _DESCRIPTORS.iterdir())
        except OSError:
            self._others = int(self._descriptors * _SPARE)
        else:
            self._others = max(0, found - len(self._connections))


def _late_head(seconds: float) -> RequestTimedOut:
    return RequestTimedOut(
        f"The headers of the request took longer than {seconds:g} seconds; send them at once."
    )


def _late_body(seconds: float) -> RequestTimedOut:
    return RequestTimedOut(
        f"No byte of the request body came for {seconds:g} seconds; send the request again."
    )
