import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from plugin.contract import compare
from plugin.contract.compare import Change
from plugin.contract.openapi import read

Document = dict[str, Any]

DOCUMENT: Document = {
    "openapi": "3.1.0",
    "info": {"title": "Shop", "version": "1"},
    "servers": [{"url": "https://shop.example.com"}],
    "paths": {
        "/orders": {
            "get": {
                "operationId": "list_orders",
                "summary": "List orders",
                "security": [{"bearer": ["orders:read"]}],
                "parameters": [
                    {
                        "name": "state",
                        "in": "query",
                        "schema": {
                            "type": "string",
                            "enum": ["open", "sent", "paid"],
                            "default": "open",
                        },
                    },
                    {
                        "name": "limit",
                        "in": "query",
                        "schema": {"type": "integer", "minimum": 1, "maximum": 50},
                    },
                ],
                "responses": {
                    "200": {
                        "description": "Orders.",
                        "content": {
                            "application/json": {
                                "schema": {
                                    "type": "array",
                                    "items": {"$ref": "#/components/schemas/Order"},
                                }
                            }
                        },
                    },
                    "404": {"description": "None."},
                },
            },
            "post": {
                "operationId": "add_order",
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/NewOrder"}}
                    },
                },
                "responses": {
                    "201": {
                        "description": "Made.",
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/Order"}}
                        },
                    }
                },
            },
        },
        "/orders/{id}": {
            "get": {
                "operationId": "get_order",
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}
                ],
                "responses": {"200": {"description": "An order."}},
            }
        },
    },
    "components": {
        "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        "schemas": {
            "NewOrder": {
                "type": "object",
                "additionalProperties": False,
                "required": ["item"],
                "properties": {
                    "item": {"type": "string", "minLength": 1, "maxLength": 40},
                    "count": {"type": "number"},
                    "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                    "parts": {"type": "array", "items": {"$ref": "#/components/schemas/NewOrder"}},
                },
            },
            "Order": {
                "type": "object",
                "required": ["id", "state"],
                "properties": {
                    "id": {"type": "integer"},
                    "state": {"type": "string", "enum": ["open", "sent"]},
                    "note": {"type": "string"},
                },
            },
        },
    },
}


def at(document: Document, path: str) -> Any:
    """The value at a dotted path; `/` in a name stays as it is."""
    node: Any = document
    for step in path.split("."):
        node = node[int(step)] if isinstance(node, list) else node[step]
    return node


def put(path: str, value: Any) -> Callable[[Document], None]:
    def plant(document: Document) -> None:
        parent, _, name = f"document.{path}".rpartition(".")
        at({"document": document}, parent)[name] = value

    return plant


def drop(path: str) -> Callable[[Document], None]:
    def plant(document: Document) -> None:
        parent, _, name = path.rpartition(".")
        del at(document, parent)[name]

    return plant


def changed(plant: Callable[[Document], None]) -> list[Change]:
    after = copy.deepcopy(DOCUMENT)
    plant(after)
    return compare.contracts(read(json.dumps(DOCUMENT)), read(json.dumps(after)))


LIST = "paths./orders.get"
STATE = f"{LIST}.parameters.0"
LIMIT = f"{LIST}.parameters.1"
NEW = "components.schemas.NewOrder"
ORDER = "components.schemas.Order"

BREAKING: dict[str, tuple[Callable[[Document], None], str, str]] = {
    "an operation goes": (drop("paths./orders.post"), "add_order", "the operation is gone"),
    "an operation is renamed": (
        put(f"{LIST}.operationId", "find_orders"),
        "list_orders",
        "named find_orders now",
    ),
    "a path changes": (
        lambda document: document["paths"].update({"/all": document["paths"].pop("/orders")}),
        "add_order",
        "was POST /orders, now POST /all",
    ),
    "another scope is asked for": (
        put(f"{LIST}.security", [{"bearer": ["orders:admin"]}]),
        "list_orders",
        "asks for bearer orders:admin, before for bearer orders:read",
    ),
    "a key is asked for": (
        put("paths./orders/{id}.get.security", [{"bearer": []}]),
        "get_order",
        "asks for bearer, before for nothing",
    ),
    "the way to authenticate changes": (
        put("components.securitySchemes.bearer", {"type": "http", "scheme": "basic"}),
        "security",
        "the scheme bearer changed",
    ),
    "the server moves": (
        put("servers", [{"url": "https://elsewhere.example.com"}]),
        "servers",
        "now https://elsewhere.example.com",
    ),
    "an argument goes": (
        lambda document: at(document, f"{LIST}.parameters").pop(1),
        "list_orders argument limit",
        "it is gone",
    ),
    "a new argument is required": (
        lambda document: at(document, f"{LIST}.parameters").append(
            {"name": "shop", "in": "query", "required": True, "schema": {"type": "string"}}
        ),
        "list_orders argument shop",
        "it is required now",
    ),
    "an argument becomes required": (
        put(f"{NEW}.required", ["item", "count"]),
        "add_order argument count",
        "it is required now",
    ),
    "an argument moves": (
        put(f"{LIMIT}.in", "header"),
        "list_orders argument limit",
        "it travelled in query",
    ),
    "an enum shrinks": (
        put(f"{STATE}.schema.enum", ["open", "sent"]),
        "list_orders argument state",
        "'paid' may not stand here any more",
    ),
    "a type narrows": (
        put(f"{NEW}.properties.count.type", "integer"),
        "add_order argument count",
        "the type was number, now integer",
    ),
    "null is refused": (
        put(f"{NEW}.properties.note", {"type": "string"}),
        "add_order argument note",
        "null may not stand here any more",
    ),
    "a bound tightens": (
        put(f"{LIMIT}.schema.maximum", 20),
        "list_orders argument limit",
        "maximum was 50, now 20",
    ),
    "a pattern appears": (
        put(f"{NEW}.properties.item.pattern", "^[a-z]+$"),
        "add_order argument item",
        "pattern was not set",
    ),
    "a default changes": (
        put(f"{STATE}.schema.default", "paid"),
        "list_orders argument state",
        "the default was 'open', now 'paid'",
    ),
    "the media type of a body changes": (
        put(
            "paths./orders.post.requestBody.content",
            {"text/plain": {"schema": {"type": "string"}}},
        ),
        "add_order",
        "the body was application/json, now text/plain",
    ),
    "the success status changes": (
        lambda document: at(document, "paths./orders.post.responses").update(
            {"200": at(document, "paths./orders.post.responses").pop("201")}
        ),
        "add_order answer 201",
        "it is gone",
    ),
    "an answer loses a property": (
        drop(f"{ORDER}.properties.note"),
        "add_order answer 201 /note",
        "it is gone",
    ),
    "an answer promises less": (
        put(f"{ORDER}.required", ["id"]),
        "add_order answer 201 /state",
        "it is optional now",
    ),
    "an answer may be something else": (
        put(f"{ORDER}.properties.id.type", ["integer", "string"]),
        "add_order answer 201 /id",
        "the type was integer, now integer or string",
    ),
    "an answer has a value more, deep inside": (
        put(f"{ORDER}.properties.state.enum", ["open", "sent", "lost"]),
        "list_orders answer 200 /0/state",
        "'lost' may stand here now",
    ),
}

HARMLESS: dict[str, tuple[Callable[[Document], None], str, str]] = {
    "an operation comes": (
        put(
            "paths./orders/{id}.delete",
            {
                "operationId": "cancel",
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}
                ],
                "responses": {},
            },
        ),
        "cancel",
        "the operation is new (DELETE /orders/{id})",
    ),
    "an optional argument comes": (
        put(f"{NEW}.properties.gift", {"type": "boolean"}),
        "add_order argument gift",
        "it is new",
    ),
    "an argument becomes optional": (
        put(f"{NEW}.required", []),
        "add_order argument item",
        "it is optional now",
    ),
    "an enum grows": (
        put(f"{STATE}.schema.enum", ["open", "sent", "paid", "lost"]),
        "list_orders argument state",
        "'lost' may stand here now",
    ),
    "a type widens": (
        put(f"{LIMIT}.schema.type", "number"),
        "list_orders argument limit",
        "the type was integer, now number",
    ),
    "null is accepted": (
        put(
            f"{NEW}.properties.item",
            {"anyOf": [at(DOCUMENT, f"{NEW}.properties.item"), {"type": "null"}]},
        ),
        "add_order argument item",
        "null may stand here now",
    ),
    "a bound loosens": (
        drop(f"{NEW}.properties.item.maxLength"),
        "add_order argument item",
        "maxLength was 40, now not set",
    ),
    "a text changes": (put(f"{LIST}.summary", "Show orders"), "list_orders", "its summary changed"),
    "a description of an argument changes": (
        put(f"{NEW}.properties.item.description", "What."),
        "add_order argument item",
        "its description changed",
    ),
    "a scope is not asked for any more": (
        put(f"{LIST}.security", [{}]),
        "list_orders",
        "asks for nothing",
    ),
    "an answer has a property more": (
        put(f"{ORDER}.properties.total", {"type": "number"}),
        "add_order answer 201 /total",
        "it is new",
    ),
    "an answer promises more": (
        put(f"{ORDER}.required", ["id", "state", "note"]),
        "add_order answer 201 /note",
        "it is required now",
    ),
    "an answer has a value less": (
        put(f"{ORDER}.properties.state.enum", ["open"]),
        "add_order answer 201 /state",
        "'sent' may not stand here any more",
    ),
    "an error is declared": (
        put(f"{LIST}.responses.503", {"description": "Closed."}),
        "list_orders answer 503",
        "it is new",
    ),
    "an error goes": (drop(f"{LIST}.responses.404"), "list_orders answer 404", "it is gone"),
    "it asks the user first": (
        put(f"{LIST}.x-openai-isConsequential", True),
        "list_orders",
        "x-openai-isConsequential is True now",
    ),
    "the version moves": (put("info.version", "2"), "info", "its version changed"),
}


@pytest.mark.parametrize("case", BREAKING)
def test_a_change_that_breaks_callers_is_found_and_said(case: str) -> None:
    plant, where, what = BREAKING[case]
    found = [change for change in changed(plant) if change.where == where and what in change.what]
    assert [change.breaking for change in found] == [True], changed(plant)


@pytest.mark.parametrize("case", HARMLESS)
def test_a_harmless_change_is_found_and_breaks_nobody(case: str) -> None:
    plant, where, what = HARMLESS[case]
    found = changed(plant)
    assert [change for change in found if change.where == where and what in change.what], found
    assert not [change for change in found if change.breaking]


def test_nothing_changed_is_no_change() -> None:
    assert changed(lambda _: None) == []


def test_breaking_changes_come_first() -> None:
    def both(document: Document) -> None:
        put("info.version", "2")(document)
        drop("paths./orders.post")(document)

    assert [change.breaking for change in changed(both)] == [True, False]


def test_a_change_inside_a_recursive_schema_ends() -> None:
    found = changed(put(f"{NEW}.properties.item.maxLength", 10))
    assert Change("add_order argument item", "maxLength was 40, now 10", breaking=True) in found
    assert {change.where for change in found} <= {
        "add_order argument item",
        "add_order argument parts/0/item",
    }


def test_the_same_change_is_told_at_each_place() -> None:
    def plant(document: Document) -> None:
        for name in ("first", "second"):
            at(document, f"{NEW}.properties")[name] = {"$ref": "#/components/schemas/Order"}

    before, after = copy.deepcopy(DOCUMENT), copy.deepcopy(DOCUMENT)
    plant(before)
    plant(after)
    put(f"{ORDER}.properties.id.minimum", 1)(after)
    found = compare.contracts(read(json.dumps(before)), read(json.dumps(after)))
    assert {change.where for change in found if change.breaking} >= {
        "add_order argument first/id",
        "add_order argument second/id",
    }


def test_of_a_manifest_only_what_programs_read_breaks() -> None:
    before = {
        "name_for_model": "shop",
        "description_for_human": "Buy things.",
        "auth": {"type": "none"},
    }
    after = {
        "name_for_model": "shop",
        "description_for_human": "Buy good things.",
        "auth": {"type": "user_http", "authorization_type": "bearer"},
    }
    changes = compare.manifests(before, after)
    assert [(change.where, change.breaking) for change in changes] == [
        ("auth", True),
        ("description_for_human", False),
    ]
    assert compare.manifests(before, before) == []
