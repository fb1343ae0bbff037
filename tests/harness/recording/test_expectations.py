"""What was answered, written down, and compared with what is answered later."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from plugin.contract.names import names
from plugin.contract.openapi import read
from plugin.contract.requests.request import Request
from plugin.harness.checks import Checks, Limits
from plugin.harness.exchange import Response
from plugin.harness.recording.differences import Masks, differences
from plugin.harness.recording.expectations import Event, Expectations, Recording, Watched, expected
from plugin.harness.recording.fingerprints import changes, fingerprint
from plugin.harness.recording.masking import Masker
from plugin.harness.recording.recorded_reply import Body
from plugin.harness.recording.volatile import volatile
from plugin.harness.replay import Outcome, Replay, Replayed
from tests.harness.planted import DOCUMENT, ITEM
from tests.harness.recordings import replies

ANSWER = {"id": 1, "name": "one"}


class Answers:
    """A service that answers each request with the next of some values, the last one for ever."""

    def __init__(self, *values: Any, status: int = 200) -> None:
        self.values = list(values)
        self.status = status
        self.seen: list[Request] = []

    async def send(self, request: Request) -> Response:
        self.seen.append(request)
        value = self.values.pop(0) if len(self.values) > 1 else self.values[0]
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return Response(self.status, (("content-type", "application/json"),), body)


def calls(*pairs: tuple[str, Any]) -> Any:
    return [{"calls": [{"name": name, "arguments": arguments}]} for name, arguments in pairs]


GET = ("get_item", {"id": 1})
ADD = ("add_item", {"name": "one"})


def replayed(
    answers: Answers, recorded: Any, document: Any = DOCUMENT
) -> tuple[AsyncIterator[Event], Watched, Any]:
    operations = names(read(json.dumps(document)))
    way = Watched(answers.send)
    replay = Replay(operations=operations, send=way.send, checks=Checks(Limits()))
    return replay.run(replies(*recorded)), way, operations


async def record(answers: Answers, *pairs: tuple[str, Any], masks: tuple[str, ...] = ()) -> Any:
    rows: list[Any] = []
    run, way, operations = replayed(answers, calls(*pairs))
    recording = Recording(operations, rows.append, masks)
    events = [event async for event in recording.watch(run, way)]
    assert len(events) == len(pairs)
    return rows


async def expect(
    answers: Answers,
    rows: Any,
    *pairs: tuple[str, Any],
    document: Any = DOCUMENT,
    masks: tuple[str, ...] = (),
) -> list[Replayed]:
    run, way, operations = replayed(answers, calls(*pairs), document)
    expectations = Expectations(operations, rows, masks)
    events = [event async for event in expectations.watch(run, way)]
    return [event for event in events if isinstance(event, Replayed)]


def failed(event: Replayed) -> list[tuple[str, str]]:
    return [(check.check, check.message) for check in event.checks if not check.ok]


async def test_the_same_answer_passes() -> None:
    rows = await record(Answers(ANSWER), GET, ADD)
    events = await expect(Answers(ANSWER), rows, GET, ADD)
    assert events[0].outcome is Outcome.PASSED
    assert [check.ok for check in events[0].checks if check.check == "expectation"] == [True]


async def test_another_answer_is_told_with_pointer_and_both_values() -> None:
    rows = await record(Answers({**ANSWER, "tags": ["a", "b"]}), GET)
    (event,) = await expect(Answers({"id": 1, "name": "two", "tags": ["a"], "x": None}), rows, GET)
    assert event.outcome is Outcome.SERVICE_BROKE_CONTRACT
    told = (
        '/name: recorded "one", got "two"; /tags: recorded 2 items, got 1 items; '
        "/x: recorded nothing, got null"
    )
    assert failed(event) == [("expectation", told)]


async def test_another_status() -> None:
    rows = await record(Answers(ANSWER), GET)
    (event,) = await expect(Answers({"detail": "gone"}, status=404), rows, GET)
    assert failed(event) == [("expectation", "status: recorded 200, got 404")]


async def test_reads_are_asked_twice_and_what_moves_is_masked() -> None:
    first, second = {**ANSWER, "visits": 1, "at": "a"}, {**ANSWER, "visits": 2, "at": "b"}
    answers = Answers(first, second)
    rows = await record(answers, GET)
    assert len(answers.seen) == 2
    assert rows[0]["expect"][0]["masks"] == ["/visits", "/at"]
    (event,) = await expect(Answers({**ANSWER, "visits": 77, "at": "c"}), rows, GET)
    assert event.outcome is Outcome.PASSED
    (event,) = await expect(Answers({**ANSWER, "visits": "77", "at": "c"}), rows, GET)
    assert failed(event) == [("expectation", '/visits: recorded 1, got "77"')]


@pytest.mark.parametrize("name", ["add_item", "search_items", "open_session"])
async def test_whatever_may_change_something_is_asked_once(name: str) -> None:
    answers = Answers(ANSWER)
    await record(answers, (name, ADD[1] if name == "add_item" else {}))
    assert len(answers.seen) == 1


async def test_masks_that_are_given() -> None:
    body = {"items": [{"price": 1, "name": "a"}, {"price": 2, "name": "b"}], "total": 3}
    other = {"items": [{"price": 5, "name": "a"}, {"price": 6, "name": "b"}], "total": 11}
    rows = await record(Answers(body), GET, masks=("/items/*/price", "total"))
    assert failed((await expect(Answers(other), rows, GET))[0])[:1] == [
        ("schema", 'the body: "id" is a required property; the body: "name" is a required property')
    ]
    assert "expectation" not in dict(failed((await expect(Answers(other), rows, GET))[0]))
    rows = await record(Answers(body), GET)
    told = dict(failed((await expect(Answers(other), rows, GET, masks=("/total",)))[0]))
    assert told["expectation"] == (
        "/items/0/price: recorded 1, got 5; /items/1/price: recorded 2, got 6"
    )


async def test_equal_calls_are_compared_in_their_order() -> None:
    rows = await record(Answers({"id": 1, "name": "a"}, {"id": 1, "name": "b"}), ADD, ADD)
    again = Answers({"id": 1, "name": "a"}, {"id": 1, "name": "b"})
    events = await expect(again, rows, ("add_item", '{ "name" : "one" }'), ADD)
    told = [check.ok for event in events for check in event.checks if check.check == "expectation"]
    assert told == [True, True]


async def test_secrets_in_answers_are_neither_written_nor_compared() -> None:
    rows = await record(Answers({**ANSWER, "token": "hunter2", "mail": "bob@corp.io"}), ADD)
    assert "hunter2" not in json.dumps(rows)
    assert "bob" not in json.dumps(rows)
    later = Answers({**ANSWER, "token": "hunter3", "mail": "eve@corp.io"})
    (event,) = await expect(later, rows, ADD)
    assert "expectation" not in dict(failed(event))


async def test_answers_that_are_no_json() -> None:
    rows = await record(Answers(b"plain"), GET)
    assert rows[0]["expect"][0]["text"] == "plain"
    assert "expectation" not in dict(failed((await expect(Answers(b"plain"), rows, GET))[0]))
    told = dict(failed((await expect(Answers(b"other"), rows, GET))[0]))["expectation"]
    assert told == 'body: recorded "plain", got "other"'
    rows = await record(Answers(ANSWER), GET)
    told = dict(failed((await expect(Answers(b"<html>"), rows, GET))[0]))["expectation"]
    assert told.startswith('body: recorded {"id":1,"name":"one"}, got no JSON')


# -- stale recordings ------------------------------------------------------------------------------


def changed(**schema: Any) -> dict[str, Any]:
    """The document with another body of `add_item`."""
    document = json.loads(json.dumps(DOCUMENT))
    content = document["paths"]["/items"]["post"]["requestBody"]["content"]["application/json"]
    content["schema"] |= schema
    return dict(document)


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (changed(required=["name", "tags"]), "`tags` became required"),
        (changed(required=[]), "`name` became optional"),
        (changed(properties={"name": {"type": "string"}}), "`tags` is gone"),
        (
            changed(properties={"name": {"enum": ["one"]}, "tags": {"type": "array"}}),
            "`name` is another; `tags` is another",
        ),
        (changed(additionalProperties=False), "a definition that the arguments share"),
    ],
)
async def test_a_recording_for_another_contract_is_stale(document: Any, why: str) -> None:
    rows = await record(Answers(ANSWER), ADD)
    (event,) = await expect(Answers(ANSWER), rows, ADD, document=document)
    assert event.outcome is Outcome.SERVICE_BROKE_CONTRACT
    ((check, message),) = [one for one in failed(event) if one[0] == "stale"]
    assert check == "stale"
    assert message.startswith(f"the contract of `add_item` has changed ({why}")
    assert "record it again with --record, or restore the contract" in message


async def test_a_tool_that_is_gone() -> None:
    rows = await record(Answers(ANSWER), ADD)
    document = {**DOCUMENT, "paths": {"/items/{id}": DOCUMENT["paths"]["/items/{id}"]}}
    (event,) = await expect(Answers(ANSWER), rows, ADD, document=document)
    assert event.outcome is Outcome.SERVICE_BROKE_CONTRACT
    assert failed(event)[-1][1].startswith("the contract has no tool `add_item` any more;")


async def test_a_call_that_nothing_was_recorded_for() -> None:
    rows = await record(Answers(ANSWER), GET)
    (event,) = await expect(Answers(ANSWER), rows, ("get_item", {"id": 2}))
    assert failed(event)[0][1].startswith("no answer was recorded for it;")


async def test_words_for_people_do_not_make_a_recording_stale() -> None:
    rows = await record(Answers(ANSWER), ADD)
    properties = {
        "name": {"description": "What it is called.", "type": "string", "examples": ["x"]},
        "tags": {"items": {"type": "string", "title": "Tag"}, "type": "array"},
    }
    events = await expect(Answers(ANSWER), rows, ADD, document=changed(properties=properties))
    assert "stale" not in dict(failed(events[0]))


def test_a_route_is_part_of_the_contract() -> None:
    operations = names(read(json.dumps(DOCUMENT)))
    found = changes(fingerprint(operations["get_item"]), fingerprint(operations["delete_item"]))
    assert found[0] == "it was GET /items/{id} and is DELETE /items/{id}"
    assert changes(fingerprint(operations["get_item"]), fingerprint(operations["get_item"])) == []


# -- what is volatile, what differs ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "arguments", "found"),
    [
        ({"id": 7}, {}, ["/id"]),
        ({"id": 7}, {"id": 7}, []),
        ({"item_id": "a", "userId": "b", "paid": 3, "grid": "x"}, {}, ["/item_id", "/userId"]),
        ({"at": "2026-11-23T10:00:00Z"}, {}, ["/at"]),
        ({"day": "2026-11-23"}, {}, []),
        ({"at": "2026-11-23T10:00:00Z"}, {"when": "2026-11-23T10:00:00Z"}, []),
        ({"x": "3fa85f64-5717-4562-b3fc-2c963f66afa6"}, {}, ["/x"]),
        ({"x": "req_0123456789ab"}, {}, ["/x"]),
        (
            {"created_at": 1795421400, "request_id": "r", "took": 4},
            {},
            [
                "/created_at",
                "/request_id",
                "/took",
            ],
        ),
        ({"done_at": None, "id": None, "id_known": True}, {}, []),
        ({"todos": [{"id": 1, "text": "a"}, {"id": 2}]}, {}, ["/todos/0/id", "/todos/1/id"]),
        ({"temperature": 21.5, "name": "Paris"}, {}, []),
        ([{"a/b": {"id": 1}}], {}, ["/0/a~1b/id"]),
    ],
)
def test_what_is_volatile(value: Any, arguments: Any, found: list[str]) -> None:
    assert volatile(value, arguments) == found


@pytest.mark.parametrize(
    ("one", "other", "at"),
    [
        (1, 1.0, []),
        (1, True, [""]),
        (None, False, [""]),
        ([1, 2], [2, 1], ["/0", "/1"]),
        ({"a": 1}, {"b": 1}, ["/a", "/b"]),
        ({"a": {"b": [1]}}, {"a": {"b": [2]}}, ["/a/b/0"]),
        ([1], [1, 2], [""]),
    ],
)
def test_where_values_differ(one: Any, other: Any, at: list[str]) -> None:
    assert [where for where, _, _ in differences(one, other)] == at


def test_masks() -> None:
    masks = Masks(["/a/*/b", "c", "/d~1e"])
    assert "/a/0/b" in masks
    assert "/a/x/b" in masks
    assert "/a/b" not in masks
    assert "/c" in masks
    assert "/d~1e" in masks


def test_an_answer_that_cannot_be_kept_is_its_status() -> None:
    image = Body(b"\x89PNG\xff\xfe")
    assert expected(200, image, {}, Masker()) == {"status": 200, "masks": []}
    assert expected(204, Body(b""), {}, Masker()) == {"status": 204, "text": "", "masks": []}
    assert ITEM["type"] == "object"
