"""Validation errors in a model's words: which argument, what was expected, what came, what is near.

What is expected is read from the JSON Schema of the route, the one that the model was given; what
came is shortened, and never shown for arguments that hold secrets.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from fastapi.routing import RouteContext
from pydantic import BaseModel

from plugin.api.errors.nearest import (
    LONGEST_VALUE,
    SAFE_INTEGER,
    closest_name,
    nearest_choice,
    nearest_value,
    parsed,
)
from plugin.api.errors.schema_words import follow, in_words
from plugin.api.fastapi_private import ModelField, adapter_of
from plugin.errors import ArgumentFault

Schema = Mapping[str, Any]

MOST_FAULTS = 20
_SECRET = re.compile(
    r"pass(word|phrase)|secret|token|api_?key|authorization|credential", re.IGNORECASE
)
_COUNT = re.compile(r"(max|min)_(\w+_)?tokens", re.IGNORECASE)
"""Tokens that are no secret: a text is counted in them."""

_HIDDEN = "(hidden)"
UNKNOWN = "no such argument"
"""How the expectation begins where an argument should not have come at all."""

_KEY = "[key]"
"""How pydantic's `loc` ends where a key is wrong, and not its value."""

_TAG_FAULTS = frozenset({"union_tag_invalid", "union_tag_not_found"})

NOTHING = "nothing"
"""What came, where nothing came."""


def faults(route: RouteContext, errors: Iterable[Mapping[str, Any]]) -> Iterator[ArgumentFault]:
    """The faults behind pydantic's errors, whose `loc` begins with path, query, header or body."""
    schemas: dict[str, Schema] = {}
    found: list[ArgumentFault] = []
    for error in errors:
        place = str(error["loc"][0]) if error["loc"] else "body"
        if place not in schemas:
            schemas[place] = _schema_of(route, place)
        found.append(_fault(error, schemas[place], tuple(error["loc"][1:])))
    yield from _telling(found)


def _telling(found: Sequence[ArgumentFault]) -> Iterator[ArgumentFault]:
    """Each fault once: of a choice, pydantic tells what is wrong by every branch."""
    told: set[tuple[str, str]] = set()
    inner = [fault.pointer for fault in found]
    for fault in found:
        same = (fault.pointer, fault.expected)
        # A fault inside a value is a branch that it nearly is; one of the whole, a branch it is not
        if same in told or any(one.startswith(f"{fault.pointer}/") for one in inner):
            continue
        told.add(same)
        yield fault


def _fault(error: Mapping[str, Any], root: Schema, loc: Sequence[str | int]) -> ArgumentFault:
    kind, came = error["type"], error.get("input")
    if kind == "json_invalid":
        return ArgumentFault("", _json_hint(error), _shown(came, ()))
    path, parent, schema = _walk(root, loc, missing=kind in {"missing", "extra_forbidden"})
    pointer = "".join(f"/{_escape(part)}" for part in path)
    if loc[-1:] == (_KEY,):
        pattern = error.get("ctx", {}).get("pattern", "another")
        return ArgumentFault(pointer, f"named by a text matching {pattern}", _shown(came, path))
    if kind in _TAG_FAULTS and isinstance(came, Mapping):
        return _tag_fault(pointer, schema, came, root)
    if kind == "missing":
        return ArgumentFault(pointer, in_words(schema, root), NOTHING)
    if kind == "extra_forbidden":
        known = list(_properties(parent, root))
        expected = f"{UNKNOWN}; allowed: {', '.join(known) or 'none'}"
        return ArgumentFault(
            pointer, expected, _shown(came, path), closest_name(str(path[-1]), known)
        )
    expected = in_words(schema, root)
    if kind in {"value_error", "assertion_error"}:
        expected = f"{expected}; {error['msg'].partition(', ')[2]}"
    if came is None and path and _is_optional(parent, path[-1]):
        expected = f"{expected}; or leave it out"
    near = None if _secret(path, schema) else nearest_value(came, schema, root)
    return ArgumentFault(pointer, expected, _shown(came, path, schema), near)


def _tag_fault(
    pointer: str, schema: Schema, came: Mapping[str, Any], root: Schema
) -> ArgumentFault:
    """The fault of a member that says what kind of object it stands in."""
    name, kinds = next(_tags(schema, root), ("type", {}))
    expected = in_words({"enum": list(kinds)}, root)
    got = came.get(name, NOTHING)
    return ArgumentFault(
        f"{pointer}/{_escape(name)}", expected, _shown(got, ()), nearest_choice(got, list(kinds))
    )


def _tags(schema: Schema, root: Schema) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Of a choice of objects: the member that tells them apart, and where each is described."""
    for branch in (schema, *schema.get("anyOf", ())):
        told = follow(branch, root).get("discriminator", {})
        if "mapping" in told:
            yield str(told["propertyName"]), told["mapping"]


def _is_optional(parent: Schema, name: str | int) -> bool:
    return name in parent.get("properties", {}) and name not in parent.get("required", ())


def _walk(
    root: Schema, loc: Sequence[str | int], *, missing: bool
) -> tuple[list[str | int], Schema, Schema]:
    """The path to the value, the schema around it, and its own.

    Between the keys, pydantic's `loc` names branches of unions and validators; they are no keys.
    """
    path: list[str | int] = []
    parent, schema = root, follow(root, root)
    for position, part in enumerate(loc):
        kinds = next((kinds for _, kinds in _tags(schema, root) if part in kinds), None)
        if kinds is not None:
            schema = follow({"$ref": kinds[str(part)]}, root)
            continue
        inside = _step(schema, part, root)
        if inside is None and not (missing and position == len(loc) - 1):
            continue
        path.append(part)
        parent, schema = schema, {} if inside is None else inside
    return path, parent, schema


def _step(schema: Schema, part: str | int, root: Schema) -> Schema | None:
    if isinstance(part, int):
        found = schema.get("items")
    else:
        found = schema.get("properties", {}).get(part)
        if found is None and isinstance(schema.get("additionalProperties"), Mapping):
            found = schema["additionalProperties"]
        if found is None and part != _KEY:
            found = next(iter(schema.get("patternProperties", {}).values()), None)
    if isinstance(found, Mapping):
        return follow(found, root)
    branches = [follow(branch, root) for branch in schema.get("anyOf", schema.get("oneOf", ()))]
    steps = [step for branch in branches if (step := _step(branch, part, root)) is not None]
    if len(steps) > 1 and isinstance(part, int):
        return {"anyOf": steps}  # lists of this or of that
    return steps[0] if steps else None


def _properties(schema: Schema, root: Schema) -> Iterator[str]:
    """The names that an object may have, one that may be null as well."""
    yield from schema.get("properties", {})
    for branch in schema.get("anyOf", ()):
        yield from follow(branch, root).get("properties", {})


def _shown(came: Any, path: Sequence[str | int], schema: Schema | None = None) -> Any:
    if _secret(path, schema or {}):
        return _HIDDEN
    if came is None or (isinstance(came, int | float) and abs(came) <= SAFE_INTEGER):
        return came
    text = came if isinstance(came, str) else _written(came)
    if isinstance(came, list | dict) and len(text) <= LONGEST_VALUE:
        return parsed(text, type(came))  # a list is not the text of a list
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def _written(came: Any) -> str:
    if isinstance(came, bytes):
        return came.decode(errors="replace")
    try:
        return json.dumps(_without_secrets(came), default=str, ensure_ascii=False)
    except (ValueError, RecursionError):
        return "a value nested too deeply"


def _without_secrets(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            str(key): _HIDDEN if _is_secret(str(key)) else _without_secrets(item)
            for key, item in value.items()
        }
    return [_without_secrets(item) for item in value] if isinstance(value, list) else value


def _secret(path: Sequence[str | int], schema: Schema) -> bool:
    named = any(isinstance(part, str) and _is_secret(part) for part in path)
    return named or schema.get("format") == "password" or bool(schema.get("writeOnly"))


def _is_secret(name: str) -> bool:
    return _SECRET.search(name) is not None and _COUNT.fullmatch(name) is None


def _escape(part: str | int) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")


def _json_hint(error: Mapping[str, Any]) -> str:
    return (
        "one complete JSON value, names and texts in double quotes, no comments, no comma at the "
        f"end ({error['ctx']['error']})"
    )


def _schema_of(route: RouteContext, place: str) -> Schema:
    dependant = route.dependant
    if place == "body":
        field: ModelField | None = route.body_field
        return {} if field is None else _json_schema(field)
    fields: list[ModelField] = getattr(dependant, f"{place}_params", [])
    properties: dict[str, Any] = {}
    definitions: dict[str, Any] = {}
    for field in fields:
        schema = dict(_json_schema(field))
        definitions |= schema.pop("$defs", {})
        if isinstance(field.field_info.annotation, type) and issubclass(
            field.field_info.annotation, BaseModel
        ):
            properties |= follow(schema, {"$defs": definitions}).get("properties", {})
        else:
            properties[field.validation_alias or field.alias] = schema
    return {"type": "object", "properties": properties, "$defs": definitions}


@lru_cache(1024)  # a field lives as long as its route, and its schema takes 1 to 20 ms to make
def _json_schema(field: ModelField) -> Schema:
    adapter = adapter_of(field)
    schema: Schema = adapter.json_schema()
    return schema
