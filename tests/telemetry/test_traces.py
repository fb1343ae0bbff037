import builtins
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from plugin.errors import CannotRun
from plugin.messages import AnsweredBy
from plugin.telemetry.record import RequestRecord
from plugin.telemetry.traces import Traces, open_traces
from plugin.trail import Trail

ABOVE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
RECORD = RequestRecord(
    "req_1",
    "POST",
    path="/v1/chat/completions",
    status=200,
    ms=1.2,
    caller="key_1",
    operation="chat",
    model="gpt-4",
    answered_by=AnsweredBy("small", "far"),
    tokens_in=7,
    tokens_out=3,
)


class Kept:
    """Traces, and the spans that have ended."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.traces = Traces(provider)
        self.trail = Trail("req_1")

    def request(
        self, headers: Sequence[tuple[bytes, bytes]] = (), engine: str | None = None, **given: Any
    ) -> list[ReadableSpan]:
        trace = self.traces.begin(self.trail, "POST", headers)
        self.before = self.trail.traceparent
        if engine is not None:
            trace.engine(engine)
        trace.finish(replace(RECORD, **given))
        return list(self._exporter.get_finished_spans())


@pytest.fixture
def kept() -> Iterator[Kept]:
    kept = Kept()
    yield kept
    kept.traces.close()


def place(span: ReadableSpan) -> str:
    context = span.get_span_context()
    assert context is not None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-01"


def test_a_request_is_a_span_and_its_engine_one_below(kept: Kept) -> None:
    engine, request = kept.request([(b"traceparent", ABOVE.encode())], engine="small")
    assert (request.name, request.kind) == ("POST /v1/chat/completions", SpanKind.SERVER)
    assert request.attributes == {
        "plugin.request_id": "req_1",
        "plugin.caller": "key_1",
        "http.request.method": "POST",
        "http.route": "/v1/chat/completions",
        "http.response.status_code": 200,
    }
    assert (engine.name, engine.kind) == ("chat gpt-4", SpanKind.CLIENT)
    assert engine.attributes == {
        "plugin.request_id": "req_1",
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "far",
        "gen_ai.request.model": "small",
        "gen_ai.response.model": "small",
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 3,
    }
    assert request.parent is not None
    assert f"{request.parent.span_id:016x}" == ABOVE.split("-")[2]
    assert place(request).split("-")[1] == ABOVE.split("-")[1]
    assert engine.parent is not None
    assert engine.parent.span_id == request.context.span_id
    # who is asked on the way continues the span that asks
    assert kept.before == place(request)
    assert kept.trail.traceparent == place(engine)


@pytest.mark.parametrize("sent", [b"", b"rubbish", b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01"])
def test_a_caller_without_a_trace_begins_one(kept: Kept, sent: bytes) -> None:
    (request,) = kept.request([(b"traceparent", sent)])
    assert request.parent is None


def test_a_caller_may_say_that_a_trace_is_not_kept(kept: Kept) -> None:
    assert kept.request([(b"traceparent", f"{ABOVE[:-2]}00".encode())], engine="small") == []
    assert kept.trail.traceparent is not None
    assert kept.trail.traceparent.endswith("-00")


@pytest.mark.parametrize(
    ("given", "error", "status"),
    [
        ({"status": 429, "limit": "key-requests-day"}, "429", StatusCode.UNSET),
        ({"status": 503}, "503", StatusCode.ERROR),
        ({"status": None, "ended": "caller left"}, "caller left", StatusCode.UNSET),
        ({"ended": "broken off"}, "broken off", StatusCode.ERROR),
    ],
)
def test_an_error_is_named(
    kept: Kept, given: dict[str, Any], error: str, status: StatusCode
) -> None:
    (request,) = kept.request(**given)
    assert request.attributes is not None
    assert request.attributes["error.type"] == error
    assert request.attributes.get("plugin.limit") == given.get("limit")
    assert request.status.status_code is status


def test_without_its_libraries_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any, **named: Any) -> Any:
        if name.startswith("opentelemetry"):
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(CannotRun, match=r"pip install 'gpt-plugin\[otel\]'"):
        open_traces("http://127.0.0.1:4318", "1")
