"""How parameters and body become the arguments of one call."""

from typing import Any

import pytest

from plugin.contract.operation import Operation
from plugin.contract.slim import Slimmer
from tests.contract.conftest import ReadOne


def body(schema: Any, media_type: str = "application/json", **more: Any) -> dict[str, Any]:
    return {"requestBody": {"content": {media_type: {"schema": schema}}, **more}}


def parameter(name: str, location: str = "query", **more: Any) -> dict[str, Any]:
    return {"name": name, "in": location, "schema": {"type": "string"}, **more}


def names(operation: Operation) -> list[str]:
    return list(operation.schema["properties"])


def test_a_flat_body_stands_beside_the_parameters(read_one: ReadOne) -> None:
    schema = {
        "type": "object",
        "properties": {"text": {"type": "string"}, "done": {"type": "boolean"}},
        "required": ["text"],
        "additionalProperties": False,
    }
    operation = read_one({"parameters": [parameter("q", description="What for")], **body(schema)})
    assert operation.schema == {
        "type": "object",
        "properties": {
            "q": {"type": "string", "description": "What for"},
            "text": {"type": "string"},
            "done": {"type": "boolean"},
        },
        "required": ["text"],
        "additionalProperties": False,
    }
    assert operation.body is not None
    assert operation.body.flat
    assert operation.body.required


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": {"type": "string"}},
        {"type": "string"},
        {"type": "object"},
        {"type": "object", "properties": {}},
        {"type": ["object", "null"], "properties": {"a": {}}},
        {"oneOf": [{"properties": {"a": {}}}]},
        {"properties": {"a": {}}, "anyOf": [{"required": ["a"]}]},
        {"allOf": [{"properties": {"a": {}}}, {"type": "string"}]},
        {"properties": {"a": {}}, "if": {"required": ["a"]}},
        True,
    ],
)
def test_any_other_body_is_one_argument(read_one: ReadOne, schema: Any) -> None:
    operation = read_one(body(schema, required=True, description="All of it"))
    assert names(operation) == ["body"]
    assert operation.schema["required"] == ["body"]
    assert operation.schema["properties"]["body"]["description"] == "All of it"


def test_what_speaks_of_every_property_keeps_a_body_whole_beside_parameters(
    read_one: ReadOne,
) -> None:
    schema = {"properties": {"a": {"type": "string"}}, "minProperties": 1}
    alone = read_one(body(schema))
    assert alone.schema["minProperties"] == 1
    assert names(alone) == ["a"]
    assert names(read_one({"parameters": [parameter("q")], **body(schema)})) == ["q", "body"]


def test_all_of_plain_objects_is_one_object(read_one: ReadOne) -> None:
    components = {
        "schemas": {
            "Base": {"properties": {"id": {"type": "integer"}}, "required": ["id"]},
            "More": {"allOf": [{"$ref": "#/components/schemas/Base"}, {"properties": {"m": {}}}]},
        }
    }
    schema = {"allOf": [{"$ref": "#/components/schemas/More"}], "properties": {"own": {}}}
    operation = read_one(body(schema), components=components)
    assert set(names(operation)) == {"id", "m", "own"}
    assert operation.schema["required"] == ["id"]
    assert "$defs" not in operation.schema


def test_a_part_that_is_closed_forbids_the_properties_of_the_others(read_one: ReadOne) -> None:
    closed = {"properties": {"a": {"type": "string"}}, "additionalProperties": False}
    operation = read_one(body({"allOf": [closed, {"properties": {"b": {"type": "string"}}}]}))
    assert names(operation) == ["a"]
    typed = {"properties": {"a": {}}, "additionalProperties": {"type": "string"}}
    operation = read_one(body({"allOf": [typed, {"properties": {"b": {"maxLength": 3}}}]}))
    assert operation.schema["properties"]["b"] == {"maxLength": 3, "type": "string"}


def test_names_that_collide_are_changed_and_lead_back(read_one: ReadOne) -> None:
    operation = read_one(
        {
            "parameters": [
                parameter("id", "path", required=True),
                parameter("id"),
                parameter("id", "header"),
                parameter("q"),
                parameter("body"),
            ],
            **body({"properties": {"id": {"type": "integer"}, "id_query": {}}}),
        },
        path="/x/{id}",
    )
    assert [(item.location, item.name, item.argument) for item in operation.parameters] == [
        ("path", "id", "id_path"),
        ("query", "id", "id_query_2"),
        ("header", "id", "id_header"),
        ("query", "q", "q"),
        ("query", "body", "body"),
    ]
    assert operation.schema["properties"]["id"] == {"type": "integer"}
    whole = read_one({"parameters": [parameter("body")], **body({"type": "array"})})
    assert whole.body is not None
    assert whole.body.argument == "body_2"


def test_what_only_the_service_sets_is_not_asked_for(read_one: ReadOne) -> None:
    components = {"schemas": {"Id": {"type": "integer", "readOnly": True}}}
    schema = {
        "properties": {
            "id": {"$ref": "#/components/schemas/Id"},
            "made": {"type": "string", "readOnly": True},
            "name": {"type": "string"},
            "deep": {
                "type": "object",
                "properties": {"id": {"readOnly": True}, "n": {}},
                "required": ["id", "n"],
            },
        },
        "required": ["id", "made", "name"],
    }
    operation = read_one(body(schema), components=components)
    assert names(operation) == ["id", "made", "name", "deep"]
    assert list(Slimmer().slim(operation.schema)["properties"]) == ["name", "deep"]
    assert operation.schema["required"] == ["name"]
    assert operation.schema["properties"]["deep"]["required"] == ["n"]


def test_headers_and_credentials_that_others_supply_are_no_arguments(read_one: ReadOne) -> None:
    schemes = {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}}
    schemes["token"] = {"type": "apiKey", "in": "query", "name": "token"}
    operation = read_one(
        {
            "parameters": [
                *(
                    parameter(name, "header")
                    for name in ("Authorization", "accept", "x-key", "Trace")
                ),
                *(parameter(name) for name in ("token", "Token")),
            ]
        },
        components={"securitySchemes": schemes},
    )
    assert names(operation) == ["Trace", "Token"]


def test_an_operations_parameter_replaces_its_paths(read_one: ReadOne) -> None:
    operation = read_one(
        {"parameters": [parameter("q", required="true"), parameter("r", explode=False)]},
    )
    assert operation.schema["required"] == ["q"]
    assert [item.explode for item in operation.parameters] == [True, False]


def test_the_template_says_which_path_parameters_there_are(read_one: ReadOne) -> None:
    operation = read_one(
        {"parameters": [parameter("other", "path", required=True)]}, path="/x/{id}/{id}"
    )
    assert names(operation) == ["id"]
    assert operation.schema["properties"]["id"] == {"type": "string"}
    assert operation.schema["required"] == ["id"]


def test_styles_fall_back_to_those_of_the_location(read_one: ReadOne) -> None:
    operation = read_one(
        {
            "parameters": [
                parameter("a", style="deepObject"),
                parameter("b", "header", style="form"),
                parameter("c", "cookie"),
                parameter("d", style=["x"]),
            ]
        }
    )
    assert [(item.style, item.explode) for item in operation.parameters] == [
        ("deepObject", True),
        ("simple", False),
        ("form", True),
        ("form", True),
    ]


def test_a_parameter_may_have_content_or_its_schema_inline(read_one: ReadOne) -> None:
    content = {"application/json": {"schema": {"type": "object"}}}
    operation = read_one(
        {
            "parameters": [
                {"name": "filter", "in": "query", "content": content},
                {"name": "old", "in": "query", "type": "integer"},
                {"name": 7, "in": "QUERY", "schema": {}},
            ]
        }
    )
    assert [item.media_type for item in operation.parameters] == ["application/json", None, None]
    assert operation.schema["properties"] == {
        "filter": {"type": "object"},
        "old": {"type": "integer"},
        "7": {},
    }


@pytest.mark.parametrize(
    ("declared", "chosen"),
    [
        (["text/plain", "application/xml", "application/json"], "application/json"),
        (["multipart/form-data", "application/vnd.api+json"], "application/vnd.api+json"),
        (
            ["multipart/form-data", "application/x-www-form-urlencoded"],
            "application/x-www-form-urlencoded",
        ),
        (["application/json; charset=utf-8"], "application/json"),
        (["*/*"], "application/json"),
        (["text/*"], "text/plain"),
        (["text/csv"], "text/csv"),
        (["application/octet-stream"], "application/octet-stream"),
    ],
)
def test_the_best_media_type_is_used(read_one: ReadOne, declared: list[str], chosen: str) -> None:
    content = {media_type: {"schema": {"type": "string"}} for media_type in declared}
    operation = read_one({"requestBody": {"content": content}})
    assert operation.body is not None
    assert operation.body.media_type == chosen


def test_schemas_of_parts_are_self_contained(read_one: ReadOne) -> None:
    components = {
        "schemas": {
            "Node": {"properties": {"next": {"$ref": "#/components/schemas/Node"}, "v": {}}},
            "Unused": {"type": "string"},
        }
    }
    node = {"$ref": "#/components/schemas/Node"}
    operation = read_one(
        {"parameters": [{"name": "n", "in": "query", "schema": node}], **body({"items": node})},
        components=components,
    )
    for schema in (operation.schema, operation.parameters[0].schema, operation.body.schema):  # type: ignore[union-attr]  # a body was given
        assert isinstance(schema, dict)
        assert list(schema["$defs"]) == ["Node"]
