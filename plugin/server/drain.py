"""What a parent tells a worker that is to end."""

import json
from dataclasses import asdict, dataclass

AT_STOP, AT_RESTART = 0.5, 5.0
"""Seconds for which an open connection may still bring a request.

At a restart nobody waits for the old worker, so that callers may keep their connections until they
are closed with an answer.
"""


@dataclass(frozen=True, slots=True)
class Drain:
    """How to end; times in seconds.

    For `delay` requests are taken as before, while `/readyz` refuses. Then what is under way has
    `limit`, and a connection may bring its next request for `linger`.
    """

    limit: float
    linger: float
    delay: float = 0.0

    def line(self) -> bytes:
        """As it is sent."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @staticmethod
    def read(line: bytes) -> "Drain":
        """As it was sent."""
        return Drain(**json.loads(line))


def at_once() -> Drain:
    """Without waiting for anything."""
    return Drain(limit=0.0, linger=0.0)
