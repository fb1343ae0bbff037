"""Traces by OpenTelemetry, where a collector is configured: a span a request, one an engine call.

Its libraries are the extra `otel`; they are imported when a collector is configured and never else.
Spans carry names, numbers and ids: nothing that a caller or a model wrote.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from plugin.errors import CannotRun
from plugin.telemetry import names
from plugin.telemetry.metrics import OTHER, error_of
from plugin.telemetry.record import RequestRecord
from plugin.trail import Trail

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

_CARRIED = frozenset({b"traceparent", b"tracestate"})
_OF_THE_CALLER = range(400, 500)
_CALLER_LEFT = "caller left"


class Traces:
    """Begins the trace of each request; a sampler may decide that most of them are not kept.

    `close` sends what is left, and waits for it for some seconds.
    """

    def __init__(self, provider: "TracerProvider") -> None:
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self._tracer = provider.get_tracer("gpt-plugin")
        self._extract = TraceContextTextMapPropagator().extract
        self._kind = SpanKind.SERVER

    def begin(
        self, trail: Trail, method: str, headers: Iterable[tuple[bytes, bytes]]
    ) -> "RequestTrace":
        """The trace of a request that has just come, as part of its caller's if he sent one."""
        carried = {
            name.decode(): value.decode("latin-1") for name, value in headers if name in _CARRIED
        }
        above = self._extract(carried) if carried else None
        span = self._tracer.start_span(method, above, self._kind)
        return RequestTrace(self._tracer, span, trail)

    def close(self) -> None:
        """Send what is left. Blocks."""
        self._provider.shutdown()


class RequestTrace:
    """The trace of one request. Whoever is asked on its way gets `trail.traceparent` to carry."""

    def __init__(self, tracer: "Tracer", span: "Span", trail: Trail) -> None:
        self._tracer = tracer
        self._span = span
        self._engine: Span | None = None
        self._trail = trail
        trail.traceparent = _traceparent(span)

    def engine(self, model: str) -> None:
        """An engine is asked for the answer of `model`, from now on to the end."""
        from opentelemetry.trace import SpanKind, set_span_in_context

        above, asked = set_span_in_context(self._span), {names.MODEL: model}
        self._engine = self._tracer.start_span(model, above, SpanKind.CLIENT, asked)
        self._trail.traceparent = _traceparent(self._engine)

    def finish(self, record: RequestRecord) -> None:
        """The request has ended; `record` is that of the access log."""
        if self._engine is not None:
            self._engine.update_name(f"{record.operation or OTHER} {record.model}")
            _end(self._engine, record, _of_engine(record))
        route = record.path
        self._span.update_name(f"{record.method} {route}" if route else record.method)
        _end(self._span, record, _of_request(record))


def open_traces(collector: str, version: str) -> Traces:
    """Traces that go to `collector`, the http(s) address of one that speaks OTLP.

    Raises `CannotRun` where the libraries are missing.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise CannotRun(
            "PLUGIN_TRACES: traces need libraries that are not here; run pip install "
            "'gpt-plugin[otel]', or unset PLUGIN_TRACES and OTEL_EXPORTER_OTLP_ENDPOINT"
        ) from None
    ours = Resource.create({"service.name": "gpt-plugin", "service.version": version})
    provider = TracerProvider(resource=ours.merge(OTELResourceDetector().detect()))
    exporter = OTLPSpanExporter(endpoint=f"{collector.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return Traces(provider)


def _traceparent(span: "Span") -> str:
    place = span.get_span_context()
    return f"00-{place.trace_id:032x}-{place.span_id:016x}-{int(place.trace_flags):02x}"


def _of_request(record: RequestRecord) -> dict[str, Any]:
    return {
        names.REQUEST_ID: record.request_id,
        names.METHOD: record.method,
        names.ROUTE: record.path,
        names.STATUS: record.status,
        names.CALLER: record.caller,
        names.LIMIT: record.limit,
        names.ENDED: record.ended,
    }


def _of_engine(record: RequestRecord) -> dict[str, Any]:
    answered = record.answered_by
    return {
        names.REQUEST_ID: record.request_id,
        names.OPERATION: record.operation or OTHER,
        names.PROVIDER: answered.provider if answered else None,
        names.ANSWERED_BY: answered.model if answered else None,
        names.TOKENS_IN: record.tokens_in,
        names.TOKENS_OUT: record.tokens_out,
    }


def _end(span: "Span", record: RequestRecord, attributes: Mapping[str, Any]) -> None:
    from opentelemetry.trace import StatusCode

    error = error_of(record)
    for name, value in {**attributes, names.ERROR: error or None}.items():
        if value is not None:
            span.set_attribute(name, value)
    # What the caller does is no error of ours.
    if error and error != _CALLER_LEFT and (record.status or 0) not in _OF_THE_CALLER:
        span.set_status(StatusCode.ERROR)
    span.end()
