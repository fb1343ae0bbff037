"""Outcome and blame of each call, against a service with planted breaks."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from plugin.contract.names import names
from plugin.contract.openapi import read
from plugin.harness.asgi import AsgiService
from plugin.harness.checks import Checks, Limits
from plugin.harness.replay import Outcome, Replay, Replayed, Rules, is_consequential
from plugin.harness.transcript import Reply, Unreadable
from plugin.messages import Call
from tests.harness.planted import DOCUMENT, SECURED, Planted, Service

GOOD = Call("1", "get_item", '{"id": 1}')
WRONG = Call("1", "get_item", '{"id": "1"}')
PROBLEM = {"detail": "no"}
CHECKS = ["status", "content_type", "schema", "error_shape", "size", "time"]


def reply(*calls: Call, tools: tuple[Any, ...] | None = None) -> Reply:
    return Reply(1, 0, "openai_chat", calls, tools)


async def replay(
    *rows: Reply | Unreadable,
    service: Service | None = None,
    document: dict[str, Any] = DOCUMENT,
    limits: Limits | None = None,
    rules: Rules | None = None,
    seconds: float | None = None,
) -> list[Replayed | Unreadable]:
    way = AsgiService(service or Service(), seconds=seconds)
    run = Replay(
        operations=names(read(json.dumps(document))),
        send=way.send,
        checks=Checks(limits or Limits()),
        rules=rules or Rules(),
    )
    return [event async for event in run.run(rows)]


async def outcome(call: Call, planted: Planted | None = None, **how: Any) -> Replayed:
    (event,) = await replay(reply(call), service=Service(planted or Planted()), **how)
    assert isinstance(event, Replayed)
    return event


def failed(event: Replayed) -> list[str]:
    return [check.check for check in event.checks if not check.ok]


async def test_a_call_that_passes() -> None:
    service = Service()
    (event,) = await replay(reply(GOOD), service=service)
    assert isinstance(event, Replayed)
    assert event.outcome is Outcome.PASSED
    assert (event.row, event.reply, event.call, event.operation) == (1, 0, 0, "get_item")
    assert (event.status, event.faults, event.repairs, event.reason) == (200, (), (), "")
    assert [check.check for check in event.checks] == [*CHECKS, "accepted"]
    assert all(check.ok and not check.message for check in event.checks)
    assert event.milliseconds is not None
    assert 0 < event.milliseconds < 5_000
    assert [(one["method"], one["path"]) for one in service.seen] == [("GET", "/items/1")]


BREAKS: list[tuple[str, Planted, list[str], str]] = [
    ("undeclared status", Planted(status=202), ["status"], "202 Accepted is not declared"),
    ("odd status", Planted(status=299), ["status"], "status 299 is not declared"),
    ("redirect", Planted(status=302), ["status"], "declared: 200, 404, 422, 503"),
    ("missing property", Planted(body={"id": 1}), ["schema"], '"name" is a required property'),
    ("wrong type", Planted(body={"id": "1", "name": "x"}), ["schema"], "/id: "),
    ("wrong whole", Planted(body=[1]), ["schema"], "the body: "),
    ("no JSON", Planted(body=b"{'id': 1}"), ["schema"], "the body is not JSON"),
    ("cut off", Planted(body=b'{"id": 1'), ["schema"], "the body is not JSON"),
    ("empty", Planted(body=b""), ["schema"], "the body is not JSON"),
    (
        "nothing at all",
        Planted(body=b"", content_type=None),
        ["content_type"],
        "answered with nothing; declared: application/json",
    ),
    (
        "wrong content type",
        Planted(content_type="text/csv"),
        ["content_type"],
        "answered with text/csv; declared: application/json",
    ),
    (
        "HTML error page",
        Planted(404, b"<!DOCTYPE html><html><h1>Not Found</h1></html>", "text/html"),
        ["content_type", "error_shape"],
        "answered with text/html",
    ),
    (
        "HTML in disguise",
        Planted(418, b"\n <HTML>teapot", "text/plain"),
        ["status", "error_shape"],
        "418 I'm a Teapot is not declared",
    ),
    (
        "an error without a word",
        Planted(410, b"", None),
        ["status", "error_shape"],
        "410 Gone is not declared",
    ),
    ("internal error", Planted(500, PROBLEM), ["status"], "500 Internal Server Error"),
    ("error of another shape", Planted(404, {"error": "x"}), ["schema"], '"detail" is a required'),
    ("refuses what fits", Planted(422, PROBLEM), ["accepted"], "the call fits the contract"),
    ("no answer", Planted(silent=True), ["answer"], "the application ended without an answer"),
    ("a crash", Planted(raises=KeyError("x")), ["answer"], "the application raised KeyError: 'x'"),
    ("not allowed, undeclared", Planted(401, PROBLEM), ["status"], "401 Unauthorized"),
]


@pytest.mark.parametrize("case", BREAKS, ids=lambda case: case[0])
async def test_a_service_that_breaks_its_contract(
    case: tuple[str, Planted, list[str], str],
) -> None:
    _, planted, checks, message = case
    event = await outcome(GOOD, planted)
    assert event.outcome is Outcome.SERVICE_BROKE_CONTRACT
    assert failed(event) == checks
    assert message in next(check.message for check in event.checks if not check.ok)
    answered = checks != ["answer"]
    assert event.status == (planted.status if answered else None)
    assert (event.milliseconds is not None) is answered


@pytest.mark.parametrize(
    "planted",
    [
        Planted(content_type="application/json; charset=utf-8"),
        Planted(content_type="APPLICATION/JSON"),
        Planted(body={"id": 1.0, "name": "", "more": [1]}),
        Planted(404, PROBLEM),
        Planted(503, PROBLEM),
    ],
)
async def test_answers_that_keep_the_contract(planted: Planted) -> None:
    assert (await outcome(GOOD, planted)).outcome is Outcome.PASSED


@pytest.mark.parametrize(("size", "kept"), [(49, True), (50, False), (500, False)])
async def test_size_is_counted_in_characters(size: int, kept: bool) -> None:
    start = '{"id": 1, "name": "'
    body = f"{start}{'名' * (size - len(start) - 2)}" + '"}'
    event = await outcome(GOOD, Planted(body=body.encode()), limits=Limits(characters=50))
    assert len(body) == size
    assert failed(event) == ([] if kept else ["size"])
    assert event.outcome is (Outcome.PASSED if kept else Outcome.SERVICE_BROKE_CONTRACT)


async def test_a_slow_answer() -> None:
    event = await outcome(GOOD, Planted(seconds=0.05), limits=Limits(milliseconds=5))
    assert (event.outcome, failed(event)) == (Outcome.SERVICE_BROKE_CONTRACT, ["time"])
    assert "at most 5 ms" in event.checks[5].message


async def test_an_answer_that_never_comes() -> None:
    event = await outcome(GOOD, Planted(seconds=3_600), seconds=0.02)
    assert (event.outcome, failed(event)) == (Outcome.SERVICE_BROKE_CONTRACT, ["answer"])
    assert event.checks[0].message == "no answer within 0.02 s"


async def test_a_declared_answer_without_a_body() -> None:
    call = Call("1", "delete_item", {"id": 1})
    assert (await outcome(call, Planted(204, b"", None))).outcome is Outcome.PASSED


async def test_a_refused_format_is_nobodys_breach() -> None:
    for date, expected in (
        ("tomorrow", Outcome.PASSED),
        ("2026-11-23", Outcome.SERVICE_BROKE_CONTRACT),
    ):
        call = Call("1", "get_item", {"id": 1, "since": date})
        assert (await outcome(call, Planted(422, PROBLEM))).outcome is expected


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_is_no_verdict(status: int) -> None:
    for call in (GOOD, WRONG):
        event = await outcome(call, Planted(status, PROBLEM), document=SECURED)
        assert event.outcome is Outcome.NOT_SENT
        assert event.status == status
        assert event.reason == f"the service refused the key ({status}); pass another with --key"


WRONG_CALLS: list[tuple[str, Planted, Outcome, list[str]]] = [
    ("refused as declared", Planted(422, PROBLEM), Outcome.CALL_WAS_WRONG, []),
    ("refused undeclared", Planted(400, {"message": "no"}), Outcome.CALL_WAS_WRONG, ["status"]),
    (
        "refused in plain text",
        Planted(422, b"no", "text/plain"),
        Outcome.CALL_WAS_WRONG,
        ["content_type"],
    ),
    ("not found", Planted(404, PROBLEM), Outcome.CALL_WAS_WRONG, []),
    ("accepted", Planted(), Outcome.CALL_WAS_WRONG, []),
    ("accepted, badly answered", Planted(body={}), Outcome.SERVICE_BROKE_CONTRACT, ["schema"]),
    ("accepted, undeclared", Planted(202), Outcome.SERVICE_BROKE_CONTRACT, ["status"]),
    ("crashed", Planted(500, PROBLEM), Outcome.SERVICE_BROKE_CONTRACT, ["status"]),
    ("raised", Planted(raises=ValueError("x")), Outcome.SERVICE_BROKE_CONTRACT, ["answer"]),
    ("refused in another shape", Planted(422, {}), Outcome.SERVICE_BROKE_CONTRACT, ["schema"]),
    (
        "refused with a page",
        Planted(400, b"<html>", "text/html"),
        Outcome.SERVICE_BROKE_CONTRACT,
        ["status", "error_shape"],
    ),
]


@pytest.mark.parametrize("case", WRONG_CALLS, ids=lambda case: case[0])
async def test_wrong_calls(case: tuple[str, Planted, Outcome, list[str]]) -> None:
    _, planted, expected, checks = case
    event = await outcome(WRONG, planted)
    assert (event.outcome, failed(event)) == (expected, checks)
    assert [(str(fault.fault), fault.pointer) for fault in event.faults] == [
        ("number_as_string", "/id")
    ]
    assert "accepted" not in [check.check for check in event.checks]


@pytest.mark.parametrize(
    ("call", "operation", "fault"),
    [
        (Call("1", "get_items", '{"id": 1}'), None, "unknown_function"),
        (Call("1", "get_item", '{"id": 1'), "get_item", "not_json"),
        (Call("1", "get_item", "[1]"), "get_item", "wrong_type"),
        (Call("1", "get_item", 7), "get_item", "wrong_type"),
    ],
)
async def test_there_may_be_nothing_to_send(call: Call, operation: str | None, fault: str) -> None:
    service = Service()
    (event,) = await replay(reply(call), service=service)
    assert isinstance(event, Replayed)
    assert event.outcome is Outcome.CALL_WAS_WRONG
    assert (event.operation, event.name) == (operation, call.name)
    assert [str(one.fault) for one in event.faults] == [fault]
    assert (event.status, event.milliseconds, event.checks) == (None, None, ())
    assert event.reason == "there is nothing to send"
    assert service.seen == []


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (Call("1", "get_by_name", {"name": ".."}), Outcome.NOT_SENT),
        (Call("1", "get_by_name", {}), Outcome.CALL_WAS_WRONG),
        (Call("1", "get_item", {"id": 1, "more": 2}), Outcome.CALL_WAS_WRONG),
        (Call("1", "get_by_name", {"name": ["a", ".."], "x": {}}), Outcome.CALL_WAS_WRONG),
    ],
)
async def test_what_http_cannot_carry(call: Call, expected: Outcome) -> None:
    service = Service()
    (event,) = await replay(reply(call), service=service)
    assert isinstance(event, Replayed)
    assert event.outcome is expected
    assert event.reason.startswith("HTTP cannot carry it: ")
    assert service.seen == []


async def test_what_is_sent() -> None:
    service = Service(Planted(201))
    arguments = {"name": "名 & co", "tags": ["a"], "id": 2**70}
    await replay(reply(Call("1", "add_item", json.dumps(arguments))), service=service)
    (seen,) = service.seen
    assert (seen["method"], seen["path"]) == ("POST", "/items")
    assert json.loads(seen["body"]) == arguments
    assert (b"content-type", b"application/json") in seen["headers"]
    assert (b"content-length", str(len(seen["body"])).encode()) in seen["headers"]


async def test_nulls_of_a_strict_tool_are_not_sent() -> None:
    tools = ({"type": "function", "name": "add_item", "strict": True},)
    service = Service(Planted(201))
    (event,) = await replay(
        reply(Call("1", "add_item", '{"name": "x", "tags": null}'), tools=tools), service=service
    )
    assert isinstance(event, Replayed)
    assert event.outcome is Outcome.PASSED
    assert json.loads(service.seen[0]["body"]) == {"name": "x"}


@pytest.mark.parametrize(
    ("name", "arguments", "consequential"),
    [
        ("get_item", {"id": 1}, False),
        ("add_item", {"name": "x"}, True),
        ("delete_item", {"id": 1}, True),
        ("search_items", {}, False),
        ("open_session", {}, True),
    ],
)
async def test_what_changes_something_asks_for_leave(
    name: str, arguments: Any, consequential: bool
) -> None:
    assert is_consequential(names(read(json.dumps(DOCUMENT)))[name]) is consequential
    for rules, sent in (
        (Rules(networked=True), not consequential),
        (Rules(networked=True, allow_consequential=True), True),
        (Rules(networked=False), True),
    ):
        service = Service()
        (event,) = await replay(reply(Call("1", name, arguments)), service=service, rules=rules)
        assert isinstance(event, Replayed)
        assert bool(service.seen) is sent
        assert (event.outcome is Outcome.NOT_SENT) is not sent
        assert ("--allow-consequential" in event.reason) is not sent


async def test_calls_go_in_order_and_rows_that_cannot_be_read_go_through() -> None:
    service = Service(Planted(404, PROBLEM))
    rows: Sequence[Reply | Unreadable] = [
        Reply(1, 0, "messages", (GOOD, Call("2", "get_item", {"id": 2})), None),
        Unreadable(2, "no"),
        Reply(3, 0, "messages", (), None),
        Reply(3, 1, "messages", (Call("3", "get_item", {"id": 3}),), None),
    ]
    events = await replay(*rows, service=service)
    assert [
        (event.row, event.reply, event.call) if isinstance(event, Replayed) else event
        for event in events
    ] == [(1, 0, 0), (1, 0, 1), Unreadable(2, "no"), (3, 1, 0)]
    assert [seen["path"] for seen in service.seen] == ["/items/1", "/items/2", "/items/3"]


async def test_a_duplicate_is_the_calls_fault_and_is_sent_all_the_same() -> None:
    service = Service()
    first, second = await replay(reply(GOOD, GOOD), service=service)
    assert isinstance(first, Replayed)
    assert isinstance(second, Replayed)
    assert (first.outcome, second.outcome) == (Outcome.PASSED, Outcome.CALL_WAS_WRONG)
    assert len(service.seen) == 2
