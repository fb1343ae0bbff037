from typing import Any

import pytest

from plugin.contract.answers import answer_schema, success_parts
from tests.contract.conftest import ReadOne

OBJECT = {"type": "object", "properties": {"a": {"$ref": "#/components/schemas/A"}}}
RESPONSES: dict[str, Any] = {
    "200": {"content": {"application/json": {"schema": OBJECT}, "text/*": {}}},
    "204": {"description": "Nothing"},
    "4XX": {"content": {"application/problem+json": {"schema": {"type": "string"}}}},
    "404": {"$ref": "#/components/responses/gone"},
    "default": {"content": {"*/*": {"schema": True}}},
    "x-note": {},
}
COMPONENTS = {
    "schemas": {"A": {"type": "string", "writeOnly": True}},
    "responses": {"gone": {"content": {"application/json": {"schema": {"type": "null"}}}}},
}


@pytest.mark.parametrize(
    ("status", "media_type", "speaks", "missing"),
    [
        (200, "application/json", "200", None),
        (200, "Application/JSON; charset=utf-8", "200", None),
        (200, "text/csv", "200", "schema"),
        (200, "image/png", "200", "media_type"),
        (204, "", "204", "schema"),
        (404, "application/json", "404", None),
        (418, "application/problem+json", "4XX", None),
        (418, "application/json", "4XX", "media_type"),
        (500, "anything/else", "default", None),
    ],
)
def test_the_nearest_answer_speaks(
    read_one: ReadOne, status: int, media_type: str, speaks: str, missing: str | None
) -> None:
    operation = read_one({"responses": RESPONSES}, components=COMPONENTS)
    found = answer_schema(operation, status, media_type)
    assert found.answer is not None
    assert (found.answer.status, found.missing) == (speaks, missing)
    assert (found.schema is None) == (missing is not None)


def test_a_status_that_is_not_declared(read_one: ReadOne) -> None:
    operation = read_one({"responses": {"2xx": {}, "400": {}}})
    assert answer_schema(operation, 500, "").missing == "status"
    assert answer_schema(operation, 299, "").missing == "schema"


def test_schemas_are_self_contained_and_made_once(read_one: ReadOne) -> None:
    operation = read_one({"responses": RESPONSES}, components=COMPONENTS)
    schema = answer_schema(operation, 200, "application/json").schema
    assert isinstance(schema, dict)
    assert list(schema["$defs"]) == ["A"]
    assert answer_schema(operation, 200, "application/json").schema is schema


def test_success_is_the_first_json_answer_of_2xx(read_one: ReadOne) -> None:
    operation = read_one({"responses": RESPONSES}, components=COMPONENTS)
    parts = success_parts(operation)
    assert parts is not None
    assert parts[0]["type"] == "object"  # type: ignore[index]  # an object schema was declared
    assert "A" in parts[1]
    assert success_parts(read_one({"responses": {"404": RESPONSES["4XX"]}})) is None
