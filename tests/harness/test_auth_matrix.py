import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from plugin.contract.names import names
from plugin.contract.openapi import read
from plugin.contract.operation import Operation
from plugin.contract.requests.request import Request
from plugin.contract.schema.validation import validator
from plugin.harness.auth_matrix import AuthMatrix, Outcome, Tried
from plugin.harness.credentials import Credential, Place, places
from plugin.harness.exchange import Response, Unreachable
from plugin.harness.sample_call import sample
from tests.harness.planted import DOCUMENT, SECURED

GOOD_KEY = "the-good-key"
BAD_KEY = "the-bad-key-of-somebody"
CHALLENGE = ("www-authenticate", "Bearer")


class Gate:
    """A service that lets the good key in, and turns others away as planted."""

    def __init__(self, **planted: Any) -> None:
        self.planted = planted
        self.stored: list[str] = []
        self.seen: list[Request] = []

    async def send(self, request: Request) -> Response:
        await asyncio.sleep(0)
        self.seen.append(request)
        if ("authorization", f"Bearer {GOOD_KEY}") in request.headers:
            return Response(self.planted.get("good", 200), (), b"{}")
        if self.planted.get("stores"):
            self.stored.append(request.path)
        if self.planted.get("raises"):
            raise Unreachable("the application raised")
        body = self.planted.get("body", b'{"detail": "who are you?"}')
        headers = [("content-type", self.planted.get("type", "application/json"))]
        headers += [CHALLENGE] if self.planted.get("challenge", True) else []
        return Response(self.planted.get("status", 401), tuple(headers), body)


def refused(_: Operation) -> list[Credential]:
    return [Credential("no_key", None), Credential("unknown", BAD_KEY, (401,))]


async def run(gate: Gate, document: Any = SECURED, **options: Any) -> list[Tried]:
    contract = read(json.dumps(document))
    matrix = AuthMatrix(
        contract=contract,
        operations=names(contract),
        send=gate.send,
        credentials=refused,
        **{"keys": {"valid": GOOD_KEY}, "state": lambda: len(gate.stored), **options},
    )
    return [tried async for tried in matrix.run()]


async def test_a_gate_that_holds() -> None:
    gate = Gate()
    tried = await run(gate)
    assert {one.outcome for one in tried} == {Outcome.PASSED}
    by_case: dict[str, set[str]] = {}
    for one in tried:
        by_case.setdefault(one.case, set()).add(one.operation)
    everything = {"get_item", "delete_item", "add_item", "get_by_name"}
    everything |= {"search_items", "open_session"}
    assert by_case == {
        "no_key": everything,
        "unknown": everything,
        "valid": everything,
        "duplicate_parallel": {"add_item", "delete_item", "search_items"},
    }
    at_once = [one for one in tried if one.case == "duplicate_parallel"]
    assert {one.statuses for one in at_once} == {(200, 200)}


@pytest.mark.parametrize(
    ("planted", "check"),
    [
        ({"status": 200}, "status"),
        ({"status": 404}, "status"),
        ({"status": 500}, "status"),
        ({"status": 302}, "status"),
        ({"challenge": False}, "challenge"),
        ({"type": "text/html", "body": b"<html>401</html>"}, "readable"),
        ({"body": b""}, "readable"),
        ({"body": b"{}"}, "readable"),
        ({"body": b'{"detail": "unknown: ' + BAD_KEY.encode() + b'"}'}, "no_secret"),
        ({"stores": True}, "no_effect"),
        ({"raises": True}, "answer"),
    ],
)
async def test_each_planted_hole_is_found(planted: dict[str, Any], check: str) -> None:
    tried = [one for one in await run(Gate(**planted)) if one.case == "unknown"]
    assert tried
    for one in tried:
        assert one.outcome is Outcome.FAILED
        assert [found.check for found in one.checks if not found.ok] == [check]


@pytest.mark.parametrize(("status", "failed"), [(401, "let_in"), (403, "let_in"), (500, "status")])
async def test_a_good_key_has_to_be_let_in(status: int, failed: str) -> None:
    tried = [one for one in await run(Gate(good=status)) if one.case == "valid"]
    for one in tried:
        assert one.outcome is Outcome.FAILED
        assert [found.check for found in one.checks if not found.ok] == [failed]


async def test_an_error_that_the_contract_declares_is_no_crash() -> None:
    outcomes = {
        one.operation: one.outcome for one in await run(Gate(good=503)) if one.case == "valid"
    }
    assert outcomes["get_item"] is Outcome.PASSED
    assert outcomes["add_item"] is Outcome.FAILED


async def test_nothing_that_changes_something_is_sent_without_leave() -> None:
    gate = Gate()
    tried = await run(gate, may_change=False)
    assert {one.operation for one in tried if one.outcome is Outcome.NOT_SENT} == {
        *("delete_item", "add_item", "open_session"),
    }
    assert {request.method for request in gate.seen} == {"GET", "POST"}
    assert {request.path for request in gate.seen if request.method == "POST"} == {"/sessions"}


async def test_a_contract_that_says_nothing_of_keys() -> None:
    assert {one.outcome for one in await run(Gate(), DOCUMENT, keys={})} == {Outcome.OPEN}
    tried = await run(Gate(), DOCUMENT)
    assert {one.case for one in tried} == {"no_key", "unknown", "valid", "duplicate_parallel"}


async def test_the_arguments_of_a_recorded_call_are_taken() -> None:
    gate = Gate()
    await run(gate, arguments={"get_item": {"id": 77}})
    assert "/items/77" in {request.path for request in gate.seen}


SCHEMES = {
    "bearer": {"type": "http", "scheme": "Bearer"},
    "basic": {"type": "http", "scheme": "basic"},
    "in_header": {"type": "apiKey", "in": "header", "name": "X-Key"},
    "in_query": {"type": "apiKey", "in": "query", "name": "key"},
    "in_cookie": {"type": "apiKey", "in": "cookie", "name": "session"},
    "oauth": {"type": "oauth2", "flows": {}},
    "odd": {"type": "mutualTLS"},
}


@pytest.mark.parametrize(
    ("security", "found"),
    [
        ([{"bearer": []}], [Place("bearer")]),
        ([{"basic": []}], [Place("basic")]),
        ([{"oauth": ["a"]}], [Place("bearer")]),
        ([{"in_header": []}], [Place("header", "X-Key")]),
        ([{"in_query": [], "in_cookie": []}], [Place("query", "key"), Place("cookie", "session")]),
        ([{"odd": []}, {"in_header": []}], [Place("header", "X-Key")]),
        ([{"unknown": []}], [Place("bearer")]),
        ([{"bearer": []}, {}], []),
        ([], []),
    ],
)
def test_where_a_credential_goes(security: Any, found: list[Place]) -> None:
    document = {**DOCUMENT, "security": security, "components": {"securitySchemes": SCHEMES}}
    contract = read(json.dumps(document))
    assert list(places(contract, contract.operations[0])) == found


PUT: list[tuple[Place, Callable[[Request], Any], Any]] = [
    (Place("bearer"), lambda one: one.headers, (("authorization", "Bearer a:b"),)),
    (Place("basic"), lambda one: one.headers, (("authorization", "Basic YTpi"),)),
    (Place("header", "X-Key"), lambda one: one.headers, (("x-key", "a:b"),)),
    (Place("cookie", "s"), lambda one: one.headers, (("cookie", "s=a%3Ab"),)),
    (Place("query", "k"), lambda one: one.query, "x=1&k=a%3Ab"),
]


@pytest.mark.parametrize(("place", "look", "found"), PUT)
def test_how_a_credential_is_put_there(
    place: Place, look: Callable[[Request], Any], found: Any
) -> None:
    assert look(place.put(Request("GET", "/", "x=1", (), b""), "a:b")) == found


def test_a_sample_call_fits_its_schema() -> None:
    schema = {
        "type": "object",
        "properties": {
            "n": {"type": "integer", "minimum": 5, "multipleOf": 3},
            "x": {"type": "number", "exclusiveMinimum": 0, "maximum": 0.5},
            "s": {"type": "string", "minLength": 9, "maxLength": 9},
            "d": {"type": ["null", "string"], "format": "date"},
            "e": {"enum": ["b", "a"]},
            "l": {"type": "array", "items": {"$ref": "#/$defs/part"}, "minItems": 2},
            "c": {"anyOf": [{"type": "null"}, {"const": 7}]},
            "left_out": {"type": "string"},
            "b": {"type": "boolean"},
            "m": {"allOf": [{"properties": {"k": {"examples": [3]}}, "required": ["k"]}]},
        },
        "required": ["n", "x", "s", "d", "e", "l", "c", "b", "m"],
        "$defs": {"part": {"type": "object", "required": ["z"], "properties": {"z": {}}}},
    }
    made = sample(schema)
    assert validator(schema).is_valid(made), made
    assert "left_out" not in made


def test_a_sample_of_a_schema_that_holds_itself_ends() -> None:
    node = {"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#/$defs/n"}}}
    assert sample({**node, "$defs": {"n": node}})["next"]
