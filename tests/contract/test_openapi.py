import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin.contract.openapi import read
from plugin.contract.operation import Contract
from plugin.contract.schema.validation import validator
from plugin.contract.targets import TARGETS
from plugin.contract.text import parse
from plugin.contract.tools import make_tools
from plugin.errors import CannotRun
from tests.contract.conftest import SAMPLES, ReadOne, document, sample_documents


def of(paths: dict[str, Any], **more: Any) -> Contract:
    return read(json.dumps(document(paths, **more)))


def test_every_operation_is_read(contracts: dict[str, Contract]) -> None:
    assert len(contracts) >= 12
    assert all(
        contract.operations for name, contract in contracts.items() if "webhooks" not in name
    )
    assert not [note for contract in contracts.values() for note in contract.skipped]


def test_reads_all_parts_of_an_operation() -> None:
    contract = of(
        {
            "/things/{id}": {
                "summary": "All things",
                "servers": [{"url": "https://{host}/v2", "variables": {"host": {"default": "h"}}}],
                "parameters": [{"name": "id", "in": "path", "schema": {"type": "integer"}}],
                "get": {
                    "operationId": "getThing",
                    "description": " One thing. ",
                    "tags": ["things"],
                    "deprecated": True,
                    "security": [{"key": ["read"]}],
                    "x-openai-isConsequential": False,
                    "responses": {"200": {"description": "Fine"}},
                },
            }
        },
        info={"title": "Things", "version": 2, "description": "About"},
        servers=[{"url": "https://example.com"}],
    )
    (operation,) = contract.operations
    assert (contract.title, contract.version, contract.description) == ("Things", "2", "About")
    assert contract.servers == ("https://example.com",)
    assert (operation.method, operation.path) == ("GET", "/things/{id}")
    assert (operation.operation_id, operation.summary) == ("getThing", "All things")
    assert (operation.description, operation.tags) == ("One thing.", ("things",))
    assert operation.deprecated
    assert operation.servers == ("https://h/v2",)
    assert operation.security == ({"key": ("read",)},)
    assert operation.extensions == {"x-openai-isConsequential": False}
    assert operation.pointer == "/paths/~1things~1{id}/get"
    assert [answer.status for answer in operation.answers] == ["200"]


def test_path_items_and_parts_may_be_references() -> None:
    contract = of(
        {
            "/a": {"$ref": "#/components/pathItems/a", "summary": "mine"},
            "/b": {"$ref": "#/paths/~1a"},
        },
        components={
            "pathItems": {"a": {"post": {"requestBody": {"$ref": "#/components/requestBodies/b"}}}},
            "requestBodies": {
                "b": {"content": {"application/json": {"schema": {"type": "array"}}}}
            },
        },
    )
    assert [operation.path for operation in contract.operations] == ["/a", "/b"]
    assert all("body" in operation.schema["properties"] for operation in contract.operations)


@pytest.mark.parametrize(
    ("broken", "pointer", "reason"),
    [
        ({"parameters": [{"$ref": "#/nope"}]}, "/paths/~1x/get/parameters/0", "leads nowhere"),
        ({"requestBody": {"$ref": "b.yaml"}}, "/paths/~1x/get/requestBody", "lies outside"),
        (
            {"parameters": [{"name": "q", "in": "query", "schema": {"$ref": "#/nope"}}]},
            "/paths/~1x/get/parameters/0/schema/$ref",
            "leads nowhere",
        ),
        (
            {"requestBody": {"content": {"application/xml": {"schema": {"type": "object"}}}}},
            "/paths/~1x/get/requestBody/content",
            "no call can be written in application/xml",
        ),
        (
            {"parameters": [{"name": "b", "in": "body", "required": True, "schema": {}}]},
            "/paths/~1x/get/parameters/0",
            "Swagger 2.0",
        ),
        ("text", "/paths/~1x/get", "an operation is an object"),
    ],
)
def test_an_unusable_operation_is_skipped_and_the_others_live(
    broken: Any, pointer: str, reason: str
) -> None:
    contract = of({"/x": {"get": broken, "post": {}}})
    assert [operation.method for operation in contract.operations] == ["POST"]
    (note,) = contract.skipped
    assert note.pointer == pointer
    assert reason in note.reason


def test_a_reference_that_leads_nowhere_deep_in_a_component_is_found() -> None:
    schemas = {"A": {"properties": {"b": {"$ref": "#/components/schemas/B"}}}, "B": {"$ref": "x"}}
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/A"}}}}
    contract = of({"/x": {"post": {"requestBody": body}}}, components={"schemas": schemas})
    assert contract.skipped[0].pointer == "/components/schemas/B/$ref"


def test_a_broken_answer_costs_no_operation() -> None:
    contract = of({"/x": {"get": {"responses": {"200": {"$ref": "#/nope"}}}}})
    assert contract.operations[0].answers == ()
    assert [note.pointer for note in contract.notes] == [
        "/servers",
        "/paths/~1x/get/responses/200",
        "/paths/~1x/get",
    ]


def test_notes_what_is_missing_or_double() -> None:
    contract = of(
        {"/a": {"get": {"operationId": "x"}}, "b": {"get": {"operationId": "x"}, "post": {}}}
    )
    assert [operation.path for operation in contract.operations] == ["/a", "/b", "/b"]
    reasons = " ".join(note.reason for note in contract.notes)
    assert "no servers" in reasons
    assert "also that of /paths/~1a/get" in reasons
    assert "no operationId" in reasons
    assert "a slash" in reasons


def test_webhooks_are_no_operations() -> None:
    assert read('{"openapi": "3.1.0", "webhooks": {"new": {"post": {}}}}').operations == ()


def test_a_whole_document_of_swagger_is_refused() -> None:
    with pytest.raises(CannotRun, match=r"Swagger 2\.0"):
        read((SAMPLES / "orchard.swagger.json").read_bytes())


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("[]", "not an object"),
        ("hello", "not an object"),
        ('{"swagger": "2.0", "paths": {}}', "Swagger 2.0"),
        ('{"a": 1}', "neither openapi nor paths"),
    ],
)
def test_what_is_no_openapi_document_is_refused(data: str, says: str) -> None:
    with pytest.raises(CannotRun, match=says):
        read(data)


def test_required_true_on_a_property_is_taken_as_its_objects(read_one: ReadOne) -> None:
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": "string", "required": True},
            "b": {
                "type": "object",
                "properties": {"c": {"required": "true"}, "d": {"required": False}},
            },
        },
    }
    operation = read_one({"requestBody": {"content": {"application/json": {"schema": schema}}}})
    assert operation.schema["required"] == ["a"]
    assert operation.schema["properties"]["b"]["required"] == ["c"]
    assert operation.body is not None
    assert operation.body.required


def test_depth_is_no_danger() -> None:
    for keyword in ("items", "not", "additionalProperties", "allOf", "example", "default"):
        schema: Any = {"type": "object"}
        for _ in range(140):
            schema = {keyword: [schema] if keyword == "allOf" else schema}
        body = {"content": {"application/json": {"schema": {"properties": {"a": schema}}}}}
        contract = of({"/x": {"post": {"requestBody": body}}})
        for target in TARGETS:
            make_tools(contract, target)
        validator(contract.operations[0].schema)


_JUNK: list[Any] = [
    *(None, True, -1, 3.5, 10**30, "", "#/", "true", [], {}, [1], ["a", "a"], [{}], [None]),
    *({"$ref": "#"}, {"$ref": "#/components/schemas"}, {"$ref": 5}, {"$ref": "http://x/y"}),
    *({"type": "any"}, {"enum": []}, {"properties": []}, {"allOf": []}, {"not": {}}),
    *({"required": True}, {"nullable": True}, {"items": [{}]}, {"additionalProperties": "no"}),
]
_KEYS = [
    *("$ref", "type", "required", "properties", "items", "schema", "parameters", "allOf", "enum"),
    *("nullable", "default", "pattern", "content", "in", "name", "style", "anyOf", "not", "$id"),
]


def places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) in a tree."""
    members = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in list(members):
        yield node, key
        if isinstance(value, dict | list):
            yield from places(value)


def mutated(original: Any, seed: int) -> Any:
    """The document with one to six of its values changed, moved or gone."""
    chance, changed = random.Random(seed), copy.deepcopy(original)  # noqa: S311 - no secret
    for _ in range(chance.randint(1, 6)):
        found = list(places(changed))
        if not found:
            break
        (holder, key), (other, source) = chance.choice(found), chance.choice(found)
        match chance.randrange(4):
            case 0:
                holder[key] = copy.deepcopy(chance.choice(_JUNK))
            case 1 if isinstance(holder, dict):
                holder[chance.choice(_KEYS)] = copy.deepcopy(chance.choice(_JUNK))
            case 2:
                del holder[key]
            case _:
                holder[key] = copy.deepcopy(other[source])
    return changed


_ORIGINALS = [parse(path.read_bytes(), []) for path in sample_documents()]


@given(st.sampled_from(range(len(_ORIGINALS))), st.integers(min_value=0))
def test_a_damaged_document_never_ends_in_a_crash(which: int, seed: int) -> None:
    try:
        contract = read(json.dumps(mutated(_ORIGINALS[which], seed)))
    except CannotRun:
        return
    for operation in contract.operations:
        validator(operation.schema)
        for answer in operation.answers:
            list(answer.schemas.values())
    for target in ("openai-strict", "mcp"):
        make_tools(contract, target)


@pytest.mark.parametrize(
    "schemas",
    [
        {"A": {"$ref": "#/components/schemas/A"}},
        {"A": {"$ref": "#/components/schemas/B"}, "B": {"$ref": "#/components/schemas/A"}},
    ],
)
def test_references_that_only_go_in_a_circle_are_no_schema(schemas: dict[str, Any]) -> None:
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/A"}}}}
    operation = {"requestBody": body, "responses": {"200": {"description": "Done."}}}
    document = {
        "openapi": "3.1.0",
        "info": {"title": "t", "version": "1"},
        "paths": {"/a": {"post": operation}, "/b": {"get": {"responses": {}}}},
        "components": {"schemas": schemas},
    }
    contract = read(json.dumps(document))
    assert [operation.path for operation in contract.operations] == ["/b"]
    assert "circle" in contract.skipped[0].reason
