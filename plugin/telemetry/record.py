"""The record of one request: what the access log, the metrics, the traces and the ledger learn."""

from dataclasses import dataclass
from typing import Any

from plugin.messages import AnsweredBy

_WHERE_KNOWN = (
    "model",
    "tokens_in",
    "tokens_out",
    "first_ms",
    "ended",
    "code",
    "limit",
    "units",
)


@dataclass(slots=True)
class RequestRecord:
    """One request. It grows while the request is answered, and is read once, at its end.

    `path` is the route's template, None without a route. `ms` and `first_ms` are milliseconds,
    `size` is the number of bytes of the answer. It holds no header, no query and no text.
    """

    request_id: str
    method: str
    client: str | None = None
    path: str | None = None
    status: int | None = None
    size: int = 0
    ms: float = 0.0
    caller: str | None = None
    door: str = "rest"
    """The name of the interface that was called, as the ledger has it."""
    code: str | None = None
    """The error code, where an error was answered."""
    limit: str | None = None
    """The limit that refused the call."""
    ended: str | None = None
    """How the request ended; None where the whole answer was sent."""
    operation: str | None = None
    """What a call of a model does, by OpenTelemetry's names, such as `chat`."""
    model: str | None = None
    """The model that was asked for."""
    answered_by: AnsweredBy | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    units: int | None = None
    """The cost that was charged to budgets, where there was any."""
    first_ms: float | None = None
    """Time until the first piece of an event stream."""

    def as_json(self) -> dict[str, Any]:
        """Return the line of the access log; members that do not apply are left out."""
        line: dict[str, Any] = {
            "event": "request",
            "request_id": self.request_id,
            "client": self.client,
            "method": self.method,
            "path": self.path,
            "status": self.status,
            "bytes": self.size,
            "ms": self.ms,
            "caller": self.caller,
        }
        for name in _WHERE_KNOWN:
            value = getattr(self, name)
            if value is not None:
                line[name] = value
        if self.answered_by is not None:
            line["answered_by"] = str(self.answered_by)
        return line
