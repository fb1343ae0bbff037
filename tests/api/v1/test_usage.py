import time
from datetime import UTC, datetime
from typing import Any

import pytest

from plugin import services
from plugin.auth.keys import KeyStore
from plugin.ledger.entries import Call, Outcome
from plugin.settings import Settings
from plugin.storage.database import open_blocking
from tests.inside import inside
from tests.openai_schema import assert_reply

TODAY = datetime.now(UTC).date().isoformat()


class Calls:
    """Puts calls into the journal of the running service."""

    def __init__(self, service: Any) -> None:
        self._journal = inside(service).state.services.gate.book

    def __call__(
        self,
        caller: str,
        moment: str,
        model: str = "small",
        action: str = "create_chat_completion",
        tokens_out: int = 5,
    ) -> None:
        began = int(datetime.fromisoformat(f"{moment}+00:00").timestamp() * 1_000_000)
        call = Call(began, "req_1", caller, "Ann", "gpt", action, model)
        outcome = Outcome(10, tokens_out, status=200, answered_by=f"{model} (here)")
        self._journal.settled(self._journal.opened(call), call, outcome)


@pytest.fixture(autouse=True)
def waits_for_the_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine calls may reach the ledger later than the second that usage waits."""
    monkeypatch.setattr(services, "_LATEST_USAGE", 30.0)


@pytest.fixture
def calls(service: Any) -> Calls:
    return Calls(service)


def id_of(settings: Settings) -> str:
    """The id of the key that was made last."""
    engine = open_blocking(settings.database)
    try:
        return KeyStore(engine, time.time).list()[-1].id
    finally:
        engine.dispose()


def usage(call: Any, query: str = "") -> Any:
    reply = call("GET", f"/v1/usage{query}")
    assert reply.status_code == 200, reply.text
    return reply.json()


def refused(reply: Any, status: int, words: str) -> None:
    assert reply.status_code == status, reply.text
    assert words in assert_reply("/v1/usage", "GET", status, reply.content)["error"]["message"]


def test_nothing_was_used(call: Any) -> None:
    told = usage(call, f"?date={TODAY}")
    assert_reply("/v1/usage", "GET", 200, told)
    assert told["data"] == []
    assert told["current_usage_usd"] == 0.0
    assert told["ft_data"] == told["dalle_api_data"] == []


def test_a_day_as_the_old_dashboard_read_it(call: Any, calls: Calls, settings: Settings) -> None:
    me = id_of(settings)
    calls(me, "2026-11-20T10:01:00")
    calls(me, "2026-11-20T10:04:59")
    calls(me, "2026-11-20T10:05:00", action="create_embedding", tokens_out=0)
    calls(me, "2026-11-21T00:00:00")
    calls(me, "2026-11-20T11:00:00", model="dall-e-2", action="create_image")
    calls("somebody", "2026-11-20T10:01:00")
    told = assert_reply("/v1/usage", "GET", 200, usage(call, "?date=2026-11-20"))
    assert told["data"] == [
        {
            "n_requests": 2,
            "n_context_tokens_total": 20,
            "n_generated_tokens_total": 10,
            "aggregation_timestamp": 1795168800,
            "operation": "completion",
            "snapshot_id": "small",
            "answered_by": "small (here)",
        },
        {
            "n_requests": 1,
            "n_context_tokens_total": 10,
            "n_generated_tokens_total": 0,
            "aggregation_timestamp": 1795169100,
            "operation": "embeddings",
            "snapshot_id": "small",
            "answered_by": "small (here)",
        },
    ]
    assert told["dalle_api_data"] == [
        {
            "timestamp": 1795172400,
            "num_requests": 1,
            "model_id": "dall-e-2",
            "operation": "images/generations",
        }
    ]


def test_a_span_by_day_and_by_month(call: Any, calls: Calls, settings: Settings) -> None:
    me = id_of(settings)
    for moment in ("2026-10-31T23:59:59", "2026-11-01T00:00:00", "2026-11-01T12:00:00"):
        calls(me, moment)
    calls(me, "2026-11-02T12:00:00", model="large")
    calls(me, "2026-11-03T00:00:00")
    told = usage(call, "?start_date=2026-10-31&end_date=2026-11-02")
    assert [(one["period"], one["model"], one["n_requests"]) for one in told["data"]] == [
        ("2026-10-31", "small", 1),
        ("2026-11-01", "small", 2),
        ("2026-11-02", "large", 1),
    ]
    assert [(one["period"], one["model"], one["n_requests"]) for one in told["months"]] == [
        ("2026-10", "small", 1),
        ("2026-11", "large", 1),
        ("2026-11", "small", 2),
    ]
    assert told["total"] == {
        "n_requests": 4,
        "n_context_tokens_total": 40,
        "n_generated_tokens_total": 20,
    }


def test_only_a_key_with_every_scope_sees_everybody(
    call_as: Any, calls: Calls, settings: Settings
) -> None:
    every, some = call_as("every"), call_as("some", "usage:read")
    calls(id_of(settings), "2026-10-05T10:00:00")
    assert usage(every, "?date=2026-10-05")["data"] == []
    assert usage(some, "?date=2026-10-05")["data"][0]["n_requests"] == 1
    assert usage(every, "?date=2026-10-05&all=true")["data"][0]["n_requests"] == 1
    refused(some("GET", "/v1/usage?all=true"), 403, "every scope")
    refused(call_as("none", "files:read")("GET", "/v1/usage"), 403, "usage:read")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("date=yesterday", "date"),
        ("date=0", "such as 2026-11-23"),
        ("start_date=1795172400", "such as 2026-11-23"),
        ("date=2026-11-20T00:00:00", "such as 2026-11-23"),
        ("date=2026-11-20&start_date=2026-11-20", "`date` alone"),
        ("end_date=2026-11-20", "start_date"),
        ("start_date=2026-11-20&end_date=2026-11-19", "0 to 365 days"),
        ("start_date=2025-11-20&end_date=2026-11-21", "0 to 365 days"),
        ("day=1", "Unknown argument `day`"),
    ],
)
def test_wrong_spans_are_refused(call: Any, query: str, words: str) -> None:
    refused(call("GET", f"/v1/usage?{query}"), 400, words)


def test_a_span_may_be_open_and_years_may_be_odd(call: Any) -> None:
    assert usage(call, f"?start_date={TODAY}")["end_date"] == TODAY
    assert usage(call, "?date=9999-12-31")["data"] == []
    assert usage(call, "?start_date=9999-12-31")["data"] == []


def test_a_call_stands_in_the_answer_as_soon_as_it_was_answered(call: Any) -> None:
    for _ in range(3):
        assert call("POST", "/v1/moderations", json={"input": "hello"}).status_code == 200
    (told,) = usage(call)["data"]
    assert (told["operation"], told["n_requests"]) == ("moderation", 3)
