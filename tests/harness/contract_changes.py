"""Plants changes into OpenAPI documents that are made of the tools that recorded calls used."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
SCALARS = ("string", "integer", "number", "boolean")


def document(tools: dict[str, Json]) -> Json:
    """Tools as operations: flat bodies, some as query parameters, some with one in the path."""
    made: Json = {
        "openapi": "3.1.0",
        "info": {"title": "Recorded tools", "version": "1"},
        "servers": [{"url": "https://api.example.com"}],
        "paths": {},
        "components": {"schemas": {}},
    }
    for index, (name, schema) in enumerate(tools.items()):
        schema = json.loads(json.dumps(schema))  # noqa: PLW2901 - a copy of our own
        held = {**schema.pop("definitions", {}), **schema.pop("$defs", {})}
        made["components"]["schemas"] |= {
            f"{name}.{key}": _relinked(part, name) for key, part in held.items()
        }
        path, method, operation = _operation(name, _relinked(schema, name), index)
        operation["operationId"] = name
        operation["responses"] = {"200": {"description": "Done."}}
        made["paths"][path] = {method: operation}
    return made


def _relinked(node: Any, name: str) -> Any:
    if isinstance(node, list):
        return [_relinked(item, name) for item in node]
    if not isinstance(node, dict):
        return node
    found = {key: _relinked(value, name) for key, value in node.items()}
    if isinstance(node.get("$ref"), str):
        found["$ref"] = f"#/components/schemas/{name}.{node['$ref'].rpartition('/')[2]}"
    return found


def _operation(name: str, schema: Json, index: int) -> tuple[str, str, Json]:
    properties = schema.get("properties", {})
    required = schema.get("required", [])
    plain = all(one.get("type") in SCALARS for one in properties.values())
    if index % 3 and properties and plain and "additionalProperties" not in schema:
        in_path = next((key for key in required if index % 3 == 2), None)
        parameters = [
            {
                "name": key,
                "in": "path" if key == in_path else "query",
                "required": key in required,
                "schema": one,
            }
            for key, one in properties.items()
        ]
        path = f"/{name}/{{{in_path}}}" if in_path else f"/{name}"
        return path, "get", {"parameters": parameters}
    content = {"application/json": {"schema": {"type": "object", **schema}}}
    return f"/{name}", "post", {"requestBody": {"required": True, "content": content}}


class Arguments:
    """The arguments of one operation, wherever they stand."""

    def __init__(self, document: Json, name: str, calls: int = 0) -> None:
        self.document, self.name, self.calls = document, name, calls
        for path, item in document["paths"].items():
            for method, operation in item.items():
                if operation.get("operationId") == name:
                    self.path, self.method, self.operation = path, method, operation

    @property
    def body(self) -> Json | None:
        media = self.operation.get("requestBody", {}).get("content", {})
        found: Json | None = media.get("application/json", {}).get("schema")
        return found

    @property
    def parameters(self) -> list[Json]:
        return self.operation.setdefault("parameters", [])  # type: ignore[no-any-return] # JSON

    def schemas(self) -> dict[str, Json]:
        if self.body is not None:
            return self.body.setdefault("properties", {})  # type: ignore[no-any-return] # JSON
        return {one["name"]: one["schema"] for one in self.parameters}

    def required(self) -> list[str]:
        if self.body is not None:
            return self.body.setdefault("required", [])  # type: ignore[no-any-return] # JSON
        return [one["name"] for one in self.parameters if one["required"]]

    def require(self, name: str) -> None:
        if self.body is not None:
            self.required().append(name)
        else:
            self._parameter(name)["required"] = True

    def remove(self, name: str) -> None:
        if self.body is not None:
            del self.schemas()[name]
            self.body["required"] = [one for one in self.required() if one != name]
        else:
            self.parameters.remove(self._parameter(name))

    def rename(self, name: str, new: str) -> None:
        if self.body is None:
            self._parameter(name)["name"] = new
            return
        renamed = {new if key == name else key: one for key, one in self.schemas().items()}
        self.body["required"] = [new if one == name else one for one in self.required()]
        self.body["properties"] = renamed

    def add(self, name: str, schema: Json, *, required: bool) -> None:
        if self.body is not None:
            self.schemas()[name] = schema
            if required:
                self.required().append(name)
        else:
            self.parameters.append(
                {"name": name, "in": "query", "required": required, "schema": schema}
            )

    def is_movable(self, name: str) -> bool:
        return self.body is not None or self._parameter(name)["in"] != "path"

    def _parameter(self, name: str) -> Json:
        return next(one for one in self.parameters if one["name"] == name)


@dataclass(frozen=True)
class Used:
    """How often operations, and their arguments with their values, stand in good calls."""

    calls: list[tuple[str, Json]]

    def operations(self) -> list[str]:
        return [name for name, _ in Counter(name for name, _ in self.calls).most_common()]

    def values(self, name: str, argument: str) -> list[Any]:
        return [given[argument] for one, given in self.calls if one == name and argument in given]

    def count(self, name: str) -> int:
        return sum(one == name for one, _ in self.calls)


Change = Callable[[Arguments, str, list[Any]], str | None]
"""Changes one argument, whose values in calls are given; returns the words to expect, or None
where it cannot be made there."""


def plant(change: Change, document: Json, used: Used) -> tuple[Json, str] | None:
    """The document with a change at the first place that calls use and that allows it."""
    there = [one.get("operationId") for item in document["paths"].values() for one in item.values()]
    for name in filter(there.__contains__, used.operations()):
        for argument in Arguments(document, name).schemas():
            copy = json.loads(json.dumps(document))
            one = Arguments(copy, name, used.count(name))
            expected = change(one, argument, used.values(name, argument))
            if expected is not None:
                return copy, expected
    return None


def remove_operation(one: Arguments, _name: str, _values: list[Any]) -> str | None:
    del one.document["paths"][one.path]
    return "the operation was removed"


def rename_operation(one: Arguments, _name: str, _values: list[Any]) -> str | None:
    one.operation["operationId"] = f"{one.name}_v2"
    return f"the operation was renamed to `{one.name}_v2`"


def forget_operation_id(one: Arguments, _name: str, _values: list[Any]) -> str | None:
    del one.operation["operationId"]
    return "the operation was renamed to `"


def break_operation(one: Arguments, _name: str, _values: list[Any]) -> str | None:
    one.operation["requestBody"] = {"content": {"image/*": {}}}
    return "the operation cannot be called any more: no call can be written in image/*"


def rename_required(one: Arguments, name: str, values: list[Any]) -> str | None:
    if not (values and name in one.required() and one.is_movable(name)):
        return None
    one.rename(name, f"{name}_new")
    return f"`{name}` was renamed to `{name}_new`"


def rename_optional(one: Arguments, name: str, values: list[Any]) -> str | None:
    if not values or name in one.required():
        return None
    one.rename(name, name.upper() if name.upper() != name else name.lower())
    return f"`{name}` was renamed to `"


def remove_argument(one: Arguments, name: str, values: list[Any]) -> str | None:
    if not (values and one.is_movable(name)) or (one.body and len(one.schemas()) == 1):
        return None
    one.remove(name)
    return f"`{name}` was removed"


def require_optional(one: Arguments, name: str, values: list[Any]) -> str | None:
    if name in one.required() or len(values) == one.calls:
        return None
    one.require(name)
    return f"`{name}` became required"


def add_required(one: Arguments, _name: str, _values: list[Any]) -> str | None:
    one.add("confirmation", {"type": "boolean"}, required=True)
    return "`confirmation` became required"


def narrow_enum(one: Arguments, name: str, values: list[Any]) -> str | None:
    allowed = one.schemas()[name].get("enum")
    if not values or not allowed or len(allowed) < 2:
        return None
    one.schemas()[name]["enum"] = [value for value in allowed if value != values[0]]
    # the judge lets a default pass that its own enum excludes: that is the document's fault
    one.schemas()[name].pop("default", None)
    return f"`{name}` no longer allows {json.dumps(values[0])}"


def introduce_enum(one: Arguments, name: str, values: list[Any]) -> str | None:
    if "enum" in one.schemas()[name] or len({json.dumps(value) for value in values}) < 2:
        return None
    one.schemas()[name]["enum"] = [values[0]]
    return f"`{name}` allows only "


def _typed(one: Arguments, name: str, types: tuple[str, ...]) -> bool:
    return one.schemas()[name].get("type") in types


def text_to_integer(one: Arguments, name: str, values: list[Any]) -> str | None:
    if not (values and _typed(one, name, ("string",))):
        return None
    one.schemas()[name]["type"] = "integer"
    return f"`{name}`: the type was string, now integer"


def list_to_text(one: Arguments, name: str, values: list[Any]) -> str | None:
    if not (values and _typed(one, name, ("array",))):
        return None
    one.schemas()[name]["type"] = "string"
    return f"`{name}`: the type was array, now string"


def number_to_text(one: Arguments, name: str, values: list[Any]) -> str | None:
    if not (values and _typed(one, name, ("integer", "number"))):
        return None
    was = one.schemas()[name]["type"]
    one.schemas()[name]["type"] = "string"
    return f"`{name}`: the type was {was}, now string"


def text_to_list(one: Arguments, name: str, values: list[Any]) -> str | None:
    if not (values and _typed(one, name, ("string",)) and one.is_movable(name)):
        return None
    schema = one.schemas()[name]
    item = dict(schema)
    schema.clear()
    schema |= {"type": "array", "items": item}
    return f"`{name}`: the type was string, now array"


def lower_maximum(one: Arguments, name: str, values: list[Any]) -> str | None:
    if not (values and _typed(one, name, ("integer", "number"))):
        return None
    one.schemas()[name]["maximum"] = max(values) - 1
    return f"`{name}`: maximum was "


def shorten_text(one: Arguments, name: str, values: list[Any]) -> str | None:
    texts = [len(value) for value in values if isinstance(value, str)]
    if not texts or max(texts) < 2:
        return None
    one.schemas()[name]["maxLength"] = max(texts) - 1
    return f"`{name}`: maxLength was "


def ask_for_pattern(one: Arguments, name: str, values: list[Any]) -> str | None:
    if not (values and _typed(one, name, ("string",))):
        return None
    one.schemas()[name]["pattern"] = "^no such text$"
    return f"`{name}`: pattern was not set"


def fewer_items(one: Arguments, name: str, values: list[Any]) -> str | None:
    if not any(isinstance(value, list) and value for value in values):
        return None
    one.schemas()[name]["maxItems"] = 0
    return f"`{name}`: maxItems was not set, now 0"


def _item(one: Arguments, name: str, values: list[Any]) -> tuple[Json, str] | None:
    """The object schema of a list's items, and a key that calls give in them."""
    schema = one.schemas()[name]
    item = schema.get("items") if schema.get("type") == "array" else None
    keys = [key for value in values if isinstance(value, list) for one in value for key in one]
    if not isinstance(item, dict) or "properties" not in item or not keys:
        return None
    return item, keys[0]


def remove_inside(one: Arguments, name: str, values: list[Any]) -> str | None:
    found = _item(one, name, values)
    if found is None:
        return None
    item, key = found
    del item["properties"][key]
    item["required"] = [other for other in item.get("required", []) if other != key]
    return f"`{name}[].{key}` was removed"


def require_inside(one: Arguments, name: str, values: list[Any]) -> str | None:
    found = _item(one, name, values)
    if found is None:
        return None
    found[0]["properties"]["seat"] = {"type": "string"}
    found[0].setdefault("required", []).append("seat")
    return f"`{name}[].seat` became required"


def type_inside(one: Arguments, name: str, values: list[Any]) -> str | None:
    found = _item(one, name, values)
    if found is None:
        return None
    found[0]["properties"][found[1]] = {"type": "boolean"}
    return f"`{name}[].{found[1]}`: the type was "


def wrap_body(one: Arguments, _name: str, values: list[Any]) -> str | None:
    if one.body is None or not values:
        return None
    media = one.operation["requestBody"]["content"]["application/json"]
    media["schema"] = {"type": "array", "items": one.body}
    return "the body became one argument, `body`"


def collide(one: Arguments, name: str, values: list[Any]) -> str | None:
    """A body that has a property of a parameter's name takes it over."""
    if one.body is not None or not values:
        return None
    schema = {"type": "object", "properties": {name: {"type": "object", "properties": {}}}}
    one.operation["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    return f"parameter `{name}` is the argument `{name}_"


CHANGES: tuple[Change, ...] = (
    *(remove_operation, rename_operation, forget_operation_id, break_operation),
    *(rename_required, rename_optional, remove_argument, require_optional, add_required),
    *(narrow_enum, introduce_enum, text_to_integer, list_to_text, number_to_text, text_to_list),
    *(lower_maximum, shorten_text, ask_for_pattern, fewer_items),
    *(remove_inside, require_inside, type_inside, wrap_body, collide),
)


def harmless(document: Json) -> Iterator[Json]:
    """Changes that break no call: other words, other places on the wire, other keys allowed."""
    for changed in (_other_words, _other_paths, _more_optional, _formats):
        copy = json.loads(json.dumps(document))
        for item in copy["paths"].values():
            for operation in item.values():
                changed(Arguments(copy, operation["operationId"]))
        yield copy


def _other_words(one: Arguments) -> None:
    one.operation["description"] = "Something else."
    for schema in one.schemas().values():
        schema["description"] = "Something else."


def _other_paths(one: Arguments) -> None:
    one.document["paths"] = {
        (f"/v2{path}" if path == one.path else path): item
        for path, item in one.document["paths"].items()
    }


def _more_optional(one: Arguments) -> None:
    one.add("more", {"type": "string"}, required=False)


def _formats(one: Arguments) -> None:
    for schema in one.schemas().values():
        schema["format"] = "uuid"
