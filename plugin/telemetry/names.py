"""Every name under which the service is measured and traced, in one place.

The names are those of the OpenTelemetry semantic conventions where they have one, and begin with
`plugin.` where they have none:

* `http.*`, `process.*`, `error.type`: semantic conventions 1.44, stable but for `process.*`;
* `gen_ai.*`: https://github.com/open-telemetry/semantic-conventions-genai (docs/gen-ai/
  gen-ai-metrics.md, gen-ai-token-metrics.md, gen-ai-spans.md), "development", as of November 2026.
  There the counters `gen_ai.client.inference.usage.*` stand in the place of the older histogram
  `gen_ai.client.token.usage`.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]

METHOD = "http.request.method"
ROUTE = "http.route"
STATUS = "http.response.status_code"
ERROR = "error.type"
OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
MODEL = "gen_ai.request.model"
ANSWERED_BY = "gen_ai.response.model"
TOKENS_IN = "gen_ai.usage.input_tokens"
TOKENS_OUT = "gen_ai.usage.output_tokens"
PID = "process.pid"

DOOR = "plugin.door"
STATUS_CLASS = "plugin.status_class"
LIMIT = "plugin.limit"
SUBJECT = "plugin.subject"
STATE = "plugin.state"
UPSTREAM = "plugin.upstream"
REQUEST_ID = "plugin.request_id"
CALLER = "plugin.caller"
ENDED = "plugin.ended"

_UNITS = {"s": "seconds", "By": "bytes"}


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """One metric. `unit` is in UCUM; `bounds` are the upper bounds of a histogram's buckets."""

    name: str
    kind: Kind
    unit: str
    tells: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()

    @property
    def in_prometheus(self) -> str:
        """Its name there, without the endings that counters and histograms get."""
        unit = _UNITS.get(self.unit)
        return prometheus_name(self.name) + (f"_{unit}" if unit else "")


def prometheus_name(name: str) -> str:
    """A name as Prometheus writes it."""
    return name.replace(".", "_")


_HTTP = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_MODELS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_FIRST = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_OF_MODELS = (OPERATION, PROVIDER, MODEL)

REQUESTS = Figure(
    "http.server.request.duration",
    "histogram",
    "s",
    "Requests and how long each took, until its last byte.",
    (DOOR, METHOD, ROUTE, STATUS_CLASS),
    _HTTP,
)
CALLS = Figure(
    "gen_ai.client.operation.duration",
    "histogram",
    "s",
    "Calls of models and how long each took.",
    (*_OF_MODELS, ERROR),
    _MODELS,
)
FIRST_PIECE = Figure(
    "gen_ai.server.time_to_first_token",
    "histogram",
    "s",
    "Time until the first piece of a streamed answer went out.",
    _OF_MODELS,
    _FIRST,
)
INPUT = Figure(
    "gen_ai.client.inference.usage.input_tokens",
    "counter",
    "{token}",
    "Tokens that models read.",
    _OF_MODELS,
)
OUTPUT = Figure(
    "gen_ai.client.inference.usage.output_tokens",
    "counter",
    "{token}",
    "Tokens that models wrote.",
    _OF_MODELS,
)
UNITS = Figure("plugin.usage.units", "counter", "{unit}", "Units charged to budgets.", (MODEL,))
REFUSALS = Figure(
    "plugin.limit.refusals", "counter", "{call}", "Calls that a limit refused.", (LIMIT, DOOR)
)
LEFT = Figure("plugin.limit.left", "gauge", "1", "What is left of a limit.", (LIMIT, SUBJECT))
CAP = Figure("plugin.limit.cap", "gauge", "1", "What a limit allows.", (LIMIT, SUBJECT))
ACTIVE = Figure(
    "http.server.active_requests", "gauge", "{request}", "Requests being answered, streams too."
)
STREAMS = Figure("plugin.streams.open", "gauge", "{stream}", "Event streams being sent.")
BREAKERS = Figure(
    "plugin.upstream.breaker",
    "gauge",
    "{worker}",
    "In how many workers the breaker of an upstream is in a state.",
    (UPSTREAM, STATE),
)
JOURNAL = Figure(
    "plugin.journal.waiting", "gauge", "By", "Bytes of journals that are not on the disk yet."
)
LEDGER = Figure(
    "plugin.ledger.backlog", "gauge", "By", "Bytes of journals that are not in the ledger yet."
)
ENGINE = Figure(
    "plugin.engine.state", "gauge", "1", "1 for the state that the embedded engine is in.", (STATE,)
)
RESTARTS = Figure(
    "plugin.engine.restarts", "counter", "{restart}", "How often the embedded engine was restarted."
)
WORKERS = Figure("plugin.workers", "gauge", "{process}", "Worker processes that live.")
MEMORY = Figure("process.memory.usage", "gauge", "By", "Resident memory of a worker.", (PID,))
HANDLES = Figure(
    "process.open_file_descriptor.count", "gauge", "{handle}", "Open handles of a worker.", (PID,)
)
CPU = Figure("process.cpu.time", "counter", "s", "Processor time of a worker.", (PID,))

FIGURES = (
    *(REQUESTS, CALLS, FIRST_PIECE, INPUT, OUTPUT, UNITS, REFUSALS, LEFT, CAP),
    *(ACTIVE, STREAMS, BREAKERS, JOURNAL, LEDGER, ENGINE, RESTARTS),
    *(WORKERS, MEMORY, HANDLES, CPU),
)
"""All of them, in the order in which they are told."""
